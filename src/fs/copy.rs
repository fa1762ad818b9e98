//! Copying from one open file to another, piece by piece.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::copy_file_range;

use super::{File, again};

/// Where a piece of a copy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyEnd {
    /// This many bytes were copied; there may be more.
    Copied(u64),
    /// The source ended.
    Eof,
}

/// What failed in a copy, and how.
#[derive(Clone, Copy, Debug)]
pub struct CopyError {
    /// `read` or `write`.
    pub what: &'static str,
    /// The cause.
    pub errno: Errno,
}

impl File {
    /// Copies a piece of at most `len` bytes to `to`, within the kernel where it can.
    ///
    /// # Errors
    /// As read(2) and write(2), and which of them it was.
    pub fn copy_piece(
        &self,
        offset: u64,
        to: &Self,
        to_offset: u64,
        len: u64,
    ) -> std::result::Result<CopyEnd, CopyError> {
        let reading = |errno| CopyError {
            what: "read",
            errno,
        };
        let writing = |errno| CopyError {
            what: "write",
            errno,
        };
        if !to.appends() {
            let mut from_at = i64::try_from(offset).map_err(|_| reading(Errno::EINVAL))?;
            let mut to_at = i64::try_from(to_offset).map_err(|_| writing(Errno::EINVAL))?;
            let piece = usize::try_from(len.min(COPY_PIECE)).unwrap_or(usize::MAX);
            match again(|| {
                copy_file_range(
                    self.as_fd(),
                    Some(&mut from_at),
                    to.as_fd(),
                    Some(&mut to_at),
                    piece,
                )
            }) {
                // Files whose size the kernel does not know, as in /proc, end at once here; reading tells.
                Ok(0) => {}
                Ok(count) => return Ok(CopyEnd::Copied(count as u64)),
                Err(errno @ (Errno::ENOSPC | Errno::EDQUOT)) => return Err(writing(errno)),
                // Not between these file systems, or not on this kernel.
                Err(_) => {}
            }
        }
        let mut buffer = vec![0; usize::try_from(len.min(COPY_BUFFER)).unwrap_or(usize::MAX)];
        let count = self.read_at(&mut buffer, offset).map_err(reading)?;
        if count == 0 {
            return Ok(CopyEnd::Eof);
        }
        to.write_at(buffer.get(..count).unwrap_or_default(), to_offset)
            .map_err(writing)?;
        Ok(CopyEnd::Copied(count as u64))
    }
}

/// So much at a time within the kernel, that a signal is heard soon.
pub(super) const COPY_PIECE: u64 = 16 * 1024 * 1024;
/// So much at a time through memory.
const COPY_BUFFER: u64 = 256 * 1024;
