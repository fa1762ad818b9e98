//! A session whose time is over: what was done is answered, and nothing is begun any more.

use std::time::Duration;

use tokio::time::timeout;

use super::{Connection, End};
use crate::log::{self, Event, Level};

impl Connection {
    /// Says that a time is over, waits a moment for what threads are at, and sends what goes at once of what was answered.
    pub(super) async fn time_out(&mut self, end: End) {
        let timeouts = self.session.policy.timeouts;
        log::emit(Level::Info, || match end {
            End::Idle => Event::Idle {
                after: timeouts.idle.unwrap_or_default(),
            },
            _ => Event::Expired {
                after: timeouts.session.unwrap_or_default(),
            },
        });
        self.ending.has_come();
        self.pipeline.begin_nothing_more();
        let _ = timeout(MOMENT, async {
            self.answer();
            while !self.pipeline.is_empty() && self.held_until().is_none() {
                self.pipeline.first().await;
                self.answer();
            }
        })
        .await;
        let _ = timeout(Duration::ZERO, self.pass_on()).await;
    }
}

/// A request that a fast disk carries out is done by then; a stalled one is not waited for.
const MOMENT: Duration = Duration::from_millis(100);
