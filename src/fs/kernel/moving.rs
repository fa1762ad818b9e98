//! A name goes from one place to another, race-free, also where the file system lacks the flags for it.

use std::os::fd::BorrowedFd;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, RenameFlags, renameat, renameat2};
use nix::sys::stat::SFlag;
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use super::linked::{Arrived, lacks_links, link};
use super::linkless;
use super::place::{Place, kind};
use crate::fs::Result;

/// Renames to a name that is free.
pub(in crate::fs) fn move_to_free(old: &Place<'_>, new: &Place<'_>) -> Result<()> {
    move_known(old, new, Moving::Named).map(drop)
}

/// The same; how it got there.
pub(in crate::fs) fn move_known(
    old: &Place<'_>,
    new: &Place<'_>,
    moving: Moving<'_>,
) -> Result<Moved> {
    let flags = RenameFlags::RENAME_NOREPLACE;
    match renameat2(old.dir(), &*old.entry(), new.dir(), &*new.entry(), flags) {
        // EINVAL is said by file systems without RENAME_NOREPLACE, and where a directory would go into itself.
        Err(Errno::EINVAL | Errno::ENOSYS) => rename_without_flags(old, new, moving),
        result => result.map(|()| Moved::Renamed),
    }
}

/// Renames to a name that nobody can have foreseen.
pub(in crate::fs) fn move_to_fresh(old: &Place<'_>, new: &Place<'_>) -> Result<()> {
    let flags = RenameFlags::RENAME_NOREPLACE;
    match renameat2(old.dir(), &*old.name, new.dir(), &*new.name, flags) {
        // Without the flag, and not by link(2), after which some file systems know the file by another number.
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            renameat(old.dir(), &*old.name, new.dir(), &*new.name)
        }
        moved => moved,
    }
}

/// What is moved to a name that is free.
#[derive(Clone, Copy)]
pub(in crate::fs) enum Moving<'f> {
    /// Whatever stands there.
    Named,
    /// What is open by this descriptor; whether it is to be known again, come what may.
    Known(BorrowedFd<'f>, bool),
    /// The same of a file whose new name is not to be seen before all of it is there.
    Upload(BorrowedFd<'f>, bool),
}

/// How it got there.
#[derive(Debug)]
pub(in crate::fs) enum Moved {
    /// By rename(2).
    Renamed,
    /// By link(2), and its old name is gone.
    Linked(Arrived),
}

/// Renames, replacing what stands there.
pub(in crate::fs) fn replace_name(old: &Place<'_>, new: &Place<'_>) -> Result<()> {
    renameat(old.dir(), &*old.entry(), new.dir(), &*new.entry())
}

/// For file systems that cannot refuse to replace: a file gets its new name by link(2), which never replaces.
fn rename_without_flags(old: &Place<'_>, new: &Place<'_>, moving: Moving<'_>) -> Result<Moved> {
    let forget_new = |_: &Errno| {
        let _ = unlinkat(new.dir(), &*new.name, UnlinkatFlags::NoRemoveDir);
    };
    let (from, to) = (old.entry(), new.entry());
    if kind(&old.lstat()?) == SFlag::S_IFDIR {
        // Directories have no links. All that a rename of one can replace is an empty directory.
        return match new.lstat() {
            Ok(_) => Err(Errno::EEXIST),
            Err(Errno::ENOENT) => {
                renameat(old.dir(), &*from, new.dir(), &*to).map(|()| Moved::Renamed)
            }
            Err(errno) => Err(errno),
        };
    }
    let linked = match moving {
        Moving::Named => linkat(old.dir(), &*old.name, new.dir(), &*to, AtFlags::empty())
            .map(|()| Arrived::Unknown),
        Moving::Known(fd, surely) | Moving::Upload(fd, surely) => link(old, new, fd, surely),
    };
    match linked {
        Ok(arrived) => unlinkat(old.dir(), &*from, UnlinkatFlags::NoRemoveDir)
            .inspect_err(forget_new)
            .map(|()| Moved::Linked(arrived)),
        // No hard links here either.
        Err(errno) if lacks_links(errno) => {
            let seen = !matches!(moving, Moving::Upload(..));
            linkless::rename(old, new, seen).map(|()| Moved::Renamed)
        }
        Err(errno) => Err(errno),
    }
}
