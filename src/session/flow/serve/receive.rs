//! Waiting for the client: for its first request as long as the greeting allows, then for more.

use std::time::Duration;

use nix::errno::Errno;
use tokio::time::{Instant, timeout_at};

use super::{Connection, End, Error};
use crate::log::{self, Event, Level};
use crate::session::cause;
use crate::session::flow::greeting::Greeting;
use crate::session::flow::inbox::Inbox;

impl Connection {
    /// Waits for more; no longer than until `deadline`, or until the session is idle for too long.
    pub(super) async fn receive(
        &mut self,
        inbox: &mut Inbox,
        deadline: Option<Instant>,
    ) -> Result<Received, Error> {
        // A request that is under way is not waited for by the client alone.
        let idle = self.idle.end().filter(|_| self.pipeline.is_empty());
        let deadline = match (self.client_gone, deadline, idle) {
            (Some(since), ..) => Some(since + LAST_REQUESTS),
            (None, Some(deadline), Some(idle)) => Some(deadline.min(idle)),
            (None, deadline, idle) => deadline.or(idle),
        };
        let room = inbox.room();
        let first = async {
            tokio::select! {
                biased;
                end = self.ending.next() => Err(Received::Ending(end)),
                read = self.input.read(room) => Ok(read),
                () = self.pipeline.first(), if !self.pipeline.is_empty() => Err(Received::Answer),
                // The input need not end then: the client can have opened its other end by /proc/self/fd.
                () = self.output.abandoned(), if self.client_gone.is_none() => Err(Received::Nothing),
            }
        };
        let read = match deadline {
            Some(deadline) => timeout_at(deadline, first)
                .await
                .unwrap_or(Err(Received::Late)),
            None => first.await,
        };
        let read = match read {
            Ok(read) => read,
            Err(Received::Late) if self.client_gone.is_some() => return Ok(Received::End),
            Err(Received::Late) if idle.is_some_and(|idle| Instant::now() >= idle) => {
                if !self.output.is_unread() {
                    return Ok(Received::Ending(End::Idle));
                }
                // It has not read its answers yet; the time begins when it has, or when that is seen.
                self.idle.begin_again();
                return Ok(Received::Some);
            }
            Err(Received::Nothing) => {
                self.lose_client();
                return Ok(Received::Nothing);
            }
            Err(received) => return Ok(received),
        };
        match read {
            Ok(0) | Err(Errno::ECONNRESET) => Ok(Received::End),
            Ok(count) => {
                inbox.received(count);
                // A long request of a slow client comes in many pieces.
                self.idle.begin_again();
                Ok(Received::Some)
            }
            Err(errno) => {
                log::emit(Level::Error, || Event::InputFailed {
                    cause: cause(errno),
                });
                Err(Error::Input(errno))
            }
        }
    }

    /// As `receive`, within what the greeting allows.
    pub(super) async fn receive_greeting(
        &mut self,
        inbox: &mut Inbox,
        greeting: &mut Greeting,
        start: Instant,
    ) -> Result<Received, Error> {
        if let Some((after, line)) = greeting.announce.clone() {
            let received = self.receive(inbox, Some(start + after)).await?;
            if received != Received::Late {
                return Ok(received);
            }
            log::say(&line);
            greeting.announce = None;
        }
        self.receive(inbox, greeting.limit.map(|limit| start + limit))
            .await
    }
}

/// What came of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Some,
    /// But nobody will read responses.
    Nothing,
    /// Nothing, but a request that was under way can be answered.
    Answer,
    End,
    Ending(End),
    Late,
}

/// How long requests are waited for once nobody reads responses: they may still be on their way.
const LAST_REQUESTS: Duration = Duration::from_millis(500);
