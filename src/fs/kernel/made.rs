//! What the session made, as a judge remembers it; kept by a descriptor where numbers do not tell an object from one that comes after it.
//!
//! A birth time tells, or none is known: ext4 with small inodes, most of FUSE. There an inode number is often given again at once. As long as a
//! descriptor is open the kernel's own file systems give it to nothing else. FUSE does: a process serves it, and what it says of numbers is
//! worth what that process makes of it. But there the descriptor is of one name, and the kernel tells when that is gone.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::{Mode, SFlag};
use nix::sys::statfs::{FUSE_SUPER_MAGIC, fstatfs};
use rustix::fs::{AtFlags, Statx, StatxFlags, statx};

use super::identity::{Identity, WANTED};

/// An object that the session has made.
#[derive(Debug)]
pub struct Made {
    /// Which one it is.
    pub identity: Identity,
    /// None where the identity is enough, and where the object could not be kept: then it is not known again.
    pub kept: Option<Kept>,
}

impl Made {
    /// Of the directory or link that was just made by this name in `dir`, or of `dir` itself where the name is empty; none where another process
    /// has put there what cannot be it.
    ///
    /// mkdirat(2) gives no descriptor, so it is the name that is asked. What another process has put there is told by having changed since it came
    /// to be: its content, or by the rename itself. Where the file system makes a directory in several steps there is a little between them.
    /// What somebody made like it at the same moment, and put in its place, is taken for it: there is nothing in that. Where the file system
    /// does not know when it came to be, the time of its content has to do, which its owner can set.
    pub(in crate::fs) fn of_new(dir: BorrowedFd<'_>, name: &[u8], kind: SFlag) -> Option<Self> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
        let found = statx(dir, name, flags, WANTED).ok()?;
        if Identity::told(&found).is_certain() {
            return Self::is_new(&found, kind).then(|| Self {
                identity: Identity::told(&found),
                kept: None,
            });
        }
        let fd = match name {
            b"" => dir.try_clone_to_owned().ok()?,
            name => openat(dir, name, ENTRY, Mode::empty()).ok()?,
        };
        let found = statx(&fd, "", AtFlags::EMPTY_PATH, WANTED).ok()?;
        Self::is_new(&found, kind).then(|| Self::of(fd)).flatten()
    }

    fn is_new(found: &Statx, kind: SFlag) -> bool {
        let same = SFlag::from_bits_truncate(found.stx_mode.into()) & SFlag::S_IFMT == kind;
        let written = nanoseconds(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec);
        let changed = nanoseconds(found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec);
        let fresh = match Identity::told(found).birth() {
            Some((seconds, part)) => {
                let birth = nanoseconds(seconds, part);
                written <= birth && changed <= birth + MAKING
            }
            None => changed <= written + COARSE,
        };
        same && fresh
    }

    /// `identity` stands by this name.
    pub(in crate::fs) fn at(dir: BorrowedFd<'_>, name: &[u8], identity: Identity) -> Self {
        let kept = match identity.is_certain() {
            true => None,
            false => openat(dir, name, ENTRY, Mode::empty())
                .ok()
                .and_then(|fd| Kept::of(fd, identity)),
        };
        Self { identity, kept }
    }

    /// What a descriptor of `O_PATH` is open on.
    pub(in crate::fs) fn of(fd: OwnedFd) -> Option<Self> {
        let identity = Identity::of(fd.as_fd())?;
        let kept = match identity.is_certain() {
            true => None,
            false => Kept::of(fd, identity),
        };
        Some(Self { identity, kept })
    }
}

/// An object by a descriptor.
#[derive(Debug)]
pub struct Kept {
    /// `O_PATH`, so that who serves it does not take it for open.
    fd: OwnedFd,
    identity: Identity,
    /// Whether it is known as long as it has the name by which it was opened; it may be moved.
    by_name: bool,
}

impl Kept {
    fn of(fd: OwnedFd, identity: Identity) -> Option<Self> {
        let by_name = fstatfs(&fd).map_or(true, |fs| fs.filesystem_type() == FUSE_SUPER_MAGIC);
        (Identity::of(fd.as_fd()) == Some(identity)).then_some(Self {
            fd,
            identity,
            by_name,
        })
    }

    /// Whether it is still there, so that what has its number is the object itself.
    #[must_use]
    pub fn stands(&self) -> bool {
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_FORCE_SYNC;
        let found = statx(&self.fd, "", flags, WANTED | StatxFlags::NLINK);
        found.is_ok_and(|found| {
            found.stx_nlink > 0 && Identity::told(&found) == self.identity && self.has_its_name()
        })
    }

    /// Whether it has the name that the kernel knows it by, wherever that went. Without /proc that cannot be told.
    fn has_its_name(&self) -> bool {
        use std::os::unix::ffi::OsStrExt;
        let path = || {
            readlinkat(
                AT_FDCWD,
                format!("/proc/self/fd/{}", self.fd.as_raw_fd()).as_str(),
            )
        };
        !self.by_name || path().is_ok_and(|path| !path.as_bytes().ends_with(b" (deleted)"))
    }
}

/// Of a link the link, and nothing is opened by whoever serves it.
pub(in crate::fs) const ENTRY: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
fn nanoseconds(seconds: i64, nanoseconds: u32) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
}

/// How long a file system may take to make a directory, in nanoseconds.
const MAKING: i128 = 100_000_000;
/// How far the times of what was made at one moment are apart, in nanoseconds, where one of them is kept in steps: of two seconds on FAT.
const COARSE: i128 = 2_000_000_000;
