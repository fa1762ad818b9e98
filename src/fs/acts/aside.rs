//! Removing and renaming what was judged, and nothing that has taken its name since.
//!
//! unlink(2), rmdir(2) and rename(2) take names; between the look at what has a name and the call another process can put something else there.
//! So the name is first moved to one that nobody knows, in the directory where it ends; if that one lets no name go, where it begins. What stands
//! there is looked at, and it goes on from there; if it is not what was judged, it goes back and is judged in its turn. Nothing is ever replaced on
//! the way that was not looked at.
//!
//! Only where a verdict depends on which object has the name; all others act by the name at once. A session that is killed in between, which takes
//! some microseconds, leaves such a name; so does one that finds the old name taken when it wants to give it back. It is none of those that
//! are left out of listings.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, RenameFlags, renameat2};
use nix::sys::stat::fstatat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::fs::judging::held::Held;
use crate::fs::judging::judge::{Deed, Effect};
use crate::fs::judging::own::OwnMade;
use crate::fs::kernel::linked::Arrived;
use crate::fs::kernel::moving::{Moved, Moving, move_known, move_to_fresh};
use crate::fs::kernel::place::{Dirfd, Id, Place};
use crate::fs::kernel::stat::FileStat;
use crate::fs::kernel::unlisted::fresh;
use crate::fs::view::View;
use crate::fs::{Answer, Error, Result};

/// What a rename does where its new name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Taken {
    /// It is refused.
    Refused,
    /// It replaces this one, and nothing else, where the kernel would.
    Replaced,
}

/// An object that has lost its name for a moment.
struct Aside<'p> {
    /// Where it was.
    home: &'p Place<'p>,
    /// Where it is.
    dir: BorrowedFd<'p>,
    name: Vec<u8>,
}

impl<'p> Aside<'p> {
    /// Moves what stands in `home` to a new name in `dir`.
    fn new(home: &'p Place<'p>, dir: BorrowedFd<'p>) -> Result<Self> {
        let name = fresh(PREFIX);
        move_to_fresh(home, &Place::of_upload(Dirfd::Held(dir), &name, b""))?;
        Ok(Self { home, dir, name })
    }

    /// The same, if it is `judged`.
    ///
    /// # Errors
    /// [`Error::Link`] where it is not, and is back.
    fn of(judged: &Held, home: &'p Place<'p>, dir: BorrowedFd<'p>) -> Answer<Self> {
        let aside = Self::new(home, dir)?;
        match aside.is(judged) {
            true => Ok(aside),
            false => Err(aside.back(Error::Link)),
        }
    }

    fn is(&self, judged: &Held) -> bool {
        let found = fstatat(self.dir, self.name.as_slice(), AtFlags::AT_SYMLINK_NOFOLLOW);
        found.is_ok_and(|found| judged.is(&found))
    }

    /// Gives it a name that is free.
    fn to(&self, place: &Place<'_>) -> Result<()> {
        self.move_to(place, Moving::Named).map(drop)
    }

    fn move_to(&self, place: &Place<'_>, moving: Moving<'_>) -> Result<Moved> {
        let from = Place::of_upload(Dirfd::Held(self.dir), &self.name, b"");
        let to = Place::of_upload(Dirfd::Held(place.dir()), &place.name, b"");
        move_known(&from, &to, moving)
    }

