//! The view: the host's tree, or the root and the binds that a client is locked into.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, getcwd};

use super::direct::Near;
use super::home::Own;
use super::judge::{Deed, Judge, Verdict};
use super::mounts::Mounts;
use super::place::{Dirfd, Id};
use super::point::{Name, Point};
use super::procfs::Procfs;
use super::protect::Protect;
use super::resolve::{Aim, PATH_MAX, Step};
use super::upload::Uploads;
use super::verdict::absent;
use super::way::OPEN;
use super::{Answer, Error, Result};

/// The tree that the client sees.
#[derive(Debug)]
pub struct View {
    pub(super) kind: Kind,
    pub(super) judging: Judging,
    pub(super) mounts: Arc<Mounts>,
    pub(super) procfs: Procfs,
}

/// What is asked and kept to, beside what the trees themselves say.
#[derive(Debug, Default)]
pub(super) struct Judging {
    judge: Option<Arc<dyn Judge>>,
    modes: Modes,
    /// Whether the tree is the host's all the same, and is resolved here only for the judge.
    pub(super) host: bool,
    /// Where uploads are atomic.
    uploads: Option<Arc<Uploads>>,
    /// Copies under way, which are atomic always.
    copies: Arc<Uploads>,
    /// Whether files get setuid, setgid and sticky bits that a client asks for.
    keeps_bits: bool,
}

/// The exact modes of what is created, octal; where there is none, the client's, less the umask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Modes {
    /// Of files.
    pub file: Option<u32>,
    /// Of directories.
    pub dir: Option<u32>,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// The host's, as with OpenSSH: the kernel resolves. The cell is for what only the resolver can tell.
    Host(OnceLock<Jail>),
    /// A root and binds, as chroot(2) and bind mounts would have it.
    Jail(Jail),
}

/// A root and what is bound into it, each held by its descriptor.
#[derive(Debug)]
pub(super) struct Jail {
    /// The root is the first.
    pub(super) trees: Vec<Tree>,
    /// From the root to the directory at which relative paths start; never empty.
    pub(super) start: Vec<Start>,
    pub(super) protect: Option<Arc<Protect>>,
    pub(super) near: Near,
    /// The session's own home; none in the host's tree.
    pub(super) own: Option<Own>,
    /// Who is asked at each step.
    pub(super) judge: Option<Arc<dyn Judge>>,
}

/// A directory of the host that is part of the view, with all beneath it.
#[derive(Debug)]
pub(super) struct Tree {
    /// `O_PATH`; open directories that list it share it.
    pub(super) fd: Arc<OwnedFd>,
    /// Its canonical path on the host, that which was asked for, and its path in the view, all as they were at the start.
    pub(super) host: PathBuf,
    pub(super) written: PathBuf,
    pub(super) path: PathBuf,
    pub(super) read_only: bool,
    /// Where it is bound; none for the root.
    pub(super) point: Option<Point>,
}

/// A step of the way to the directory at which relative paths start.
#[derive(Debug)]
pub(super) struct Start {
    /// None for the root of a tree.
    pub(super) fd: Option<OwnedFd>,
    pub(super) tree: usize,
    pub(super) name: Vec<u8>,
}

impl Start {
    pub(super) fn step<'v>(&'v self, jail: &'v Jail) -> Step<'v> {
        let held = self.fd.as_ref().map(AsFd::as_fd);
        Step {
            fd: held.or(jail.tree_fd(self.tree)).map(Dirfd::Held),
            tree: self.tree,
            name: self.name.clone(),
        }
    }
}

impl View {
    /// The tree of the host. Relative paths start at the directory of the process.
    #[must_use]
    pub fn host() -> Self {
        Self {
            kind: Kind::Host(OnceLock::new()),
            judging: Judging {
                keeps_bits: true,
                ..Judging::default()
            },
            mounts: Arc::default(),
            procfs: Procfs::of_host(),
        }
    }

