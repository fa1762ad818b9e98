//! READ without a copy: the file's pages go by a pipe of ours into standard output, if that is a pipe.
//!
//! Until the client has read them these bytes are the file's: a change of the file would change an answer that was given. So nothing
//! that may change such a file is carried out before the client has read all that stands in the pipe.

use nix::errno::Errno;

use crate::fs::{File, FileId, Pipe};

/// The way of spliced answers, and what of them may still be unread.
#[derive(Debug, Default)]
pub struct Conduit {
    /// Whether standard output is a pipe.
    usable: bool,
    pipe: Option<Pipe>,
    /// Bytes in our pipe.
    waiting: usize,
    /// Files whose bytes may stand in standard output.
    unread: Vec<FileId>,
}

impl Conduit {
    /// Standard output is a pipe: READ may be spliced into it.
    pub fn enable(&mut self) {
        self.usable = true;
    }

    /// Puts what `file` has at `offset` on its way, if that can be done: how many bytes. Otherwise they are to be read.
    pub fn fill(&mut self, file: &File, offset: u64, len: usize) -> Option<usize> {
        if !self.usable || len < WORTHWHILE || self.waiting > 0 {
            return None;
        }
        let id = file.id();
        let known = self.unread.contains(&id);
        if !known && self.unread.len() >= MOST_FILES {
            return None;
        }
        if self.pipe.is_none() {
            self.pipe = Pipe::new().ok();
            self.usable = self.pipe.is_some();
        }
        match self.pipe.as_mut()?.fill(file, offset, len) {
            Ok(0) => None,
            Ok(count) => {
                self.waiting = count;
                if !known {
                    self.unread.push(id);
                }
                Some(count)
            }
            Err(Errno::EAGAIN) => {
                self.abandon();
                None
            }
            Err(_) => None,
        }
    }

    /// The pipe and the bytes in it that are to go on into standard output.
    #[must_use]
    pub fn waiting(&self) -> Option<(&Pipe, usize)> {
        let pipe = self.pipe.as_ref()?;
        (self.waiting > 0).then_some((pipe, self.waiting))
    }

    /// Takes note that `count` bytes have gone on.
    pub fn passed(&mut self, count: usize) {
        self.waiting = self.waiting.saturating_sub(count);
    }

    /// Drops what waits: nobody reads it any more, or the pipe is of no use.
    pub fn abandon(&mut self) {
        self.usable = false;
        self.pipe = None;
        self.waiting = 0;
    }

    /// Whether bytes of any file may be unread; of `file`, if that is known.
    #[must_use]
    pub fn is_unread(&self, file: Option<FileId>) -> bool {
        match file {
            Some(file) => self.unread.contains(&file),
            None => !self.unread.is_empty(),
        }
    }

    /// Takes note that the client has read all.
    pub fn all_read(&mut self) {
        self.unread.clear();
    }
}

/// Below this a copy costs less than two more system calls; in bytes.
const WORTHWHILE: usize = 16 * 1024;
/// With so many files under way the rest is copied.
const MOST_FILES: usize = 64;
