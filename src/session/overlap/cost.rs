//! Which requests may wait: learned from what the last ones took.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use tokio::time::Instant;

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
            ..Self::default()
        }
    }

    /// Whether another process or host is behind it.
    #[must_use]
    pub fn is_remote(self) -> bool {
        self.always
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

/// Tells those who waited for storage from those who waited for the processor, or whose machine stood still.
///
/// A request that takes long raises the suspicion. For a while it is then counted whether this thread lets go of the processor by itself within
/// a request: that is what waiting for storage is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Suspicion {
    until: Option<Instant>,
    /// How often it had let go before the request.
    before: i64,
}

impl Suspicion {
    /// A request begins now.
    pub fn begin(&mut self, now: Instant) {
        if let Some(until) = self.until {
            if now < until {
                self.before = let_go();
            } else {
                self.until = None;
            }
        }
    }

    /// Whether the request that has taken long until now has waited for storage, for all that is known.
    pub fn confirms(&mut self, now: Instant) -> bool {
        let confirmed = self.until.is_some() && let_go() != self.before;
        self.until = Some(now + WATCH);
        confirmed
    }
}

fn let_go() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.voluntary_context_switches())
}

/// What takes so long has waited for something: what the caches know takes a few microseconds.
pub const SLOW: Duration = Duration::from_micros(500);
/// So long it is counted after a request that took long.
const WATCH: Duration = Duration::from_millis(100);
/// What takes less than this would have been faster without a thread of its own.
const FAST: Duration = Duration::from_micros(100);
/// After so many fast ones in a row the next is taken to be fast, too.
const ENOUGH: u32 = 16;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Cost, ENOUGH, FAST, SLOW};

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
