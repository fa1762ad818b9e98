//! copy-file: a copy of a whole file by name, which is there when it is complete and never in part.

use std::mem;
use std::sync::Arc;

use nix::errno::Errno;
use serde::Deserialize;

use super::copy::Copy;
use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::fs::{Error, View};
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{StatusCode, WirePath};
use crate::session::Session;
use crate::session::answers::lines::{log_two_paths, trace};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const COPY_FILE: Row = Row {
    operation: Operation::writes("copy-file").made_of(&[
        "open",
        "read",
        "write",
        "close",
        "copy-data",
    ]),
    wire: Wire::Extension("copy-file", "1"),
    // As a client asks that leaves what is there.
    rehearsal: Rehearsal::Copies(&[0]),
};

/// `copy-file`: a copy of a file, within the server.
///
/// | field       | type   | meaning                                          |
/// |-------------|--------|--------------------------------------------------|
/// | source      | string |                                                  |
/// | destination | string |                                                  |
/// | overwrite   | bool   | whether what stands at the destination gives way |
///
/// The copy keeps access and modification time, as clients that copy so set none. Where something stands at the destination that is not to be
/// overwritten, it answers FAILURE, as does a copy of what is no file, or of a file onto itself.
///
/// Source: draft-ietf-secsh-filexfer-extensions-00 §6; RFC 4251 §5 for bool: any value but 0 is true.
#[derive(Debug, Deserialize)]
pub(super) struct CopyFile {
    source: WirePath,
    destination: WirePath,
    overwrite: u8,
}

impl Request<'_> for CopyFile {
    const ROW: &'static Row = &COPY_FILE;
    const LONG: bool = true;

    /// What it makes is seen when it is complete; what it may empty can be open.
    fn touch(&self, session: &mut Session) -> Option<Touch> {
        let makes = self.overwrite == 0 && session.force_file_mode.is_none();
        (makes && session.has_room()).then_some(Touch::Change)
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "copy-file",
        });
        log_two_paths("copy-file", &self.source, &self.destination);
        let copying = Copying {
            source: mem::take(&mut self.source),
            destination: mem::take(&mut self.destination),
            overwrite: self.overwrite != 0,
            mode: session.force_file_mode,
            times: session.policy.permits(TIMES),
        };
        match way {
            Way::Here => {
                copying.copy(&session.view)?;
                Ok(Response::Ok)
            }
            Way::Beside => {
                let view = Arc::clone(&session.view);
                Ok(Response::later(move || {
                    let result = copying.copy(&view);
                    finish(move |_| result.map(|()| Response::Ok))
                }))
            }
        }
    }
}

/// A copy-file that may be carried out.
struct Copying {
    source: WirePath,
    destination: WirePath,
    overwrite: bool,
    /// The exact mode of a new file.
    mode: Option<u32>,
    /// Whether the client may set the times of a file that it has open.
    times: bool,
}

impl Copying {
    /// Copies: any thread can.
    ///
    /// System calls: of both paths their resolution and open; copy_file_range(2) for each 16 MiB, and at the end that and one pread(2); fstat(2), utimensat(2); one
    /// rename. Of a file with holes two lseek(2) more for each stretch of data, and one and fstat(2) for each hole.
    fn copy(&self, view: &View) -> Result<(), Status> {
        let opened = view.open_copy(
            self.source.as_path(),
            self.destination.as_path(),
            self.overwrite,
            self.mode,
        );
        let (from, to) = match opened {
            Err(Error::Kernel(Errno::EEXIST)) if self.overwrite => {
                let cause = "both names are of the same file";
                return Err(Status::because(StatusCode::Failure, cause));
            }
            opened => opened?,
        };
        let original = from.stat()?;
        let mut copy = Copy::whole(from, to).complete()?;
        if self.times {
            copy.keep_times(&original);
        }
        copy.commit()?;
        Ok(copy.close()?)
    }
}

/// By which the times of a copy would be set otherwise.
const TIMES: Operation = Operation::writes("fsetstat");
