//! What is done by (directory descriptor, name): one function a request, each the system call that its doc names.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, readlinkat};
use nix::sys::stat::{
    FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, mkdirat, umask, utimensat,
};
use nix::sys::statvfs::{Statvfs, fstatvfs, statvfs};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, ftruncate, linkat, symlinkat, unlinkat};

use super::file::Guard;
use super::place::{Id, Last, Place, flags, kind};
use super::resolve::{Aim, Intent, PATH_MAX, is_directory};
use super::verdict::{free, one_tree};
use super::{Answer, Dir, Error, File, Result, View, again};

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

impl OpenHow {
    /// Whether a file is created where there is none.
    #[must_use]
    pub fn creates(&self) -> bool {
        self.flags.contains(OFlag::O_CREAT)
    }

    /// The same, but where it creates it opens nothing that is there.
    #[must_use]
    pub fn only_new(mut self) -> Self {
        self.flags.set(OFlag::O_EXCL, self.creates());
        self
    }
}

impl View {
    /// Opens a file; a FIFO or a device without a peer never blocks, and in a jail neither is opened at all.
    ///
    /// # Errors
    /// As openat(2). `ENXIO` for a FIFO that nobody reads, and for a socket; in a jail `EOPNOTSUPP` for all that is neither file nor directory.
    pub fn open(&self, path: &Path, how: OpenHow) -> Answer<File> {
        let creates = how.flags.contains(OFlag::O_CREAT);
        // The host's kernel says the same by itself.
        let slash = path.as_os_str().as_bytes().ends_with(b"/");
        if creates && slash && self.jail().is_some() {
            return self.act(path, Aim::Entry, Intent::Look, |place| {
                match place.lstat() {
                    Err(Errno::EACCES) => Err(Errno::EACCES.into()),
                    _ => Err(Errno::EISDIR.into()),
                }
            });
        }
        let aim = if creates && how.flags.contains(OFlag::O_EXCL) {
            Aim::Link
        } else {
            Aim::Target
        };
        let writes =
            how.flags & OFlag::O_ACCMODE != OFlag::O_RDONLY || how.flags.contains(OFlag::O_TRUNC);
        let intent = if writes || creates || self.watches_reads() {
            Intent::Change
        } else {
            Intent::Look
        };
        self.act(path, aim, intent, |place| {
            let mut flags = how.flags | OFlag::O_NOCTTY;
            if place.slash {
                // Behind a link.
                if creates {
                    return Err(Errno::EISDIR.into());
                }
                flags |= OFlag::O_DIRECTORY;
            }
            let mut guard = Guard::default();
            if let Some(jailed) = &place.jailed {
                let follow = if aim == Aim::Link {
                    Follow::No
                } else {
                    Follow::Yes
                };
                let there = match place.stat(follow) {
                    Ok(stat) => Some(stat),
                    Err(Error::Kernel(Errno::ENOENT)) if creates => None,
                    Err(error) => return Err(error),
                };
                if let Some(stat) = there.as_ref().filter(|_| aim == Aim::Target) {
                    is_plain(stat)?;
                }
                if writes || there.is_none() {
                    self.changeable(place, there.as_ref())?;
                }
                guard = Guard {
                    read_only: jailed.read_only,
                    protected: jailed.protected || self.is_protected(there.as_ref()),
                    protect: self.jail().and_then(|jail| jail.protect.clone()),
                };
            }
            // One session is one process, and nothing else creates files while this call runs.
            let mask = how.exact.then(|| umask(Mode::empty()));
            let opened = open(place, flags, Mode::from_bits_truncate(how.mode));
            if let Some(mask) = mask {
                umask(mask);
            }
            Ok(File::new(
                opened?,
                how.flags.contains(OFlag::O_APPEND),
                guard,
            ))
        })
    }

    /// Opens a directory for listing.
    ///
    /// # Errors
    /// As openat(2); `ENOTDIR`.
    pub fn opendir(&self, path: &Path) -> Answer<Dir> {
        self.act(path, Aim::Target, Intent::Look, |place| {
            // O_NONBLOCK as opendir(3) has it: what is no directory must not block before the kernel sees that.
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
            let fd = place.open(flags, Mode::empty())?;
            let (Some(jail), Some(jailed)) = (self.jail(), &place.jailed) else {
                return Ok(Dir::new(fd));
            };
            let above = match jailed.above {
                Some(above) => above,
                None => fstat(&place.dir())?,
            };
            let bound = if jail.has_binds() {
                jail.bound_in(jailed.tree, Id::of_fd(&fd)?)
            } else {
                Vec::new()
            };
            Ok(Dir::in_jail(fd, above, &bound))
        })
    }

    /// The attributes of what `path` names.
    ///
    /// System calls: in the host's tree one newfstatat(2). In a jail openat2(2), newfstatat(2) and close(2), or the latter alone where the path
    /// is one name.
    ///
    /// # Errors
    /// As fstatat(2).
    pub fn stat(&self, path: &Path, follow: Follow) -> Answer<FileStat> {
        self.act(path, aim(follow), Intent::Look, |place| place.stat(follow))
    }

