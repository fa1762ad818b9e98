//! How a file is opened: without waiting for a peer, and in a jail nothing but files and directories.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag};

use super::patience::is_hurried;
use super::place::{Place, kind};
use super::stat::{FileStat, Follow};
use crate::fs::{Answer, Error, Result};

/// How a file is to be opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenHow {
    /// Access mode, `O_APPEND`, `O_CREAT`, `O_TRUNC`, `O_EXCL`.
    pub flags: OFlag,
    /// The mode of a file that is created, octal.
    pub mode: u32,
    /// Whether that mode is exact, or one from which the umask takes bits.
    pub exact: bool,
    /// How long it will be, in bytes, where nobody is to see it before it is closed, whatever is asked of other files.
    pub whole: Option<u64>,
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

    pub(in crate::fs) fn has(&self, flag: OFlag) -> bool {
        self.flags.contains(flag)
    }

    pub(in crate::fs) fn access(&self) -> OFlag {
        self.flags & OFlag::O_ACCMODE
    }
}

/// Opens without waiting for a peer; but for a lease that somebody holds, a Samba server for one, until it is given back.
pub(in crate::fs) fn open(place: &Place<'_>, flags: OFlag, mode: Mode) -> Answer<OwnedFd> {
    match place.open(flags | OFlag::O_NONBLOCK, mode) {
        Err(Error::Kernel(Errno::EWOULDBLOCK)) if is_regular(place) => match is_hurried() {
            true => Err(Error::Long),
            false => place.open(flags, mode),
        },
        result => result,
    }
}

fn is_regular(place: &Place<'_>) -> bool {
    place
        .stat(Follow::Yes)
        .is_ok_and(|stat| kind(&stat) == SFlag::S_IFREG)
}

/// In a jail only files and directories are opened: a device or a FIFO is a way out to whatever serves it.
pub(in crate::fs) fn is_plain(stat: &FileStat) -> Result<()> {
    match kind(stat) {
        SFlag::S_IFREG | SFlag::S_IFDIR => Ok(()),
        _ => Err(Errno::EOPNOTSUPP),
    }
}
