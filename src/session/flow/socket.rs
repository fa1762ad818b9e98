//! Whether the other end of a Unix socket has read all that was sent.
//!
//! No call that is safe in Rust tells how much is unread, but poll(2) does: such a socket is writable while what is unread fills at most a
//! quarter of its buffer. With the smallest buffer that is less than any piece of [`PIECE`] bytes. So the buffer is small while it is asked.
//!
//! Source: unix(7), socket(7); unix_writable() in net/unix/af_unix.c.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::sockopt::{self, SndBuf};
use nix::sys::socket::{SockType, UnixAddr, getsockname, getsockopt, setsockopt};

/// Whether `socket` is one of which that can be told, and takes what is spliced into it in pieces of at least [`PIECE`] bytes, but for the last.
#[must_use]
pub fn tells(socket: impl AsFd) -> bool {
    let socket = socket.as_fd();
    let unix = getsockname::<UnixAddr>(socket.as_raw_fd()).is_ok();
    if !unix || getsockopt(&socket, sockopt::SockType) != Ok(SockType::Stream) {
        return false;
    }
    let Ok(roomy) = getsockopt(&socket, SndBuf) else {
        return false;
    };
    let smallest = while_small(socket, || getsockopt(&socket, SndBuf));
    // Root may have made it larger than others may: then it cannot be given back.
    let kept = getsockopt(&socket, SndBuf) == Ok(roomy);
    kept && roomy >= ROOMY && smallest.is_ok_and(|smallest| smallest / 4 < PIECE)
}

/// Whether a piece of at least [`PIECE`] bytes has not been read yet.
///
/// # Errors
/// As setsockopt(2) and poll(2).
pub fn is_unread(socket: impl AsFd) -> Result<bool, Errno> {
    let socket = socket.as_fd();
    while_small(socket, || {
        let mut polled = [PollFd::new(socket, PollFlags::POLLOUT)];
        // Where the other end is gone it is ready, too.
        poll(&mut polled, PollTimeout::ZERO).map(|ready| ready == 0)
    })
}

/// Asks while the buffer is as small as it can be.
fn while_small<T>(
    socket: BorrowedFd<'_>,
    ask: impl FnOnce() -> Result<T, Errno>,
) -> Result<T, Errno> {
    let before = getsockopt(&socket, SndBuf)?;
    setsockopt(&socket, SndBuf, &0)?;
    let answer = ask();
    // The kernel doubles what it is told, for what it needs itself.
    setsockopt(&socket, SndBuf, &(before / 2))?;
    answer
}

/// A page of the smallest kind, in bytes.
pub const PIECE: usize = 4096;
/// From this on the 16 pages that a splice moves at a time are not divided, in bytes.
const ROOMY: usize = 2 * (16 * PIECE + 64);
