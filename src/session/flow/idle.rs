//! How long nothing has come from a client. Bytes of a request that is not whole yet count, since a long one takes a slow client its time.

use std::time::Duration;

use tokio::time::Instant;

/// `--idle-timeout`, and since when it runs.
#[derive(Debug)]
pub struct Idle(Option<Clock>);

#[derive(Debug)]
struct Clock {
    limit: Duration,
    since: Instant,
}

impl Idle {
    /// It runs from now on, if there is a limit.
    #[must_use]
    pub fn begin(limit: Option<Duration>) -> Self {
        let since = |limit| Clock {
            limit,
            since: Instant::now(),
        };
        Self(limit.map(since))
    }

    /// Something has just come, or what was asked for has been answered.
    pub fn begin_again(&mut self) {
        if let Some(clock) = &mut self.0 {
            clock.since = Instant::now();
        }
    }

    /// When the session ends if nothing comes until then.
    #[must_use]
    pub fn end(&self) -> Option<Instant> {
        let clock = self.0.as_ref()?;
        clock.since.checked_add(clock.limit)
    }
}
