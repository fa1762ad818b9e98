//! A pipelining SFTP client that costs little itself: requests gathered into one write, data read into one buffer and not copied.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::resource::{Usage, UsageWho, getrusage};

/// What the server's stdin and stdout are: sshd gives two pipes, `sftp -D` one socket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    Pipes,
    Socketpair,
}

pub(crate) struct Client {
    child: Child,
    to: Option<File>,
    from: File,
    out: Vec<u8>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    sent: u32,
}

/// The head of a response; `length` bytes of it are still unread.
pub(crate) struct Reply {
    pub(crate) kind: u8,
    pub(crate) id: u32,
    pub(crate) length: usize,
}

impl Client {
    /// Starts `server`, a program and its arguments, in `folder` and exchanges INIT and VERSION with it.
    pub(crate) fn start(
        server: &[String],
        folder: &Path,
        transport: Transport,
    ) -> io::Result<Client> {
        let (program, arguments) = server.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(folder)
            .env_remove("SSH_ORIGINAL_COMMAND")
            .env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22");
        let (child, to, from) = match transport {
            Transport::Pipes => {
                let mut child = command
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let to = OwnedFd::from(child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?);
                let from = OwnedFd::from(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
                (child, to, from)
            }
            Transport::Socketpair => {
                let (ours, theirs) = UnixStream::pair()?;
                let input = Stdio::from(OwnedFd::from(theirs.try_clone()?));
                let child = command.stdin(input).stdout(OwnedFd::from(theirs)).spawn()?;
                // The server's ends are closed here with the command that held them.
                drop(command);
                (child, OwnedFd::from(ours.try_clone()?), OwnedFd::from(ours))
            }
        };
        let mut client = Client {
            child,
            to: Some(File::from(to)),
            from: File::from(from),
            out: Vec::new(),
            buffer: vec![0; 1 << 20],
            start: 0,
            end: 0,
            sent: 0,
        };
        client.out.extend([0, 0, 0, 5, INIT, 0, 0, 0, 3]);
        client.flush()?;
        let mut version = [0; 9];
        client.take(&mut version)?;
        assert_eq!(version[4..], [VERSION, 0, 0, 0, 3], "not a VERSION 3");
        client.skip(length(&version) - 5, |_| {})?;
        Ok(client)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Queues a request: its type, and its fields after the id. Answers the id.
    pub(crate) fn request(&mut self, kind: u8, fields: &[Field]) -> u32 {
        self.sent += 1;
        let at = self.out.len();
        self.out.extend([0, 0, 0, 0, kind]);
        self.out.extend(self.sent.to_be_bytes());
        for field in fields {
            match field {
                Field::U32(number) => self.out.extend(number.to_be_bytes()),
                Field::U64(number) => self.out.extend(number.to_be_bytes()),
                Field::Bytes(bytes) => {
                    self.out.extend((bytes.len() as u32).to_be_bytes());
                    self.out.extend(*bytes);
                }
            }
        }
        let length = (self.out.len() - at - 4) as u32;
        self.out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        self.sent
    }

    /// Sends a WRITE whose data is not copied, after what is queued.
    pub(crate) fn write(&mut self, handle: &[u8], offset: u64, data: &[u8]) -> io::Result<u32> {
        let at = self.out.len();
        let fields = [Field::Bytes(handle), Field::U64(offset), Field::Bytes(&[])];
        let id = self.request(WRITE, &fields);
        let end = self.out.len();
        self.out[end - 4..].copy_from_slice(&(data.len() as u32).to_be_bytes());
        let length = (end - at - 4 + data.len()) as u32;
        self.out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        let mut slices = [IoSlice::new(&self.out), IoSlice::new(data)];
        let mut rest = &mut slices[..];
        let mut to = self.to.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        while !rest.is_empty() {
            let written = to.write_vectored(rest)?;
            IoSlice::advance_slices(&mut rest, written);
        }
        self.out.clear();
        Ok(id)
    }

    /// Writes what is queued.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to
            .as_ref()
            .ok_or(io::ErrorKind::BrokenPipe)?
            .write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// Whether bytes of a further response are already here.
    pub(crate) fn has_more(&self) -> bool {
        self.start < self.end
    }

    /// Waits for the head of the next response.
    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let mut head = [0; 9];
        self.take(&mut head)?;
        Ok(Reply {
            kind: head[4],
            id: u32_at(&head, 5),
            length: length(&head) - 5,
        })
    }

    /// The rest of a response, for those that are small or being verified.
    pub(crate) fn body(&mut self, reply: &Reply) -> io::Result<Vec<u8>> {
        let mut body = Vec::with_capacity(reply.length);
        self.skip(reply.length, |part| body.extend(part))?;
        Ok(body)
    }

    /// Passes over `length` bytes, showing each part to `see` where it lies.
    pub(crate) fn skip(&mut self, mut length: usize, mut see: impl FnMut(&[u8])) -> io::Result<()> {
        while length > 0 {
            self.fill()?;
            let part = length.min(self.end - self.start);
            see(&self.buffer[self.start..self.start + part]);
            self.start += part;
            length -= part;
        }
        Ok(())
    }

    fn take(&mut self, into: &mut [u8]) -> io::Result<()> {
        let mut at = 0;
        self.skip(into.len(), |part| {
            into[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.from.read(&mut self.buffer)?;
            if self.end == 0 {
                return Err(io::Error::other("the server ended before it had answered"));
            }
        }
        Ok(())
    }

    /// Sends what is queued, and waits for the one response to it, which must be of type `kind`.
    pub(crate) fn call(&mut self, kind: u8) -> io::Result<Vec<u8>> {
        self.flush()?;
        let reply = self.reply()?;
        let body = self.body(&reply)?;
        assert_eq!(
            reply.kind,
            kind,
            "unexpected response {:?}",
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }

    /// OPENs or OPENDIRs; answers the handle.
    pub(crate) fn open(&mut self, kind: u8, fields: &[Field]) -> io::Result<Vec<u8>> {
        self.request(kind, fields);
        Ok(self.call(HANDLE)?.split_off(4))
    }

    pub(crate) fn close(&mut self, handle: &[u8]) -> io::Result<()> {
        self.request(CLOSE, &[Field::Bytes(handle)]);
        assert_eq!(u32_at(&self.call(STATUS)?, 0), 0, "CLOSE failed");
        Ok(())
    }

    /// Ends the session; answers the CPU seconds of the server, from its start on.
    pub(crate) fn finish(mut self) -> io::Result<f64> {
        // Both descriptors are closed, as a socket's other end only then sees the end of input.
        self.to = None;
        drop(self.from);
        // A child counts when it has been waited for.
        let before = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let status = self.child.wait()?;
        assert!(status.success(), "the server ended with {status}");
        let after = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        Ok(seconds(&after) - seconds(&before))
    }
}

pub(crate) enum Field<'a> {
    U32(u32),
    U64(u64),
    Bytes(&'a [u8]),
}

fn seconds(usage: &Usage) -> f64 {
    let (user, system) = (usage.user_time(), usage.system_time());
    (user.tv_sec() + system.tv_sec()) as f64 + (user.tv_usec() + system.tv_usec()) as f64 / 1e6
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4]
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn length(head: &[u8]) -> usize {
    u32_at(head, 0) as usize
}

pub(crate) const INIT: u8 = 1;
pub(crate) const VERSION: u8 = 2;
pub(crate) const OPEN: u8 = 3;
pub(crate) const CLOSE: u8 = 4;
pub(crate) const READ: u8 = 5;
pub(crate) const WRITE: u8 = 6;
pub(crate) const OPENDIR: u8 = 11;
pub(crate) const READDIR: u8 = 12;
pub(crate) const REALPATH: u8 = 16;
pub(crate) const STAT: u8 = 17;
pub(crate) const STATUS: u8 = 101;
pub(crate) const HANDLE: u8 = 102;
pub(crate) const DATA: u8 = 103;
pub(crate) const NAME: u8 = 104;
pub(crate) const ATTRS: u8 = 105;
