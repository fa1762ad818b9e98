//! OPENDIR.

use std::mem;
use std::sync::Arc;

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish, lacks_descriptors};
use crate::fs::{Dir, Error};
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{WirePath, kind};
use crate::session::Session;
use crate::session::answers::lines::{log_path, trace};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::opened::{Entry, OpenDir};
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const OPENDIR: Row = Row {
    operation: Operation::looks("opendir"),
    wire: Wire::Kind(kind::OPENDIR),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

/// OPENDIR: a directory is opened, to be listed.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.7.
#[derive(Debug, Deserialize)]
pub(super) struct Opendir {
    path: WirePath,
}

impl Request<'_> for Opendir {
    const ROW: &'static Row = &OPENDIR;

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        (session.has_room() && session.handles.may_open_beside()).then_some(Touch::Follow)
    }

    fn subject(&self, _: &Session) -> Option<Subject> {
        Some(Subject::Names)
    }

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "opendir",
        });
        log_path(Level::Info, "opendir", &path);
        session.handles.check_room()?;
        if way == Way::Here {
            match session.view.opendir(path.as_path()) {
                Err(Error::Long) => {}
                dir => return Ok(opened(session, dir?, path)),
            }
        }
        session.handles.begin_opening();
        Ok(beside(session, path))
    }
}

fn beside(session: &Session, path: WirePath) -> Response {
    let view = Arc::clone(&session.view);
    Response::later(move || {
        let dir = view.opendir(path.as_path());
        finish(move |session| {
            let dir = if lacks_descriptors(&dir) {
                session.view.opendir(path.as_path())
            } else {
                dir
            };
            if let Err(Error::Long) = dir {
                return Ok(beside(session, path));
            }
            session.handles.end_opening();
            Ok(opened(session, dir?, path))
        })
    })
}

/// Answers it: `dir` is open now.
fn opened(session: &mut Session, dir: Dir, path: WirePath) -> Response {
    let remote = session.is_far(&dir);
    let open = OpenDir::new(dir, path.into_bytes(), remote);
    let (slot, handle) = session.handles.insert(Entry::Dir(open));
    Response::Handle { slot, handle }
}
