//! A pipe of our own, through which a file's pages pass to another pipe without being copied.

use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SpliceFFlags, fcntl, splice};
use nix::unistd::{pipe2, read};

use super::file::File;
use crate::fs::{Result, again};

/// The pipe. Its bytes are those of the page cache: who changes the file before they are read changes them, too.
#[derive(Debug)]
pub struct Pipe {
    from: OwnedFd,
    to: OwnedFd,
    /// Whether it was made to hold the longest answer; a user has only so much room in pipes (pipe(7)).
    wide: bool,
}

impl Pipe {
    /// A pipe.
    ///
    /// # Errors
    /// As pipe2(2).
    pub fn new() -> Result<Self> {
        let (from, to) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(Self {
            from,
            to,
            wide: false,
        })
    }

    /// Fills it, empty as it is, with what `file` has at `offset`, at most `len` bytes; how many, 0 at the end of the file.
    ///
    /// # Errors
    /// As splice(2): `EINVAL` for files that cannot do this. `EPERM` where the user has too many wide pipes. `EAGAIN` where that has made
    /// this one so narrow that it is of no use: bytes may stand in it then.
    pub fn fill(&mut self, file: &File, offset: u64, len: usize) -> Result<usize> {
        let mut at = i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        if len > NARROW && !self.wide {
            widen(&self.to, 2 * WIDE)?;
            self.wide = true;
        }
        let len = len.min(WIDE);
        let mut filled = 0;
        while filled < len {
            let flags = SpliceFFlags::SPLICE_F_NONBLOCK;
            match again(|| splice(file, Some(&mut at), &self.to, None, len - filled, flags)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                // Narrower than any pipe should be, since the user has so many of them.
                Err(Errno::EAGAIN) => return Err(Errno::EAGAIN),
                // What came before the failure is an answer; the next read meets it.
                Err(_) if filled > 0 => break,
                Err(errno) => return Err(errno),
            }
        }
        Ok(filled)
    }

    /// Moves at most `len` bytes on into the pipe `out`, without waiting; how many.
    ///
    /// # Errors
    /// As splice(2): `EAGAIN` where `out` is full, `EPIPE`.
    pub fn pass(&self, out: impl AsFd, len: usize) -> Result<usize> {
        let flags = SpliceFFlags::SPLICE_F_NONBLOCK | SpliceFFlags::SPLICE_F_MOVE;
        again(|| splice(&self.from, None, out.as_fd(), None, len, flags))
    }

    /// Copies what stands in it, until `buffer` is full or nothing is left; how many bytes.
    ///
    /// # Errors
    /// As read(2).
    pub fn take(&self, buffer: &mut [u8]) -> Result<usize> {
        again(|| read(&self.from, buffer))
    }
}

/// Lets a pipe hold `bytes`.
///
/// # Errors
/// As fcntl(2) with `F_SETPIPE_SZ`: `EPERM` past what the user may have, `EBUSY`.
pub fn widen(pipe: impl AsFd, bytes: usize) -> Result<()> {
    let bytes = i32::try_from(bytes).map_err(|_| Errno::EINVAL)?;
    fcntl(pipe.as_fd(), FcntlArg::F_SETPIPE_SZ(bytes)).map(drop)
}

/// How many bytes in a pipe nobody has read yet.
///
/// # Errors
/// As ioctl(2) with `FIONREAD`.
pub fn unread(pipe: impl AsFd) -> Result<u64> {
    rustix::io::ioctl_fionread(pipe.as_fd()).map_err(|errno| Errno::from_raw(errno.raw_os_error()))
}

/// What standard output and a wide pipe of ours hold, in bytes: the longest answer, wherever it begins in a page.
pub const WIDE: usize = 256 * 1024;
/// What any pipe holds of a file, in bytes: its 16 pages, if the first and the last are not whole.
const NARROW: usize = 56 * 1024;
