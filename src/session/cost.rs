//! Which requests may wait: learned from what the last ones took.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

/// What requests of one kind, or on one file, have cost so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    slow: bool,
    /// Whether the next one may wait, however fast the others were.
    always: bool,
    /// How many in a row were fast since one was slow.
    fast: u32,
}

impl Cost {
    /// That of what another process or host may make wait at any time.
    #[must_use]
    pub fn of_remote() -> Self {
        Self {
            slow: true,
            always: true,
            fast: 0,
        }
    }

    /// Whether the next one may wait.
    #[must_use]
    pub fn is_slow(self) -> bool {
        self.slow
    }

    /// Takes note of what one has taken.
    pub fn learn(&mut self, took: Duration) {
        if took >= SLOW {
            self.slow = true;
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
/// What takes less than this would have been faster without a thread of its own.
const FAST: Duration = Duration::from_micros(100);
/// After so many fast ones in a row the next is taken to be fast, too.
const ENOUGH: u32 = 16;

#[cfg(test)]
mod tests {
    use super::{Cost, ENOUGH, FAST, SLOW};
    use std::time::Duration;

    #[test]
    fn one_slow_request_is_believed_at_once_and_fast_ones_in_a_row() {
        let mut cost = Cost::default();
        cost.learn(FAST);
        assert!(!cost.is_slow());
        cost.learn(SLOW);
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
