//! Where something is bound into the view: a name in a directory, however it is spelled where names fold.

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use nix::fcntl::{AT_FDCWD, OFlag, openat, readlinkat};
use nix::sys::stat::Mode;

use crate::fs::Result;
use crate::fs::judging::protect::{may_fold, spelling};
use crate::fs::kernel::place::Id;

/// A bind point: a name in a directory, wherever that is moved.
#[derive(Debug)]
pub(in crate::fs) struct Point {
    /// The tree in which it is.
    tree: usize,
    dir: Id,
    /// As long as it is open the directory keeps its number: overlayfs and FUSE give another one once the kernel has forgotten it.
    _held: OwnedFd,
    pub(in crate::fs) name: Name,
    /// What the components of the directory's path are known by, as the host had it at the start, where FUSE may give each spelling of them
    /// an inode of its own.
    path: Option<Vec<Vec<u8>>>,
}

/// A name that may be spelled otherwise.
#[derive(Clone, Debug)]
pub(in crate::fs) struct Name {
    pub(in crate::fs) written: Vec<u8>,
    /// What it is known by, where names fold or may.
    folded: Option<Vec<u8>>,
}

impl Name {
    /// Whether `name` is this one.
    pub(in crate::fs) fn is(&self, name: &[u8]) -> bool {
        let folded = self.folded.as_ref();
        self.written == name || folded.is_some_and(|folded| *folded == spelling(name))
    }
}

impl Point {
    /// `name` in the directory `dir` of `tree`.
    ///
    /// # Errors
    /// As fstat(2).
    pub(in crate::fs) fn new(tree: usize, dir: BorrowedFd<'_>, name: &[u8]) -> Result<Self> {
        let link = PathBuf::from(link_of(dir));
        let folds =
            may_fold(&told(dir).map_or(link, |path| PathBuf::from(OsString::from_vec(path))));
        let held = openat(dir, ".", HELD, Mode::empty())?;
        Ok(Self {
            tree,
            dir: Id::of_fd(dir)?,
            _held: held,
            name: Name {
                written: name.to_vec(),
                folded: folds.then(|| spelling(name)),
            },
            path: path_of(dir).filter(|_| folds),
        })
    }

    /// Whether `dir`, which is `id` and in `tree`, is its directory.
    pub(in crate::fs) fn is_in(&self, tree: usize, dir: impl AsFd, id: Id) -> bool {
        let by_path = || self.path.is_some() && path_of(dir.as_fd()) == self.path;
        self.tree == tree && (self.dir == id || self.dir.device() == id.device() && by_path())
    }

    /// Whether the directory `name`, which is `id`, is its directory; `dir` is that in which it stands.
    pub(in crate::fs) fn is_at(
        &self,
        tree: usize,
        dir: BorrowedFd<'_>,
        name: &[u8],
        id: Id,
    ) -> bool {
        let by_path = || {
            let way = self.path.as_deref()?.split_last()?;
            Some(*way.0 == spelling(name) && path_of(dir).as_deref() == Some(way.1))
        };
        self.tree == tree
            && (self.dir == id || self.dir.device() == id.device() && by_path() == Some(true))
    }

    /// Whether it is known by its path, and the directory `name` in `dir` is on that: then it would be lost by a rename.
    pub(in crate::fs) fn leads_through(&self, dir: BorrowedFd<'_>, name: &[u8]) -> bool {
        let on_way = |way: &[Vec<u8>]| {
            let above = path_of(dir)?;
            let next = way.strip_prefix(above.as_slice())?.first()?;
            Some(*next == spelling(name))
        };
        self.path.as_deref().and_then(on_way) == Some(true)
    }
}

fn link_of(dir: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", dir.as_raw_fd())
}

fn told(dir: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let path = readlinkat(AT_FDCWD, link_of(dir).as_str()).ok()?;
    Some(path.into_vec())
}

const HELD: OFlag = OFlag::O_PATH
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_CLOEXEC);

/// What the components of a directory's path are known by; none without a procfs.
fn path_of(dir: BorrowedFd<'_>) -> Option<Vec<Vec<u8>>> {
    let path = told(dir)?;
    Some(path.split(|byte| *byte == b'/').map(spelling).collect())
}
