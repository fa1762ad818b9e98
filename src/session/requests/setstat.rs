//! SETSTAT, FSETSTAT and lsetstat@openssh.com.

use std::mem;

use nix::errno::Errno;
use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::fs::Follow;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{Attrs, Handle, StatusCode, WirePath, kind};
use crate::session::Session;
use crate::session::answers::attrs::{Change, log_changes, set};
use crate::session::answers::lines::{trace, trace_ignored};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const SETSTAT: Row = Row {
    operation: Operation::writes("setstat"),
    wire: Wire::Kind(kind::SETSTAT),
    rehearsal: EACH,
};

pub(super) const FSETSTAT: Row = Row {
    operation: Operation::writes("fsetstat"),
    wire: Wire::Kind(kind::FSETSTAT),
    rehearsal: Rehearsal::As("setstat"),
};

pub(super) const LSETSTAT: Row = Row {
    operation: Operation::writes("lsetstat"),
    wire: Wire::Extension("lsetstat@openssh.com", "1"),
    rehearsal: EACH,
};

/// SETSTAT: changes attributes of what a path leads to.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
/// | attrs | ATTRS  |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.9.
#[derive(Debug, Deserialize)]
pub(super) struct Setstat {
    path: WirePath,
    attrs: Attrs,
}

/// FSETSTAT: the same, of an open file.
///
/// | field  | type   | meaning |
/// |--------|--------|---------|
/// | handle | string |         |
/// | attrs  | ATTRS  |         |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.9.
#[derive(Debug, Deserialize)]
pub(super) struct Fsetstat {
    handle: Handle,
    attrs: Attrs,
}

/// `lsetstat@openssh.com`: SETSTAT that does not follow a symbolic link. A size makes no sense then: BAD_MESSAGE. Its fields are those of SETSTAT.
///
/// Source: PROTOCOL §4.7.
#[derive(Debug, Deserialize)]
pub(super) struct Lsetstat {
    path: WirePath,
    attrs: Attrs,
}

impl Request<'_> for Setstat {
    const ROW: &'static Row = &SETSTAT;

    fn subject(&self, _: &Session) -> Option<Subject> {
        Some(Subject::Names)
    }

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn endangers_unread(&self, _: &Session) -> bool {
        true
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let (path, attrs) = (mem::take(&mut self.path), mem::take(&mut self.attrs));
        trace_ignored(&attrs);
        trace(Level::Debug1, || Trace::Setstat {
            id,
            path: path.as_bytes().to_vec(),
        });
        log_changes(path.as_bytes(), &attrs);
        session.with_view(way, move |view| {
            let name = path.as_path();
            set(&attrs, |change| match change {
                Change::Size(size) => view.truncate(name, size),
                Change::Permissions(mode) => view.chmod(name, mode, Follow::Yes),
                Change::Times(atime, mtime) => view.utimes(name, atime, mtime, Follow::Yes),
                Change::Owner(uid, gid) => view.chown(name, uid, gid, Follow::Yes),
            })
        })
    }
}

impl Request<'_> for Fsetstat {
    const ROW: &'static Row = &FSETSTAT;

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        let (slot, open) = session.handles.open_file(self.handle)?;
        let file = open.file.id();
        Some(Touch::Set { slot, file })
    }

    fn subject(&self, session: &Session) -> Option<Subject> {
        session.subject_of(self.handle)
    }

    fn frees_much(&self, session: &Session) -> bool {
        let (Some(size), Some((_, open))) =
            (self.attrs.size, session.handles.open_file(self.handle))
        else {
            return false;
        };
        // What others serve is not asked here.
        !open.cost.is_remote() && open.file.frees_much_when_cut(size)
    }

    fn endangers_unread(&self, _: &Session) -> bool {
        true
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let attrs = mem::take(&mut self.attrs);
        trace_ignored(&attrs);
        let slot = session.handles.slot(self.handle);
        trace(Level::Debug1, || Trace::Fsetstat { id, slot });
        let file = session.handles.shared_file(self.handle);
        file.ok_or_else(Status::bad_handle)?;
        // The handle may be that of a directory.
        session.view.forget();
        log_changes(
            &session.handles.path(self.handle).unwrap_or_default(),
            &attrs,
        );
        session.with_file(way, self.handle, move |file| {
            set(&attrs, |change| match change {
                Change::Size(size) => file.truncate(size),
                Change::Permissions(mode) => file.chmod(mode),
                Change::Times(atime, mtime) => file.utimes(atime, mtime),
                Change::Owner(uid, gid) => file.chown(uid, gid),
            })
        })
    }
}

impl Request<'_> for Lsetstat {
    const ROW: &'static Row = &LSETSTAT;

    fn subject(&self, _: &Session) -> Option<Subject> {
        Some(Subject::Names)
    }

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let (path, attrs) = (mem::take(&mut self.path), mem::take(&mut self.attrs));
        trace_ignored(&attrs);
        trace(Level::Debug1, || Trace::Lsetstat {
            id,
            path: path.as_bytes().to_vec(),
        });
        if attrs.size.is_some() {
            return Err(Status::new(StatusCode::BadMessage));
        }
        log_changes(path.as_bytes(), &attrs);
        session.with_view(way, move |view| {
            let name = path.as_path();
            set(&attrs, |change| match change {
                Change::Size(_) => Err(Errno::EINVAL.into()),
                Change::Permissions(mode) => view.chmod(name, mode, Follow::No),
                Change::Times(atime, mtime) => view.utimes(name, atime, mtime, Follow::No),
                Change::Owner(uid, gid) => view.chown(name, uid, gid, Follow::No),
            })
        })
    }
}

/// Each attribute by its flag (draft §5): permissions 0644, times 0, owner 0.
const EACH: Rehearsal = Rehearsal::Paths(
    1,
    &[
        &[0, 0, 0, 4, 0, 0, 1, 0xa4],
        &[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
);