    /// Asks `judge` from now on before anything is done, and gives what is created these modes.
    ///
    /// The host's tree is resolved step by step then, since the kernel tells no canonical paths.
    ///
    /// # Errors
    /// As open(2) of `/`.
    pub fn ask(&mut self, judge: Arc<dyn Judge>, modes: Modes) -> Result<()> {
        if matches!(self.kind, Kind::Host(_)) {
            let mut host = Jail::of_host()?;
            // A directory that was removed is none to start in.
            if let Ok(way) = getcwd()
                .map_err(Error::from)
                .and_then(|here| host.way_to(&here))
            {
                host.start = way;
            }
            self.kind = Kind::Jail(host);
            self.judging.host = true;
        }
        if let Kind::Jail(jail) = &mut self.kind {
            jail.judge = Some(Arc::clone(&judge));
            // What is hidden is no place to start in either.
            if judge.pass(&jail.start_path(), false).is_err() {
                jail.start.truncate(1);
            }
        }
        self.judging.judge = Some(judge);
        self.judging.modes = modes;
        Ok(())
    }

    /// Has files that are new or truncated take their place when they are closed.
    pub fn upload_atomically(&mut self) {
        self.judging.uploads = Some(Arc::default());
    }

    pub(super) fn uploads(&self) -> Option<&Arc<Uploads>> {
        self.judging.uploads.as_ref()
    }

    pub(super) fn copies(&self) -> &Arc<Uploads> {
        &self.judging.copies
    }

    /// Gives files the setuid, setgid and sticky bits that a client asks for, in a jail too.
    pub fn keep_bits(&mut self) {
        self.judging.keeps_bits = true;
    }

    pub(super) fn judge(&self) -> Option<&Arc<dyn Judge>> {
        self.judging.judge.as_ref()
    }

    /// Who is asked, where it matters what the session made.
    pub(super) fn judge_of_own(&self) -> Option<&Arc<dyn Judge>> {
        self.judge().filter(|judge| judge.keeps() > 0)
    }

