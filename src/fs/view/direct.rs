//! The short way of the resolver: where a path has neither `..` nor a link nor a bind, one openat2(2) says the same as the walk.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::jail::Jail;
use super::step::{PATH_MAX, Step};
use crate::fs::Result;
use crate::fs::kernel::place::{Dirfd, Jailed, Last, Place};

impl Jail {
    /// The place of a path without links, `..` and binds, by one system call; none where it has any.
    ///
    /// A link at the very end is met by whoever acts there, since nobody follows it.
    pub(in crate::fs) fn direct<'v>(&'v self, path: &'v Path) -> Result<Option<Place<'v>>> {
        let Some((from, below)) = self.beginning(path) else {
            return Ok(None);
        };
        let path = path.as_os_str().as_bytes();
        let absolute = below.len() < path.len();
        let (way, name) = match below.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (
                below.get(..slash).unwrap_or_default(),
                below.get(slash + 1..).unwrap_or_default(),
            ),
            None => (b"".as_slice(), below),
        };
        let simple =
            path.len() < PATH_MAX && !matches!(name, b"" | b"." | b"..") && self.is_plain(below);
        if !simple {
            return Ok(None);
        }
        let Some(held) = from.fd else {
            return Ok(None);
        };
        let dir = match way {
            b"" => held,
            way => match self.near.find(absolute, way) {
                Ok(dir) => Dirfd::Shared(dir),
                Err(burst) => match open_beneath(held.as_fd(), way)? {
                    Some(fd) => Dirfd::Shared(self.near.keep(burst, absolute, way, fd)),
                    None => return Ok(None),
                },
            },
        };
        Ok(Some(Place {
            dir,
            name: Cow::Borrowed(name),
            last: Last::Name,
            slash: false,
            covers: None,
            jailed: Some(Jailed {
                tree: from.tree,
                read_only: self.is_read_only(from.tree),
                bound: false,
                above: None,
                canonical: None,
            }),
        }))
    }

    /// Where `path` begins, and the rest of it. All of the slashes are taken away: what begins with one leads to the host's root.
    fn beginning<'v>(&'v self, path: &'v Path) -> Option<(Step<'v>, &'v [u8])> {
        let path = path.as_os_str().as_bytes();
        match path.iter().position(|byte| *byte != b'/') {
            None if !path.is_empty() => Some((Step::root(self), b"")),
            None | Some(0) => Some((self.start.last()?.step(self), path)),
            Some(slashes) => Some((Step::root(self), path.get(slashes..).unwrap_or_default())),
        }
    }

    /// Whether no name on the way has to be looked at here: neither `..` nor one at which something is bound.
    fn is_plain(&self, below: &[u8]) -> bool {
        let mut names = below.split(|byte| *byte == b'/');
        names.all(|name| name != b".." && !self.is_bound_name(name))
    }

    /// The directory that a plain path begins at, and the rest of it.
    pub(in crate::fs) fn plainly<'v>(&'v self, path: &'v Path) -> Option<(Dirfd<'v>, &'v [u8])> {
        let (from, below) = self.beginning(path)?;
        let below = if below.is_empty() { b"." } else { below };
        self.is_plain(below).then_some((from.fd?, below))
    }
}

/// The directory that `way` leads to, free of links, beneath `from`; none where it has a link, or where the kernel is too old to say.
fn open_beneath(from: BorrowedFd<'_>, way: &[u8]) -> Result<Option<OwnedFd>> {
    static LACKING: AtomicBool = AtomicBool::new(false);
    if LACKING.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(
            ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_SYMLINKS
                | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        );
    match openat2(from, way, how) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::ENOSYS | Errno::EPERM) => {
            LACKING.store(true, Ordering::Relaxed);
            Ok(None)
        }
        // A link, or a path that only the walk can judge.
        Err(Errno::ELOOP | Errno::EXDEV | Errno::EAGAIN | Errno::EINVAL) => Ok(None),
        Err(errno) => Err(errno),
    }
}
