//! Copying the content of a file: piece by piece, until the source ends, the length is reached, or a piece fails.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;

use crate::fs::{CopyEnd, File, View};
use crate::log::{self, Event, Level};
use crate::protocol::{Handle, StatusCode};
use crate::session::answers::status::{Status, cause};
use crate::session::handles::Handles;

/// A file that is copied from or to, where, and the path by which it was opened.
pub(super) struct End {
    file: Arc<File>,
    offset: u64,
    path: Vec<u8>,
}

impl End {
    /// What a handle is open on.
    ///
    /// # Errors
    /// FAILURE where that is no file.
    pub(super) fn of(handles: &Handles, handle: Handle, offset: u64) -> Result<Self, Status> {
        let file = handles.shared_file(handle).cloned();
        let file = file.ok_or_else(|| {
            log::emit(Level::Error, || Event::CopyOfNoFile);
            Status::bad_handle()
        })?;
        Ok(Self {
            file,
            offset,
            path: handles.path(handle).unwrap_or_default(),
        })
    }
}

/// What is to be copied, and from where to where.
#[derive(Debug)]
pub(super) struct Copy {
    from: Arc<File>,
    offset: u64,
    to: Arc<File>,
    to_offset: u64,
    /// Bytes; none: to the end of the source.
    rest: Option<u64>,
    /// Bytes so far.
    copied: u64,
    /// Whether holes of the source are kept; and whether the last piece was one, so that the target is not as long yet.
    keeps_holes: bool,
    in_hole: bool,
    /// The paths by which both were opened.
    spelled: Option<(Arc<View>, [Vec<u8>; 2])>,
}

impl Copy {
    /// From one open file to another: `length` bytes, or all of it where that is 0.
    pub(super) fn between([from, to]: [End; 2], length: u64, view: Arc<View>) -> Self {
        Self {
            from: from.file,
            offset: from.offset,
            to: to.file,
            to_offset: to.offset,
            rest: Some(length).filter(|length| *length > 0),
            copied: 0,
            keeps_holes: false,
            in_hole: false,
            spelled: Some((view, [from.path, to.path])),
        }
    }

    /// All of a file, into one that has just been made or emptied.
    pub(super) fn whole(from: File, to: File) -> Self {
        Self {
            from: Arc::new(from),
            offset: 0,
            to: Arc::new(to),
            to_offset: 0,
            rest: None,
            copied: 0,
            keeps_holes: false,
            in_hole: false,
            spelled: None,
        }
    }

    /// Copies, and gives the target back.
    ///
    /// # Errors
    /// As for [`Copy::run`].
    pub(super) fn complete(self) -> Result<File, Status> {
        let to = Arc::clone(&self.to);
        self.run().1?;
        Arc::into_inner(to).ok_or_else(|| Status::new(StatusCode::Failure))
    }

    /// Copies. How many bytes, and how it ended.
    ///
    /// # Errors
    /// FAILURE for one file on both sides, and where one was not opened for what is asked of it. What was copied before a failure stays.
    pub(super) fn run(mut self) -> (u64, Result<(), Status>) {
        let result = self.check().and_then(|()| {
            loop {
                match self.step()? {
                    0 => return Ok(()),
                    count => self.copied += count,
                }
            }
        });
        let ended = self.end_hole();
        let result = result.and_then(|()| ended.map_err(|errno| self.failed("write", errno)));
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
    fn check(&mut self) -> Result<(), Status> {
        let (from, to) = (self.from.stat()?, self.to.stat()?);
        let [from_id, to_id] = [from, to].map(|stat| (stat.st_dev, stat.st_ino));
        self.keeps_holes = self.from.keeps_holes(&from, &self.to, &to);
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

    /// Where what was copied last is a hole, the target is made so long; also where what follows has failed.
    fn end_hole(&self) -> Result<(), Errno> {
        if !self.in_hole {
            return Ok(());
        }
        self.to
            .lengthen(self.to_offset)
            .inspect_err(|_| self.to.lose())
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
        let (at, to_at) = (self.offset, self.to_offset);
        let piece = self
            .from
            .copy_piece(at, &self.to, to_at, len, self.keeps_holes);
        match piece {
            Ok(CopyEnd::Copied(count) | CopyEnd::Hole(count)) => {
                self.in_hole = matches!(piece, Ok(CopyEnd::Hole(_)));
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
