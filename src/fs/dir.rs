//! An open directory: its entries, each with what the kernel tells of it.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{fstat, fstatat};
use rustix::fs::RawDir;

use super::Result;
use super::judge::{Identity, Judge, told};
use super::ops::FileStat;
use super::unlisted::is_unfinished;
use super::view::Tree;

/// An open directory and how far it was listed.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    /// Names that the kernel gave already, each ended by NUL; those before `taken` were given on.
    pending: Vec<u8>,
    taken: usize,
    ended: bool,
    jailed: Option<Jailed>,
    /// Who is asked which entries are listed, and the canonical path in the view.
    judged: Option<(Arc<dyn Judge>, Vec<u8>)>,
    /// What the kernel told of the first of the pending names; none of one that it failed.
    seen: Vec<Option<FileStat>>,
}

/// What the view shows where the disk has something else.
#[derive(Debug)]
struct Jailed {
    /// The attributes of the directory above: never those of one that lies outside.
    above: FileStat,
    /// What is bound here; listed in place of what stands there on the disk.
    bound: Vec<(Vec<u8>, Arc<OwnedFd>)>,
    /// How many of these were listed.
    listed: usize,
}

/// What the receiver of an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Taken; the next one, please.
    Taken,
    /// No room for it now.
    Full,
}

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Dir {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            pending: Vec::new(),
            taken: 0,
            ended: false,
            jailed: None,
            judged: None,
            seen: Vec::new(),
        }
    }

    /// A directory of a jail, with the directory above it and what is bound in it.
    pub(super) fn in_jail(fd: OwnedFd, above: FileStat, bound: &[(&[u8], &Tree)]) -> Self {
        let bound = bound.iter();
        Self {
            jailed: Some(Jailed {
                above,
                bound: bound
                    .map(|(name, tree)| (name.to_vec(), Arc::clone(&tree.fd)))
                    .collect(),
                listed: 0,
            }),
            ..Self::new(fd)
        }
    }

    /// The same, of which only those entries are listed that `judge` lists; `path` is its own.
    pub(super) fn judged(self, judge: &Arc<dyn Judge>, path: &[u8]) -> Self {
        Self {
            judged: Some((Arc::clone(judge), path.to_vec())),
            ..self
        }
    }

    /// Gives entry after entry to `take`, with its attributes (of a link, the link's), until it is full or the directory ends.
    ///
    /// An entry that cannot be stat'ed, since it has gone meanwhile or the file system fails it, is left out.
    ///
    /// System calls: one fstatat(2) an entry, one getdents64(2) for some hundreds of them.
    ///
    /// # Errors
    /// As getdents64(2).
    pub fn list(&mut self, mut take: impl FnMut(&[u8], &FileStat) -> Listed) -> Result<()> {
        let mut seen = std::mem::take(&mut self.seen).into_iter();
        let pending = self.pending.get(self.taken..).unwrap_or_default();
        for name in names(pending) {
            let (_, bare) = name.split_last().unwrap_or((&0, &[]));
            let known = seen.next();
            let shown = Shown {
                jailed: self.jailed.as_ref(),
                judged: self.judged.as_ref(),
            };
            if give(&self.fd, &shown, bare, known, &mut take) == Listed::Full {
                return Ok(());
            }
            self.taken += name.len();
        }
        // What is kept for a client that lists half a directory is no more than what waits.
        self.pending = Vec::new();
        self.taken = 0;
        if self.ended {
            self.list_bound(&mut take);
            return Ok(());
        }
        let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
        let mut entries = RawDir::new(&self.fd, &mut buffer);
        let mut full = false;
        loop {
            if full && entries.is_buffer_empty() {
                return Ok(());
            }
            match entries.next() {
                Some(Ok(entry)) => {
                    let name = entry.file_name();
                    let shown = Shown {
                        jailed: self.jailed.as_ref(),
                        judged: self.judged.as_ref(),
                    };
                    full = full
                        || give(&self.fd, &shown, name.to_bytes(), None, &mut take) == Listed::Full;
                    if full {
                        self.pending.extend_from_slice(name.to_bytes_with_nul());
                    }
                }
                // A directory that was removed meanwhile has no more entries, as readdir(3) has it.
                Some(Err(rustix::io::Errno::NOENT)) | None => {
                    self.ended = true;
                    if !full {
                        self.list_bound(&mut take);
                    }
                    return Ok(());
                }
                Some(Err(errno)) => return Err(Errno::from_raw(errno.raw_os_error())),
            }
        }
    }

    /// Asks what the next call of [`Dir::list`] will tell, for as many entries as take `room` bytes there, many at the same time.
    ///
    /// It makes that call no different, but faster where the kernel has to wait for each answer.
    pub fn look_ahead(&mut self, room: usize) {
        while !self.ended && length(self.pending.get(self.taken..).unwrap_or_default()) < room {
            if self.read_names().is_err() {
                // The call will meet it.
                break;
            }
        }
        let pending = self.pending.get(self.taken..).unwrap_or_default();
        let mut left = room;
        let next: Vec<&[u8]> = names(pending)
            .take_while(|name| {
                let enough = left > 0;
                left = left.saturating_sub(length(name));
                enough
            })
            .collect();
        let above = self.jailed.is_some();
        let look = |name: &[u8]| {
            let name = CStr::from_bytes_with_nul(name).ok()?;
            // In a jail this is told otherwise.
            if above && name == c".." {
                return None;
            }
            fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()
        };
        // To start a thread costs as much as some answers do.
        let helpers = Helpers::take((next.len() / 4).min(AT_ONCE).saturating_sub(1));
        let share = next.len().div_ceil(helpers.0 + 1).max(1);
        let (mine, others) = next.split_at(share.min(next.len()));
        let mut seen: Vec<Option<FileStat>> = Vec::with_capacity(next.len());
        thread::scope(|scope| {
            let others: Vec<_> = others
                .chunks(share)
                .map(|names| {
                    let work = move || names.iter().map(|name| look(name)).collect::<Vec<_>>();
                    let thread = thread::Builder::new().stack_size(STACK);
                    (names, thread.spawn_scoped(scope, work))
                })
                .collect();
            seen.extend(mine.iter().map(|name| look(name)));
            for (names, thread) in others {
                match thread.map(thread::ScopedJoinHandle::join) {
                    Ok(Ok(stats)) => seen.extend(stats),
                    // No thread could be started.
                    _ => seen.extend(names.iter().map(|name| look(name))),
                }
            }
        });
        self.seen = seen;
    }

    /// Appends more names to those that are pending.
    fn read_names(&mut self) -> Result<()> {
        self.pending.drain(..self.taken);
        self.taken = 0;
        let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
        let mut entries = RawDir::new(&self.fd, &mut buffer);
        loop {
            match entries.next() {
                Some(Ok(entry)) => {
                    let name = entry.file_name().to_bytes_with_nul();
                    self.pending.extend_from_slice(name);
                }
                Some(Err(rustix::io::Errno::NOENT)) | None => {
                    self.ended = true;
                    return Ok(());
                }
                Some(Err(errno)) => return Err(Errno::from_raw(errno.raw_os_error())),
            }
            if entries.is_buffer_empty() {
                return Ok(());
            }
        }
    }

    /// The names that are bound here come last.
    fn list_bound(&mut self, take: &mut impl FnMut(&[u8], &FileStat) -> Listed) {
        let Some(jailed) = &mut self.jailed else {
            return;
        };
        for (name, fd) in jailed.bound.iter().skip(jailed.listed) {
            if let Ok(stat) = fstat(fd) {
                let identity = || Identity::of(fd.as_fd());
                if shown(self.judged.as_ref(), name, &stat, &identity, take) == Listed::Full {
                    return;
                }
            }
            jailed.listed += 1;
        }
    }
}

