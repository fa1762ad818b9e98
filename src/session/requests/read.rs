//! READ.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::fs::File;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{Handle, MAX_DATA, OpenFlags, StatusCode, kind};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::opened::OpenFile;
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const READ: Row = Row {
    operation: Operation::looks("read"),
    wire: Wire::Kind(kind::READ),
    rehearsal: Rehearsal::Opens(&[OpenFlags::READ.bits()]),
};

/// READ.
///
/// | field  | type   | meaning                          |
/// |--------|--------|----------------------------------|
/// | handle | string |                                  |
/// | offset | uint64 | bytes from the start of the file |
/// | len    | uint32 | bytes at the most                |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.4.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Read {
    handle: Handle,
    offset: u64,
    len: u32,
}

impl Request<'_> for Read {
    const ROW: &'static Row = &READ;
    /// Copying the longest one, where memory is slow.
    const WORK: Duration = Duration::from_micros(500);

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        session.touches_content(self.handle)
    }

    fn subject(&self, session: &Session) -> Option<Subject> {
        session.subject_of(self.handle)
    }

    fn weight(&self) -> usize {
        self.most()
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let Self {
            handle,
            offset,
            len,
        } = *self;
        trace(Level::Debug1, || Trace::Read {
            id,
            path: session.handles.path(handle),
            slot: session.handles.slot(handle),
            offset,
            len,
        });
        if self.most() < len as usize && session.handles.shared_file(handle).is_some() {
            trace(Level::Debug2, || Trace::ReadClamped {
                len,
                to: MAX_DATA as u32,
            });
        }
        match way {
            Way::Here => self.here(session, id),
            Way::Beside => self.beside(session, id),
        }
    }
}

impl Read {
    /// How many bytes it may return.
    fn most(&self) -> usize {
        (self.len as usize).min(MAX_DATA)
    }

    /// System calls: into a pipe splice(2), write(2) of the head and splice(2); else one pread(2), into the buffer from which the response leaves.
    fn here(&self, session: &mut Session, id: u32) -> Result<Response, Status> {
        let (offset, most) = (self.offset, self.most());
        let open = session.handles.file(self.handle);
        let open = open.ok_or_else(Status::bad_handle)?;
        if most == 0 {
            // Weird, but OpenSSH answers it, whatever is there, if the offset is one.
            let checked = open.file.check_offset(offset);
            checked.map_err(|errno| failed(open, errno))?;
        }
        // Whether a file is long is known once a READ of it was answered in full; for a short one the detour costs more than the copy.
        let spliced = if open.long {
            session.conduit.fill(&open.file, offset, most)
        } else {
            None
        };
        if let Some(count) = spliced {
            session.outbox.data_elsewhere(id, count);
            return Ok(sent(open, id, offset, count));
        }
        let file = &open.file;
        match session.outbox.data(id, most, |buffer| match buffer.len() {
            0 => Ok(0),
            _ => match file.read_at(buffer, offset) {
                Ok(0) => Err(None),
                result => result.map_err(Some),
            },
        }) {
            Ok(count) => {
                open.long = count == most;
                Ok(sent(open, id, offset, count))
            }
            Err(None) => Err(at_end(open)),
            Err(Some(errno)) => Err(failed(open, errno)),
        }
    }

    fn beside(self, session: &Session, id: u32) -> Result<Response, Status> {
        let file = session.handles.shared_file(self.handle);
        let file = Arc::clone(file.ok_or_else(Status::bad_handle)?);
        // Made here, and not by the threads: a C library keeps what each of them has freed.
        let room = vec![0; self.most()];
        Ok(Response::later(move || {
            let data = read_at(&file, self.offset, room);
            // Before the handle can be closed.
            drop(file);
            finish(move |session| self.have_read(session, id, data))
        }))
    }

    /// Answers it by what was read for it elsewhere.
    fn have_read(
        self,
        session: &mut Session,
        id: u32,
        data: Result<Vec<u8>, Errno>,
    ) -> Result<Response, Status> {
        let open = session.handles.file(self.handle);
        let open = open.ok_or_else(Status::bad_handle)?;
        let data = match data {
            Ok(data) if data.is_empty() && self.most() > 0 => return Err(at_end(open)),
            Ok(data) => data,
            Err(errno) => return Err(failed(open, errno)),
        };
        open.long = data.len() == self.most();
        let copied = session.outbox.data(id, data.len(), |buffer| {
            buffer.copy_from_slice(&data);
            Ok::<_, Infallible>(data.len())
        });
        let Ok(count) = copied;
        Ok(sent(open, id, self.offset, count))
    }
}

/// Fills `data` with what one read gives.
fn read_at(file: &File, offset: u64, mut data: Vec<u8>) -> Result<Vec<u8>, Errno> {
    let count = if data.is_empty() {
        file.check_offset(offset).map(|()| 0)
    } else {
        file.read_at(&mut data, offset)
    }?;
    data.truncate(count);
    Ok(data)
}

fn sent(open: &mut OpenFile, id: u32, offset: u64, count: usize) -> Response {
    let tally = &mut open.tally;
    tally.read += count as u64;
    tally.reached = tally.reached.max(offset.saturating_add(count as u64));
    trace(Level::Debug1, || Trace::SentData { id, len: count });
    Response::Sent
}

fn at_end(open: &mut OpenFile) -> Status {
    open.tally.ended = true;
    Status::new(StatusCode::Eof)
}

fn failed(open: &OpenFile, errno: Errno) -> Status {
    open.log_failure("process_read", "read", errno);
    Status::of_read(errno)
}
