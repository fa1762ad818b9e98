//! SYMLINK.

use std::mem;

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{WirePath, kind};
use crate::session::Session;
use crate::session::answers::lines::{log_two_paths, trace};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const SYMLINK: Row = Row {
    operation: Operation::writes("symlink"),
    wire: Wire::Kind(kind::SYMLINK),
    rehearsal: Rehearsal::Paths(2, &[&[]]),
};

/// SYMLINK, in OpenSSH's order, which all clients follow.
///
/// | field   | type   | meaning              |
/// |---------|--------|----------------------|
/// | oldpath | string | what the link holds |
/// | newpath | string | the name to create  |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.10; PROTOCOL §4.1.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Symlink {
    oldpath: WirePath,
    newpath: WirePath,
}

impl Request<'_> for Symlink {
    const ROW: &'static Row = &SYMLINK;
    const BY_NAME: Option<Touch> = Some(Touch::Change);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [&self.oldpath, &self.newpath].map(|path| Some(path.as_bytes()))
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let Self { oldpath, newpath } = mem::take(self);
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "symlink",
        });
        log_two_paths("symlink", &oldpath, &newpath);
        session.with_view(way, move |view| {
            view.symlink(oldpath.as_path(), newpath.as_path())?;
            Ok(Response::Ok)
        })
    }
}
