//! The exact mode of what was just made: it is had, or what was made goes again.
//!
//! Some file systems refuse chmod(2) (ZFS with `aclmode=restricted`, shared storage, servers behind sshfs) or answer it and change nothing. What
//! has the mode already needs none.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::place::{Id, Place};
use crate::fs::kernel::stat::fstat;
use crate::fs::view::View;
use crate::fs::{Answer, Error, Refusal};

/// Gives what was just made exactly this mode, octal, by `set`, unless it has it.
///
/// # Errors
/// `refusal` where the file system does not take the mode; what `set` says else.
pub(in crate::fs) fn exactly(
    made: impl AsFd,
    mode: u32,
    refusal: Refusal,
    set: impl FnOnce(Mode) -> Answer<()>,
) -> Answer<()> {
    let has = || fstat(&made).is_ok_and(|stat| stat.st_mode & BITS == mode & BITS);
    if has() {
        return Ok(());
    }
    match set(Mode::from_bits_truncate(mode)) {
        Ok(()) if has() => Ok(()),
        Ok(()) => Err(refusal.into()),
        Err(Error::Kernel(
            Errno::EPERM | Errno::EACCES | Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP,
        )) => Err(refusal.into()),
        Err(error) => Err(error),
    }
}

impl View {
    /// Takes away again what was just made in `place`, unless something else has its name.
    ///
    /// By the name, since where modes are refused an inode often changes with the name. What another process puts there between the look and
    /// the call is lost.
    pub(in crate::fs) fn unmake(&self, place: &Place<'_>, made: impl AsFd, how: UnlinkatFlags) {
        let there = place.lstat().map(|stat| Id::of(&stat));
        if there.is_err() || there != Id::of_fd(&made) {
            return;
        }
        let identity = Identity::of(made.as_fd());
        if unlinkat(place.dir(), &*place.name, how).is_ok() {
            if let (Some(judge), Some(identity)) = (self.judge(), identity) {
                judge.gone(identity);
            }
        }
    }
}

pub(in crate::fs) const FILE_MODE: Refusal =
    Refusal::Forbidden("the file system does not take the mode (--file-mode)");
pub(in crate::fs) const DIR_MODE: Refusal =
    Refusal::Forbidden("the file system does not take the mode (--dir-mode)");
/// Of a mode, what is to be exact.
const BITS: u32 = 0o7777;
