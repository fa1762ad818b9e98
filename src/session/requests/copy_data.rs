//! copy-data.

use std::sync::Arc;

use serde::Deserialize;

use super::copy::{Copy, End};
use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{Handle, OpenFlags};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const COPY_DATA: Row = Row {
    operation: Operation::writes("copy-data"),
    wire: Wire::Extension("copy-data", "1"),
    rehearsal: Rehearsal::Opens(&[
        OpenFlags::READ.bits(),
        OpenFlags::WRITE.union(OpenFlags::CREATE).bits(),
    ]),
};

/// `copy-data`: copy from one open file to another, within the server. Past the end of the source it answers EOF, and what was copied stays.
///
/// | field             | type   | meaning                          |
/// |-------------------|--------|----------------------------------|
/// | read_from_handle  | string |                                  |
/// | read_from_offset  | uint64 | bytes from the start of the file |
/// | read_data_length  | uint64 | bytes; 0: to the end of the file |
/// | write_to_handle   | string |                                  |
/// | write_to_offset   | uint64 | bytes from the start of the file |
///
/// Source: PROTOCOL §4.10; draft-ietf-secsh-filexfer-extensions-00 §7.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct CopyData {
    read_from_handle: Handle,
    read_from_offset: u64,
    read_data_length: u64,
    write_to_handle: Handle,
    write_to_offset: u64,
}

impl Request<'_> for CopyData {
    const ROW: &'static Row = &COPY_DATA;
    const LONG: bool = true;

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        let (from_slot, from) = session.handles.open_file(self.read_from_handle)?;
        let (to_slot, to) = session.handles.open_file(self.write_to_handle)?;
        Some(Touch::Copy {
            from_slot,
            from: from.file.id(),
            to_slot,
            to: to.file.id(),
        })
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let request = *self;
        let handles = &session.handles;
        let (from, to) = (self.read_from_handle, self.write_to_handle);
        trace(Level::Debug1, || Trace::CopyData {
            id,
            from: handles.path(from),
            from_slot: handles.slot(from),
            offset: self.read_from_offset,
            len: self.read_data_length,
            to: handles.path(to),
            to_slot: handles.slot(to),
            to_offset: self.write_to_offset,
        });
        let ends = [
            End::of(handles, from, self.read_from_offset)?,
            End::of(handles, to, self.write_to_offset)?,
        ];
        let view = Arc::clone(&session.view);
        let copy = Copy::between(ends, self.read_data_length, view);
        match way {
            Way::Here => {
                let copied = copy.run();
                request.copied(session, copied)
            }
            Way::Beside => Ok(Response::later(move || {
                let copied = copy.run();
                finish(move |session| request.copied(session, copied))
            })),
        }
    }
}

impl CopyData {
    /// Answers it by what came of it.
    fn copied(
        self,
        session: &mut Session,
        (copied, result): (u64, Result<(), Status>),
    ) -> Result<Response, Status> {
        let (from, to) = (self.read_from_handle, self.write_to_handle);
        session.handles.count_copied(from, to, copied);
        result.map(|()| Response::Ok)
    }
}
