//! FUSE: file systems that give each spelling of a name an inode of its own, and a file another number once the kernel has forgotten it.
//!
//! Identities are not all there is to know of a directory there. Its path, as the kernel has it, tells which of the directories that the last
//! look has seen it is: the nearest one above is found by its identity, and from there the names lead down, folded where names fold.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;

use nix::fcntl::{AT_FDCWD, readlinkat};
use nix::sys::stat::lstat;

use super::known::Known;
use super::paths::{components, path};
use crate::fs::Result;
use crate::fs::kernel::place::Id;

/// Where something stands, for who knows the directories above it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The last directory on the way that the look has seen.
    pub(super) dir: Id,
    /// The components below it, the first one last.
    pub(super) below: Vec<Vec<u8>>,
}

impl Known {
    /// Where what is open as `fd` stands, if its identity does not say what it is: where it is on FUSE, and not known by it.
    ///
    /// # Errors
    /// As readlinkat(2), where the kernel does not say: without a mounted procfs.
    pub(super) fn standing(&self, fd: BorrowedFd<'_>, id: Id) -> Result<Option<Standing>> {
        if !self.fuse.contains(&id.device()) || self.knows(id) || self.objects.contains(&id) {
            return Ok(None);
        }
        let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let told = readlinkat(AT_FDCWD, link.as_str())?;
        Ok(Some(self.descend(told.into_vec())))
    }

    /// Takes note of a directory in another one.
    pub(super) fn dir_of(&mut self, parent: Id, name: &[u8], id: Id) {
        if let Some(watched) = self.dirs.get_mut(&parent) {
            let key = watched.key(name).into_owned();
            watched.children.insert(key, id);
        }
    }

    fn descend(&self, told: Vec<u8>) -> Standing {
        let mut rest = components(&told);
        rest.reverse();
        // From the end: what others could exchange on the way down to a protected directory is known itself.
        let mut at = rest.len();
        let known = |at: usize| {
            let above = rest.get(..at)?.iter();
            let above: Vec<u8> = above
                .flat_map(|name| [b"/", name.as_slice()].concat())
                .collect();
            let id = Id::of(&lstat(&path(&above)).ok()?);
            self.knows(id).then_some(id)
        };
        let mut dir = loop {
            match (known(at), at) {
                (Some(id), _) => break id,
                (None, 0) => break Id::default(),
                (None, _) => at -= 1,
            }
        };
        let mut below: Vec<Vec<u8>> = rest.split_off(at);
        below.reverse();
        while let Some(next) = below.last().and_then(|name| self.child(dir, name)) {
            dir = next;
            below.pop();
        }
        Standing { dir, below }
    }

    /// The directory `name` in `dir`, as the look has seen it.
    fn child(&self, dir: Id, name: &[u8]) -> Option<Id> {
        let watched = self.dirs.get(&dir)?;
        watched.children.get(&*watched.key(name)).copied()
    }
}
