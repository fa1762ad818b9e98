//! RENAME and posix-rename.

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

pub(super) const RENAME: Row = Row {
    operation: Operation::writes("rename"),
    wire: Wire::Kind(kind::RENAME),
    rehearsal: Rehearsal::Moves,
};

pub(super) const POSIX_RENAME: Row = Row {
    operation: Operation::writes("posix-rename"),
    wire: Wire::Extension("posix-rename@openssh.com", "1"),
    rehearsal: Rehearsal::Paths(2, &[&[]]),
};

/// RENAME: another name, which nothing may have yet, a link of any kind included.
///
/// | field   | type   | meaning  |
/// |---------|--------|----------|
/// | oldpath | string |         |
/// | newpath | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.5.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Rename {
    oldpath: WirePath,
    newpath: WirePath,
}

impl Request<'_> for Rename {
    const ROW: &'static Row = &RENAME;
    const BY_NAME: Option<Touch> = Some(Touch::Change);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [&self.oldpath, &self.newpath].map(|path| Some(path.as_bytes()))
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let Self { oldpath, newpath } = mem::take(self);
        trace(Level::Debug3, || Trace::Request { id, what: "rename" });
        log_two_paths("rename", &oldpath, &newpath);
        session.with_view(way, move |view| {
            view.rename(oldpath.as_path(), newpath.as_path())?;
            Ok(Response::Ok)
        })
    }
}

/// `posix-rename@openssh.com`: rename, replacing what stands at the new name.
///
/// | field   | type   | meaning  |
/// |---------|--------|----------|
/// | oldpath | string |         |
/// | newpath | string |         |
///
/// Source: PROTOCOL §4.3; rename(2).
#[derive(Debug, Default, Deserialize)]
pub(super) struct PosixRename {
    oldpath: WirePath,
    newpath: WirePath,
}

impl Request<'_> for PosixRename {
    const ROW: &'static Row = &POSIX_RENAME;
    const BY_NAME: Option<Touch> = Some(Touch::Change);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [&self.oldpath, &self.newpath].map(|path| Some(path.as_bytes()))
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let Self { oldpath, newpath } = mem::take(self);
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "posix-rename",
        });
        log_two_paths("posix-rename", &oldpath, &newpath);
        session.with_view(way, move |view| {
            view.replace(oldpath.as_path(), newpath.as_path())?;
            Ok(Response::Ok)
        })
    }
}
