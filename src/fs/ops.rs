//! What is done by (directory descriptor, name): one function a request, each the system call that its doc names.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, openat, readlinkat, renameat, renameat2};
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmodat, fstatat, mkdirat, umask, utimensat,
};
use nix::sys::statvfs::{Statvfs, fstatvfs, statvfs};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, ftruncate, linkat, symlinkat, unlinkat};

use super::{Dir, File, Result, View, again};

/// What the kernel tells of a file.
pub type FileStat = nix::sys::stat::FileStat;

/// Whether a symbolic link at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Act on what the link points to.
    Yes,
    /// Act on the link.
    No,
}

/// How a file is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenHow {
    /// Access mode, `O_APPEND`, `O_CREAT`, `O_TRUNC`, `O_EXCL`.
    pub flags: OFlag,
    /// The mode of a file that is created, octal.
    pub mode: u32,
    /// Whether that mode is exact, or one from which the umask takes bits.
    pub exact: bool,
}

impl View {
    /// Opens a file; a FIFO or a device without a peer never blocks.
    ///
    /// # Errors
    /// As openat(2). `ENXIO` for a FIFO that nobody reads, and for a socket.
    pub fn open(&self, path: &Path, how: OpenHow) -> Result<File> {
        let (parent, name) = self.parent(path)?;
        let flags = how.flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let mode = Mode::from_bits_truncate(how.mode);

        // One session is one process, and nothing else creates files while this call runs.
        let mask = how.exact.then(|| umask(Mode::empty()));
        let opened = At(parent, name).open(flags, mode);
        if let Some(mask) = mask {
            umask(mask);
        }
        Ok(File::new(opened?, how.flags.contains(OFlag::O_APPEND)))
    }

    /// Opens a directory for listing.
    ///
    /// # Errors
    /// As openat(2); `ENOTDIR`.
    pub fn opendir(&self, path: &Path) -> Result<Dir> {
        let (parent, name) = self.parent(path)?;
        // O_NONBLOCK as opendir(3) has it: what is no directory must not block before the kernel sees that.
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        Ok(Dir::new(again(|| {
            openat(parent, name, flags, Mode::empty())
        })?))
    }

    /// The attributes of what `path` names.
    ///
    /// # Errors
    /// As fstatat(2).
    pub fn stat(&self, path: &Path, follow: Follow) -> Result<FileStat> {
        let (parent, name) = self.parent(path)?;
        fstatat(parent, name, at_flags(follow))
    }

    /// Sets the size, in bytes. Only a regular file is ever opened for it: opening a device may act.
    ///
    /// # Errors
    /// As truncate(2): `EISDIR`, `EINVAL` for what is no regular file.
    pub fn truncate(&self, path: &Path, size: u64) -> Result<()> {
        let size = i64::try_from(size).map_err(|_| Errno::EINVAL)?;
        let (parent, name) = self.parent(path)?;
        match kind(&fstatat(parent, name, AtFlags::empty())?) {
            SFlag::S_IFREG => {}
            SFlag::S_IFDIR => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let file = At(parent, name).open(flags, Mode::empty())?;
        again(|| ftruncate(&file, size))
    }

    /// Sets the permissions: the lower twelve bits of `mode`.
    ///
    /// # Errors
    /// As fchmodat(2); `EOPNOTSUPP` for a symbolic link itself.
    pub fn chmod(&self, path: &Path, mode: u32, follow: Follow) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let flag = match follow {
            Follow::Yes => FchmodatFlags::FollowSymlink,
            Follow::No => FchmodatFlags::NoFollowSymlink,
        };
        fchmodat(parent, name, Mode::from_bits_truncate(mode), flag)
    }

