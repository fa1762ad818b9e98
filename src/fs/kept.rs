//! What the session made, as a judge remembers it; kept by a descriptor where numbers do not tell an object from one that comes after it.
//!
//! A birth time tells, or none is known: ext4 with small inodes, most of FUSE. There an inode number is often given again at once. As long as a
//! descriptor is open the kernel's own file systems give it to nothing else. FUSE does: a process serves it, and what it says of numbers is
//! worth what that process makes of it. But there the descriptor is of one name, and the kernel tells when that is gone.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FUSE_SUPER_MAGIC, fstatfs};
use rustix::fs::{AtFlags, StatxFlags, statx};

use super::View;
use super::judge::{Identity, Judge, WANTED};
use super::linked::Arrived;

/// An object that the session has made.
#[derive(Debug)]
pub struct Made {
    /// Which one it is.
    pub identity: Identity,
    /// None where the identity is enough, and where the object could not be kept: then it is not known again.
    pub kept: Option<Kept>,
}

impl Made {
    /// `identity` stands by this name.
    pub(super) fn at(dir: BorrowedFd<'_>, name: &[u8], identity: Identity) -> Self {
        let kept = match identity.is_certain() {
            true => None,
            false => openat(dir, name, ENTRY, Mode::empty())
                .ok()
                .and_then(|fd| Kept::of(fd, identity)),
        };
        Self { identity, kept }
    }

    /// What a descriptor of `O_PATH` is open on.
    pub(super) fn of(fd: OwnedFd) -> Option<Self> {
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

/// An object that the session made, and that a new name may make another one for all that its number tells.
#[derive(Clone, Copy)]
pub(super) struct OwnMade<'j> {
    judge: &'j Arc<dyn Judge>,
    identity: Identity,
}

impl<'j> OwnMade<'j> {
    /// None of what is known anyway, and of what the session did not make. To be asked before it loses a name, by which it may be known.
    pub(super) fn of(judge: Option<&'j Arc<dyn Judge>>, file: BorrowedFd<'_>) -> Option<Self> {
        let judge = judge.filter(|judge| judge.keeps() > 0)?;
        let identity = Identity::of(file)?;
        (!identity.is_certain() && judge.owns(identity)).then_some(Self { judge, identity })
    }

    /// Has the judge know it by what it is now.
    pub(super) fn is_now(self, arrived: Arrived) {
        self.judge.gone(self.identity);
        if let Arrived::Itself(file) = arrived {
            if let Some(made) = Made::of(file) {
                self.judge.made(made);
            }
        }
    }
}

impl View {
    pub(super) fn own_made(&self, file: BorrowedFd<'_>) -> Option<OwnMade<'_>> {
        OwnMade::of(self.judge(), file)
    }
}

/// Of a link the link, and nothing is opened by whoever serves it.
pub(super) const ENTRY: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
