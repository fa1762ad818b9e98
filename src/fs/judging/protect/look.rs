//! The look that finds what is protected: directories by their identity, the names in each, and all on the way to them.
//!
//! Each protected path is followed as the kernel will follow it at the next login, one component after the other. What each component
//! is decides which changes would make the path lead to something else.

mod beneath;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, readlinkat};
use nix::sys::stat::{FileStat, SFlag, lstat};
use nix::unistd::{Uid, geteuid};

use super::Guarded;
use super::fold::Ground;
use super::known::{Expected, Known, Rule, Stamp, is_begun};
use super::names::{BEGINNINGS, HOME, SSH};
use super::paths::{MOST_LISTED, Trace, Traces, components, names_in, path};
use crate::fs::Result;
use crate::fs::kernel::place::{Id, kind};

impl Known {
    /// Looks at everything. Where a directory cannot be listed any more, the names that `previous` knew of it count.
    pub(super) fn look(guarded: &Guarded, previous: Option<&Self>) -> Self {
        let mut look = Look::new(previous);
        look.all(guarded);
        // A name that is only read takes half the time of one that is asked for.
        look.known.found = look.found + look.read / 2;
        // What cannot be seen now counts as it was.
        if let Some(previous) = previous.filter(|_| look.blind) {
            look.known.keep(previous);
        }
        look.known
    }

    /// How each protected path is followed.
    pub(super) fn traces(guarded: &Guarded) -> Vec<Trace> {
        let mut look = Look::new(None);
        look.traces = Traces::wanted();
        look.all(guarded);
        look.traces.all()
    }
}

struct Look<'a> {
    previous: Option<&'a Known>,
    known: Known,
    /// The directories on the way, by canonical path; the root's is empty.
    entered: HashMap<Vec<u8>, FileStat>,
    /// Directories in which many names are looked for; and those of which the names are known, where they could be listed.
    crowded: HashSet<Vec<u8>>,
    /// What was missing once is missing for all of the look: a directory is known with all of its names, or not at all.
    missed: HashSet<Vec<u8>>,
    listed: HashMap<Vec<u8>, Option<HashSet<Vec<u8>>>>,
    /// Directories that are to be listed.
    whole: Vec<(Vec<u8>, FileStat)>,
    /// The same of directories of others, to which a link leads.
    foreign: Vec<(Vec<u8>, FileStat)>,
    /// Directories and links in them that are to be followed.
    links: Vec<(Vec<u8>, FileStat, Vec<u8>)>,
    /// The homes and the directories that lead to them.
    above: HashSet<Id>,
    /// Whether modes tell nothing, by device.
    far: HashMap<u64, bool>,
    found: usize,
    /// Names of a home that were read to find those with a known beginning.
    read: usize,
    user: Uid,
    /// Whether something could not be looked at.
    blind: bool,
    now: Duration,
    traces: Traces,
}

/// What becomes of a directory that is missing on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    MayBeMade,
    StaysAbsent,
}

