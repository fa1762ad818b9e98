//! A new name by link(2), and whether what has it is what was to get it.
//!
//! On most file systems the number tells. Some of FUSE (sshfs, unionfs) give each name a number of its own: there a name that was just made has
//! another one than its file. Another process may have put something else there by the time that it is looked at, and if the two cannot be told
//! from each other, it is not taken for the file.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, openat};
use nix::sys::stat::{FileStat, Mode};
use nix::unistd::linkat;
use rustix::fs::{AtFlags as Flags, Timespec, Timestamps, utimensat};

use super::identity::Identity;
use super::made::ENTRY;
use super::place::{Id, Place};
use super::stat::fstat;
use crate::fs::Result;

/// What has the new name.
#[derive(Debug)]
pub(in crate::fs) enum Arrived {
    /// What was to get it, open by `O_PATH`.
    Itself(OwnedFd),
    /// Something that another process has put there.
    Another,
    /// It got the name. Whether it still has it cannot be told, since numbers tell nothing here.
    Unknown,
}

/// Gives what stands in `old`, and is open by `fd`, a second name, which nothing may have.
///
/// With `surely` it is to be known again on a file system that gives each name a number. Where its times are whole seconds, which many files
/// have, it has a time for this moment that no other file has.
///
/// # Errors
/// As linkat(2).
pub(in crate::fs) fn link(
    old: &Place<'_>,
    new: &Place<'_>,
    fd: BorrowedFd<'_>,
    surely: bool,
) -> Result<Arrived> {
    let mark = match surely {
        true => Mark::set(fd),
        false => None,
    };
    let linked = linkat(
        old.dir(),
        &*old.name,
        new.dir(),
        &*new.entry(),
        AtFlags::empty(),
    );
    let arrived = linked.map(|()| look(old, new, fd, mark.is_some()));
    if let Some(mark) = mark {
        // By the new name, by which some remember the time.
        match &arrived {
            Ok(Arrived::Itself(file)) => mark.restore(file.as_fd()),
            _ => mark.restore(fd),
        }
    }
    arrived
}

fn look(old: &Place<'_>, new: &Place<'_>, fd: BorrowedFd<'_>, marked: bool) -> Arrived {
    let found = openat(new.dir(), &*new.name, ENTRY, Mode::empty());
    let found = found.and_then(|found| fstat(&found).map(|stat| (found, stat)));
    let (Ok((found, there)), Ok(file)) = (found, fstat(&fd)) else {
        return Arrived::Unknown;
    };
    // As long as it has its old name nothing else has its number.
    if Id::of(&there) == Id::of(&file) {
        return Arrived::Itself(found);
    }
    // Where names are counted they are of one number.
    let counted = file.st_nlink > 1;
    let stands = old.lstat().is_ok_and(|old| Id::of(&old) == Id::of(&file));
    match () {
        () if counted || !stands => Arrived::Another,
        () if marked && alike(&there, &file) => Arrived::Itself(found),
        () => Arrived::Unknown,
    }
}

fn alike(one: &FileStat, two: &FileStat) -> bool {
    let tell = |stat: &FileStat| {
        let owner = (stat.st_uid, stat.st_gid, stat.st_mode, stat.st_rdev);
        (owner, stat.st_size, stat.st_mtime, stat.st_mtime_nsec)
    };
    tell(one) == tell(two)
}

/// A time by which a file is known. It is what the file had where that is finer than seconds.
struct Mark(Option<Timestamps>);

impl Mark {
    /// None where the times of the file cannot be set, and where its number is enough.
    fn set(fd: BorrowedFd<'_>) -> Option<Self> {
        if Identity::of(fd)?.is_certain() {
            return None;
        }
        let stat = fstat(&fd).ok()?;
        if stat.st_mtime_nsec != 0 {
            return Some(Self(None));
        }
        let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
        let had = Timestamps {
            last_access: time(stat.st_atime, stat.st_atime_nsec),
            last_modification: time(stat.st_mtime, 0),
        };
        let random = RandomState::new().build_hasher().finish() % SPAN;
        let sets = Timestamps {
            last_access: had.last_access,
            last_modification: time(i64::try_from(random).ok()?, 0),
        };
        utimensat(fd, "", &sets, Flags::EMPTY_PATH).ok()?;
        Some(Self(Some(had)))
    }

    fn restore(self, fd: BorrowedFd<'_>) {
        if let Some(had) = self.0 {
            let _ = utimensat(fd, "", &had, Flags::EMPTY_PATH);
        }
    }
}

/// Seconds since the Epoch that all file systems can keep.
const SPAN: u64 = 1 << 31;

/// Whether link(2) is not to be had on a file system, by what it says: some of FUSE have odd words for it (rclone, cryfs).
pub(in crate::fs) fn lacks_links(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EPERM
            | Errno::EOPNOTSUPP
            | Errno::ENOSYS
            | Errno::EMLINK
            | Errno::EIO
            | Errno::ERANGE
    )
}
