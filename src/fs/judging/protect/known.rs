//! What is protected, as the last look found it, and whether that is still so.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use nix::sys::stat::{FileStat, lstat};

use super::fold::{Ground, fold, known_by};
use super::names::BEGINNINGS;
use super::paths::path;
use crate::fs::kernel::place::Id;

/// What is protected.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The directories that hold protected names.
    pub(super) dirs: HashMap<Id, Watched>,
    /// Directories in which everything is protected.
    pub(super) whole: HashMap<Id, Vec<Vec<u8>>>,
    /// Files and links that are protected by whatever name.
    pub(super) objects: HashSet<Id>,
    /// Directories that a protected path leads through: they stay where they are, and closed to others.
    pub(super) ways: HashSet<Id>,
    /// The directories on the ways, and what would be made first where a way is missing. Once another one is there, there is other to protect.
    pub(super) expected: Vec<Expected>,
    /// How much stands beneath the protected directories.
    pub(super) found: usize,
    /// Whether more stands in the protected directories than is known here.
    pub(super) partial: bool,
    /// Whether another process or host serves any of these directories.
    pub(super) remote: bool,
    /// The devices of those that FUSE serves.
    pub(super) fuse: HashSet<u64>,
    pub(super) stamps: Vec<Stamp>,
}

/// A directory that holds protected names.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) ground: Ground,
    pub(super) names: HashMap<Vec<u8>, Rule>,
    /// The directories in it that a protected path leads through or to.
    pub(super) children: HashMap<Vec<u8>, Id>,
    /// Whether all names are protected that begin as some do.
    pub(super) is_home: bool,
}

/// What may become of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing.
    Fixed,
    /// It is that of a directory on the way: one may be made there, and then neither go nor be replaced.
    Way,
}

/// What stands on the way to something protected.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) path: Vec<u8>,
    /// None where it is missing.
    pub(super) id: Option<Id>,
    pub(super) device: u64,
    pub(super) remote: bool,
    /// Which of the stamps is that of the directory where it stands; none where this user can make nothing there.
    pub(super) stamp: Option<usize>,
}

/// When a directory changed last.
#[derive(Debug)]
pub(super) struct Stamp {
    path: Vec<u8>,
    pub(super) id: Id,
    changed: (i64, i64),
    /// It changed so lately that the next change could bear the same time.
    fresh: bool,
}

impl Watched {
    /// What a name is known by here.
    pub(super) fn key<'n>(&self, name: &'n [u8]) -> Cow<'n, [u8]> {
        match self.ground.folds {
            true => Cow::Owned(known_by(fold(name))),
            false => Cow::Borrowed(name),
        }
    }
}

impl Known {
    /// What may become of `name` in the directory `dir`; anything, where there is no rule.
    pub(super) fn rule(&self, dir: Id, name: &[u8]) -> Option<Rule> {
        let watched = self.dirs.get(&dir)?;
        let name = match watched.ground.folds {
            true => Cow::Owned(fold(name)),
            false => Cow::Borrowed(name),
        };
        let is_begun = watched.is_home && is_begun(&name, watched.ground.folds);
        let rule = match name {
            Cow::Owned(folded) => watched.names.get(&known_by(folded)),
            Cow::Borrowed(name) => watched.names.get(name),
        };
        rule.copied().or(is_begun.then_some(Rule::Fixed))
    }

    /// What is known of the directory `id`.
    pub(super) fn dir(&mut self, id: Id, ground: Ground) -> &mut Watched {
        self.dirs.entry(id).or_insert_with(|| Watched {
            ground,
            names: HashMap::new(),
            children: HashMap::new(),
            is_home: false,
        })
    }

    /// Adds what was known before.
    pub(super) fn keep(&mut self, before: &Self) {
        self.objects.extend(&before.objects);
        self.ways.extend(&before.ways);
        for (dir, names) in &before.whole {
            self.whole.entry(*dir).or_insert_with(|| names.clone());
        }
        for (dir, watched) in &before.dirs {
            let known = self.dir(*dir, watched.ground);
            known.is_home |= watched.is_home;
            for (name, rule) in &watched.names {
                known.names.entry(name.clone()).or_insert(*rule);
            }
            for (name, child) in &watched.children {
                known.children.entry(name.clone()).or_insert(*child);
            }
        }
        self.fuse.extend(&before.fuse);
    }

    /// Whether anything is known of what stands in a directory.
    pub(super) fn knows(&self, dir: Id) -> bool {
        self.dirs.contains_key(&dir) || self.whole.contains_key(&dir)
    }

    /// Whether another directory stands on a way than was seen. Only storage that is on `device` is asked, or that of this host.
    pub(super) fn is_outdated(&self, device: u64) -> bool {
        let mut expected = self.expected.iter();
        // Most are in one directory, which tells by its time that nothing has come.
        let mut same = None;
        expected.any(|expected| {
            if expected.remote && expected.device != device
                || expected.stamp.is_some() && expected.stamp == same
            {
                return false;
            }
            let stamp = expected.stamp.and_then(|index| self.stamps.get(index));
            if stamp.is_some_and(Stamp::holds) {
                same = expected.stamp;
                return false;
            }
            let there = lstat(expected.path.as_slice());
            there.is_ok_and(|there| Some(Id::of(&there)) != expected.id)
        })
    }

    /// Whether any of the directories has changed since, or may have.
    pub(super) fn has_changed(&self) -> bool {
        !self.stamps.iter().all(Stamp::holds)
    }
}

impl Stamp {
    /// Whether the directory is what it was.
    fn holds(&self) -> bool {
        let same = |now: FileStat| (Id::of(&now), changed(&now)) == (self.id, self.changed);
        !self.fresh && lstat(&path(&self.path)).is_ok_and(same)
    }

    /// Of the directory at `path`; `now` is since the Epoch. Where others keep the time, nothing is known of when a time was.
    pub(super) fn of(path: &[u8], stat: &FileStat, now: Duration, remote: bool) -> Self {
        let (seconds, nanoseconds) = changed(stat);
        let at = Duration::new(
            u64::try_from(seconds).unwrap_or_default(),
            u32::try_from(nanoseconds).unwrap_or_default(),
        );
        // Whole seconds: the next change may bear the same time for as long as a second, or two (FAT).
        let lately = match nanoseconds {
            0 => COARSELY,
            _ => LATELY,
        };
        Self {
            path: path.to_vec(),
            id: Id::of(stat),
            changed: changed(stat),
            fresh: remote || at + lately >= now,
        }
    }
}

/// Whether a name in a home is one of [`BEGINNINGS`], whatever stands behind that; `folds` where case does not matter.
pub(super) fn is_begun(name: &[u8], folds: bool) -> bool {
    BEGINNINGS
        .iter()
        .map(|begin| begin.as_bytes())
        .any(|begin| {
            let same = |name: &[u8]| match folds {
                true => name.eq_ignore_ascii_case(begin),
                false => name == begin,
            };
            name.get(..begin.len()).is_some_and(same)
        })
}

fn changed(stat: &FileStat) -> (i64, i64) {
    (stat.st_ctime, stat.st_ctime_nsec)
}

/// Clocks of file systems may be as coarse as this.
const LATELY: Duration = Duration::from_millis(20);
const COARSELY: Duration = Duration::from_millis(2100);