    /// Sets the size, in bytes. Only a regular file is ever opened for it: opening a device may act.
    ///
    /// # Errors
    /// As truncate(2): `EISDIR`, `EINVAL` for what is no regular file.
    pub fn truncate(&self, path: &Path, size: u64) -> Answer<()> {
        let size = i64::try_from(size).map_err(|_| Errno::EINVAL)?;
        self.act(path, Aim::Target, Intent::Change, |place| {
            let stat = place.stat(Follow::Yes)?;
            match kind(&stat) {
                SFlag::S_IFREG => {}
                SFlag::S_IFDIR => return Err(Errno::EISDIR.into()),
                _ => return Err(Errno::EINVAL.into()),
            }
            self.changeable(place, Some(&stat))?;
            let file = open(place, OFlag::O_WRONLY | OFlag::O_NOCTTY, Mode::empty())?;
            Ok(again(|| ftruncate(&file, size))?)
        })
    }

    /// Sets the permissions: the lower twelve bits of `mode`.
    ///
    /// # Errors
    /// As fchmodat(2); `EOPNOTSUPP` for a symbolic link itself.
    pub fn chmod(&self, path: &Path, mode: u32, follow: Follow) -> Answer<()> {
        self.forget();
        let mode = Mode::from_bits_truncate(mode);
        self.act(path, aim(follow), Intent::Change, |place| {
            self.settable(place, follow)?;
            let flag = match place.follow(follow) {
                Follow::Yes => FchmodatFlags::FollowSymlink,
                Follow::No => FchmodatFlags::NoFollowSymlink,
            };
            match fchmodat(place.dir(), &*place.name, mode, flag) {
                // A C library that needs /proc for this, and none is there.
                Err(Errno::EOPNOTSUPP) if follow == Follow::Yes && place.jailed.is_some() => {
                    is_plain(&place.stat(follow)?)?;
                    Ok(fchmod(open(place, OFlag::O_RDONLY, Mode::empty())?, mode)?)
                }
                result => Ok(result?),
            }
        })
    }

    /// Sets access and modification time, in seconds since the Epoch.
    ///
    /// # Errors
    /// As utimensat(2).
    pub fn utimes(&self, path: &Path, atime: u32, mtime: u32, follow: Follow) -> Answer<()> {
        self.act(path, aim(follow), Intent::Change, |place| {
            self.settable(place, follow)?;
            let flag = match place.follow(follow) {
                Follow::Yes => UtimensatFlags::FollowSymlink,
                Follow::No => UtimensatFlags::NoFollowSymlink,
            };
            let (atime, mtime) = (seconds(atime), seconds(mtime));
            Ok(utimensat(place.dir(), &*place.name, &atime, &mtime, flag)?)
        })
    }

    /// Sets owner and group.
    ///
    /// # Errors
    /// As fchownat(2).
    pub fn chown(&self, path: &Path, uid: u32, gid: u32, follow: Follow) -> Answer<()> {
        self.forget();
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        self.act(path, aim(follow), Intent::Change, |place| {
            self.settable(place, follow)?;
            let flags = flags(place.follow(follow));
            Ok(fchownat(
                place.dir(),
                &*place.name,
                Some(uid),
                Some(gid),
                flags,
            )?)
        })
    }

