//! A root and what is bound into it: the trees of the host that make a view.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::near::Near;
use super::point::{Name, Point};
use crate::fs::Result;
use crate::fs::judging::judge::Judge;
use crate::fs::judging::protect::Protect;
use crate::fs::kernel::place::Id;

/// A root and what is bound into it, each held by its descriptor.
#[derive(Debug)]
pub(in crate::fs) struct Jail {
    /// The root is the first.
    pub(in crate::fs) trees: Vec<Tree>,
    /// From the root to the directory at which relative paths start; never empty.
    pub(in crate::fs) start: Vec<Start>,
    pub(in crate::fs) protect: Option<Arc<Protect>>,
    pub(in crate::fs) near: Near,
    /// The session's own home; none in the host's tree.
    pub(in crate::fs) own: Option<Own>,
    /// Who is asked at each step.
    pub(in crate::fs) judge: Option<Arc<dyn Judge>>,
}

/// A directory of the host that is part of the view, with all beneath it.
#[derive(Debug)]
pub(in crate::fs) struct Tree {
    /// `O_PATH`; open directories that list it share it.
    pub(in crate::fs) fd: Arc<OwnedFd>,
    /// Its canonical path on the host, that which was asked for, and its path in the view, all as they were at the start.
    pub(in crate::fs) host: PathBuf,
    pub(in crate::fs) written: PathBuf,
    pub(in crate::fs) path: PathBuf,
    pub(in crate::fs) read_only: bool,
    /// Where it is bound; none for the root.
    pub(in crate::fs) point: Option<Point>,
}

/// A step of the way to the directory at which relative paths start.
#[derive(Debug)]
pub(in crate::fs) struct Start {
    /// None for the root of a tree.
    pub(in crate::fs) fd: Option<OwnedFd>,
    pub(in crate::fs) tree: usize,
    pub(in crate::fs) name: Vec<u8>,
}

/// The session's own home, as it was found at the start.
#[derive(Debug)]
pub(in crate::fs) struct Own {
    /// As passwd(5) has it.
    pub(in crate::fs) host: PathBuf,
    /// In the view; none where it is not there.
    pub(in crate::fs) seen: Option<PathBuf>,
}

impl Jail {
    /// The whole tree of the host.
    pub(in crate::fs) fn of_host() -> Result<Self> {
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

    pub(in crate::fs) fn of_root(root: Tree) -> Self {
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

    pub(in crate::fs) fn tree_fd(&self, tree: usize) -> Option<BorrowedFd<'_>> {
        self.trees.get(tree).map(|tree| tree.fd.as_fd())
    }

    pub(in crate::fs) fn is_read_only(&self, tree: usize) -> bool {
        self.trees.get(tree).is_some_and(|tree| tree.read_only)
    }

    /// The path in the view at which relative paths start; empty for the root.
    pub(in crate::fs) fn start_path(&self) -> Vec<u8> {
        let mut path = Vec::new();
        for step in self.start.iter().skip(1) {
            path.push(b'/');
            path.extend_from_slice(&step.name);
        }
        path
    }

    /// Whether something is bound by this name, anywhere.
    pub(in crate::fs) fn is_bound_name(&self, name: &[u8]) -> bool {
        self.points().any(|point| point.name.is(name))
    }

    /// The tree that is bound at `name` in the directory `dir` of `tree`. The last one bound covers those before it.
    pub(in crate::fs) fn bound_at(
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
    pub(in crate::fs) fn bound_in(
        &self,
        tree: usize,
        dir: BorrowedFd<'_>,
    ) -> Result<Vec<(&Name, &Tree)>> {
        let id = Id::of_fd(dir)?;
        let bound = self.trees.iter().filter_map(|bound| {
            let point = bound.point.as_ref()?;
            point.is_in(tree, dir, id).then_some((&point.name, bound))
        });
        Ok(bound.collect())
    }

    pub(in crate::fs) fn points(&self) -> impl Iterator<Item = &Point> {
        self.trees.iter().filter_map(|tree| tree.point.as_ref())
    }

    /// Whether anything is bound at all.
    pub(in crate::fs) fn has_binds(&self) -> bool {
        self.trees.len() > 1
    }
}
