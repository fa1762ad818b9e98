//! Waiting for a rate: nothing is read or begun meanwhile, and signals, the session's time and a client that leaves are heard.

use tokio::time::{Instant, sleep_until};

use super::{Connection, End, Error};
use crate::session::requests::Asked;

impl Connection {
    /// How many bytes of responses stand before the next one, where that will be asked.
    pub(super) fn mark(&self) -> usize {
        match self.meter {
            None => 0,
            Some(_) => self.session.outbox.unsent().len(),
        }
    }

    /// Takes note of what was answered since `mark`.
    pub(super) fn charge(&mut self, mark: usize) {
        if let Some(meter) = &mut self.meter {
            meter.charge(self.session.outbox.unsent(), mark);
        }
    }

    /// Until when answers are held back, or some of them, if any are.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.meter.as_ref()?.held_until()
    }

    /// The responses that may leave.
    pub(super) fn sendable(&self) -> &[u8] {
        let unsent = self.session.outbox.unsent();
        match &self.meter {
            None => unsent,
            Some(meter) => meter.paid(unsent),
        }
    }

    /// Takes note that so many bytes of them have left.
    pub(super) fn sent(&mut self, count: usize) {
        self.session.outbox.sent(count);
        if let Some(meter) = &mut self.meter {
            meter.sent(count);
        }
    }

    /// Lets the answers go that are held back.
    pub(super) fn release(&mut self) {
        if let Some(meter) = &mut self.meter {
            meter.release();
        }
    }

    /// Waits until more of the answers that are held back may leave, or nobody is left to read them.
    pub(super) async fn hold(&mut self, until: Instant) -> Option<End> {
        tokio::select! {
            biased;
            end = self.ending.next() => return Some(end),
            () = sleep_until(until) => {}
            () = self.output.abandoned() => self.lose_client(),
        }
        if let Some(meter) = &mut self.meter {
            meter.let_go(Instant::now());
        }
        None
    }

    /// Until when a request has to wait for the bytes that it brings.
    pub(super) fn unpaid(&mut self, asked: &Asked<'_>) -> Option<Instant> {
        if self.client_gone.is_some() {
            return None;
        }
        self.meter.as_mut()?.admit(asked.brings())
    }

    /// Waits before a WRITE is begun; what is under way is answered meanwhile.
    pub(super) async fn postpone(&mut self, until: Instant) -> Result<Option<End>, Error> {
        loop {
            if let Some(end) = self.flush().await? {
                return Ok(Some(end));
            }
            if self.client_gone.is_some() {
                return Ok(None);
            }
            tokio::select! {
                biased;
                end = self.ending.next() => return Ok(Some(end)),
                () = sleep_until(until) => return Ok(None),
                () = self.pipeline.first(), if !self.pipeline.is_empty() => {}
                () = self.output.abandoned() => self.lose_client(),
            }
            self.answer();
        }
    }
}