    /// Removes the file that `path` names; never a directory.
    ///
    /// # Errors
    /// As unlinkat(2).
    pub fn unlink(&self, path: &Path) -> Answer<()> {
        self.act(path, Aim::Entry, Intent::Change, |place| {
            if place.last == Last::Itself {
                return Err(Errno::EISDIR.into());
            }
            self.removable(place)?;
            Ok(unlinkat(
                place.dir(),
                &*place.entry(),
                UnlinkatFlags::NoRemoveDir,
            )?)
        })
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// As unlinkat(2) with `AT_REMOVEDIR`.
    pub fn rmdir(&self, path: &Path) -> Answer<()> {
        self.forget();
        self.act(path, Aim::Entry, Intent::Change, |place| {
            if place.last == Last::Itself {
                return Err(match &*place.name {
                    b"." => Errno::EINVAL,
                    b".." => Errno::ENOTEMPTY,
                    _ => Errno::EBUSY,
                }
                .into());
            }
            self.removable(place)?;
            self.holds_no_bind(place)?;
            Ok(unlinkat(
                place.dir(),
                &*place.entry(),
                UnlinkatFlags::RemoveDir,
            )?)
        })
    }

    /// Creates a directory with the lower twelve bits of `mode`, less the umask.
    ///
    /// # Errors
    /// As mkdirat(2).
    pub fn mkdir(&self, path: &Path, mode: u32) -> Answer<()> {
        self.act(path, Aim::Entry, Intent::Change, |place| {
            free(place)?;
            let mode = Mode::from_bits_truncate(mode);
            Ok(mkdirat(place.dir(), &*place.entry(), mode)?)
        })
    }

    /// Creates a symbolic link at `path` that holds `target`, any bytes.
    ///
    /// # Errors
    /// As symlinkat(2).
    pub fn symlink(&self, target: &Path, path: &Path) -> Answer<()> {
        match target.as_os_str().len() {
            0 => return Err(Errno::ENOENT.into()),
            PATH_MAX.. => return Err(Errno::ENAMETOOLONG.into()),
            _ => {}
        }
        self.act(path, Aim::Entry, Intent::Change, |place| {
            free(place)?;
            self.not_config(place)?;
            Ok(symlinkat(target, place.dir(), &*place.entry())?)
        })
    }

    /// What a symbolic link holds.
    ///
    /// # Errors
    /// As readlinkat(2); `EINVAL` for what is no link.
    pub fn readlink(&self, path: &Path) -> Answer<OsString> {
        if path.as_os_str().is_empty() {
            // The kernel would ask the descriptor itself.
            return Err(Errno::ENOENT.into());
        }
        self.act(path, Aim::Link, Intent::Look, |place| {
            if place.slash && !is_directory(place)? {
                return Err(Errno::ENOTDIR.into());
            }
            Ok(readlinkat(place.dir(), &*place.name)?)
        })
    }

    /// A second name for a file; a symbolic link is linked itself, as link(2) does it.
    ///
    /// # Errors
    /// As linkat(2).
    pub fn link(&self, oldpath: &Path, newpath: &Path) -> Answer<()> {
        self.act_on_two((oldpath, Aim::Link), (newpath, Aim::Entry), |old, new| {
            if old.slash && !is_directory(old)? {
                return Err(Errno::ENOTDIR.into());
            }
            let stat = old.stat(Follow::No)?;
            one_tree(old, new)?;
            free(new)?;
            self.changeable(old, Some(&stat))?;
            if old.jailed.is_some() && old.last == Last::Itself {
                // Landlock would have another word for it.
                let taken = new.lstat().is_ok();
                return Err(if taken { Errno::EEXIST } else { Errno::EPERM }.into());
            }
            let entry = new.entry();
            Ok(linkat(
                old.dir(),
                &*old.name,
                new.dir(),
                &*entry,
                AtFlags::empty(),
            )?)
        })
    }

    /// Figures of the file system on which `path` lies, and whether the view makes it read-only. One that is mounted on demand gets mounted.
    ///
    /// # Errors
    /// As statvfs(3).
    pub fn statvfs(&self, path: &Path) -> Answer<(Statvfs, bool)> {
        self.act(path, Aim::Target, Intent::Look, |place| {
            let Some(jailed) = &place.jailed else {
                // No descriptor does this: O_PATH leaves an automount as it is, and any other open may lack permission.
                return Ok((again(|| statvfs(&*place.name))?, false));
            };
            let stat = place.stat(Follow::Yes)?;
            let flags = match kind(&stat) {
                // O_DIRECTORY mounts on demand.
                SFlag::S_IFDIR => OFlag::O_PATH | OFlag::O_DIRECTORY,
                _ => OFlag::O_PATH,
            };
            let fd = place.open(flags, Mode::empty())?;
            if kind(&fstat(&fd)?) == SFlag::S_IFLNK {
                return Err(Error::Link);
            }
            Ok((again(|| fstatvfs(&fd))?, jailed.read_only))
        })
    }

    /// Whether a file's way must be looked at even where it is only read, since its handle may be used to change attributes.
    fn watches_reads(&self) -> bool {
        let jail = self.jail();
        let protect = jail.and_then(|jail| jail.protect.as_ref());
        protect.is_some_and(|protect| protect.visible)
    }
}

/// Opens without waiting for a peer; but for a lease that somebody holds, a Samba server for one, until it is given back.
fn open(place: &Place<'_>, flags: OFlag, mode: Mode) -> Answer<OwnedFd> {
    match place.open(flags | OFlag::O_NONBLOCK, mode) {
        Err(Error::Kernel(Errno::EWOULDBLOCK)) if is_regular(place) => place.open(flags, mode),
        result => result,
    }
}

fn is_regular(place: &Place<'_>) -> bool {
    place
        .stat(Follow::Yes)
        .is_ok_and(|stat| kind(&stat) == SFlag::S_IFREG)
}

/// In a jail only files and directories are opened: a device or a FIFO is a way out to whatever serves it.
fn is_plain(stat: &FileStat) -> Result<()> {
    match kind(stat) {
        SFlag::S_IFREG | SFlag::S_IFDIR => Ok(()),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

fn aim(follow: Follow) -> Aim {
    match follow {
        Follow::Yes => Aim::Target,
        Follow::No => Aim::Link,
    }
}

pub(super) fn seconds(time: u32) -> TimeSpec {
    TimeSpec::new(i64::from(time), 0)
}

/// The attributes of the object behind a descriptor.
pub(super) fn fstat(fd: &impl AsFd) -> Result<FileStat> {
    nix::sys::stat::fstat(fd)
}
