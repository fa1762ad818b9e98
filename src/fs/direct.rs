//! The short way of the resolver: where a path has neither `..` nor a link nor a bind, one openat2(2) says the same as the walk.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::Result;
use super::place::{Dirfd, Id, Jailed, Last, Place};
use super::resolve::{Intent, PATH_MAX, Step};
use super::view::Jail;

impl Jail {
    /// The place of a path without links, `..` and binds, by one system call; none where it has any, or where every step must be looked at.
    ///
    /// A link at the very end is met by whoever acts there, since nobody follows it.
    pub(super) fn direct<'v>(
        &'v self,
        path: &'v Path,
        intent: Intent,
    ) -> Result<Option<Place<'v>>> {
        let watch = self.protect.as_ref().filter(|_| intent == Intent::Change);
        if let Some(protect) = watch {
            if protect.visible || self.trees.iter().any(|tree| tree.protected) {
                return Ok(None);
            }
            protect.refresh();
        }
        let path = path.as_os_str().as_bytes();
        // All of the slashes: what begins with one leads to the host's root.
        let slashes = path.iter().position(|byte| *byte != b'/');
        let slashes = slashes.unwrap_or(path.len());
        let (from, below) = match slashes {
            1.. => (Step::root(self), path.get(slashes..).unwrap_or_default()),
            0 => match self.start.last() {
                Some(start) => (start.step(self), path),
                None => return Ok(None),
            },
        };
        let (way, name) = match below.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (
                below.get(..slash).unwrap_or_default(),
                below.get(slash + 1..).unwrap_or_default(),
            ),
            None => (b"".as_slice(), below),
        };
        let plain = |name: &[u8]| name != b".." && !self.is_bound_name(name);
        let simple = path.len() < PATH_MAX
            && !matches!(name, b"" | b"." | b"..")
            && way.split(|byte| *byte == b'/').all(plain)
            && plain(name);
        if !simple {
            return Ok(None);
        }
        let Some(held) = from.fd else {
            return Ok(None);
        };
        let dir = match way {
            b"" => held,
            way => match open_beneath(held.as_fd(), way)? {
                Some(fd) => Dirfd::Opened(fd),
                None => return Ok(None),
            },
        };
        // The way there is free of what is protected; the directory may be it, by a mount or as the target of a link.
        let protected = match watch {
            Some(protect) => protect.is_object(Id::of_fd(dir.as_fd())?),
            None => false,
        };
        let mut canonical = match path.first() {
            Some(b'/') => Vec::new(),
            _ => self.start_path(),
        };
        for name in below.split(|byte| *byte == b'/') {
            if !matches!(name, b"" | b".") {
                canonical.push(b'/');
                canonical.extend_from_slice(name);
            }
        }
        Ok(Some(Place {
            dir,
            name: Cow::Borrowed(name),
            last: Last::Name,
            slash: false,
            jailed: Some(Jailed {
                tree: from.tree,
                read_only: self.is_read_only(from.tree),
                bound: false,
                protected,
                above: None,
                canonical,
            }),
        }))
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
