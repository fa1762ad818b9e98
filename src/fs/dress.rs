//! What a file takes over from the one that it is to replace: owner, ACL, mode.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, Mode, fchmod};
use nix::unistd::{Gid, Uid, fchown, ftruncate};
use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

use super::ops::fstat;
use super::{Result, again};

/// Gives `new` the owner, the mode and the ACL of `old`.
pub(super) fn dress(new: &OwnedFd, old: &OwnedFd, stat: &FileStat) -> Result<()> {
    let bare = fstat(new)?;
    if (bare.st_uid, bare.st_gid) != (stat.st_uid, stat.st_gid) {
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        fchown(new, Some(uid), Some(gid))?;
    }
    let mut acl = vec![0; MAX_ACL];
    match fgetxattr(old, ACL, acl.as_mut_slice()) {
        Ok(length) => {
            let acl = acl.get(..length).unwrap_or_default();
            fsetxattr(new, ACL, acl, XattrFlags::empty())
                .map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
        }
        // There is none, or the file system knows none.
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => {}
        Err(errno) => return Err(Errno::from_raw(errno.raw_os_error())),
    }
    // The last, since a new owner takes bits away, and an ACL sets some.
    let set = fchmod(new, Mode::from_bits_truncate(stat.st_mode));
    // Nothing is lost where the file system refuses to set what the file has.
    set.or_else(
        |errno| match fstat(new)?.st_mode & BITS == stat.st_mode & BITS {
            true => Ok(()),
            false => Err(errno),
        },
    )?;
    if stat.st_mode & SET_ID != 0 {
        // Whoever empties a file loses them, unless privileged; a file without content may see no write that would do it.
        again(|| ftruncate(new, 0))?;
    }
    Ok(())
}

/// The bits with which a file runs as its owner or group.
const SET_ID: u32 = 0o6000;
const ACL: &str = "system.posix_acl_access";
/// The longest value that an attribute can have (xattr(7)), in bytes.
const MAX_ACL: usize = 64 * 1024;
