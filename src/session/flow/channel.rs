//! Descriptors 0 and 1: pipes, one socket, a terminal or files; blocking or not when we get them.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, pipe2};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::socket;
use crate::fs::{self, Pipe, again};

/// One of them, in the runtime's hands where epoll takes it.
#[derive(Debug)]
pub struct Channel<T: AsRawFd> {
    descriptor: Descriptor<T>,
    /// The flags that it had; others may share it.
    flags: Option<OFlag>,
    kind: Kind,
}

/// What it is, as far as that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A pipe of bytes: a read that fills less than its buffer has emptied it.
    Pipe,
    /// Unix's, of bytes, and the one to write to.
    Socket,
    Other,
}

#[derive(Debug)]
enum Descriptor<T: AsRawFd> {
    /// Pipes, sockets, terminals: non-blocking, waited for.
    Polled(AsyncFd<T>),
    /// Files and the like, which are always ready.
    Ready(T),
}

impl<T: AsRawFd + AsFd> Channel<T> {
    /// Takes the descriptor that `descriptor` gives, which is asked again where epoll refuses it.
    ///
    /// # Errors
    /// As epoll_ctl(2) and fcntl(2).
    #[allow(
        deprecated,
        reason = "the constructors that replace it are unsafe functions; 0 and 1 stay open to the end"
    )]
    pub fn new(descriptor: fn() -> T, interest: Interest) -> io::Result<Self> {
        match AsyncFd::with_interest(descriptor(), interest) {
            Ok(polled) => {
                let flags = OFlag::from_bits_retain(fcntl(polled.get_ref(), FcntlArg::F_GETFL)?);
                fcntl(
                    polled.get_ref(),
                    FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK),
                )?;
                let mode = SFlag::from_bits_truncate(fstat(polled.get_ref())?.st_mode);
                let kind = match mode & SFlag::S_IFMT {
                    SFlag::S_IFIFO if !flags.contains(OFlag::O_DIRECT) => Kind::Pipe,
                    SFlag::S_IFSOCK
                        if interest.is_writable() && socket::tells(polled.get_ref()) =>
                    {
                        Kind::Socket
                    }
                    _ => Kind::Other,
                };
                Ok(Self {
                    descriptor: Descriptor::Polled(polled),
                    flags: Some(flags),
                    kind,
                })
            }
            Err(error) if error.raw_os_error() == Some(Errno::EPERM as i32) => Ok(Self {
                descriptor: Descriptor::Ready(descriptor()),
                flags: None,
                kind: Kind::Other,
            }),
            Err(error) => Err(error),
        }
    }

    /// Reads what there is, waiting until there is something; 0 at the end.
    ///
    /// # Errors
    /// As read(2).
    pub async fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let polled = match &self.descriptor {
            Descriptor::Polled(polled) => polled,
            Descriptor::Ready(file) => {
                // It never makes us wait, so signals get their turn here.
                tokio::task::yield_now().await;
                return again(|| nix::unistd::read(file, buffer));
            }
        };
        loop {
            let mut ready = polled.readable().await.map_err(|_| Errno::EIO)?;
            match again(|| nix::unistd::read(polled.get_ref(), buffer)) {
                Err(Errno::EWOULDBLOCK) => ready.clear_ready(),
                Ok(count) => {
                    if self.kind == Kind::Pipe && count > 0 && count < buffer.len() {
                        // What comes next announces itself, and a read in vain is saved.
                        ready.clear_ready();
                    }
                    return Ok(count);
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Writes what can be written, waiting until that is something.
    ///
    /// # Errors
    /// As write(2).
    pub async fn write(&self, bytes: &[u8]) -> Result<usize, Errno> {
        let polled = match &self.descriptor {
            Descriptor::Polled(polled) => polled,
            Descriptor::Ready(file) => return again(|| nix::unistd::write(file, bytes)),
        };
        loop {
            // It mostly has room: the write itself tells, sooner than epoll.
            match self.write_now(bytes) {
                Err(Errno::EWOULDBLOCK) => {}
                result => return result,
            }
            let mut ready = polled.writable().await.map_err(|_| Errno::EIO)?;
            match again(|| nix::unistd::write(polled.get_ref(), bytes)) {
                Err(Errno::EWOULDBLOCK) => ready.clear_ready(),
                result => return result,
            }
        }
    }

    /// Writes what can be written at once.
    ///
    /// # Errors
    /// As write(2): `EWOULDBLOCK` where that is nothing.
    pub fn write_now(&self, bytes: &[u8]) -> Result<usize, Errno> {
        again(|| nix::unistd::write(self.get_ref(), bytes))
    }

    /// Passes on what stands in `pipe`, at most `len` bytes, waiting until that is something.
    ///
    /// # Errors
    /// As splice(2).
    pub async fn splice(&self, pipe: &Pipe, len: usize) -> Result<usize, Errno> {
        let polled = match &self.descriptor {
            Descriptor::Polled(polled) => polled,
            Descriptor::Ready(file) => return pipe.pass(file, len),
        };
        loop {
            match pipe.pass(polled.get_ref(), len) {
                Err(Errno::EWOULDBLOCK) => {}
                result => return result,
            }
            let mut ready = polled.writable().await.map_err(|_| Errno::EIO)?;
            match pipe.pass(polled.get_ref(), len) {
                Err(Errno::EWOULDBLOCK) => ready.clear_ready(),
                result => return result,
            }
        }
    }

    /// Lets a pipe hold more than sshd gives it.
    pub fn widen(&self) {
        if self.kind == Kind::Pipe {
            // Another user's pipe, or too many of them: it works all the same.
            let _ = fs::widen(self.get_ref(), fs::WIDE);
        }
    }

    /// Whether a file's pages may be spliced into it, since it tells whether they are read: the smallest piece of which it does, in bytes.
    pub fn tells_unread(&self) -> Option<usize> {
        match self.kind {
            Kind::Pipe => Some(1),
            Kind::Socket => Some(socket::PIECE),
            Kind::Other => None,
        }
    }

    /// Whether something in it has not been read yet, if that can be told.
    pub fn is_unread(&self) -> bool {
        let unread = match self.kind {
            Kind::Pipe => fs::unread(self.get_ref()).map(|bytes| bytes > 0),
            Kind::Socket => socket::is_unread(self.get_ref()),
            // Of a file it would be what stands behind the place.
            Kind::Other => Ok(false),
        };
        unread.unwrap_or(false)
    }

    /// Waits until nobody is left at the other end of a pipe; for ever where that cannot be seen.
    pub async fn abandoned(&self) {
        if let Descriptor::Polled(polled) = &self.descriptor {
            if polled.ready(Interest::ERROR).await.is_ok() {
                return;
            }
        }
        std::future::pending().await
    }

    /// Whether that is so now.
    pub fn is_abandoned(&self) -> bool {
        let Descriptor::Polled(polled) = &self.descriptor else {
            return false;
        };
        let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
        let mut fds = [PollFd::new(polled.get_ref().as_fd(), PollFlags::empty())];
        let found = poll(&mut fds, PollTimeout::ZERO);
        found.is_ok()
            && fds
                .iter()
                .filter_map(PollFd::revents)
                .any(|told| told.intersects(gone))
    }

    /// Gives the descriptor its flags back, for those who share it.
    pub fn restore(&self) {
        if let Some(flags) = self.flags {
            let _ = fcntl(self.get_ref(), FcntlArg::F_SETFL(flags));
        }
    }

    fn get_ref(&self) -> &T {
        match &self.descriptor {
            Descriptor::Polled(polled) => polled.get_ref(),
            Descriptor::Ready(file) => file,
        }
    }
}

/// Lets go of standard input, output and error, so that the client sees the end now: the kernel closes nothing of a process before the last of its
/// threads has ended, and one that waits for storage of others may never do so.
///
/// Their numbers stay taken, by a pipe of which nobody has the other end: a thread that still opens a file gets none of them, and what it
/// might have to say goes nowhere.
pub fn let_go() {
    // Without a descriptor left for it, they are closed when the process is.
    let Ok((none, writer)) = pipe2(OFlag::O_CLOEXEC) else {
        return;
    };
    drop(writer);
    let _ = dup2_stdin(&none);
    let _ = dup2_stdout(&none);
    let _ = dup2_stderr(&none);
}
