//! RLIMIT_FSIZE: the kernel refuses to make a file longer, under the lock of its inode, however many processes append at the same moment.
//!
//! A judge looks at the size before a write, and others append between that look and the write. The limit of the kernel has no such moment.
//! It holds for every file that the process writes to, though: for a log behind standard error, and for responses to a file. So it is set for
//! such calls alone. Those that run beside each other share it: the first one sets it, and the last one takes it back.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

use crate::fs::Result;

/// Makes `call` while no file can become longer than `most` bytes.
///
/// The kernel shortens a write that begins before the limit; only where it begins at the limit or behind it, it fails, by `EFBIG`. SIGXFSZ, which
/// comes along, is blocked for as long as a session lasts.
pub(in crate::fs) fn within<T>(most: Option<u64>, call: impl FnOnce() -> Result<T>) -> Result<T> {
    static INHERITED: OnceLock<Result<(rlim_t, rlim_t)>> = OnceLock::new();
    let Some(most) = most else {
        return call();
    };
    let (soft, hard) = (*INHERITED.get_or_init(|| getrlimit(LIMIT)))?;
    if soft <= most {
        return call();
    }
    {
        let mut calls = calls();
        if *calls == 0 {
            setrlimit(LIMIT, most, hard)?;
        }
        *calls += 1;
    }
    let result = call();
    let mut calls = calls();
    *calls -= 1;
    if *calls == 0 {
        setrlimit(LIMIT, soft, hard)?;
    }
    result
}

/// How many calls are under way that the limit is set for; all of a session have the same one.
fn calls() -> MutexGuard<'static, usize> {
    static CALLS: Mutex<usize> = Mutex::new(0);
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

const LIMIT: Resource = Resource::RLIMIT_FSIZE;
