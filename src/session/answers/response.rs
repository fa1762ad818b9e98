//! What a request is answered by, and how that comes into the outbox.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use serde::Serialize;

use super::attrs;
use super::lines::trace;
use super::status::Status;
use crate::fs::FileStat;
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::protocol::{Reply, StatusCode};
use crate::session::Session;

/// What a request is answered by.
#[derive(Debug)]
pub enum Response {
    /// STATUS: success.
    Ok,
    /// HANDLE; the slot is for the log.
    #[allow(missing_docs, reason = "as said")]
    Handle { slot: u32, handle: [u8; 8] },
    /// ATTRS.
    Attrs(FileStat),
    /// NAME with one name.
    Name(Vec<u8>),
    /// EXTENDED_REPLY.
    Reply(Reply),
    /// It stands in the outbox already.
    Sent,
    /// None yet: a thread goes on with the request, while the session listens to others.
    Later(Later),
}

/// What is left to do of a request that takes long.
pub struct Later(pub(in crate::session) Work);

impl std::fmt::Debug for Later {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Later")
    }
}

/// The part of a request that may wait: on any thread. It leaves what is to be done with its result.
pub type Work = Box<dyn FnOnce() -> Finish + Send>;
/// The rest, in the session, when all requests before have been answered.
pub type Finish = Box<dyn FnOnce(&mut Session) -> Result<Response, Status> + Send>;

impl Response {
    /// None before a thread has done `work`.
    pub(in crate::session) fn later(work: impl FnOnce() -> Finish + Send + 'static) -> Self {
        Self::Later(Later(Box::new(work)))
    }

    /// NAME with this one.
    pub(in crate::session) fn name(path: impl Into<OsString>) -> Self {
        Self::Name(path.into().into_vec())
    }

    /// EXTENDED_REPLY with these fields.
    pub(in crate::session) fn reply(fields: &impl Serialize) -> Self {
        Self::Reply(Reply::of(fields))
    }
}

impl Session {
    /// Puts a response into the outbox; what is left to do where there is none yet.
    pub(in crate::session) fn respond(
        &mut self,
        id: u32,
        result: Result<Response, Status>,
    ) -> Option<Later> {
        match result {
            Ok(Response::Ok) => self.respond_status(id, &Status::new(StatusCode::Ok)),
            Ok(Response::Handle { slot, handle }) => {
                trace(Level::Debug1, || Trace::SentHandle { id, slot });
                self.outbox.handle(id, handle);
            }
            Ok(Response::Attrs(stat)) => {
                let attrs = attrs::from_stat(self.earlier.of(&stat));
                trace(Level::Debug1, || Trace::SentAttrs {
                    id,
                    flags: attrs.flags(),
                });
                self.outbox.attrs(id, &attrs);
            }
            Ok(Response::Name(name)) => {
                trace(Level::Debug1, || Trace::SentNames { id, count: 1 });
                self.outbox.name(id, &name);
            }
            Ok(Response::Reply(reply)) => self.outbox.extended_reply(id, &reply),
            Ok(Response::Sent) => {}
            Ok(Response::Later(later)) => return Some(later),
            Err(status) => self.respond_status(id, &status),
        }
        None
    }

    fn respond_status(&mut self, id: u32, status: &Status) {
        let code = status.code as u32;
        trace(Level::Debug3, || Trace::SentStatus { id, code });
        let event = Event::Status { code };
        log::emit(event.threshold(), || event);
        // Versions before the third have no message.
        let message = self
            .version
            .is_some_and(|version| version >= 3)
            .then_some(status.message.as_ref());
        self.outbox.status(id, status.code, message);
    }
}
