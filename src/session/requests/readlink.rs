//! READLINK.

use std::mem;

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{WirePath, kind};
use crate::session::Session;
use crate::session::answers::lines::{log_path, trace};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const READLINK: Row = Row {
    operation: Operation::looks("readlink"),
    wire: Wire::Kind(kind::READLINK),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

/// READLINK: what a symbolic link holds.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.10.
#[derive(Debug, Deserialize)]
pub(super) struct Readlink {
    path: WirePath,
}

impl Request<'_> for Readlink {
    const ROW: &'static Row = &READLINK;
    const BY_NAME: Option<Touch> = Some(Touch::Follow);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "readlink",
        });
        log_path(Level::Verbose, "readlink", &path);
        session.with_view(way, move |view| {
            view.readlink(path.as_path()).map(Response::name)
        })
    }
}
