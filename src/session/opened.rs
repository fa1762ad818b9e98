//! A file or directory that the client has open, and what the log tells of it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::errno::Errno;

use super::answers::status::cause;
use super::overlap::cost::Cost;
use crate::fs::{Dir, File};
use crate::log::{self, Event, Level};

/// A file that the client opened.
#[derive(Debug)]
pub struct OpenFile {
    /// The file; requests that are under way share it.
    pub file: Arc<File>,
    /// What has become of it.
    pub tally: Tally,
    /// Whether the last read into memory was answered in full.
    pub long: bool,
    /// Whether requests on it may wait.
    pub cost: Cost,
}

/// What the log tells of a file when it is closed.
#[derive(Debug)]
pub struct Tally {
    /// The filename of the OPEN.
    pub path: Vec<u8>,
    /// Bytes read by the client.
    pub read: u64,
    /// Bytes written by the client.
    pub written: u64,
    /// When it was opened.
    pub since: Instant,
    /// Whether it can be written.
    pub writable: bool,
    /// Whether a write failed.
    pub failed: bool,
    /// Whether a read met the end of the file.
    pub ended: bool,
    /// How far reads came, in bytes from the start.
    pub reached: u64,
}

impl Tally {
    /// Logs that the file is closed: OpenSSH's line, and the outcome.
    pub fn log(&self, forced: bool, was_read_to_its_end: impl FnOnce() -> bool) {
        log::emit(Level::Info, || Event::Close {
            forced,
            path: self.path.clone(),
            read: self.read,
            written: self.written,
        });
        let upload = self.written > 0 || (self.writable && self.read == 0);
        log::emit(Level::Info, || Event::Transfer {
            path: self.path.clone(),
            upload,
            complete: if upload {
                !self.failed && !forced
            } else {
                was_read_to_its_end()
            },
            bytes: if upload { self.written } else { self.read },
            seconds: self.since.elapsed().as_secs_f64(),
        });
    }
}

impl OpenFile {
    /// `file`, opened as `path` just now. Its requests may wait as the OPEN might have.
    #[must_use]
    pub fn new(file: File, path: Vec<u8>, writable: bool, cost: Cost) -> Self {
        Self {
            file: Arc::new(file),
            tally: Tally {
                path,
                read: 0,
                written: 0,
                since: Instant::now(),
                writable,
                failed: false,
                ended: false,
                reached: 0,
            },
            long: false,
            cost,
        }
    }

    /// Logs that a READ or WRITE failed. OpenSSH seeks before it reads or writes, and its log says which of the two it was.
    pub fn log_failure(&self, function: &'static str, what: &'static str, errno: Errno) {
        log::emit(Level::Error, || {
            let (path, cause) = (self.tally.path.clone(), cause(errno));
            let seek = matches!(errno, Errno::ESPIPE | Errno::EINVAL | Errno::EOVERFLOW);
            if seek && !(self.file.appends() && what == "write") {
                return Event::SeekFailed {
                    function,
                    path,
                    cause,
                };
            }
            Event::TransferFailed {
                function,
                what,
                path,
                cause,
            }
        });
    }

    /// Whether the client saw the end of the file, by a read past it or up to it.
    #[must_use]
    pub fn was_read_to_its_end(&self) -> bool {
        let end = || self.file.stat().map(|stat| stat.st_size as u64);
        self.tally.ended || end().is_ok_and(|end| self.tally.reached >= end)
    }

    /// The same at the end of the session, which does not wait for who serves the file.
    #[must_use]
    pub fn is_known_to_its_end(&self) -> bool {
        match self.cost.is_remote() {
            true => self.tally.ended,
            false => self.was_read_to_its_end(),
        }
    }
}

/// A directory that the client opened.
#[derive(Debug)]
pub struct OpenDir {
    /// The directory; a listing that is under way shares it.
    pub dir: Arc<Mutex<Dir>>,
    /// The path of the OPENDIR.
    pub path: Vec<u8>,
    /// Whether another process or host serves it.
    pub remote: bool,
}

impl OpenDir {
    /// `dir`, opened as `path`.
    #[must_use]
    pub fn new(dir: Dir, path: Vec<u8>, remote: bool) -> Self {
        Self {
            dir: Arc::new(Mutex::new(dir)),
            path,
            remote,
        }
    }
}

/// What a handle stands for.
#[derive(Debug)]
#[allow(missing_docs, reason = "see the types")]
pub enum Entry {
    File(OpenFile),
    Dir(OpenDir),
}

impl Entry {
    /// Logs that it is closed.
    pub fn log_close(&self, forced: bool) {
        match self {
            Self::Dir(dir) => log::emit(Level::Info, || Event::CloseDir {
                forced,
                path: Some(dir.path.clone()),
            }),
            Self::File(open) => open.tally.log(forced, || match forced {
                true => open.is_known_to_its_end(),
                false => open.was_read_to_its_end(),
            }),
        }
    }

    /// The path under which it was opened.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        match self {
            Self::File(file) => &file.tally.path,
            Self::Dir(dir) => &dir.path,
        }
    }
}
