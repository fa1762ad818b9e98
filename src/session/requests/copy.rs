//! copy-data, and the content of copy-file: piece by piece, until the source ends, the length is reached, or a piece fails.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;

use crate::fs::{CopyEnd, File, View};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::protocol::{CopyData, Payload, StatusCode};
use crate::session::answers::lines::trace;
use crate::session::answers::status::{Status, cause};
use crate::session::handles::Handles;
use crate::session::{Response, Session};

/// Of a copy-data, what it asks for, and its log line.
pub(in crate::session) fn asked(
    session: &Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<(CopyData, Copy), Status> {
    let request: CopyData = payload.decode()?;
    let handles = &session.handles;
    let (from, to) = (request.read_from_handle, request.write_to_handle);
    trace(Level::Debug1, || Trace::CopyData {
        id,
        from: handles.path(from),
        from_slot: handles.slot(from),
        offset: request.read_from_offset,
        len: request.read_data_length,
        to: handles.path(to),
        to_slot: handles.slot(to),
        to_offset: request.write_to_offset,
    });
    let copy = Copy::new(&session.view, handles, &request)?;
    Ok((request, copy))
}

/// Answers a copy-data by what came of it.
pub(in crate::session) fn answer(
    session: &mut Session,
    request: &CopyData,
    copied: u64,
    result: Result<(), Status>,
) -> Result<Response, Status> {
    let (from, to) = (request.read_from_handle, request.write_to_handle);
    session.handles.count_copied(from, to, copied);
    result.map(|()| Response::Ok)
}

/// What is to be copied, and from where to where.
#[derive(Debug)]
pub struct Copy {
    from: Arc<File>,
    offset: u64,
    to: Arc<File>,
    to_offset: u64,
    /// Bytes; none: to the end of the source.
    rest: Option<u64>,
    /// Bytes so far.
    copied: u64,
    /// The paths by which both were opened.
    spelled: Option<(Arc<View>, [Vec<u8>; 2])>,
}

impl Copy {
    /// What a request asks for.
    ///
    /// # Errors
    /// FAILURE for handles that are no files.
    pub fn new(view: &Arc<View>, handles: &Handles, request: &CopyData) -> Result<Self, Status> {
        let path = |handle| handles.path(handle).unwrap_or_default();
        let paths = [
            path(request.read_from_handle),
            path(request.write_to_handle),
        ];
        let file = |handle| {
            let file = handles.shared_file(handle).cloned();
            file.ok_or_else(|| {
                log::emit(Level::Error, || Event::CopyOfNoFile);
                Status::bad_handle()
            })
        };
        Ok(Self {
            from: file(request.read_from_handle)?,
            offset: request.read_from_offset,
            to: file(request.write_to_handle)?,
            to_offset: request.write_to_offset,
            rest: Some(request.read_data_length).filter(|len| *len > 0),
            copied: 0,
            spelled: Some((Arc::clone(view), paths)),
        })
    }

    /// All of a file, into one that has just been made or emptied.
    pub fn whole(from: File, to: File) -> Self {
        Self {
            from: Arc::new(from),
            offset: 0,
            to: Arc::new(to),
            to_offset: 0,
            rest: None,
            copied: 0,
            spelled: None,
        }
    }

    /// Copies, and gives the target back.
    ///
    /// # Errors
    /// As for [`Copy::run`].
    pub fn complete(self) -> Result<File, Status> {
        let to = Arc::clone(&self.to);
        self.run().1?;
        Arc::into_inner(to).ok_or_else(|| Status::new(StatusCode::Failure))
    }

    /// Copies. How many bytes, and how it ended.
    ///
    /// # Errors
    /// FAILURE for one file on both sides, and where one was not opened for what is asked of it. What was copied before a failure stays.
    pub fn run(mut self) -> (u64, Result<(), Status>) {
        let result = self.check().and_then(|()| {
            loop {
                match self.step()? {
                    0 => return Ok(()),
                    count => self.copied += count,
                }
            }
        });
        // What lies behind the end of its source is missing nowhere.
        if result
            .as_ref()
            .is_err_and(|status| status.code != StatusCode::Eof)
        {
            self.to.spoil();
        }
        (self.copied, result)
    }

    /// In OpenSSH's order, so that its log tells the same.
    fn check(&self) -> Result<(), Status> {
        let id = |file: &File| file.stat().map(|stat| (stat.st_dev, stat.st_ino));
        let (from_id, to_id) = (id(&self.from)?, id(&self.to)?);
        if from_id == to_id || self.is_spelled_alike() {
            let paths = self.spelled.as_ref().map(|(_, paths)| paths.clone());
            let [from, to] = paths.unwrap_or_default();
            log::emit(Level::Error, || Event::CopyOntoItself {
                from,
                from_id,
                to,
                to_id,
            });
            return Err(Status::because(
                StatusCode::Failure,
                "both handles are of the same file",
            ));
        }
        let seekable = |what, offset| {
            i64::try_from(offset).map(drop).map_err(|_| {
                log::emit(Level::Error, || Event::CopyFailed { what, cause: None });
                Status::from(Errno::EINVAL)
            })
        };
        seekable("read_seek", self.offset)?;
        if !self.to.appends() {
            seekable("write_seek", self.to_offset)?;
        }
        if !self.from.access().0 {
            return Err(self.failed("read", Errno::EBADF));
        }
        if !self.to.access().1 {
            return Err(self.failed("write", Errno::EBADF));
        }
        self.to.follows()?;
        Ok(())
    }

    /// How it failed to read or to write: the log line, and the answer.
    fn failed(&self, what: &'static str, errno: Errno) -> Status {
        let cause = cause(errno);
        if what == "read" {
            log::emit(Level::Error, || Event::CopyFailed {
                what,
                cause: Some(cause),
            });
            return Status::of_read(errno);
        }
        log::emit(Level::Error, || {
            let begun = self.copied % CHUNK;
            let left = self.from.stat().map_or(u64::MAX, |stat| {
                (stat.st_size as u64).saturating_sub(self.offset)
            });
            let left = self.rest.map_or(left, |rest| left.min(rest));
            Event::CopyCut {
                wanted: left.saturating_add(begun).min(CHUNK),
                cause,
            }
        });
        Status::of_write(errno)
    }

    /// Whether both are one file as far as their names tell, where others serve it.
    fn is_spelled_alike(&self) -> bool {
        let Some((view, paths)) = &self.spelled else {
            return false;
        };
        let [from, to] = paths
            .each_ref()
            .map(|path| Path::new(OsStr::from_bytes(path)));
        self.from.is_remote() && self.to.is_remote() && view.are_spelled_alike(from, to)
    }

    /// Copies the next piece: how many bytes; 0 where all is done.
    fn step(&mut self) -> Result<u64, Status> {
        if self.rest == Some(0) {
            return Ok(0);
        }
        let len = self.rest.unwrap_or(u64::MAX);
        let len = self
            .to
            .copyable(self.to_offset, &self.from, self.offset, len)
            .inspect_err(|_| self.to.lose())?;
        match self
            .from
            .copy_piece(self.offset, &self.to, self.to_offset, len)
        {
            Ok(CopyEnd::Copied(count)) => {
                self.offset += count;
                // An appending target takes no notice of its offset, which may be anything.
                self.to_offset = self.to_offset.saturating_add(count);
                self.rest = self.rest.map(|rest| rest - count);
                Ok(count)
            }
            Ok(CopyEnd::Eof) if self.rest.is_none() => Ok(0),
            Ok(CopyEnd::Eof) => Err(Status::new(StatusCode::Eof)),
            Err(error) => {
                if error.what == "write" {
                    self.to.lose();
                }
                if error.errno == Errno::EFBIG {
                    // Others have appended meanwhile, and the limit of a rule is reached.
                    self.to.writable(self.to_offset, len)?;
                }
                Err(self.failed(error.what, error.errno))
            }
        }
    }
}

/// OpenSSH copies so much at a time, and its log tells of which piece nothing was written.
const CHUNK: u64 = 64 * 1024;
