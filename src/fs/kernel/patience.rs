//! How long a thread may take for what is asked of the view.
//!
//! A session's own thread listens to signals and to its client. What takes long there is given up before anything was done, by
//! [`Error::Long`](crate::fs::Error::Long), and another thread does it.

use std::cell::Cell;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::stat::SFlag;

use super::place::kind;
use super::stat::{FileStat, fstat};
use crate::fs::{Answer, Error};

thread_local! {
    static HURRIED: Cell<bool> = const { Cell::new(false) };
}

/// This thread has others to listen to from now on.
pub fn hurry() {
    HURRIED.set(true);
}

/// Does what no other thread can do, however long it takes.
pub fn patiently<T>(act: impl FnOnce() -> T) -> T {
    let hurried = HURRIED.replace(false);
    let done = act();
    HURRIED.set(hurried);
    done
}

/// Whether this thread has others to listen to.
pub(in crate::fs) fn is_hurried() -> bool {
    HURRIED.get()
}

/// Whether the kernel may need long to free what a regular file holds: it does so extent by extent, and a client can have as many extents as blocks.
pub(in crate::fs) fn is_large(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFREG && stat.st_blocks as u64 * 512 >= LARGE
}

/// Gives up what would free the content of `file`, where others wait and that takes long.
///
/// # Errors
/// [`Error::Long`].
pub(in crate::fs) fn frees(file: &FileStat) -> Answer<()> {
    match is_large(file) && is_hurried() {
        true => Err(Error::Long),
        false => Ok(()),
    }
}

/// The same of what goes with a name, which is asked for only where others wait: only the last name takes the content along.
///
/// # Errors
/// [`Error::Long`].
pub(in crate::fs) fn frees_with_name(
    found: impl FnOnce() -> crate::fs::Result<FileStat>,
) -> Answer<()> {
    if !is_hurried() {
        return Ok(());
    }
    match found() {
        Ok(stat) if stat.st_nlink <= 1 => frees(&stat),
        _ => Ok(()),
    }
}

/// Whether a file that reaches so far, in bytes, is one that has lost its name and is large: to close it may take long.
pub(in crate::fs) fn frees_when_closed(file: impl AsFd, reach: u64) -> bool {
    reach >= LARGE && fstat(&file).is_ok_and(|stat| stat.st_nlink == 0 && is_large(&stat))
}

/// How long something that goes on step by step may still go on.
#[derive(Debug, Default)]
pub(in crate::fs) struct Patience {
    steps: u32,
    since: Option<Instant>,
}

impl Patience {
    /// Takes note of a step: whether it is one too many.
    pub(in crate::fs) fn ends(&mut self) -> bool {
        self.steps += 1;
        if self.steps % SOME != 0 || !is_hurried() {
            return false;
        }
        let since = self.since.get_or_insert_with(Instant::now);
        since.elapsed() >= LONG
    }
}

/// In bytes on the disk. In extents of one block each, a busy disk with ext4 takes 0.2 s for so much; a whole file of this length, some ms.
const LARGE: u64 = 8 * 1024 * 1024;
/// So many steps are taken between two looks at the clock.
const SOME: u32 = 8;
/// Longer than anything takes that needs not wait.
const LONG: Duration = Duration::from_millis(20);
