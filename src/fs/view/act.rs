//! Acting where a path leads: in the host's tree the kernel resolves it, in a jail the view does, again when something appears meanwhile.

use std::borrow::Cow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::stat::SFlag;
use nix::unistd::{chdir, getcwd};

use super::jail::Jail;
use super::resolve::{Aim, Intent, absolute, search};
use super::upload::Uploads;
use super::{Kind, View};
use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::patience::is_hurried;
use crate::fs::kernel::place::{Last, Place, kind};
use crate::fs::kernel::stat::Follow;
use crate::fs::{Answer, Error, Result};

impl View {
    /// Does `act` where `path` leads. In a jail it is resolved again when a link appears meanwhile.
    ///
    /// # Errors
    /// Those of path_resolution(7), `ELOOP` at a magic link, and those of `act`. `EAGAIN` when racing renames outlast the retries.
    pub(in crate::fs) fn act<T>(
        &self,
        path: &Path,
        aim: Aim,
        intent: Intent,
        mut act: impl FnMut(&Place<'_>) -> Answer<T>,
    ) -> Answer<T> {
        let Some(jail) = self.jail() else {
            return act(&Place::host(path));
        };
        // Whoever judges wants to know of every step.
        let direct = match &jail.judge {
            None => jail.direct(path)?,
            Some(_) => None,
        };
        if let Some(place) = direct {
            match act(&place) {
                Err(Error::Link) => {}
                result => return result,
            }
        }
        self.act_in_steps(jail, path, aim, intent, act)
    }

    /// The same with two paths, both of which will be changed; what is wrong with the first comes first.
    pub(in crate::fs) fn act_on_two<T>(
        &self,
        (one, one_aim): (&Path, Aim),
        (two, two_aim): (&Path, Aim),
        mut act: impl FnMut(&Place<'_>, &Place<'_>) -> Answer<T>,
    ) -> Answer<T> {
        self.act(one, one_aim, Intent::Reach, |one| {
            if one_aim != Aim::Entry {
                one.stat(Follow::No)?;
            } else if one.jailed.is_some() {
                search(one.dir())?;
            }
            self.act(two, two_aim, Intent::Make, |two| act(one, two))
        })
    }

    /// Does `act` where `jail` finds that `path` leads, step by step; again when a link appears meanwhile.
    pub(in crate::fs) fn act_in_steps<T>(
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
    pub(in crate::fs) fn find<'v>(
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

    /// Where `place` leads while an upload goes there: to what has been written so far.
    pub(in crate::fs) fn uploaded<'v>(&self, mut place: Place<'v>, aim: Aim) -> Place<'v> {
        if matches!(aim, Aim::Target | Aim::Link) && place.last == Last::Name {
            if let Some(hidden) = self.uploads().and_then(|uploads| uploads.hidden(&place)) {
                place.covers = Some(std::mem::replace(&mut place.name, Cow::Owned(hidden)));
            }
        }
        place
    }

    /// Makes `path` the directory at which relative paths start.
    ///
    /// # Errors
    /// As chdir(2).
    pub fn start_at(&mut self, path: &Path) -> Answer<()> {
        match &mut self.kind {
            Kind::Host(_) => Ok(chdir(path)?),
            Kind::Jail(jail) => {
                jail.start = jail.way_to(path)?;
                Ok(())
            }
        }
    }

    /// The directory at which relative paths start.
    ///
    /// # Errors
    /// As getcwd(3): `ENOENT` where it was removed.
    pub fn start(&self) -> Result<PathBuf> {
        match &self.kind {
            Kind::Host(_) => getcwd(),
            Kind::Jail(jail) => Ok(absolute(jail.start_path())),
        }
    }

    /// The absolute path, free of `.`, `..` and symbolic links, of what `path` names. The last component need not exist.
    ///
    /// The walk is physical: `..` after what is no directory fails, and so does a trailing slash.
    ///
    /// # Errors
    /// As path_resolution(7). `ENOTDIR`; `ELOOP` past 40 links; `ENAMETOOLONG` past `PATH_MAX`.
    pub fn canonical(&self, path: &Path) -> Answer<PathBuf> {
        if let Kind::Host(_) = &self.kind {
            let components = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
            let mut names = components.filter(|name| !matches!(*name, b"" | b"."));
            if !path.is_absolute() && names.next().is_none() {
                return Ok(getcwd()?);
            }
        }
        let (jail, path) = self.resolver(path)?;
        let canonical = jail.canonical(&path);
        match self.judge() {
            Some(judge) if judge.shows_only_own() => canonical.map_err(absent),
            _ => canonical,
        }
    }

    /// Who resolves step by step, also where the kernel does for all else; and the path for that.
    pub(in crate::fs) fn resolver<'v>(
        &'v self,
        path: &'v Path,
    ) -> Answer<(&'v Jail, Cow<'v, Path>)> {
        let cell = match &self.kind {
            Kind::Jail(jail) => return Ok((jail, Cow::Borrowed(path))),
            Kind::Host(cell) => cell,
        };
        let host = match cell.get() {
            Some(host) => host,
            None => {
                let host = Jail::of_host()?;
                cell.get_or_init(|| host)
            }
        };
        let path = match path.is_absolute() {
            true => Cow::Borrowed(path),
            // getcwd(3) is free of links: as good as a walk from there.
            false => Cow::Owned(getcwd()?.join(path)),
        };
        Ok((host, path))
    }
}

/// What is said of a way that leads over what is no directory, where that is to be no more than nothing.
pub(in crate::fs) fn absent(error: Error) -> Error {
    match error {
        Error::Kernel(Errno::ENOTDIR | Errno::ELOOP) => Errno::ENOENT.into(),
        error => error,
    }
}

/// How often a path is resolved again when links appear in it meanwhile.
const RETRIES: usize = 64;
/// How often of these by a thread that others wait for.
const AT_ONCE: usize = 4;
