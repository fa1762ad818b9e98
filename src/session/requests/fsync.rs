//! fsync@openssh.com.

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{Handle, OpenFlags};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const FSYNC: Row = Row {
    // It changes nothing, but OpenSSH refuses it in read-only mode.
    operation: Operation::writes("fsync"),
    wire: Wire::Extension("fsync@openssh.com", "1"),
    rehearsal: Rehearsal::Opens(&[OpenFlags::WRITE.bits()]),
};

/// `fsync@openssh.com`: wait until a file is on the disk.
///
/// | field  | type   | meaning |
/// |--------|--------|---------|
/// | handle | string |         |
///
/// Source: PROTOCOL §4.6; fsync(2).
#[derive(Debug, Deserialize)]
pub(super) struct Fsync {
    handle: Handle,
}

impl Request<'_> for Fsync {
    const ROW: &'static Row = &FSYNC;
    const LONG: bool = true;

    /// What was written before is on the disk then; what is written later does not matter, but may not come first either.
    fn touch(&self, session: &mut Session) -> Option<Touch> {
        session.touches_content(self.handle)
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        trace(Level::Debug3, || Trace::Fsync {
            id,
            slot: session.handles.slot(self.handle),
        });
        log::emit(Level::Verbose, || Event::Path {
            threshold: Level::Verbose,
            what: "fsync",
            path: session
                .handles
                .path(self.handle)
                .unwrap_or_else(|| b"(null)".to_vec()),
        });
        session.with_file(way, self.handle, |file| {
            file.sync()?;
            Ok(Response::Ok)
        })
    }
}
