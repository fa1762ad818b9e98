//! copy-data on its way: copied piece by piece, so that the session hears a signal between two of them.

use nix::errno::Errno;

use super::handles::Handles;
use super::status::{Status, cause};
use crate::fs::CopyEnd;
use crate::log::{self, Event, Level};
use crate::protocol::{CopyData, Handle, StatusCode};

/// What is still to be copied, and from where to where.
#[derive(Debug)]
pub struct Copy {
    from: Handle,
    offset: u64,
    to: Handle,
    to_offset: u64,
    /// Bytes; none: to the end of the source.
    rest: Option<u64>,
}

impl Copy {
    /// Looks whether the copy is possible at all.
    ///
    /// # Errors
    /// FAILURE for handles that are no files, and for one file on both sides; as `EBADF` where the target was not opened for writing.
    pub fn begin(handles: &Handles, request: &CopyData) -> Result<Self, Status> {
        let (from, to) = (request.read_from_handle, request.write_to_handle);
        let source = handles.shared_file(from).ok_or_else(Status::bad_handle)?;
        let target = handles.shared_file(to).ok_or_else(Status::bad_handle)?;
        if source.is_same(target)? {
            return Err(Status::because(
                StatusCode::Failure,
                "both handles are of the same file",
            ));
        }
        if !target.is_writable() {
            return Err(Errno::EBADF.into());
        }
        Ok(Self {
            from,
            offset: request.read_from_offset,
            to,
            to_offset: request.write_to_offset,
            rest: Some(request.read_data_length).filter(|len| *len > 0),
        })
    }

    /// Copies the next piece; says how the whole ended, once it did.
    pub fn step(&mut self, handles: &mut Handles) -> Option<Result<(), Status>> {
        if self.rest == Some(0) {
            return Some(Ok(()));
        }
        let len = self.rest.unwrap_or(u64::MAX);
        // No other request runs between two pieces: the handles are still there.
        let (Some(from), Some(to)) = (handles.shared_file(self.from), handles.shared_file(self.to))
        else {
            return Some(Err(Status::bad_handle()));
        };
        if let Err(error) = to.changeable() {
            return Some(Err(error.into()));
        }
        match from.copy_piece(self.offset, to, self.to_offset, len) {
            Ok(CopyEnd::Copied(count)) => {
                self.offset += count;
                // An appending target takes no notice of its offset, which may be anything.
                self.to_offset = self.to_offset.saturating_add(count);
                self.rest = self.rest.map(|rest| rest - count);
                handles.count_copied(self.from, self.to, count);
                None
            }
            Ok(CopyEnd::Eof) if self.rest.is_none() => Some(Ok(())),
            Ok(CopyEnd::Eof) => Some(Err(Status::new(StatusCode::Eof))),
            Err(error) => {
                log::emit(Level::Error, || Event::CopyFailed {
                    what: error.what,
                    cause: Some(cause(error.errno)),
                });
                Some(Err(error.errno.into()))
            }
        }
    }
}