    /// Sets access and modification time, in seconds since the Epoch.
    ///
    /// # Errors
    /// As utimensat(2).
    pub fn utimes(&self, path: &Path, atime: u32, mtime: u32, follow: Follow) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let flag = match follow {
            Follow::Yes => UtimensatFlags::FollowSymlink,
            Follow::No => UtimensatFlags::NoFollowSymlink,
        };
        utimensat(parent, name, &seconds(atime), &seconds(mtime), flag)
    }

    /// Sets owner and group.
    ///
    /// # Errors
    /// As fchownat(2).
    pub fn chown(&self, path: &Path, uid: u32, gid: u32, follow: Follow) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        fchownat(parent, name, Some(uid), Some(gid), at_flags(follow))
    }

    /// Removes the file that `path` names; never a directory.
    ///
    /// # Errors
    /// As unlinkat(2).
    pub fn unlink(&self, path: &Path) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// As unlinkat(2) with `AT_REMOVEDIR`.
    pub fn rmdir(&self, path: &Path) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        unlinkat(parent, name, UnlinkatFlags::RemoveDir)
    }

    /// Creates a directory with the lower twelve bits of `mode`, less the umask.
    ///
    /// # Errors
    /// As mkdirat(2).
    pub fn mkdir(&self, path: &Path, mode: u32) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        mkdirat(parent, name, Mode::from_bits_truncate(mode))
    }

    /// Creates a symbolic link at `path` that holds `target`, any bytes.
    ///
    /// # Errors
    /// As symlinkat(2).
    pub fn symlink(&self, target: &Path, path: &Path) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        symlinkat(target, parent, name)
    }

    /// What a symbolic link holds.
    ///
    /// # Errors
    /// As readlinkat(2); `EINVAL` for what is no link.
    pub fn readlink(&self, path: &Path) -> Result<OsString> {
        let (parent, name) = self.parent(path)?;
        if name.as_os_str().is_empty() {
            // The kernel would ask the descriptor itself.
            return Err(Errno::ENOENT);
        }
        readlinkat(parent, name)
    }

    /// A second name for a file; a symbolic link is linked itself, as link(2) does it.
    ///
    /// # Errors
    /// As linkat(2).
    pub fn link(&self, oldpath: &Path, newpath: &Path) -> Result<()> {
        let (old_parent, old) = self.parent(oldpath)?;
        let (new_parent, new) = self.parent(newpath)?;
        linkat(old_parent, old, new_parent, new, AtFlags::empty())
    }

    /// Figures of the file system on which `path` lies; one that is mounted on demand gets mounted.
    ///
    /// # Errors
    /// As statvfs(3).
    pub fn statvfs(&self, path: &Path) -> Result<Statvfs> {
        let (parent, name) = self.parent(path)?;
        if parent.as_raw_fd() == AT_FDCWD.as_raw_fd() {
            // No descriptor does this: O_PATH leaves an automount as it is, and any other open may lack permission.
            return again(|| statvfs(name));
        }
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        fstatvfs(&openat(parent, name, flags, Mode::empty())?)
    }

    /// Renames, replacing what stands at `newpath`, as rename(2).
    ///
    /// # Errors
    /// As renameat(2).
    pub fn replace(&self, oldpath: &Path, newpath: &Path) -> Result<()> {
        let (old_parent, old) = self.parent(oldpath)?;
        let (new_parent, new) = self.parent(newpath)?;
        renameat(old_parent, old, new_parent, new)
    }

    /// Renames to a name that is free, whatever other processes do meanwhile. A symbolic link to nothing does not count as a taken name.
    ///
    /// # Errors
    /// As renameat2(2) with `RENAME_NOREPLACE`; `EEXIST` where something stands at `newpath`.
    pub fn rename(&self, oldpath: &Path, newpath: &Path) -> Result<()> {
        let (old_parent, old) = self.parent(oldpath)?;
        let (new_parent, new) = self.parent(newpath)?;
        let from = At(old_parent, old);
        let to = At(new_parent, new);
        match renameat2(
            old_parent,
            old,
            new_parent,
            new,
            RenameFlags::RENAME_NOREPLACE,
        ) {
            Err(Errno::EEXIST) => match to.dangling() {
                Some(link) => from.replace_dangling(&to, &link),
                None => Err(Errno::EEXIST),
            },
            // EINVAL is said by file systems without RENAME_NOREPLACE, and where a directory would go into itself.
            Err(Errno::EINVAL | Errno::ENOSYS) => from.rename_without_flags(&to),
            result => result,
        }
    }
}

