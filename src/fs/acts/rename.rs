//! Renaming: with and without replacing, race-free, also where the file system lacks the flags for it.

use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::SFlag;

use super::aside::Taken;
use crate::fs::judging::judge::{Deed, Effect};
use crate::fs::kernel::mounts::is_mounted;
use crate::fs::kernel::moving::{move_to_free, replace_name};
use crate::fs::kernel::patience::frees_with_name;
use crate::fs::kernel::place::{Last, Place, kind};
use crate::fs::kernel::stat::FileStat;
use crate::fs::view::View;
use crate::fs::view::resolve::Aim;
use crate::fs::view::verdict::one_tree;
use crate::fs::{Answer, Error};

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
