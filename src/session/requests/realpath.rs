//! REALPATH.

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

pub(super) const REALPATH: Row = Row {
    operation: Operation::looks("realpath"),
    wire: Wire::Kind(kind::REALPATH),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

/// REALPATH: the canonical path; an empty one is where the session started.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.11.
#[derive(Debug, Deserialize)]
pub(super) struct Realpath {
    path: WirePath,
}

impl Request<'_> for Realpath {
    const ROW: &'static Row = &REALPATH;
    const BY_NAME: Option<Touch> = Some(Touch::Follow);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let mut path = mem::take(&mut self.path);
        if path.as_bytes().is_empty() {
            path = WirePath::dot();
        }
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "realpath",
        });
        log_path(Level::Verbose, "realpath", &path);
        session.with_view(way, move |view| {
            view.canonical(path.as_path()).map(Response::name)
        })
    }
}
