//! The view: the part of the host's tree that a client can reach.

use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::fcntl::AT_FDCWD;
use nix::unistd::{chdir, getcwd};

use super::Result;

/// The tree that the client sees: the host's, as with OpenSSH.
#[derive(Debug)]
pub struct View {
    _private: (),
}

impl View {
    /// The tree of the host. Relative paths start at the directory of the process.
    #[must_use]
    pub fn host() -> Self {
        Self { _private: () }
    }

    /// The directory in which the last name of `path` stands, and that name.
    ///
    /// In the host's tree the kernel resolves the whole path, so this is no work: the directory of the process and the path itself.
    ///
    /// # Errors
    /// None here; those of resolving the path where the view is a part of the tree.
    pub(super) fn parent<'p>(&self, path: &'p Path) -> Result<(BorrowedFd<'_>, &'p Path)> {
        Ok((AT_FDCWD, path))
    }

    /// Makes `path` the directory at which relative paths start.
    ///
    /// # Errors
    /// As chdir(2).
    pub fn start_at(&self, path: &Path) -> Result<()> {
        chdir(path)
    }

    /// The directory at which relative paths start.
    ///
    /// # Errors
    /// As getcwd(3): `ENOENT` where it was removed.
    pub fn start(&self) -> Result<std::path::PathBuf> {
        getcwd()
    }
}