/// A name in a directory.
struct At<'a>(BorrowedFd<'a>, &'a Path);

impl At<'_> {
    /// Opens without waiting for a peer; but for a lease that somebody holds, a Samba server for one, until it is given back.
    fn open(&self, flags: OFlag, mode: Mode) -> Result<OwnedFd> {
        match again(|| openat(self.0, self.1, flags | OFlag::O_NONBLOCK, mode)) {
            Err(Errno::EWOULDBLOCK) if self.is_regular() => {
                again(|| openat(self.0, self.1, flags, mode))
            }
            result => result,
        }
    }

    fn is_regular(&self) -> bool {
        fstatat(self.0, self.1, AtFlags::empty()).is_ok_and(|stat| kind(&stat) == SFlag::S_IFREG)
    }

    fn lstat(&self) -> Result<FileStat> {
        fstatat(self.0, self.1, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// The symbolic link to nothing that stands here, if one does.
    fn dangling(&self) -> Option<FileStat> {
        let link = self.lstat().ok()?;
        let dangles = kind(&link) == SFlag::S_IFLNK
            && fstatat(self.0, self.1, AtFlags::empty()) == Err(Errno::ENOENT);
        dangles.then_some(link)
    }

    /// Takes the place of `link` by exchange, so that what stands there in truth is never lost: if it is not that link, it goes back.
    fn replace_dangling(&self, to: &At<'_>, link: &FileStat) -> Result<()> {
        let is_link = |stat: FileStat| (stat.st_dev, stat.st_ino) == (link.st_dev, link.st_ino);
        if is_link(self.lstat()?) {
            // One link by both names: as rename(2), nothing to do.
            return Ok(());
        }
        let exchange = || renameat2(self.0, self.1, to.0, to.1, RenameFlags::RENAME_EXCHANGE);
        exchange().map_err(|_| Errno::EEXIST)?;
        if self.lstat().is_ok_and(is_link) {
            return unlinkat(self.0, self.1, UnlinkatFlags::NoRemoveDir);
        }
        exchange()?;
        Err(Errno::EEXIST)
    }

    /// For file systems that cannot refuse to replace: a file gets its new name by link(2), which never replaces.
    fn rename_without_flags(&self, to: &At<'_>) -> Result<()> {
        if kind(&self.lstat()?) == SFlag::S_IFDIR {
            // Directories have no links. All that a rename of one can replace is an empty directory.
            return match to.lstat() {
                Ok(_) => Err(Errno::EEXIST),
                Err(Errno::ENOENT) => renameat(self.0, self.1, to.0, to.1),
                Err(errno) => Err(errno),
            };
        }
        match linkat(self.0, self.1, to.0, to.1, AtFlags::empty()) {
            Ok(()) => unlinkat(self.0, self.1, UnlinkatFlags::NoRemoveDir).inspect_err(|_| {
                let _ = unlinkat(to.0, to.1, UnlinkatFlags::NoRemoveDir);
            }),
            // No hard links here either: the name is reserved by an empty file, which the rename replaces.
            Err(Errno::EPERM | Errno::EOPNOTSUPP | Errno::ENOSYS | Errno::EMLINK) => {
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
                drop(openat(to.0, to.1, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
                renameat(self.0, self.1, to.0, to.1).inspect_err(|_| {
                    let _ = unlinkat(to.0, to.1, UnlinkatFlags::NoRemoveDir);
                })
            }
            Err(errno) => Err(errno),
        }
    }
}

/// The file type bits of a mode.
pub(super) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

pub(super) fn seconds(time: u32) -> TimeSpec {
    TimeSpec::new(i64::from(time), 0)
}

fn at_flags(follow: Follow) -> AtFlags {
    match follow {
        Follow::Yes => AtFlags::empty(),
        Follow::No => AtFlags::AT_SYMLINK_NOFOLLOW,
    }
}

/// The attributes of the object behind a descriptor.
pub(super) fn fstat(fd: &impl AsFd) -> Result<FileStat> {
    nix::sys::stat::fstat(fd)
}
