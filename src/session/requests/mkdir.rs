//! MKDIR.

use std::mem;

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{Attrs, WirePath, kind};
use crate::session::Session;
use crate::session::answers::lines::{trace, trace_ignored};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const MKDIR: Row = Row {
    operation: Operation::writes("mkdir"),
    wire: Wire::Kind(kind::MKDIR),
    rehearsal: Rehearsal::Paths(1, &[&[0; 4]]),
};

/// MKDIR: a new directory.
///
/// | field | type   | meaning                            |
/// |-------|--------|------------------------------------|
/// | path  | string |                                    |
/// | attrs | ATTRS  | permissions; 0777 where it is none |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.6.
#[derive(Debug, Deserialize)]
pub(super) struct Mkdir {
    path: WirePath,
    attrs: Attrs,
}

impl Request<'_> for Mkdir {
    const ROW: &'static Row = &MKDIR;
    const BY_NAME: Option<Touch> = Some(Touch::Change);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        trace_ignored(&self.attrs);
        let mode = self.attrs.permissions.map_or(0o777, |mode| mode & 0o7777);
        trace(Level::Debug3, || Trace::Request { id, what: "mkdir" });
        log::emit(Level::Info, || Event::Mkdir {
            path: path.as_bytes().to_vec(),
            mode,
        });
        session.with_view(way, move |view| {
            view.mkdir(path.as_path(), mode)?;
            Ok(Response::Ok)
        })
    }
}
