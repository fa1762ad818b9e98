//! What a file takes over from the one that it is to replace: owner, ACL, user attributes, mode.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::stat::{FileStat, Mode, fchmod};
use nix::unistd::{Gid, Uid, fchown, ftruncate};
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};

use super::stat::fstat;
use crate::fs::{Result, again};

/// Gives `new` the owner, the mode, the ACL and the user attributes of `old`.
pub(in crate::fs) fn dress(new: &OwnedFd, old: &OwnedFd, stat: &FileStat) -> Result<()> {
    let bare = fstat(new)?;
    if (bare.st_uid, bare.st_gid) != (stat.st_uid, stat.st_gid) {
        let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
        fchown(new, Some(uid), Some(gid))?;
    }
    let mut value = vec![0; LONGEST];
    hand_over(ACL, old, new, &mut value)?;
    let mut names = vec![0; LONGEST];
    let listed = match flistxattr(old, names.as_mut_slice()) {
        Ok(length) => names.get(..length).unwrap_or_default(),
        // More than the kernel lists: they can only stay where they are.
        Err(rustix::io::Errno::TOOBIG | rustix::io::Errno::RANGE) => return Err(Errno::EINVAL),
        // The file system knows none, whatever it says of that.
        Err(_) => &[],
    };
    for name in listed.split(|byte| *byte == 0) {
        if name.starts_with(USER) {
            hand_over(name, old, new, &mut value)?;
        }
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

/// Gives `new` an extended attribute of `old`, if it has it.
fn hand_over(name: &[u8], old: &OwnedFd, new: &OwnedFd, value: &mut [u8]) -> Result<()> {
    let told = |errno: rustix::io::Errno| Errno::from_raw(errno.raw_os_error());
    match fgetxattr(old, name, &mut *value) {
        Ok(length) => {
            let value = value.get(..length).unwrap_or_default();
            fsetxattr(new, name, value, XattrFlags::empty()).map_err(told)
        }
        // There is none, or the file system knows none.
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(()),
        Err(errno) => Err(told(errno)),
    }
}

/// Permissions, and how a file runs.
const BITS: u32 = 0o7777;
/// The bits with which a file runs as its owner or group.
const SET_ID: u32 = 0o6000;
const ACL: &[u8] = b"system.posix_acl_access";
/// With the name of an attribute that its owner gives a file, behind it.
const USER: &[u8] = b"user.";
/// The longest value that an attribute can have (xattr(7)), and the longest list of names, in bytes.
const LONGEST: usize = 64 * 1024;
