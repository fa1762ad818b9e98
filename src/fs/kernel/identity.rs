//! Which object it is, whatever its names.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Statx, StatxFlags, statx};

use super::place::Id;

/// An object, whatever its names, and although inodes are used again: device, inode, and when it came to be, where the file system knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    id: Id,
    birth: Option<(i64, u32)>,
}

impl Identity {
    /// Whether it tells the object from all that come after it: by when it came to be.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        self.birth.is_some()
    }

    /// Whether this is its device and inode.
    pub(in crate::fs) fn is_of(&self, id: Id) -> bool {
        self.id == id
    }

    /// When it came to be, in seconds and nanoseconds since the Epoch, where the file system knows.
    pub(in crate::fs) fn birth(&self) -> Option<(i64, u32)> {
        self.birth
    }

    /// Of what has this name.
    pub(in crate::fs) fn at(dir: BorrowedFd<'_>, name: &[u8]) -> Option<Self> {
        Self::ask(dir, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Of what is open.
    pub(in crate::fs) fn of(file: BorrowedFd<'_>) -> Option<Self> {
        Self::ask(file, b"", AtFlags::EMPTY_PATH)
    }

    fn ask(dir: BorrowedFd<'_>, name: &[u8], flags: AtFlags) -> Option<Self> {
        statx(dir, name, flags, WANTED)
            .ok()
            .as_ref()
            .map(Self::told)
    }

    pub(in crate::fs) fn told(found: &Statx) -> Self {
        let device = nix::libc::makedev(found.stx_dev_major, found.stx_dev_minor);
        let known = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
        let birth = found.stx_btime;
        Self {
            id: Id::new(device, found.stx_ino),
            birth: known.then_some((birth.tv_sec, birth.tv_nsec)),
        }
    }
}

/// What is asked of an object.
pub(in crate::fs) const WANTED: StatxFlags = StatxFlags::TYPE
    .union(StatxFlags::INO)
    .union(StatxFlags::MTIME)
    .union(StatxFlags::CTIME)
    .union(StatxFlags::BTIME);