    /// The same of `moved`, which this is: where the session made it, it is known again.
    fn to_known(&self, place: &Place<'_>, moved: &Held, own: Option<OwnMade<'_>>) -> Result<()> {
        let went = self.move_to(place, Moving::Known(moved.as_fd(), own.is_some()))?;
        match (went, own) {
            (Moved::Linked(arrived), Some(own)) => own.is_now(arrived),
            // Some file systems number directories by their paths.
            (Moved::Renamed, Some(own)) => {
                if let Ok(fd) = moved.as_fd().try_clone_to_owned() {
                    own.is_now(Arrived::Itself(fd));
                }
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// Gives it its name back, because of `error`. Where that is taken it keeps the one that it has, and that is told.
    fn back(&self, error: Error) -> Error {
        self.to(self.home).map_or_else(Error::Kernel, |()| error)
    }

    /// Changes places with what has this name in the same directory.
    fn exchange(&self, place: &Place<'_>) -> Result<()> {
        let (name, flags) = (self.name.as_slice(), RenameFlags::RENAME_EXCHANGE);
        renameat2(self.dir, name, self.dir, &*place.name, flags)
    }

    fn remove(&self, how: UnlinkatFlags) -> Result<()> {
        unlinkat(self.dir, self.name.as_slice(), how)
    }
}

impl View {
    /// Whether an allowed removal or renaming has to be of these very objects.
    fn goes_by_object(&self, deeds: &[Deed<'_>]) -> bool {
        self.judge()
            .is_some_and(|judge| judge.goes_by_object(deeds))
    }

    /// Removes the name in `place`, if that may go: of a directory where `how` says so, otherwise of anything else.
    ///
    /// # Errors
    /// As unlinkat(2), and those of a judge.
    pub(in crate::fs) fn remove(&self, place: &Place<'_>, how: UnlinkatFlags) -> Answer<()> {
        if !self.is_judged() {
            return Ok(unlinkat(place.dir(), &*place.entry(), how)?);
        }
        let held = place.hold_entry()?;
        let deeds = [held.deed(Effect::Remove, place)];
        self.allows(&deeds)?;
        if !self.goes_by_object(&deeds) {
            return Ok(unlinkat(place.dir(), &*place.entry(), how)?);
        }
        // As the kernel says it; and nothing is moved that stays.
        match (how, held.is_directory()) {
            (UnlinkatFlags::NoRemoveDir, true) if place.slash => {
                return Err(Errno::EISDIR.into());
            }
            (UnlinkatFlags::NoRemoveDir, false) if place.slash => {
                return Err(Errno::ENOTDIR.into());
            }
            (UnlinkatFlags::NoRemoveDir, true) => Err(Errno::EISDIR),
            (UnlinkatFlags::NoRemoveDir, false) => Ok(()),
            (UnlinkatFlags::RemoveDir, false) => Err(Errno::ENOTDIR),
            (UnlinkatFlags::RemoveDir, true) => is_empty(&held, place),
        }
        .or_else(|errno| after_permissions(&deeds, errno))?;
        let aside = Aside::of(&held, place, place.dir())?;
        let identity = held.identity();
        aside
            .remove(how)
            .map_err(|errno| aside.back(errno.into()))?;
        self.lost_a_name(&held, identity);
        Ok(())
    }

    /// Renames what stands in `old` to `new`, if it may go there; `taken` says what becomes of what stands there.
    ///
    /// # Errors
    /// As renameat2(2), and those of a judge. [`Error::Link`] where nothing stood there when it was judged.
    pub(in crate::fs) fn rename_held(
        &self,
        old: &Place<'_>,
        new: &Place<'_>,
        taken: Taken,
        plainly: impl Fn(Option<&FileStat>) -> Answer<()>,
    ) -> Answer<()> {
        let moved = old.hold_entry()?;
        let there = match new.hold_entry() {
            Err(Error::Kernel(Errno::ENOENT)) => None,
            held => Some(held?),
        };
        let mut deeds = vec![moved.deed(Effect::Move, old)];
        deeds.extend(there.iter().map(|held| held.deed(Effect::Replace, new)));
        deeds.push(Deed::to(new, old, &moved.stat).held(moved.as_fd()));
        self.allows(&deeds)?;
        if !self.goes_by_object(&deeds) {
            return plainly(there.as_ref().map(|held| &held.stat));
        }
        let Some(there) = &there else {
            slashes(old, new, &moved)?;
            let own = self.own_made(moved.as_fd());
            // Where no name can be taken away again, it is to have its last one at once.
            let by = if new.keeps_names() { old } else { new };
            let aside = Aside::of(&moved, old, by.dir())?;
            return aside
                .to_known(new, &moved, own)
                .map_err(|errno| match errno {
                    // It has appeared meanwhile, and was not judged.
                    Errno::EEXIST => aside.back(Error::Link),
                    errno => aside.back(errno.into()),
                });
        };
        if taken == Taken::Refused {
            return Err(Errno::EEXIST.into());
        }
        slashes(old, new, &moved)?;
        if new.keeps_names() {
            return Err(Errno::EPERM.into());
        }
        let how = replacing(&moved, there).or_else(|errno| after_permissions(&deeds, errno))?;
        // Both are names of one object: rename(2) leaves them.
        if Id::of(&there.stat) == Id::of(&moved.stat) {
            return Ok(());
        }
        if matches!(how, UnlinkatFlags::RemoveDir) {
            is_empty(there, new).or_else(|errno| after_permissions(&deeds, errno))?;
        }
        self.replace_held((old, &moved), (new, there), how)
    }

    /// Puts `moved`, which stood in `old`, in the place of `there`.
    fn replace_held(
        &self,
        (old, moved): (&Place<'_>, &Held),
        (new, there): (&Place<'_>, &Held),
        how: UnlinkatFlags,
    ) -> Answer<()> {
        let own = self.own_made(moved.as_fd());
        let aside = Aside::of(moved, old, new.dir())?;
        let identity = there.identity();
        match aside.exchange(new) {
            Ok(()) => {
                let removed = match aside.is(there) {
                    true => aside.remove(how).map_err(Error::Kernel),
                    false => Err(Error::Link),
                };
                removed.map_err(|error| match aside.exchange(new) {
                    Ok(()) if aside.is(moved) => aside.back(error),
                    // It has been changed again; what stands there now is not known, and stays.
                    Ok(()) => Errno::EBUSY.into(),
                    Err(errno) => errno.into(),
                })?;
            }
            // The file system cannot: for a moment nothing has the name.
            Err(Errno::EINVAL | Errno::ENOSYS) => {
                let old = Aside::of(there, new, new.dir()).map_err(|error| aside.back(error))?;
                if let Err(errno) = aside.to_known(new, moved, own) {
                    let error = old.back(errno.into());
                    return Err(aside.back(error));
                }
                // What cannot be removed has no name to go back to.
                old.remove(how)?;
            }
            // Nothing stands there any more.
            Err(Errno::ENOENT) => return Err(aside.back(Error::Link)),
            Err(errno) => return Err(aside.back(errno.into())),
        }
        self.lost_a_name(there, identity);
        Ok(())
    }

    /// What has lost its last name is nobody's any more, since another object may get its inode.
    fn lost_a_name(&self, held: &Held, identity: Option<crate::fs::Identity>) {
        let last = held.is_directory() || held.stat.st_nlink == 1 || held.is_nameless();
        if let (Some(judge), Some(identity), true) = (self.judge(), identity, last) {
            judge.gone(identity);
        }
    }
}

/// # Errors
/// `ENOTEMPTY`; before anything is moved, so that what is beneath keeps its path.
fn is_empty(held: &Held, place: &Place<'_>) -> Result<()> {
    match held.seems_empty(place)? {
        true => Ok(()),
        false => Err(Errno::ENOTEMPTY),
    }
}

/// `errno`, which says that an object is of the wrong kind or not empty; or what the kernel would say before it, which asks for the permissions first.
fn after_permissions<T>(deeds: &[Deed<'_>], errno: Errno) -> Result<T> {
    deeds.iter().try_for_each(Deed::is_permitted)?;
    Err(errno)
}

/// How what stands there is removed, if such an object can take its place at all.
fn replacing(moved: &Held, there: &Held) -> Result<UnlinkatFlags> {
    match (moved.is_directory(), there.is_directory()) {
        (true, true) => Ok(UnlinkatFlags::RemoveDir),
        (true, false) => Err(Errno::ENOTDIR),
        (false, true) => Err(Errno::EISDIR),
        (false, false) => Ok(UnlinkatFlags::NoRemoveDir),
    }
}

/// A slash behind either name asks for a directory.
fn slashes(old: &Place<'_>, new: &Place<'_>, moved: &Held) -> Answer<()> {
    match (old.slash || new.slash) && !moved.is_directory() {
        true => Err(Errno::ENOTDIR.into()),
        false => Ok(()),
    }
}

/// With 16 hexadecimal digits behind it. What has been left by such a name may be anybody's: it is not called as uploads are, which may be removed.
const PREFIX: &[u8] = b".sftp-server-moved.";
