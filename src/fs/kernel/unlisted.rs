//! The names that files have before they take their places, and which of them no session lists.
//!
//! A client can give its own files such names, and what a killed session leaves behind has one: these are listed, so that they can be seen and
//! removed. What is being written is told from them by a lock that its session holds. The kernel gives the lock up with the session,
//! however that ends, and no request of SFTP takes one. A name that says so itself, an attribute or a list would outlive a session that is killed.
//!
//! It is an open file description lock (fcntl(2)) on one byte that no file has, so that nobody who locks content meets it, and CIFS, where locks
//! are mandatory, keeps nobody from the content either. A process of the same user can take it as well, and hide a file of its own by that.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, openat};
use nix::libc::{self, flock};
use nix::sys::stat::{FileStat, Mode, SFlag};

use super::place::kind;
use crate::fs::Result;

/// A name that nothing has yet.
pub(in crate::fs) fn unlisted() -> Vec<u8> {
    fresh(PREFIX)
}

/// `prefix` with 16 hexadecimal digits behind it that nobody can foresee.
pub(in crate::fs) fn fresh(prefix: &[u8]) -> Vec<u8> {
    let random = RandomState::new().build_hasher().finish();
    [prefix, format!("{random:016x}").as_bytes()].concat()
}

/// Has sessions leave the file out of listings as long as it is open, or until it is [released](release).
///
/// Between its creation and this another session may list it. Where the file system has no locks, or those of other hosts are not told, it is
/// listed all the time.
pub(in crate::fs) fn claim(file: impl AsFd) {
    let _ = fcntl(file, FcntlArg::F_OFD_SETLK(&lock(libc::F_WRLCK, CLAIMED)));
}

/// Gives that up, since the file has its name: whoever waits for it may lock all of it at once.
pub(in crate::fs) fn release(file: impl AsFd) {
    let _ = fcntl(file, FcntlArg::F_OFD_SETLK(&lock(libc::F_UNLCK, CLAIMED)));
}

/// Whether an entry of a directory is a file that a session is writing. What cannot be opened is none, for all that can be told.
pub(in crate::fs) fn is_unfinished(dir: BorrowedFd<'_>, name: &[u8], stat: &FileStat) -> bool {
    is_unlisted(name) && kind(stat) == SFlag::S_IFREG && is_claimed(dir, name).unwrap_or(false)
}

fn is_unlisted(name: &[u8]) -> bool {
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.len() == 16 && rest.iter().all(u8::is_ascii_hexdigit))
}

fn is_claimed(dir: BorrowedFd<'_>, name: &[u8]) -> Result<bool> {
    let open = |access| openat(dir, name, access | OPEN, Mode::empty());
    let file = open(OFlag::O_RDONLY).or_else(|errno| match errno {
        Errno::EACCES => open(OFlag::O_WRONLY),
        errno => Err(errno),
    })?;
    let mut found = lock(libc::F_RDLCK, CLAIMED);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found))?;
    Ok(i32::from(found.l_type) != libc::F_UNLCK)
}

/// A lock of one byte.
pub(in crate::fs) fn lock(kind: i32, byte: i64) -> flock {
    flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}

/// The byte that is locked.
const CLAIMED: i64 = i64::MAX - 1;
/// With 16 hexadecimal digits behind it.
const PREFIX: &[u8] = b".sftp-server-upload.";
/// Neither waiting for a peer nor for a lease, nor following a link.
const OPEN: OFlag = OFlag::O_NONBLOCK
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);
