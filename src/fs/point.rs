//! Where something is bound into the view: a name in a directory, however it is spelled where names fold.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use nix::fcntl::{AT_FDCWD, readlinkat};

use super::Result;
use super::place::Id;
use super::protect::{may_fold, spelling};

/// A bind point: a name in a directory, wherever that is moved.
#[derive(Debug)]
pub(super) struct Point {
    /// The tree in which it is.
    tree: usize,
    dir: Id,
    pub(super) name: Name,
    /// What the components of the directory's path are known by, as the host had it at the start, where FUSE may give each spelling of them
    /// an inode of its own.
    path: Option<Vec<Vec<u8>>>,
}

/// A name that may be spelled otherwise.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) written: Vec<u8>,
    /// What it is known by, where names fold or may.
    folded: Option<Vec<u8>>,
}

impl Name {
    /// Whether `name` is this one.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        let folded = self.folded.as_ref();
        self.written == name || folded.is_some_and(|folded| *folded == spelling(name))
    }
}

impl Point {
    /// `name` in the directory `dir` of `tree`.
    ///
    /// # Errors
    /// As fstat(2).
    pub(super) fn new(tree: usize, dir: BorrowedFd<'_>, name: &[u8]) -> Result<Self> {
        let folds = may_fold(Path::new(&link_of(dir)));
        Ok(Self {
            tree,
            dir: Id::of_fd(dir)?,
            name: Name {
                written: name.to_vec(),
                folded: folds.then(|| spelling(name)),
            },
            path: path_of(dir).filter(|_| folds),
        })
    }

    /// Whether `dir`, which is `id` and in `tree`, is its directory.
    pub(super) fn is_in(&self, tree: usize, dir: impl AsFd, id: Id) -> bool {
        let by_path = || self.path.is_some() && path_of(dir.as_fd()) == self.path;
        self.tree == tree && (self.dir == id || self.dir.device() == id.device() && by_path())
    }

    /// The same, where nothing but the identity is at hand.
    pub(super) fn is_at(&self, tree: usize, id: Id) -> bool {
        (self.tree, self.dir) == (tree, id)
    }
}

fn link_of(dir: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", dir.as_raw_fd())
}

/// What the components of a directory's path are known by; none without a procfs.
fn path_of(dir: BorrowedFd<'_>) -> Option<Vec<Vec<u8>>> {
    let path = readlinkat(AT_FDCWD, link_of(dir).as_str()).ok()?.into_vec();
    Some(path.split(|byte| *byte == b'/').map(spelling).collect())
}