impl<'a> Look<'a> {
    fn new(previous: Option<&'a Known>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            previous,
            known: Known::default(),
            entered: HashMap::new(),
            crowded: HashSet::new(),
            missed: HashSet::new(),
            listed: HashMap::new(),
            whole: Vec::new(),
            foreign: Vec::new(),
            links: Vec::new(),
            above: HashSet::new(),
            far: HashMap::new(),
            found: 0,
            read: 0,
            user: geteuid(),
            blind: false,
            now: now.unwrap_or_default(),
            traces: Traces::default(),
        }
    }

    fn all(&mut self, guarded: &Guarded) {
        let Ok(root) = lstat("/") else {
            return;
        };
        self.enter(b"", &root);
        let mut homes = Vec::new();
        for home in &guarded.homes {
            let home = home.as_os_str().as_bytes();
            let Some((dir, stat)) = self.follow(b"", home, Rule::Way, Absent::StaysAbsent) else {
                continue;
            };
            if kind(&stat) != SFlag::S_IFDIR {
                continue;
            }
            self.enter(&dir, &stat);
            homes.push(dir);
        }
        // All that leads to the homes, and they themselves: a link that leads back to it protects nothing of it.
        self.above = self.known.ways.clone();
        for dir in homes {
            for crowded in CROWDED {
                self.crowded.insert([&dir, crowded.as_bytes()].concat());
            }
            for name in HOME.iter().chain(SSH).chain(BEGINNINGS) {
                self.protect(&dir, name.as_bytes());
            }
            for name in self.begun(&dir) {
                self.protect(&dir, &name);
            }
            let home = self.entered.get(&dir).map(Id::of);
            if let Some(home) = home.and_then(|home| self.known.dirs.get_mut(&home)) {
                home.is_home = true;
            }
        }
        for file in guarded.programs.iter().chain(&guarded.files) {
            self.protect(b"", file.as_os_str().as_bytes());
        }
        // A client may have a part in what follows: it comes last, and where it leads back to the home, it protects nothing of it.
        self.beneath();
        for file in &guarded.replacing {
            self.protect_link(b"", file.as_os_str().as_bytes());
        }
        for (begin, dir) in &guarded.moved {
            let end = begin.rfind('/').map_or(0, |slash| slash + 1);
            for name in HOME.iter().filter(|name| name.starts_with(begin)) {
                let path = dir.join(&name[end..]);
                self.protect_link(b"", path.as_os_str().as_bytes());
            }
        }
        self.beneath();
        self.beneath_others();
    }

    /// What stands in a home by names of which the beginning alone is known; what stood there, where it cannot be listed any more.
    fn begun(&mut self, home: &[u8]) -> Vec<Vec<u8>> {
        let id = self.entered.get(home).map(Id::of);
        let watched = id.and_then(|id| self.known.dirs.get(&id));
        let folds = watched.is_some_and(|watched| watched.ground.folds);
        let begins = |name: &[u8]| is_begun(name, folds);
        if let Some(Some(names)) = self.listed.get(home) {
            return names.iter().filter(|name| begins(name)).cloned().collect();
        }
        let mut read = 0;
        // A client can make others without bound.
        let names = names_in(home, usize::MAX, |name| {
            read += 1;
            begins(name)
        });
        self.read += read;
        if let Some(names) = names {
            return names.into_iter().collect();
        }
        let before = self
            .previous
            .and_then(|known| Some(known.dirs.get(&id?)?.names.keys()));
        // What the locks bar lies outside of the trees, and what is somebody else's in a home that does not belong to the user stays.
        let closed =
            |stat: &FileStat| stat.st_uid == self.user.as_raw() && stat.st_mode & 0o400 == 0;
        self.known.partial |= before.is_none() && self.entered.get(home).is_some_and(closed);
        let names = before.into_iter().flatten();
        names.filter(|name| begins(name)).cloned().collect()
    }

    /// Protects what `path` leads to, from the directory at `from`, and all beneath it.
    fn protect(&mut self, from: &[u8], path: &[u8]) {
        if let Some((path, stat)) = self.target(from, path) {
            self.take(path, &stat);
        }
    }

    /// Protects what a link leads to that stands in a protected directory.
    fn protect_link(&mut self, from: &[u8], name: &[u8]) {
        let target = self.target(from, name);
        let Some((path, stat)) = target.filter(|(_, stat)| !self.above.contains(&Id::of(stat)))
        else {
            return;
        };
        // What lies elsewhere and is not the user's stays as it is by itself; what stands in such a directory may be the user's.
        match self.can_change(&stat) {
            true => self.take(path, &stat),
            false if kind(&stat) == SFlag::S_IFDIR => self.foreign.push((path, stat)),
            false => {}
        }
    }

    fn target(&mut self, from: &[u8], path: &[u8]) -> Option<(Vec<u8>, FileStat)> {
        self.traces.begin();
        self.follow(from, path, Rule::Fixed, Absent::MayBeMade)
    }

    /// Follows a path as the kernel does, and makes a rule for each name on the way. What it leads to, and what that is, if it is there.
    fn follow(
        &mut self,
        from: &[u8],
        path: &[u8],
        end: Rule,
        absent: Absent,
    ) -> Option<(Vec<u8>, FileStat)> {
        let whole = [from, b"/", path].concat();
        let mut at = match path.starts_with(b"/") {
            true => Vec::new(),
            false => from.to_vec(),
        };
        let mut rest = components(path);
        let mut links = 0;
        let mut led = None;
        while let Some(name) = rest.pop() {
            if name == b".." {
                let above = at.iter().rposition(|byte| *byte == b'/');
                at.truncate(above.unwrap_or_default());
                continue;
            }
            let last = rest.is_empty();
            let dir = self.dir_at(&at)?;
            let child = [&at, b"/".as_slice(), &name].concat();
            let there = match self.entered.get(&child) {
                Some(stat) => Ok(*stat),
                None => self.lstat(&at, &name, &child),
            };
            match there {
                Ok(stat) if kind(&stat) == SFlag::S_IFDIR => {
                    self.rule(dir, &name, if last { end } else { Rule::Way });
                    self.remember(&child, dir, Some(Id::of(&stat)));
                    self.known.dir_of(dir, &name, Id::of(&stat));
                    at = child;
                    if last {
                        led = Some(stat);
                    } else {
                        self.enter(&at, &stat);
                    }
                }
                Ok(stat) if kind(&stat) == SFlag::S_IFLNK => {
                    self.rule(dir, &name, Rule::Fixed);
                    self.known.objects.insert(Id::of(&stat));
                    links += 1;
                    let target = readlinkat(AT_FDCWD, child.as_slice());
                    self.blind |= target.is_err();
                    let target = target.ok().map(OsString::into_vec)?;
                    if links > MOST_LINKS || target.is_empty() {
                        return None;
                    }
                    if target.starts_with(b"/") {
                        at.clear();
                    }
                    rest.extend(components(&target));
                }
                Ok(stat) => {
                    self.rule(dir, &name, Rule::Fixed);
                    self.known.objects.insert(Id::of(&stat));
                    at = child;
                    led = last.then_some(stat);
                    if !last {
                        return None;
                    }
                }
                Err(errno) => {
                    self.missed.insert(child.clone());
                    // Behind `..` the way would lead on from elsewhere once this is there.
                    let back = rest.iter().any(|name| name == b"..");
                    let fixed = last || back || absent == Absent::StaysAbsent;
                    self.rule(dir, &name, if fixed { Rule::Fixed } else { Rule::Way });
                    if !last || end == Rule::Way {
                        self.remember(&child, dir, None);
                    }
                    self.blind |= !matches!(errno, Errno::ENOENT | Errno::ENOTDIR);
                    let leads = rest.iter().rev().fold(child, |mut path, name| {
                        path.push(b'/');
                        path.extend_from_slice(name);
                        path
                    });
                    self.traces.add(&whole, leads, false);
                    return None;
                }
            }
        }
        // A path that ends on a link to the root, on `..` or on nothing ends in a directory that was entered.
        let stat = led.or_else(|| self.entered.get(&at).copied())?;
        self.traces.add(&whole, at.clone(), true);
        Some((at, stat))
    }

    /// Which directory stands at `at`. `..` may lead to one that no way has come through yet.
    fn dir_at(&mut self, at: &[u8]) -> Option<Id> {
        if let Some(stat) = self.entered.get(at) {
            return Some(Id::of(stat));
        }
        match lstat(&path(at)) {
            Ok(stat) if kind(&stat) == SFlag::S_IFDIR => {
                self.enter(at, &stat);
                Some(Id::of(&stat))
            }
            _ => {
                self.blind = true;
                None
            }
        }
    }

    /// The attributes of `child`, which is `name` in the directory at `at`. That was entered before: what comes after its time was taken is
    /// seen by its time, whether its names are known by then or not.
    fn lstat(&mut self, at: &[u8], name: &[u8], child: &[u8]) -> Result<FileStat> {
        let dir = self.entered.get(at).map(Id::of);
        let watched = dir.and_then(|dir| self.known.dirs.get(&dir));
        let key = |name: &[u8]| {
            watched
                .map_or(name.into(), |dir| dir.key(name))
                .into_owned()
        };
        if self.crowded.remove(at) {
            let names = names_in(at, MOST_LISTED, |_| true)
                .map(|names| names.iter().map(|name| key(name)).collect());
            self.listed.insert(at.to_vec(), names);
        }
        if self.missed.contains(child) {
            return Err(Errno::ENOENT);
        }
        match self.listed.get(at) {
            Some(Some(names)) if !names.contains(&key(name)) => Err(Errno::ENOENT),
            _ => lstat(child),
        }
    }

    /// Takes note of a directory that a way leads through.
    fn enter(&mut self, at: &[u8], stat: &FileStat) {
        if self.entered.contains_key(at) {
            return;
        }
        let id = Id::of(stat);
        self.entered.insert(at.to_vec(), *stat);
        self.known.ways.insert(id);
        let ground = match self.known.dirs.get(&id) {
            Some(watched) => watched.ground,
            None => self.ground(at, stat),
        };
        self.known.dir(id, ground);
        self.stamp(at, stat, ground);
        let others = stat.st_uid != 0 && stat.st_uid != self.user.as_raw();
        let open = stat.st_mode & 0o022 != 0 && stat.st_mode & 0o1000 == 0;
        if others || open {
            self.traces.open_at(at);
        }
    }

    fn ground(&mut self, at: &[u8], stat: &FileStat) -> Ground {
        let id = Id::of(stat);
        let known = self.previous.and_then(|known| known.dirs.get(&id));
        let ground = match known {
            Some(watched) => watched.ground,
            // Nobody makes other spellings where nobody may make names.
            None if !self.is_far(at, stat) && !self.can_change(stat) => Ground::default(),
            None => Ground::of(&path(at)),
        };
        self.known.remote |= ground.remote;
        if ground.fuse {
            self.known.fuse.insert(id.device());
        }
        ground
    }

    fn stamp(&mut self, at: &[u8], stat: &FileStat, ground: Ground) {
        if self.can_change(stat) {
            let stamp = Stamp::of(at, stat, self.now, ground.remote);
            self.known.stamps.push(stamp);
        }
    }

    /// Whether somebody else says who may do what on the file system of `at`: its owners and modes tell nothing then.
    fn is_far(&mut self, at: &[u8], stat: &FileStat) -> bool {
        let far = self.far.entry(stat.st_dev);
        *far.or_insert_with(|| Ground::is_far(&path(at)))
    }

    /// Whether this user may make and remove names in a directory.
    fn can_change(&self, dir: &FileStat) -> bool {
        let user = self.user;
        let told = dir.st_uid == user.as_raw() || dir.st_mode & 0o022 != 0;
        told || user.is_root() || self.far.get(&dir.st_dev) == Some(&true)
    }

    fn rule(&mut self, dir: Id, name: &[u8], rule: Rule) {
        let Some(watched) = self.known.dirs.get_mut(&dir) else {
            return;
        };
        let name = watched.key(name).into_owned();
        let known = watched.names.entry(name).or_insert(rule);
        if rule == Rule::Fixed {
            *known = rule;
        }
    }

    /// Takes note of what stands at `path` in the directory `dir`, or does not.
    fn remember(&mut self, path: &[u8], dir: Id, id: Option<Id>) {
        if self.known.expected.iter().any(|known| known.path == path) {
            return;
        }
        let watched = self.known.dirs.get(&dir);
        let remote = watched.is_some_and(|watched| watched.ground.remote);
        let stamp = self.known.stamps.iter().position(|stamp| stamp.id == dir);
        // What this user cannot replace stays.
        if id.is_none() || stamp.is_some() {
            self.known.expected.push(Expected {
                path: path.to_vec(),
                id,
                device: dir.device(),
                remote,
                stamp,
            });
        }
    }
}

/// As the kernel (path_resolution(7)).
const MOST_LINKS: usize = 40;
/// In a home, the directories in which most of the protected names would stand, and are missing.
const CROWDED: [&str; 3] = ["", "/.config", "/.local/share"];