/// So many threads that help with a listing, for as long as this lives.
struct Helpers(usize);

impl Helpers {
    /// As many as are free, at most `wanted`.
    fn take(wanted: usize) -> Self {
        let mut taken = 0;
        let _ = BUSY.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |busy| {
            taken = wanted.min(MOST_HELPERS.saturating_sub(busy));
            Some(busy + taken)
        });
        Self(taken)
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        BUSY.fetch_sub(self.0, Ordering::Relaxed);
    }
}

static BUSY: AtomicUsize = AtomicUsize::new(0);

/// Each of them with the NUL at its end.
fn names(pending: &[u8]) -> impl Iterator<Item = &[u8]> {
    pending.split_inclusive(|byte| *byte == 0)
}

/// About what these names take in a response, in bytes: each twice, and what is told of it.
fn length(pending: &[u8]) -> usize {
    let count = names(pending).count();
    2 * pending.len() + count * TOLD
}

/// What changes a listing on its way to the client.
struct Shown<'d> {
    jailed: Option<&'d Jailed>,
    judged: Option<&'d (Arc<dyn Judge>, Vec<u8>)>,
}

/// `known` is what was asked before.
fn give(
    dir: &OwnedFd,
    shows: &Shown<'_>,
    name: &[u8],
    known: Option<Option<FileStat>>,
    take: &mut impl FnMut(&[u8], &FileStat) -> Listed,
) -> Listed {
    let identity = || Identity::at(dir.as_fd(), name);
    if let Some(jailed) = shows.jailed {
        if name == b".." {
            return shown(shows.judged, name, &jailed.above, &identity, take);
        }
        if jailed.bound.iter().any(|(bound, _)| bound == name) {
            return Listed::Taken;
        }
    }
    let stat = known.unwrap_or_else(|| fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok());
    match stat {
        Some(stat) if is_unfinished(dir.as_fd(), name, &stat) => Listed::Taken,
        Some(stat) => shown(shows.judged, name, &stat, &identity, take),
        None => Listed::Taken,
    }
}

/// Gives an entry on, if the judge lets it be listed.
fn shown(
    judged: Option<&(Arc<dyn Judge>, Vec<u8>)>,
    name: &[u8],
    stat: &FileStat,
    identity: &dyn Fn() -> Option<Identity>,
    take: &mut impl FnMut(&[u8], &FileStat) -> Listed,
) -> Listed {
    let Some((judge, path)) = judged else {
        return take(name, stat);
    };
    let path = [path.as_slice(), b"/", name].concat();
    if !matches!(name, b"." | b"..") && !judge.lists(&path, identity) {
        return Listed::Taken;
    }
    take(name, &told(judge, stat))
}

/// As glibc's readdir(3) has it.
const BUFFER: usize = 32 * 1024;
/// The attributes of so many entries of a directory are asked for at the same time.
const AT_ONCE: usize = 16;
/// By so many threads for all directories that are listed at the same time.
const MOST_HELPERS: usize = 48;
/// Attributes and the rest of a long name, in bytes.
const TOLD: usize = 90;
/// Of a thread that asks, in bytes.
const STACK: usize = 128 * 1024;
