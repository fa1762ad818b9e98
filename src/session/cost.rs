//! Which requests may wait: learned from what the last ones took.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// What requests of one kind, or on one file, have cost so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    slow: bool,
    /// Whether the next one may wait, however fast the others were.
    always: bool,
    /// How many in a row were fast since one was slow.
    fast: u32,
    /// When one was slow the last time.
    last: Option<Instant>,
}

impl Cost {
    /// That of what another process or host may make wait at any time.
    #[must_use]
    pub fn of_remote() -> Self {
        Self {
            slow: true,
            always: true,
            ..Self::default()
        }
    }

    /// Whether the next one may wait.
    #[must_use]
    pub fn is_slow(self) -> bool {
        self.slow
    }

    /// Takes note of what one has taken that has ended now.
    pub fn learn(&mut self, took: Duration) {
        if took >= SLOW {
            // A single one may have had bad luck: a virtual machine that stood still, memory that had to be found.
            let soon = self.last.is_some_and(|last| last.elapsed() < took + SOON);
            self.last = Some(Instant::now());
            self.slow |= soon;
            self.fast = 0;
        } else if self.slow {
            self.fast = if took < FAST { self.fast + 1 } else { 0 };
            self.slow = self.always || self.fast < ENOUGH;
        }
    }
}

/// Whether other processes had the processor meanwhile: then a request that took long may not have waited for anything.
#[derive(Clone, Copy, Debug)]
pub struct Preemption {
    seen: i64,
}

impl Preemption {
    /// To be asked from now on.
    #[must_use]
    pub fn watch() -> Self {
        Self {
            seen: interruptions(),
        }
    }

    /// Whether this thread was interrupted since it was last asked.
    pub fn happened(&mut self) -> bool {
        let now = interruptions();
        std::mem::replace(&mut self.seen, now) != now
    }
}

fn interruptions() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.involuntary_context_switches())
}

/// What takes so long has waited for something: what the caches know takes a few microseconds.
pub const SLOW: Duration = Duration::from_micros(500);
/// Within so long of another slow one it is no bad luck any more.
const SOON: Duration = Duration::from_millis(50);
/// What takes less than this would have been faster without a thread of its own.
const FAST: Duration = Duration::from_micros(100);
/// After so many fast ones in a row the next is taken to be fast, too.
const ENOUGH: u32 = 16;

#[cfg(test)]
mod tests {
    use super::{Cost, ENOUGH, FAST, SLOW};
    use std::time::Duration;

    #[test]
    fn two_slow_requests_are_believed_and_fast_ones_in_a_row() {
        let mut cost = Cost::default();
        cost.learn(FAST);
        cost.learn(SLOW);
        assert!(!cost.is_slow());
        cost.learn(SLOW);
        assert!(cost.is_slow());
        for _ in 1..ENOUGH {
            cost.learn(Duration::ZERO);
        }
        assert!(cost.is_slow());
        cost.learn(FAST);
        for _ in 1..ENOUGH {
            cost.learn(Duration::ZERO);
        }
        assert!(cost.is_slow(), "one of them was not fast");
        cost.learn(Duration::ZERO);
        assert!(!cost.is_slow());
    }
}
