//! WRITE, whose fields are those of [`Write`]: its data stay where they arrived.

use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::fs::{Answer, File};
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{Handle, OpenFlags, Write, kind};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const WRITE: Row = Row {
    operation: Operation::writes("write"),
    wire: Wire::Kind(kind::WRITE),
    rehearsal: Rehearsal::Opens(&[OpenFlags::WRITE.bits()]),
};

impl<'p> Request<'p> for Write<'p> {
    const ROW: &'static Row = &WRITE;
    /// Storing the longest one, where memory has to be found for it.
    const WORK: Duration = Duration::from_millis(3);

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        let (slot, open) = session.handles.open_file(self.handle)?;
        let end = self.offset.saturating_add(self.data.len() as u64);
        Some(Touch::Write {
            slot,
            file: open.file.id(),
            range: if open.file.appends() {
                0..u64::MAX
            } else {
                self.offset..end
            },
        })
    }

    fn subject(&self, session: &Session) -> Option<Subject> {
        session.subject_of(self.handle)
    }

    fn endangers_unread(&self, session: &Session) -> bool {
        let file = session.handles.shared_file(self.handle);
        file.is_some_and(|file| session.conduit.is_unread(Some(file.id())))
    }

    fn brings(&self) -> u64 {
        self.data.len() as u64
    }

    fn weight(&self) -> usize {
        self.data.len()
    }

    /// System calls: one pwrite(2), here out of the buffer into which the request arrived.
    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let Self {
            handle,
            offset,
            data,
        } = *self;
        trace(Level::Debug1, || Trace::Write {
            id,
            path: session.handles.path(handle),
            slot: session.handles.slot(handle),
            offset,
            len: data.len(),
        });
        let file = session.handles.shared_file(handle);
        let file = file.ok_or_else(Status::bad_handle)?;
        if way == Way::Here {
            let result = write_to(file, offset, data);
            return written(session, handle, data.len(), result);
        }
        let (file, data) = (Arc::clone(file), data.to_vec());
        Ok(Response::later(move || {
            let result = write_to(&file, offset, &data);
            let len = data.len();
            // Before the handle can be closed.
            drop((file, data));
            finish(move |session| written(session, handle, len, result))
        }))
    }
}

/// Writes all of `data`, if it may.
///
/// # Errors
/// The first half tells why it may not, the second what the kernel said.
fn write_to(file: &File, offset: u64, data: &[u8]) -> Answer<Result<(), Errno>> {
    let length = data.len() as u64;
    let written = file
        .follows()
        .and_then(|()| file.writable(offset, length))
        .and_then(|()| match file.write_at(data, offset) {
            // Others have appended meanwhile, and the limit of a rule is reached: it is told as if they had come before.
            Err(Errno::EFBIG) => file.writable(offset, length).map(|()| Err(Errno::EFBIG)),
            result => Ok(result),
        });
    // By a handle that is not open for writing nothing is lost.
    if !matches!(written, Ok(Ok(()) | Err(Errno::EBADF))) {
        file.lose();
    }
    written
}

/// Answers a WRITE of `len` bytes.
fn written(
    session: &mut Session,
    handle: Handle,
    len: usize,
    result: Answer<Result<(), Errno>>,
) -> Result<Response, Status> {
    let open = session.handles.file(handle);
    let open = open.ok_or_else(Status::bad_handle)?;
    match result? {
        Ok(()) => {
            open.tally.written += len as u64;
            Ok(Response::Ok)
        }
        Err(errno) => {
            open.tally.failed = true;
            open.log_failure("process_write", "write", errno);
            Err(Status::of_write(errno))
        }
    }
}
