//! What the kernel tells of a file.

use std::os::fd::AsFd;

use nix::sys::time::TimeSpec;

use crate::fs::Result;

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

pub(in crate::fs) fn seconds(time: u32) -> TimeSpec {
    TimeSpec::new(i64::from(time), 0)
}

/// The attributes of the object behind a descriptor.
pub(in crate::fs) fn fstat(fd: &impl AsFd) -> Result<FileStat> {
    nix::sys::stat::fstat(fd)
}
