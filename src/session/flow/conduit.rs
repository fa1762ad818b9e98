//! READ without a copy: the file's pages go by a pipe of ours into standard output, if that is a pipe or a Unix socket.
//!
//! Until the client has read them these bytes are the file's: a change of the file would change an answer that was given. So nothing
//! that may change such a file is carried out before the client has read all that stands there. A socket does not tell of short pieces: the
//! last one of an answer is copied, if it may be one; those before it are read before it.

use nix::errno::Errno;

use crate::fs::{File, FileId, Pipe};

/// The way of spliced answers, and what of them may still be unread.
#[derive(Debug, Default)]
pub struct Conduit {
    /// Of how short a piece standard output tells whether it was read, in bytes; none where nothing can be spliced into it.
    piece: Option<usize>,
    pipe: Option<Pipe>,
    /// Bytes in our pipe that are to be spliced on.
    waiting: usize,
    /// Bytes behind them that are to be copied.
    rest: usize,
    /// Files whose bytes may stand in standard output.
    unread: Vec<FileId>,
}

impl Conduit {
    /// READ may be spliced into standard output, which tells whether a `piece` of so many bytes was read.
    pub fn enable(&mut self, piece: usize) {
        self.piece = Some(piece);
    }

    /// Puts what `file` has at `offset` on its way, if that can be done: how many bytes. Otherwise they are to be read.
    pub fn fill(&mut self, file: &File, offset: u64, len: usize) -> Option<usize> {
        let piece = self.piece?;
        if len < WORTHWHILE || self.waiting > 0 {
            return None;
        }
        let id = file.id();
        let known = self.unread.contains(&id);
        if !known && self.unread.len() >= MOST_FILES {
            return None;
        }
        if self.pipe.is_none() {
            self.pipe = Pipe::new().ok();
        }
        if self.pipe.is_none() {
            self.piece = None;
        }
        match self.pipe.as_mut()?.fill(file, offset, len) {
            Ok(0) => None,
            Ok(count) => {
                self.rest = rest(offset, count, piece);
                self.waiting = count - self.rest;
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

    /// The pipe and the bytes in it that are to be copied, once none wait.
    pub fn take_rest(&mut self) -> Option<(&Pipe, usize)> {
        let rest = std::mem::take(&mut self.rest);
        let pipe = self.pipe.as_ref()?;
        (rest > 0).then_some((pipe, rest))
    }

    /// Whether there is anything in the pipe.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.waiting + self.rest > 0
    }

    /// Takes note that `count` bytes have gone on.
    pub fn passed(&mut self, count: usize) {
        self.waiting = self.waiting.saturating_sub(count);
    }

    /// Drops what waits: nobody reads it any more, or the pipe is of no use.
    pub fn abandon(&mut self) {
        self.piece = None;
        self.pipe = None;
        self.waiting = 0;
        self.rest = 0;
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

/// How many of the last of `count` bytes at `offset` of a file are to be copied, so that a `piece` at least ends what is spliced.
fn rest(offset: u64, count: usize, piece: usize) -> usize {
    let behind = offset.wrapping_add(count as u64) % piece as u64;
    match count.saturating_sub(behind as usize) {
        // It may begin within a page.
        spliced if spliced < piece => count,
        spliced => count - spliced,
    }
}

/// Below this a copy costs less than two more system calls; in bytes.
const WORTHWHILE: usize = 16 * 1024;
/// With so many files under way the rest is copied.
const MOST_FILES: usize = 64;
