//! Where a path is found to lead, and what the view forbids there before the kernel is asked: read-only trees, bind points, what is protected.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::errno::Errno;

use super::View;
use super::jail::Jail;
use crate::fs::judging::own::OwnMade;
use crate::fs::judging::protect::{Change, Protect};
use crate::fs::kernel::place::{Id, Last, Place};
use crate::fs::kernel::stat::FileStat;
use crate::fs::{Answer, Error, Result};

impl View {
    /// Looks at every file that is opened, whoever's session it is: no lock keeps it out of the memory of processes.
    pub fn guard_processes(&mut self) {
        self.procfs.in_host = true;
    }

    pub(in crate::fs) fn guards_processes(&self) -> bool {
        self.procfs.in_host
    }

    /// Whether a session in this view looks at every file that is opened. One that asks rules does so in any case.
    #[must_use]
    pub fn looks_for_processes(&self) -> bool {
        self.guards_processes() || self.jail().is_some()
    }

    /// Whether `file`, of which the attributes are known, may be opened, for writing or not.
    ///
    /// # Errors
    /// `EACCES` in procfs; as fstatfs(2).
    pub(in crate::fs) fn spares_processes<F: AsFd>(
        &self,
        stat: &FileStat,
        writes: bool,
        file: impl FnOnce() -> Answer<F>,
    ) -> Answer<()> {
        self.procfs.spares(stat, writes, file)
    }

    pub(in crate::fs) fn own_made(&self, file: BorrowedFd<'_>) -> Option<OwnMade<'_>> {
        OwnMade::of(self.judge(), file)
    }

    /// Whether what stands in `place`, of which the attributes are known, may be changed so; or made, where nothing stands.
    ///
    /// # Errors
    /// `EROFS` in a read-only tree, [`Error::Protected`].
    pub(in crate::fs) fn changeable(
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
    pub(in crate::fs) fn unprotected(
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

    pub(in crate::fs) fn protect(&self) -> Option<&Arc<Protect>> {
        self.jail().and_then(|jail| jail.protect.as_ref())
    }

    /// Whether what stands in `place` may go away, or get another name.
    ///
    /// # Errors
    /// `EBUSY` for a bind point, and those of [`View::changeable`].
    pub(in crate::fs) fn removable(&self, place: &Place<'_>) -> Answer<()> {
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
    pub(in crate::fs) fn holds_no_bind(&self, place: &Place<'_>) -> Answer<()> {
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
    pub(in crate::fs) fn takes_binds_along(&self, place: &Place<'_>) -> Answer<()> {
        let mut points = self.jail().into_iter().flat_map(Jail::points);
        match points.any(|point| point.leads_through(place.dir(), &place.name)) {
            true => Err(Errno::EBUSY.into()),
            false => Ok(()),
        }
    }

    /// Whether anything is bound into the view.
    pub(in crate::fs) fn has_binds(&self) -> bool {
        self.jail().is_some_and(Jail::has_binds)
    }
}

/// Whether a new name may be made in `place`.
pub(in crate::fs) fn free(place: &Place<'_>) -> Answer<()> {
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
pub(in crate::fs) fn one_tree(one: &Place<'_>, two: &Place<'_>) -> Result<()> {
    let tree = |place: &Place<'_>| place.jailed.as_ref().map(|jailed| jailed.tree);
    if tree(one) == tree(two) {
        Ok(())
    } else {
        Err(Errno::EXDEV)
    }
}
