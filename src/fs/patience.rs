//! How long a thread may take for what is asked of the view.
//!
//! A session's own thread listens to signals and to its client. What takes long there is given up before anything was done, by
//! [`Error::Long`](super::Error::Long), and another thread does it.

use std::cell::Cell;
use std::time::{Duration, Instant};

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
pub(super) fn is_hurried() -> bool {
    HURRIED.get()
}

/// How long something that goes on step by step may still go on.
#[derive(Debug, Default)]
pub(super) struct Patience {
    steps: u32,
    since: Option<Instant>,
}

impl Patience {
    /// Takes note of a step: whether it is one too many.
    pub(super) fn ends(&mut self) -> bool {
        self.steps += 1;
        if self.steps % SOME != 0 || !is_hurried() {
            return false;
        }
        let since = self.since.get_or_insert_with(Instant::now);
        since.elapsed() >= LONG
    }
}

/// So many steps are taken between two looks at the clock.
const SOME: u32 = 8;
/// Longer than anything takes that needs not wait.
const LONG: Duration = Duration::from_millis(20);
