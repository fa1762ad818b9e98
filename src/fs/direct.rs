//! The short way of the resolver: where a path has neither `..` nor a link nor a bind, one openat2(2) says the same as the walk.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

use super::Result;
use super::place::{Dirfd, Jailed, Last, Place, Shared};
use super::resolve::{PATH_MAX, Step};
use super::view::{Jail, View};

impl Jail {
    /// The place of a path without links, `..` and binds, by one system call; none where it has any.
    ///
    /// A link at the very end is met by whoever acts there, since nobody follows it.
    pub(super) fn direct<'v>(&'v self, path: &'v Path) -> Result<Option<Place<'v>>> {
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
    pub(super) fn plainly<'v>(&'v self, path: &'v Path) -> Option<(Dirfd<'v>, &'v [u8])> {
        let (from, below) = self.beginning(path)?;
        let below = if below.is_empty() { b"." } else { below };
        self.is_plain(below).then_some((from.fd?, below))
    }
}

impl View {
    /// Forgets which directory was opened last: when new requests have arrived, and when a directory may have been moved or closed.
    pub fn forget(&self) {
        if let Some(jail) = self.jail() {
            jail.near.forget();
        }
    }
}

/// The directory that was opened last, for what else is asked in it in one burst of requests.
///
/// No race can use it: all of the burst's requests had arrived before it was opened, so that those answered by it are answered as if they
/// had been carried out at that moment. What this session does to directories itself makes it be forgotten. A thread that looks for a request of
/// an earlier burst keeps nothing for a later one.
#[derive(Debug, Default)]
pub(super) struct Near(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// How often it was forgotten.
    burst: u64,
    dir: Option<Dir>,
}

#[derive(Debug)]
struct Dir {
    /// Whether the way begins at the root, not where relative paths start.
    absolute: bool,
    way: Vec<u8>,
    dir: Arc<Shared>,
}

impl Near {
    /// The directory at the end of `way`; or the burst for which it may be kept, when it has been opened.
    fn find(&self, absolute: bool, way: &[u8]) -> std::result::Result<Arc<Shared>, u64> {
        let last = self.lock();
        match &last.dir {
            Some(kept) if kept.absolute == absolute && kept.way == way => Ok(Arc::clone(&kept.dir)),
            _ => Err(last.burst),
        }
    }

    fn keep(&self, burst: u64, absolute: bool, way: &[u8], fd: OwnedFd) -> Arc<Shared> {
        let dir = Arc::new(Shared::from(fd));
        let mut last = self.lock();
        if last.burst == burst {
            last.dir = Some(Dir {
                absolute,
                way: way.to_vec(),
                dir: Arc::clone(&dir),
            });
        }
        dir
    }

    fn forget(&self) {
        let mut last = self.lock();
        last.burst += 1;
        last.dir = None;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
