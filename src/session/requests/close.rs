//! CLOSE.

use std::sync::Arc;

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::fs::{Answer, File};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{Handle, kind};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::{Finish, Response};
use crate::session::answers::status::Status;
use crate::session::opened::{Entry, OpenFile};
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const CLOSE: Row = Row {
    operation: Operation::looks("close"),
    wire: Wire::Kind(kind::CLOSE),
    rehearsal: Rehearsal::As("stat"),
};

/// CLOSE.
///
/// | field  | type   | meaning |
/// |--------|--------|---------|
/// | handle | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.3.
#[derive(Debug, Deserialize)]
pub(super) struct Close {
    handle: Handle,
}

impl Request<'_> for Close {
    const ROW: &'static Row = &CLOSE;

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        let (slot, entry) = session.handles.get(self.handle)?;
        let written = match entry {
            Entry::File(open) => open.tally.writable.then(|| open.file.id()),
            Entry::Dir(_) => None,
        };
        Some(Touch::Close { slot, written })
    }

    /// Of a directory the names are at stake.
    fn subject(&self, session: &Session) -> Option<Subject> {
        session.subject_of(self.handle).or(Some(Subject::Names))
    }

    fn frees_much(&self, session: &Session) -> bool {
        let open = session.handles.open_file(self.handle);
        // What others serve is not asked here, and a thread closes it anyway.
        open.is_some_and(|(_, open)| {
            !open.cost.is_remote() && open.file.frees_much_when_closed(open.tally.reached)
        })
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let slot = session.handles.slot(self.handle);
        trace(Level::Debug3, || Trace::Close { id, slot });
        let entry = session.handles.remove(self.handle).ok_or_else(|| {
            log::emit(Level::Info, || Event::CloseDir {
                forced: false,
                path: None,
            });
            Status::bad_handle()
        })?;
        match way {
            Way::Here => end(entry)(session),
            Way::Beside => Ok(Response::later(move || end(entry))),
        }
    }
}

/// Closes what no request under way shares, and has an atomic upload take its place.
fn end(entry: Entry) -> Finish {
    let Entry::File(mut open) = entry else {
        return finish(move |_| {
            entry.log_close(false);
            Ok(Response::Ok)
        });
    };
    let committed = commit(&mut open);
    let whole = log::tells_info() && open.was_read_to_its_end();
    let OpenFile { file, tally, .. } = open;
    let closed = Arc::into_inner(file).map_or(Ok(()), File::close);
    finish(move |_| {
        tally.log(false, || whole);
        committed?;
        closed?;
        Ok(Response::Ok)
    })
}

fn commit(open: &mut OpenFile) -> Answer<()> {
    let committed = Arc::get_mut(&mut open.file).map_or(Ok(()), File::commit);
    open.tally.failed |= committed.is_err();
    committed
}
