//! Renaming: with and without replacing, race-free, also where the file system lacks the flags for it.

use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, RenameFlags, renameat, renameat2};
use nix::sys::stat::SFlag;
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use super::aside::Taken;
use super::judge::{Deed, Effect};
use super::linked::{Arrived, lacks_links, link};
use super::linkless;
use super::mounts::is_mounted;
use super::patience::frees_with_name;
use super::place::{Last, Place, kind};
use super::resolve::Aim;
use super::verdict::one_tree;
use super::{Answer, Error, FileStat, Result, View};

impl View {
    /// Renames, replacing what stands at `newpath`, as rename(2).
    ///
    /// # Errors
    /// As renameat(2).
    pub fn replace(&self, oldpath: &Path, newpath: &Path) -> Answer<()> {
        self.forget();
        self.act_on_two((oldpath, Aim::Entry), (newpath, Aim::Entry), |old, new| {
            self.renamable(old, new, Errno::EBUSY)?;
            if self.redirected(old, new, false)? {
                return Ok(());
            }
            frees_with_name(|| new.lstat())?;
            if !self.is_judged() {
                return Ok(replace_name(old, new)?);
            }
            let plainly = |there: Option<&FileStat>| match there {
                Some(_) => Ok(replace_name(old, new)?),
                None => match move_to_free(old, new) {
                    // What has appeared there meanwhile was not judged.
                    Err(Errno::EEXIST) => Err(Error::Link),
                    result => Ok(result?),
                },
            };
            self.rename_held(old, new, Taken::Replaced, plainly)
        })
    }

    /// Renames to a name that is free, whatever other processes do meanwhile.
    ///
    /// # Errors
    /// As renameat2(2) with `RENAME_NOREPLACE`; `EEXIST` where something stands at `newpath`, a symbolic link to nothing too.
    pub fn rename(&self, oldpath: &Path, newpath: &Path) -> Answer<()> {
        self.forget();
        self.act_on_two((oldpath, Aim::Entry), (newpath, Aim::Entry), |old, new| {
            self.renamable(old, new, Errno::EEXIST)?;
            if self.redirected(old, new, true)? {
                return Ok(());
            }
            if !self.is_judged() {
                return Ok(move_to_free(old, new)?);
            }
            self.rename_held(old, new, Taken::Refused, |_| Ok(move_to_free(old, new)?))
        })
    }

    /// What the view has to say of a rename before the kernel is asked; `taken` where the new name is no name.
    fn renamable(&self, old: &Place<'_>, new: &Place<'_>, taken: Errno) -> Answer<()> {
        one_tree(old, new)?;
        if old.last == Last::Itself {
            return Err(Errno::EBUSY.into());
        }
        if new.last == Last::Itself {
            return Err(taken.into());
        }
        self.removable(old)?;
        self.removable(new)?;
        self.takes_binds_along(old)?;
        // Only a directory takes the place of one.
        let moves = |stat: FileStat| kind(&stat) == SFlag::S_IFDIR;
        if self.has_binds() && old.lstat().is_ok_and(moves) {
            self.holds_no_bind(new)?;
        }
        Ok(())
    }

    /// Asks whether what stands in `old` may go to `new`; what stands there.
    fn ask_about_rename(&self, old: &Place<'_>, new: &Place<'_>) -> Answer<Option<FileStat>> {
        let moved = old.lstat()?;
        let taken = match new.lstat() {
            Err(Errno::ENOENT) => None,
            stat => Some(stat?),
        };
        let mut deeds = vec![Deed::at(Effect::Move, old, Some(&moved))];
        deeds.extend(
            taken
                .iter()
                .map(|stat| Deed::at(Effect::Replace, new, Some(stat))),
        );
        deeds.push(Deed::to(new, old, &moved));
        self.allows(&deeds)?;
        Ok(taken)
    }

    /// Whether what stands in `old` is still being uploaded, and goes to `new` instead.
    ///
    /// # Errors
    /// `EBUSY` where it is to take the place of what stands there: that would have to go at the same moment; and of a mount point.
    fn redirected(&self, old: &Place<'_>, new: &Place<'_>, exclusive: bool) -> Answer<bool> {
        let Some(uploads) = self.uploads() else {
            return Ok(false);
        };
        match uploads.is_new(old) {
            None => return Ok(false),
            Some(false) => return Err(Errno::EBUSY.into()),
            Some(true) if new.slash => return Err(Errno::ENOTDIR.into()),
            Some(true) => {}
        }
        let written = self.uploaded(old.uncovered(), Aim::Link);
        let taken = self.ask_about_rename(&written, new)?.is_some();
        if taken && exclusive {
            return Err(Errno::EEXIST.into());
        }
        if taken && is_mounted(new.dir(), &new.name) {
            return Err(Errno::EBUSY.into());
        }
        uploads.redirect(old, new, taken)?;
        Ok(true)
    }
}

/// Renames to a name that is free.
pub(super) fn move_to_free(old: &Place<'_>, new: &Place<'_>) -> Result<()> {
    move_known(old, new, Moving::Named).map(drop)
}

/// The same; how it got there.
pub(super) fn move_known(old: &Place<'_>, new: &Place<'_>, moving: Moving<'_>) -> Result<Moved> {
    let flags = RenameFlags::RENAME_NOREPLACE;
    match renameat2(old.dir(), &*old.entry(), new.dir(), &*new.entry(), flags) {
        // EINVAL is said by file systems without RENAME_NOREPLACE, and where a directory would go into itself.
        Err(Errno::EINVAL | Errno::ENOSYS) => rename_without_flags(old, new, moving),
        result => result.map(|()| Moved::Renamed),
    }
}

/// Renames to a name that nobody can have foreseen.
pub(super) fn move_to_fresh(old: &Place<'_>, new: &Place<'_>) -> Result<()> {
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
pub(super) enum Moving<'f> {
    /// Whatever stands there.
    Named,
    /// What is open by this descriptor; whether it is to be known again, come what may.
    Known(BorrowedFd<'f>, bool),
    /// The same of a file whose new name is not to be seen before all of it is there.
    Upload(BorrowedFd<'f>, bool),
}

/// How it got there.
#[derive(Debug)]
pub(super) enum Moved {
    /// By rename(2).
    Renamed,
    /// By link(2), and its old name is gone.
    Linked(Arrived),
}

/// Renames, replacing what stands there.
pub(super) fn replace_name(old: &Place<'_>, new: &Place<'_>) -> Result<()> {
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
