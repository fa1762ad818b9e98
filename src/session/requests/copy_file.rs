//! copy-file: a copy of a whole file by name, which is there when it is complete and never in part.

use nix::errno::Errno;

use super::copy::Copy;
use super::dispatch::Run;
use super::extended::Extension;
use crate::fs::{Error, View};
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{CopyFile, Payload, StatusCode};
use crate::session::answers::lines::{log_two_paths, trace};
use crate::session::answers::status::Status;
use crate::session::{Response, Session};

/// `copy-file`: a copy of a file, within the server.
///
/// The fields are those of [`CopyFile`]. The copy keeps access and modification time, as clients that copy so set none. Where something stands at the destination that is not to be overwritten, it answers FAILURE, as does a
/// copy of what is no file, or of a file onto itself.
///
/// Source: draft-ietf-secsh-filexfer-extensions-00 §6.
pub(in crate::session) const COPY_FILE: Extension = Extension {
    operation: Operation {
        name: "copy-file",
        writes: true,
    },
    wire: "copy-file",
    version: "1",
    run: Run::Here(copy_file),
};

/// By which the times of a copy would be set otherwise.
const TIMES: Operation = Operation {
    name: "fsetstat",
    writes: true,
};

fn copy_file(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    asked(session, id, payload)?.copy(&session.view)?;
    Ok(Response::Ok)
}

/// A copy-file that may be carried out.
pub(in crate::session) struct Asked {
    request: CopyFile,
    /// The exact mode of a new file.
    mode: Option<u32>,
    /// Whether the client may set the times of a file that it has open.
    times: bool,
}

pub(in crate::session) fn asked(
    session: &Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Asked, Status> {
    let request: CopyFile = payload.decode()?;
    trace(Level::Debug3, || Trace::Request {
        id,
        what: "copy-file",
    });
    log_two_paths("copy-file", &request.source, &request.destination);
    Ok(Asked {
        request,
        mode: session.force_file_mode,
        times: session.policy.permits(TIMES),
    })
}

impl Asked {
    /// Copies: any thread can.
    ///
    /// System calls: of both paths their resolution and open; copy_file_range(2) for each 16 MiB, and at the end that and one pread(2); fstat(2), utimensat(2); one rename.
    pub(in crate::session) fn copy(&self, view: &View) -> Result<(), Status> {
        let CopyFile {
            source,
            destination,
            overwrite,
        } = &self.request;
        let overwrite = *overwrite != 0;
        let opened = view.open_copy(
            source.as_path(),
            destination.as_path(),
            overwrite,
            self.mode,
        );
        let (from, to) = match opened {
            Err(Error::Kernel(Errno::EEXIST)) if overwrite => {
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
