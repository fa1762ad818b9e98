//! STAT, LSTAT and FSTAT.

use std::mem;

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::fs::Follow;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{Handle, WirePath, kind};
use crate::session::Session;
use crate::session::answers::lines::{log_path, trace};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const STAT: Row = Row {
    operation: Operation::looks("stat"),
    wire: Wire::Kind(kind::STAT),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

pub(super) const LSTAT: Row = Row {
    operation: Operation::looks("lstat"),
    wire: Wire::Kind(kind::LSTAT),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

pub(super) const FSTAT: Row = Row {
    operation: Operation::looks("fstat"),
    wire: Wire::Kind(kind::FSTAT),
    rehearsal: Rehearsal::As("stat"),
};

/// STAT: the attributes of what a path leads to.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.8.
#[derive(Debug, Deserialize)]
pub(super) struct Stat {
    path: WirePath,
}

/// LSTAT: the same, of a link itself. Its field is that of STAT.
///
/// Source: draft-ietf-secsh-filexfer-02 §6.8.
#[derive(Debug, Deserialize)]
pub(super) struct Lstat {
    path: WirePath,
}

/// FSTAT: the same, of an open file.
///
/// | field  | type   | meaning |
/// |--------|--------|---------|
/// | handle | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.8.
#[derive(Debug, Deserialize)]
pub(super) struct Fstat {
    handle: Handle,
}

impl Request<'_> for Stat {
    const ROW: &'static Row = &STAT;
    const BY_NAME: Option<Touch> = Some(Touch::Look);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    /// System calls: one newfstatat(2).
    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        trace(Level::Debug3, || Trace::Request { id, what: "stat" });
        log_path(Level::Verbose, "stat name", &path);
        session.with_view(way, move |view| {
            Ok(Response::Attrs(view.stat(path.as_path(), Follow::Yes)?))
        })
    }
}

impl Request<'_> for Lstat {
    const ROW: &'static Row = &LSTAT;
    const BY_NAME: Option<Touch> = Some(Touch::Look);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        trace(Level::Debug3, || Trace::Request { id, what: "lstat" });
        log_path(Level::Verbose, "lstat name", &path);
        session.with_view(way, move |view| {
            Ok(Response::Attrs(view.stat(path.as_path(), Follow::No)?))
        })
    }
}

impl Request<'_> for Fstat {
    const ROW: &'static Row = &FSTAT;

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        session.touches_attributes(self.handle)
    }

    fn subject(&self, session: &Session) -> Option<Subject> {
        session.subject_of(self.handle)
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        trace(Level::Debug1, || Trace::Fstat {
            id,
            path: session.handles.path(self.handle),
            slot: session.handles.slot(self.handle),
        });
        session.with_file(way, self.handle, |file| Ok(Response::Attrs(file.told()?)))
    }
}
