//! Looking ahead in a directory: another thread asks what the next listing will tell, so that who lists it need not wait.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{fstat, fstatat};
use rustix::fs::RawDir;

use super::{BUFFER, Dir, lists, names};
use crate::fs::Result;
use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::stat::FileStat;
use crate::fs::kernel::unlisted::is_unfinished;
use crate::fs::view::point::Name;

impl Dir {
    /// Asks what the next call of [`Dir::list`] will tell, for as many entries as take `room` bytes there, many at the same time.
    ///
    /// It makes that call no different, but faster where the kernel has to wait for each answer. Where none of them is shown, it goes on.
    pub fn look_ahead(&mut self, room: usize) {
        loop {
            self.look_at_next(room);
            let none = self.seen.iter().all(Option::is_none);
            let pending = self.pending.get(self.taken..).unwrap_or_default();
            // The directory above is told otherwise.
            let shows = names(pending).any(|name| name == b"..\0");
            if !none || shows || pending.is_empty() {
                break;
            }
            let left_out = names(pending).take(self.seen.len()).map(<[u8]>::len);
            self.taken += left_out.sum::<usize>();
            self.seen.clear();
        }
        let judged = self.judged.as_ref();
        if let Some(jailed) = self.jailed.as_mut().filter(|_| self.ended) {
            let look = |(name, fd): &(Name, Arc<OwnedFd>)| {
                let identity = || Identity::of(fd.as_fd());
                fstat(fd)
                    .ok()
                    .filter(|_| lists(judged, &name.written, &identity))
            };
            jailed.seen = jailed.bound.iter().map(look).collect();
        }
    }

    /// Forgets what was asked for a listing that came to its end.
    pub fn forget_ahead(&mut self) {
        self.seen.clear();
        if let Some(jailed) = &mut self.jailed {
            jailed.seen.clear();
        }
    }

    /// The users and groups of the entries that were looked at ahead.
    pub fn owners_ahead(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let seen = self.seen.iter().flatten();
        seen.map(|stat| (stat.st_uid, stat.st_gid))
    }

    fn look_at_next(&mut self, room: usize) {
        while !self.ended && length(self.pending.get(self.taken..).unwrap_or_default()) < room {
            self.failed = self.read_names().err();
            if self.failed.is_some() {
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
        let judged = self.judged.as_ref();
        let look = |name: &[u8]| {
            let name = CStr::from_bytes_with_nul(name).ok()?;
            // In a jail this is told otherwise.
            if above && name == c".." {
                return None;
            }
            let bare = name.to_bytes();
            let identity = || Identity::at(self.fd.as_fd(), bare);
            if !lists(judged, bare, &identity) {
                return None;
            }
            let stat = fstatat(&self.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok();
            stat.filter(|stat| !is_unfinished(self.fd.as_fd(), bare, stat))
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

/// About what these names take in a response, in bytes: each twice, and what is told of it.
fn length(pending: &[u8]) -> usize {
    let count = names(pending).count();
    2 * pending.len() + count * TOLD
}

/// The attributes of so many entries of a directory are asked for at the same time.
const AT_ONCE: usize = 16;
/// By so many threads for all directories that are listed at the same time.
const MOST_HELPERS: usize = 48;
/// Attributes and the rest of a long name, in bytes.
const TOLD: usize = 90;
/// Of a thread that asks, in bytes.
const STACK: usize = 128 * 1024;
