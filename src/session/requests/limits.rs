//! limits@openssh.com.

use serde::{Deserialize, Serialize};

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{MAX_DATA, MAX_PACKET};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;

pub(super) const LIMITS: Row = Row {
    operation: Operation::looks("limits"),
    wire: Wire::Extension("limits@openssh.com", "1"),
    rehearsal: Rehearsal::Nothing,
};

/// `limits@openssh.com`: how long packets, reads and writes may be, and how many handles can be open; of these never fewer than sftp has
/// requests under way, since some of its versions have no more than so many.
///
/// No fields.
///
/// Source: PROTOCOL §4.8.
#[derive(Debug, Deserialize)]
pub(super) struct Limits {}

impl Request<'_> for Limits {
    const ROW: &'static Row = &LIMITS;

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        session.in_turn(way, move |session| {
            trace(Level::Debug1, || Trace::Request { id, what: "limits" });
            Ok(Response::reply(&Reply {
                max_packet_length: MAX_PACKET as u64,
                max_read_length: MAX_DATA as u64,
                max_write_length: MAX_DATA as u64,
                max_open_handles: session.handles.limit().max(WINDOW) as u64,
            }))
        })
    }
}

/// The answer.
///
/// | field              | type   | unit    |
/// |--------------------|--------|---------|
/// | max-packet-length  | uint64 | bytes   |
/// | max-read-length    | uint64 | bytes   |
/// | max-write-length   | uint64 | bytes   |
/// | max-open-handles   | uint64 | handles |
#[derive(Serialize)]
struct Reply {
    max_packet_length: u64,
    max_read_length: u64,
    max_write_length: u64,
    max_open_handles: u64,
}

/// sftp has so many requests under way, but from OpenSSH 8.6 to 10.2 no more than it is told that handles can be open.
const WINDOW: usize = 64;
