//! What ends a session from outside: a signal, or that its time is over.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

pub use super::channel::let_go;
use super::serve::End;
use super::signals::Signals;

/// The signals, and `--session-timeout`.
#[derive(Debug)]
pub struct Ending {
    signals: Signals,
    expiry: Option<Instant>,
}

impl Ending {
    /// Begins to listen, and to count the time.
    ///
    /// # Errors
    /// As [`Signals::listen`].
    pub fn listen(limit: Option<Duration>) -> io::Result<Self> {
        Ok(Self {
            signals: Signals::listen()?,
            // What is too far to be counted never comes.
            expiry: limit.and_then(|limit| Instant::now().checked_add(limit)),
        })
    }

    /// Waits for one of them.
    pub async fn next(&self) -> End {
        let Some(expiry) = self.expiry else {
            return End::Signal(self.signals.next().await);
        };
        // The runtime looks at its clocks when it has nothing to do, and a busy session has always something.
        if Instant::now() >= expiry {
            return End::Expired;
        }
        tokio::select! {
            biased;
            signal = self.signals.next() => End::Signal(signal),
            () = sleep_until(expiry) => End::Expired,
        }
    }

    /// What has come already.
    #[must_use]
    pub fn arrived(&self) -> Option<End> {
        if let Some(signal) = self.signals.arrived() {
            return Some(End::Signal(signal));
        }
        let over = self.expiry.is_some_and(|expiry| Instant::now() >= expiry);
        over.then_some(End::Expired)
    }

    /// It ends: nothing more does that.
    pub fn has_come(&mut self) {
        self.expiry = None;
    }
}
