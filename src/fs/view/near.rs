//! The directory that a burst of requests acts in is opened once.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fs::kernel::place::Shared;

/// The directory that was opened last, for what else is asked in it in one burst of requests.
///
/// No race can use it: all of the burst's requests had arrived before it was opened, so that those answered by it are answered as if they
/// had been carried out at that moment. What this session does to directories itself makes it be forgotten. A thread that looks for a request of
/// an earlier burst keeps nothing for a later one.
#[derive(Debug, Default)]
pub(in crate::fs) struct Near(Mutex<Kept>);

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
    pub(in crate::fs) fn find(
        &self,
        absolute: bool,
        way: &[u8],
    ) -> std::result::Result<Arc<Shared>, u64> {
        let last = self.lock();
        match &last.dir {
            Some(kept) if kept.absolute == absolute && kept.way == way => Ok(Arc::clone(&kept.dir)),
            _ => Err(last.burst),
        }
    }

    pub(in crate::fs) fn keep(
        &self,
        burst: u64,
        absolute: bool,
        way: &[u8],
        fd: OwnedFd,
    ) -> Arc<Shared> {
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

    /// Forgets it.
    pub(in crate::fs) fn forget(&self) {
        let mut last = self.lock();
        last.burst += 1;
        last.dir = None;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
