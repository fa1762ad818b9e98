//! hardlink@openssh.com.

use std::mem;

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::WirePath;
use crate::session::Session;
use crate::session::answers::lines::{log_two_paths, trace};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const HARDLINK: Row = Row {
    operation: Operation::writes("hardlink"),
    wire: Wire::Extension("hardlink@openssh.com", "1"),
    rehearsal: Rehearsal::Paths(2, &[&[]]),
};

/// `hardlink@openssh.com`: a second name for a file.
///
/// | field   | type   | meaning             |
/// |---------|--------|---------------------|
/// | oldpath | string | the existing file  |
/// | newpath | string | the name to create |
///
/// Source: PROTOCOL §4.5; linkat(2).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Hardlink {
    oldpath: WirePath,
    newpath: WirePath,
}

impl Request<'_> for Hardlink {
    const ROW: &'static Row = &HARDLINK;
    const BY_NAME: Option<Touch> = Some(Touch::Change);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [&self.oldpath, &self.newpath].map(|path| Some(path.as_bytes()))
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let Self { oldpath, newpath } = mem::take(self);
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "hardlink",
        });
        log_two_paths("hardlink", &oldpath, &newpath);
        session.with_view(way, move |view| {
            view.link(oldpath.as_path(), newpath.as_path())?;
            Ok(Response::Ok)
        })
    }
}
