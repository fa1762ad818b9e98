//! What the view forbids before the kernel is asked: read-only trees, bind points, what is protected.

use nix::errno::Errno;

use super::ops::FileStat;
use super::place::{Id, Last, Place};
use super::resolve::is_directory;
use super::{Answer, Error, Follow, Result, View};

impl View {
    /// Whether what stands in `place`, of which the attributes are known, may be changed; or made, where nothing stands.
    ///
    /// # Errors
    /// `EROFS` in a read-only tree, [`Error::Protected`].
    pub(super) fn changeable(&self, place: &Place<'_>, there: Option<&FileStat>) -> Answer<()> {
        place.writable()?;
        if self.is_protected(there) {
            return Err(Error::Protected);
        }
        Ok(())
    }

    /// Whether a file is protected, whatever its name.
    pub(super) fn is_protected(&self, stat: Option<&FileStat>) -> bool {
        let protect = self.jail().and_then(|jail| jail.protect.as_ref());
        match (protect, stat) {
            (Some(protect), Some(stat)) => protect.is_object(Id::of(stat)),
            _ => false,
        }
    }

    /// Whether the attributes of what stands in `place` may be changed.
    pub(super) fn settable(&self, place: &Place<'_>, follow: Follow) -> Answer<()> {
        if place.jailed.is_none() {
            return Ok(());
        }
        if place.slash && !is_directory(place)? {
            return Err(Errno::ENOTDIR.into());
        }
        // What is not there is not read-only either.
        let stat = place.stat(follow)?;
        self.changeable(place, Some(&stat))
    }

    /// Whether what stands in `place` may go away.
    ///
    /// # Errors
    /// `EBUSY` for a bind point, `ENOTEMPTY` for a directory that holds one, and those of [`View::changeable`].
    pub(super) fn removable(&self, place: &Place<'_>) -> Answer<()> {
        let (Some(jail), Some(jailed)) = (self.jail(), &place.jailed) else {
            return Ok(());
        };
        if jailed.bound {
            return Err(Errno::EBUSY.into());
        }
        let asked = jail.has_binds() || jail.protect.is_some();
        let there = asked.then(|| place.lstat().ok()).flatten();
        self.changeable(place, there.as_ref())?;
        let Some(id) = there.as_ref().map(Id::of) else {
            return Ok(());
        };
        if !jail.bound_in(jailed.tree, id).is_empty() {
            return Err(Errno::ENOTEMPTY.into());
        }
        if jail.protect.as_ref().is_some_and(|known| known.is_way(id)) {
            return Err(Error::Protected);
        }
        Ok(())
    }

    /// Refuses to put a ready-made directory, or a link to one, where `.config` stands.
    pub(super) fn not_config(&self, place: &Place<'_>) -> Answer<()> {
        let Some(protect) = self.jail().and_then(|jail| jail.protect.as_ref()) else {
            return Ok(());
        };
        if protect.visible && protect.is_config(Id::of_fd(place.dir())?, &place.name) {
            return Err(Error::Protected);
        }
        Ok(())
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
