//! Descriptors 0 and 1: pipes, one socket, a terminal or files; blocking or not when we get them.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::fs::{self, Pipe, again};

/// One of them, in the runtime's hands where epoll takes it.
#[derive(Debug)]
pub struct Channel<T: AsRawFd> {
    descriptor: Descriptor<T>,
    /// The flags that it had; others may share it.
    flags: Option<OFlag>,
    /// Whether a read that fills less than its buffer has emptied it: so it is with pipes, not with terminals or packets.
    drains: bool,
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
                let kind =
                    SFlag::from_bits_truncate(fstat(polled.get_ref())?.st_mode) & SFlag::S_IFMT;
                Ok(Self {
                    descriptor: Descriptor::Polled(polled),
                    flags: Some(flags),
                    drains: kind == SFlag::S_IFIFO && !flags.contains(OFlag::O_DIRECT),
                })
            }
            Err(error) if error.raw_os_error() == Some(Errno::EPERM as i32) => Ok(Self {
                descriptor: Descriptor::Ready(descriptor()),
                flags: None,
                drains: false,
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
                    if self.drains && count > 0 && count < buffer.len() {
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

    /// Whether it is a pipe, which then holds more than sshd gives it.
    pub fn widen_pipe(&self) -> bool {
        if self.drains {
            // Another user's pipe, or too many of them: it is a pipe all the same.
            let _ = fs::widen(self.get_ref(), fs::WIDE);
        }
        self.drains
    }

    /// How many bytes of it nobody has read yet; 0 where that cannot be told.
    pub fn unread(&self) -> u64 {
        // Of a socket it would be what the client has sent, of a file what stands behind the place.
        if self.drains {
            fs::unread(self.get_ref()).unwrap_or(0)
        } else {
            0
        }
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
