//! Where a path is found to lead, and what the view forbids there before the kernel is asked: read-only trees, bind points, what is protected.

use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::stat::SFlag;

use super::judge::Identity;
use super::ops::FileStat;
use super::patience::is_hurried;
use super::place::{Id, Last, Place, kind};
use super::protect::{Change, Protect};
use super::resolve::{Aim, Intent};
use super::upload::Uploads;
use super::view::Jail;
use super::{Answer, Error, Result, View};

impl View {
    /// Does `act` where `jail` finds that `path` leads, step by step; again when a link appears meanwhile.
    pub(super) fn act_in_steps<T>(
        &self,
        jail: &Jail,
        path: &Path,
        aim: Aim,
        intent: Intent,
        mut act: impl FnMut(&Place<'_>) -> Answer<T>,
    ) -> Answer<T> {
        for retry in 0..RETRIES {
            if retry >= AT_ONCE && is_hurried() {
                return Err(Error::Long);
            }
            match act(&self.find(jail, path, aim, intent)?) {
                Err(Error::Link) => {}
                result => return result,
            }
        }
        Err(Errno::EAGAIN.into())
    }

    /// The place that a path leads to. Where only what is own and directories are there for the client, all else stands nowhere, on the way
    /// as at the end, and answers as nothing does; but a name that is to be made may be taken by it.
    pub(super) fn find<'v>(
        &self,
        jail: &'v Jail,
        path: &Path,
        aim: Aim,
        intent: Intent,
    ) -> Answer<Place<'v>> {
        let resolved = jail.resolve(path, aim);
        let Some(judge) = self.judge().filter(|judge| judge.shows_only_own()) else {
            return Ok(self.uploaded(resolved?, aim));
        };
        let place = self.uploaded(resolved.map_err(absent)?, aim);
        let made = |uploads: &Arc<Uploads>| uploads.is_new(&place).is_some();
        let known = intent == Intent::Make
            || place.last == Last::Itself
            || place.jailed.as_ref().is_some_and(|jailed| jailed.bound)
            || aim == Aim::Entry && self.uploads().is_some_and(made);
        if known {
            return Ok(place);
        }
        let there = place.lstat()?;
        let identity = || Identity::at(place.dir(), &place.name);
        if kind(&there) == SFlag::S_IFDIR || judge.lists(place.canonical(), &identity) {
            Ok(place)
        } else {
            Err(Errno::ENOENT.into())
        }
    }

    /// Whether what stands in `place`, of which the attributes are known, may be changed so; or made, where nothing stands.
    ///
    /// # Errors
    /// `EROFS` in a read-only tree, [`Error::Protected`].
    pub(super) fn changeable(
        &self,
        place: &Place<'_>,
        there: Option<&FileStat>,
        change: Change,
    ) -> Answer<()> {
        place.writable()?;
        self.unprotected(place, there, change)
    }

    /// Whether a change in `place`, and of what stands there, leaves everything that is protected as it is.
    ///
    /// System calls: at most one fstat(2) of the directory, and one lstat(2) for each directory that is missing on a protected way.
    ///
    /// # Errors
    /// [`Error::Protected`].
    pub(super) fn unprotected(
        &self,
        place: &Place<'_>,
        there: Option<&FileStat>,
        change: Change,
    ) -> Answer<()> {
        let Some(protect) = self.protect() else {
            return Ok(());
        };
        match (place.last, there.map(Id::of)) {
            (Last::Itself, None) => Ok(()),
            (Last::Itself, Some(there)) => protect.judge_dir(place.dir(), there, change),
            (Last::Name, there) => {
                let at = (place.dir(), place.dir.id()?, &*place.name);
                protect.judge(at, there, change)
            }
        }
    }

    pub(super) fn protect(&self) -> Option<&Arc<Protect>> {
        self.jail().and_then(|jail| jail.protect.as_ref())
    }

    /// Whether what stands in `place` may go away, or get another name.
    ///
    /// # Errors
    /// `EBUSY` for a bind point, and those of [`View::changeable`].
    pub(super) fn removable(&self, place: &Place<'_>) -> Answer<()> {
        let Some(jailed) = &place.jailed else {
            return Ok(());
        };
        if jailed.bound {
            return Err(Errno::EBUSY.into());
        }
        let there = self.protect().and_then(|_| place.lstat().ok());
        self.changeable(place, there.as_ref(), Change::Take)
    }

    /// Whether a directory may be removed or replaced as far as binds are concerned; renamed, it takes them along.
    ///
    /// # Errors
    /// `ENOTEMPTY` where something is bound in it.
    pub(super) fn holds_no_bind(&self, place: &Place<'_>) -> Answer<()> {
        let (Some(jail), Some(jailed)) = (self.jail(), &place.jailed) else {
            return Ok(());
        };
        let there = if jail.has_binds() {
            place.lstat().ok()
        } else {
            None
        };
        let (tree, dir) = (jailed.tree, place.dir());
        let holds = |stat: FileStat| {
            let id = Id::of(&stat);
            jail.points()
                .any(|point| point.is_at(tree, dir, &place.name, id))
        };
        match there.is_some_and(holds) {
            true => Err(Errno::ENOTEMPTY.into()),
            false => Ok(()),
        }
    }

    /// Whether a directory takes the binds in and beneath it along where it is renamed.
    ///
    /// # Errors
    /// `EBUSY` where one of them is known by its path.
    pub(super) fn takes_binds_along(&self, place: &Place<'_>) -> Answer<()> {
        let mut points = self.jail().into_iter().flat_map(Jail::points);
        match points.any(|point| point.leads_through(place.dir(), &place.name)) {
            true => Err(Errno::EBUSY.into()),
            false => Ok(()),
        }
    }

    /// Whether anything is bound into the view.
    pub(super) fn has_binds(&self) -> bool {
        self.jail().is_some_and(Jail::has_binds)
    }
}

/// What is said of a way that leads over what is no directory, where that is to be no more than nothing.
pub(super) fn absent(error: Error) -> Error {
    match error {
        Error::Kernel(Errno::ENOTDIR | Errno::ELOOP) => Errno::ENOENT.into(),
        error => error,
    }
}

/// Whether a new name may be made in `place`.
pub(super) fn free(place: &Place<'_>) -> Answer<()> {
    let bound = place.jailed.as_ref().is_some_and(|jailed| jailed.bound);
    if bound || place.last == Last::Itself {
        return Err(Errno::EEXIST.into());
    }
    match place.writable() {
        Err(Error::Kernel(Errno::EROFS)) if place.lstat().is_ok() => Err(Errno::EEXIST.into()),
        result => result,
    }
}

/// Whether both lie in one tree: binds are file systems of their own.
pub(super) fn one_tree(one: &Place<'_>, two: &Place<'_>) -> Result<()> {
    let tree = |place: &Place<'_>| place.jailed.as_ref().map(|jailed| jailed.tree);
    if tree(one) == tree(two) {
        Ok(())
    } else {
        Err(Errno::EXDEV)
    }
}

/// How often a path is resolved again when links appear in it meanwhile.
const RETRIES: usize = 64;
/// How often of these by a thread that others wait for.
const AT_ONCE: usize = 4;
