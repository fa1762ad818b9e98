//! READDIR.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::fs::{Dir, Listed, Listing};
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{Handle, MAX_NAMES, StatusCode, kind};
use crate::session::Session;
use crate::session::answers::attrs;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::opened::Entry;
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const READDIR: Row = Row {
    operation: Operation::looks("readdir"),
    wire: Wire::Kind(kind::READDIR),
    rehearsal: Rehearsal::As("opendir"),
};

/// READDIR: the next entries of an open directory.
///
/// | field  | type   | meaning |
/// |--------|--------|---------|
/// | handle | string |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.7.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Readdir {
    handle: Handle,
}

impl Request<'_> for Readdir {
    const ROW: &'static Row = &READDIR;
    /// A listing that fills a response.
    const WORK: Duration = Duration::from_millis(3);

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        match session.handles.get(self.handle)? {
            (slot, Entry::Dir(_)) => Some(Touch::List { slot }),
            (_, Entry::File(_)) => None,
        }
    }

    fn subject(&self, _: &Session) -> Option<Subject> {
        Some(Subject::Names)
    }

    fn lists_far(&self, session: &Session) -> Option<bool> {
        match session.handles.get(self.handle)? {
            (_, Entry::Dir(dir)) => Some(dir.remote),
            (_, Entry::File(_)) => None,
        }
    }

    fn weight(&self) -> usize {
        MAX_NAMES
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let handle = self.handle;
        trace(Level::Debug1, || Trace::Readdir {
            id,
            path: session.handles.path(handle),
            slot: session.handles.slot(handle),
        });
        if let Some(open) = session.handles.dir(handle) {
            lock(&open.dir).forget_ahead();
        }
        match way {
            Way::Here => self.list(session, id, false),
            Way::Beside => self.look_ahead(session, id),
        }
    }
}

impl Readdir {
    /// As many entries as fit what every client takes; where each is long in coming, those that came in a while. Where none is there yet, a
    /// thread looks for one, or for the names of its user and group, and then it goes on here: no client is sent a listing without an entry.
    /// What comes next was looked at `ahead` then.
    fn list(self, session: &mut Session, id: u32, ahead: bool) -> Result<Response, Status> {
        let open = session.handles.dir(self.handle);
        let open = open.ok_or_else(Status::bad_handle)?;
        let longnames = &mut session.longnames;
        longnames.begin();
        let mut names = session.outbox.names(id);
        let begun = Instant::now();
        let mut count = 0_u32;
        let mut unasked = None;
        let mut dir = lock(&open.dir);
        let earlier = &session.earlier;
        let result = session.view.list(&mut dir, open.remote, |filename, stat| {
            let stat = earlier.of(stat);
            let Ok(longname) = longnames.line(filename, stat) else {
                unasked = Some((stat.st_uid, stat.st_gid));
                return Listed::Full;
            };
            count += 1;
            // Not at each of them: to ask takes a tenth of the time that an entry does.
            let late = count % 16 == 0 && begun.elapsed() >= LONG;
            if late || names.len() + NAME_FIELDS + filename.len() + longname.len() > MAX_NAMES {
                return Listed::Full;
            }
            names.push(filename, longname, &attrs::from_stat(stat));
            Listed::Taken
        });
        if names.is_empty() {
            names.abandon();
            let owners = dir.owners_ahead().chain(unasked).unzip();
            drop(dir);
            return match (result?, unasked) {
                (Listing::Done, None) => Err(Status::new(StatusCode::Eof)),
                (_, Some(_)) if ahead => Ok(self.ask_names(session, id, owners)),
                _ => self.look_ahead(session, id),
            };
        }
        // What failed behind the entries that are there fails again at the next READDIR.
        let count = names.finish();
        trace(Level::Debug1, || Trace::SentNames { id, count });
        Ok(Response::Sent)
    }

    /// Has a thread find what is to be listed next.
    fn look_ahead(self, session: &mut Session, id: u32) -> Result<Response, Status> {
        let open = session.handles.dir(self.handle);
        let dir = Arc::clone(&open.ok_or_else(Status::bad_handle)?.dir);
        Ok(Response::later(move || {
            lock(&dir).look_ahead(MAX_NAMES);
            // Before the handle can be closed.
            drop(dir);
            finish(move |session| self.list(session, id, true))
        }))
    }

    /// Has a thread ask for the names of users and groups.
    fn ask_names(
        self,
        session: &Session,
        id: u32,
        (users, groups): (Vec<u32>, Vec<u32>),
    ) -> Response {
        let question = session.longnames.names.lacking(&users, &groups);
        Response::later(move || {
            let answers = question.ask();
            finish(move |session| {
                session.longnames.names.learn(&answers);
                self.list(session, id, true)
            })
        })
    }
}

fn lock(dir: &Mutex<Dir>) -> MutexGuard<'_, Dir> {
    dir.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Longer than any listing takes that needs not wait: the next ones will go another way then.
const LONG: Duration = Duration::from_millis(20);
/// The lengths of two strings, and ATTRS with all that version 3 has.
const NAME_FIELDS: usize = 4 + 4 + 32;
