//! Renaming to a free name where the file system can neither refuse to replace nor link: exFAT by FUSE, and others of FUSE.
//!
//! It has no call for it, so that something may be replaced that another process puts there between the last look and the rename. Sessions keep
//! out of each other's way: they rename so one after the other in a directory, and what a session opens meanwhile waits for the rename.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, Flock, FlockArg, OFlag, fcntl, openat, renameat};
use nix::libc;
use nix::poll::{PollTimeout, poll};
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::place::{Id, Place, kind};
use super::stat::{Follow, fstat};
use super::unlisted::lock;
use crate::fs::{Error, Result};

/// Renames to a name that is free.
///
/// With `seen` an empty file has the name first: nothing else can take it, and sessions that open it wait. An upload is not to be seen before
/// it is whole, and goes without.
///
/// # Errors
/// `EEXIST`; as renameat(2).
pub(in crate::fs) fn rename(old: &Place<'_>, new: &Place<'_>, seen: bool) -> Result<()> {
    let _turn = turn(new);
    let reserved = match seen {
        true => Some(Reserved::new(new)?),
        false => None,
    };
    let free = match &reserved {
        Some(reserved) => reserved.is_free(new),
        None => match new.lstat() {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        },
    };
    let renamed = free.and_then(|()| renameat(old.dir(), &*old.entry(), new.dir(), &*new.entry()));
    if let (Err(_), Some(reserved)) = (&renamed, &reserved) {
        reserved.remove(new);
    }
    renamed
}

/// While it lasts, no other session renames so in this directory. None where the directory cannot be locked; then nobody waits.
fn turn(new: &Place<'_>) -> Option<Flock<OwnedFd>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut dir = openat(new.dir(), ".", flags, Mode::empty()).ok()?;
    for _ in 0..TURNS {
        match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Some(lock),
            Err((again, Errno::EWOULDBLOCK)) => dir = again,
            Err(_) => return None,
        }
        wait();
    }
    None
}

/// An empty file that stands by a name for a moment.
struct Reserved(OwnedFd);

impl Reserved {
    /// # Errors
    /// As openat(2) with `O_EXCL`.
    fn new(place: &Place<'_>) -> Result<Self> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let file = openat(place.dir(), &*place.name, flags, mode)?;
        Ok(Self(file))
    }

    /// Whether no session writes to it, and none will as long as it is there.
    ///
    /// # Errors
    /// `EEXIST` where one does, and where another process has written to it or has put something in its place.
    fn is_free(&self, place: &Place<'_>) -> Result<()> {
        // First to say so, and then to look, as who opens it does: one of them sees the other.
        take(&self.0, RESERVED);
        match !is_taken(&self.0, WRITTEN) && self.stands(place) {
            true => Ok(()),
            false => Err(Errno::EEXIST),
        }
    }

    fn stands(&self, place: &Place<'_>) -> bool {
        fstat(&self.0).is_ok_and(|stat| {
            stat.st_size == 0
                && place
                    .lstat()
                    .is_ok_and(|there| Id::of(&there) == Id::of(&stat))
        })
    }

    /// Gives the name back, if nobody has put anything into it.
    fn remove(&self, place: &Place<'_>) {
        if !is_taken(&self.0, WRITTEN) && self.stands(place) {
            let _ = unlinkat(place.dir(), &*place.name, UnlinkatFlags::NoRemoveDir);
        }
    }
}

/// What a session has opened for writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Opened {
    /// Its own, as long as it is open: nobody takes it for what only has its name for a moment.
    Stays,
    /// It only has its name until another file is renamed there.
    Reserved,
    /// It has lost its name, to another file that was renamed there perhaps.
    Replaced,
}

/// Whether a file that was opened in `place` for writing is one of those that give way: then it is to be opened again.
pub(in crate::fs) fn look_at(file: &OwnedFd, place: &Place<'_>) -> Opened {
    let stat = match fstat(file) {
        Ok(stat) if stat.st_size == 0 && kind(&stat) == SFlag::S_IFREG => stat,
        _ => return Opened::Stays,
    };
    take(file, WRITTEN);
    if is_taken(file, RESERVED) {
        return Opened::Reserved;
    }
    match place.stat(Follow::Yes) {
        Ok(there) if Id::of(&there) != Id::of(&stat) => Opened::Replaced,
        Err(Error::Kernel(Errno::ENOENT)) => Opened::Replaced,
        _ => Opened::Stays,
    }
}

/// Locks one byte that no file has, as [`unlisted`](crate::fs::kernel::unlisted) does. Where there are no locks, sessions do not see each other.
fn take(file: &OwnedFd, byte: i64) {
    let _ = fcntl(file, FcntlArg::F_OFD_SETLK(&lock(libc::F_WRLCK, byte)));
}

fn is_taken(file: &OwnedFd, byte: i64) -> bool {
    let mut found = lock(libc::F_WRLCK, byte);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut found)).is_ok()
        && i32::from(found.l_type) != libc::F_UNLCK
}

/// The bytes that are locked of a file that only has its name for a moment, and of one that a session writes.
const RESERVED: i64 = i64::MAX - 2;
const WRITTEN: i64 = i64::MAX - 3;
/// Waits a millisecond, by a call that the filter knows.
pub(in crate::fs) fn wait() {
    let _ = poll(&mut [], PollTimeout::from(1_u8));
}

/// How often it is asked whether it is this session's turn: the others take a moment each.
const TURNS: usize = 1000;
