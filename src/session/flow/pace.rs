//! When the responses to a burst of requests leave.

use std::time::Duration;

use tokio::time::Instant;

/// Responses leave while the burst is being served: soon at first, to wake the client, then half as often each time.
#[derive(Debug)]
pub struct Pace {
    since: Instant,
    patience: Duration,
}

impl Pace {
    /// A burst begins.
    #[must_use]
    pub fn begin() -> Self {
        Self {
            since: Instant::now(),
            patience: FIRST_PART,
        }
    }

    /// Whether a part has lasted long enough; the next one lasts twice as long.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let due = now.duration_since(self.since) >= self.patience;
        if due {
            self.since = now;
            self.patience *= 2;
        }
        due
    }
}

/// So long the first responses of a burst wait for more of them: longer than it takes to send them, shorter than to wake the client.
const FIRST_PART: Duration = Duration::from_micros(2);