    /// Whether somebody is asked before anything is done.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.judging.judge.is_some()
    }

    pub(super) fn modes(&self) -> Modes {
        self.judging.modes
    }

    pub(super) fn keeps_bits(&self) -> bool {
        self.judging.keeps_bits
    }

    /// What a file or a directory gets of a mode that a client asks for.
    pub(super) fn permitted(&self, mode: u32, directory: bool) -> u32 {
        permitted(mode, directory || self.keeps_bits())
    }

    /// Whether `deeds` are to be done.
    pub(super) fn allows(&self, deeds: &[Deed<'_>]) -> Answer<bool> {
        match self.judge() {
            Some(judge) => Ok(judge.judge(deeds)? == Verdict::Go),
            None => Ok(true),
        }
    }

    /// The root and the binds, for a lock in the kernel: the directory, and whether anything beneath it may be changed. None for the host's tree.
    #[must_use]
    pub fn trees(&self) -> Option<Vec<(BorrowedFd<'_>, bool)>> {
        let jail = self.jail().filter(|_| !self.judging.host)?;
        let trees = jail.trees.iter();
        Some(
            trees
                .map(|tree| (tree.fd.as_fd(), !tree.read_only))
                .collect(),
        )
    }

    /// How many descriptors a request may need for a moment.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        match &self.kind {
            Kind::Host(_) => 2,
            // Two paths are walked for a rename, and what stands there is held.
            Kind::Jail(_) => 2 * OPEN + 4 + self.judge().map_or(0, |judge| judge.keeps()),
        }
    }

    /// How many descriptors an open file may take: an upload that is not finished holds its directory, too.
    #[must_use]
    pub fn per_file(&self) -> usize {
        1 + usize::from(self.uploads().is_some())
    }

    pub(super) fn jail(&self) -> Option<&Jail> {
        match &self.kind {
            Kind::Host(_) => None,
            Kind::Jail(jail) => Some(jail),
        }
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
    pub(super) fn resolver<'v>(&'v self, path: &'v Path) -> Answer<(&'v Jail, Cow<'v, Path>)> {
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

impl Jail {
    /// The whole tree of the host.
    pub(super) fn of_host() -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = Tree {
            fd: open("/", flags, Mode::empty())?.into(),
            host: PathBuf::from("/"),
            written: PathBuf::from("/"),
            path: PathBuf::from("/"),
            read_only: false,
            point: None,
        };
        Ok(Self::of_root(root))
    }

    pub(super) fn of_root(root: Tree) -> Self {
        let start = Start {
            fd: None,
            tree: 0,
            name: Vec::new(),
        };
        Self {
            trees: vec![root],
            start: vec![start],
            protect: None,
            near: Near::default(),
            own: None,
            judge: None,
        }
    }

    fn canonical(&self, path: &Path) -> Answer<PathBuf> {
        for _ in 0..2 {
            let place = self.resolve(path, Aim::Path)?;
            if place.slash {
                match place.is_directory() {
                    Err(Error::Link) => continue,
                    Ok(false) => return Err(Errno::ENOTDIR.into()),
                    Ok(true) => {}
                    Err(error) => return Err(error),
                }
            }
            let canonical = place.jailed.and_then(|jailed| jailed.canonical);
            let canonical = canonical.unwrap_or_default();
            if canonical.len() >= PATH_MAX {
                return Err(Errno::ENAMETOOLONG.into());
            }
            return Ok(absolute(canonical));
        }
        Err(Errno::EAGAIN.into())
    }

    pub(super) fn tree_fd(&self, tree: usize) -> Option<BorrowedFd<'_>> {
        self.trees.get(tree).map(|tree| tree.fd.as_fd())
    }

    pub(super) fn is_read_only(&self, tree: usize) -> bool {
        self.trees.get(tree).is_some_and(|tree| tree.read_only)
    }

    /// The path in the view at which relative paths start; empty for the root.
    pub(super) fn start_path(&self) -> Vec<u8> {
        let mut path = Vec::new();
        for step in self.start.iter().skip(1) {
            path.push(b'/');
            path.extend_from_slice(&step.name);
        }
        path
    }

    /// Whether something is bound by this name, anywhere.
    pub(super) fn is_bound_name(&self, name: &[u8]) -> bool {
        self.points().any(|point| point.name.is(name))
    }

    /// The tree that is bound at `name` in the directory `dir` of `tree`. The last one bound covers those before it.
    pub(super) fn bound_at(
        &self,
        tree: usize,
        dir: BorrowedFd<'_>,
        name: &[u8],
    ) -> Result<Option<usize>> {
        if !self.is_bound_name(name) {
            return Ok(None);
        }
        let id = Id::of_fd(dir)?;
        Ok(self.trees.iter().rposition(|bound| {
            let point = bound.point.as_ref();
            point.is_some_and(|point| point.name.is(name) && point.is_in(tree, dir, id))
        }))
    }

    /// What is bound in the directory `dir` of `tree`: the names and the trees.
    ///
    /// # Errors
    /// As fstat(2).
    pub(super) fn bound_in(&self, tree: usize, dir: BorrowedFd<'_>) -> Result<Vec<(&Name, &Tree)>> {
        let id = Id::of_fd(dir)?;
        let bound = self.trees.iter().filter_map(|bound| {
            let point = bound.point.as_ref()?;
            point.is_in(tree, dir, id).then_some((&point.name, bound))
        });
        Ok(bound.collect())
    }

    pub(super) fn points(&self) -> impl Iterator<Item = &Point> {
        self.trees.iter().filter_map(|tree| tree.point.as_ref())
    }

    /// Whether anything is bound at all.
    pub(super) fn has_binds(&self) -> bool {
        self.trees.len() > 1
    }
}

/// A mode, with all of its bits or without setuid, setgid and sticky.
pub(super) fn permitted(mode: u32, all: bool) -> u32 {
    if all { mode } else { mode & !0o7000 }
}

pub(super) fn absolute(path: Vec<u8>) -> PathBuf {
    if path.is_empty() {
        PathBuf::from("/")
    } else {
        PathBuf::from(OsString::from_vec(path))
    }
}
