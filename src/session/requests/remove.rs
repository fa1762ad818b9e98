//! REMOVE.

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

pub(super) const REMOVE: Row = Row {
    operation: Operation::writes("remove"),
    wire: Wire::Kind(kind::REMOVE),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

/// REMOVE: a name disappears; never that of a directory.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.5.
#[derive(Debug, Deserialize)]
pub(super) struct Remove {
    path: WirePath,
}

impl Request<'_> for Remove {
    const ROW: &'static Row = &REMOVE;
    const BY_NAME: Option<Touch> = Some(Touch::Change);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        trace(Level::Debug3, || Trace::Request { id, what: "remove" });
        log_path(Level::Info, "remove name", &path);
        session.with_view(way, move |view| {
            view.unlink(path.as_path())?;
            Ok(Response::Ok)
        })
    }
}
