//! Where lines go: the socket of the system's logger, and standard error. Neither ever blocks the session.

use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::Result;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, connect, send, socket,
};

use super::Facility;

/// How bad it is (RFC 3164 §4.1.1).
#[derive(Clone, Copy, Debug)]
pub enum Severity {
    /// 2.
    Critical = 2,
    /// 3.
    Error = 3,
    /// 6.
    Info = 6,
    /// 7.
    Debug = 7,
}

/// A connection to `/dev/log`, opened before anything is locked and re-opened, while that can be done, when the logger restarts.
#[derive(Debug)]
pub struct Syslog {
    facility: Facility,
    socket: Option<Socket>,
    /// Whether the logger let a grace pass without taking a line; it gets no other before it takes one.
    stuck: bool,
    dropped: u64,
    /// How long the logger was waited for, less a tenth of the time since.
    waited: Duration,
    counted: Instant,
}

/// Of datagrams, one a line; or, as syslog-ng can have it, a stream in which a NUL ends each line.
#[derive(Debug)]
struct Socket {
    fd: OwnedFd,
    kind: SockType,
}

impl Syslog {
    /// Connects; where no logger listens, lines are lost as syslog(3) loses them.
    #[must_use]
    pub fn open(facility: Facility) -> Self {
        Self {
            facility,
            socket: Socket::connect().ok(),
            stuck: false,
            dropped: 0,
            waited: Duration::ZERO,
            counted: Instant::now(),
        }
    }

    /// Sends one line: `<PRI>Mmm dd HH:MM:SS sftp-server[PID]: text`. A line that the logger does not take soon is counted instead.
    pub fn send(&mut self, severity: Severity, text: &[u8]) {
        let priority = self.facility.0 | severity as u8;
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let stamp = super::time::local(now as i64).syslog();
        let pid = std::process::id();
        let mut line = format!("<{priority}>{stamp} sftp-server[{pid}]: ").into_bytes();
        line.extend_from_slice(text);

        if !self.try_send(&line) {
            self.dropped += 1;
        }
    }

    /// How many lines were lost since it was last asked, if the logger takes lines again.
    pub fn dropped(&mut self) -> Option<u64> {
        let taken = self.dropped > 0
            && self
                .socket
                .as_ref()
                .is_some_and(|socket| writable(&socket.fd));
        taken.then(|| std::mem::take(&mut self.dropped))
    }

    /// A logger that is only busy gets a grace, so that a burst of lines is not lost; one that is stuck costs it once, and one that is slow no
    /// more than a tenth of the time.
    fn try_send(&mut self, line: &[u8]) -> bool {
        loop {
            match self.send_now(line) {
                Some(sent) => {
                    self.stuck = false;
                    return sent;
                }
                None if self.stuck => return false,
                None => {}
            }
            let begun = Instant::now();
            let passed = begun.saturating_duration_since(self.counted);
            self.waited = self.waited.saturating_sub(passed / 10);
            let rest = GRACE.saturating_sub(self.waited);
            self.stuck = rest.is_zero()
                || !self
                    .socket
                    .as_ref()
                    .is_some_and(|socket| writable_within(&socket.fd, rest));
            self.counted = Instant::now();
            self.waited += begun.elapsed();
        }
    }

    /// Whether the line was sent; none where the logger has no room for it now.
    fn send_now(&mut self, line: &[u8]) -> Option<bool> {
        let sent = |socket: &Socket| socket.send(line);
        match self.socket.as_ref().map(sent) {
            Some(Ok(())) => Some(true),
            Some(Err(Errno::EWOULDBLOCK)) => None,
            // The logger was restarted, or starts only now.
            Some(Err(_)) | None => {
                self.socket = Socket::connect().ok();
                match self.socket.as_ref().map(sent) {
                    Some(Err(Errno::EWOULDBLOCK)) => None,
                    result => Some(matches!(result, Some(Ok(())))),
                }
            }
        }
    }
}

impl Socket {
    fn connect() -> Result<Self> {
        Self::connect_as(SockType::Datagram).or_else(|errno| match errno {
            Errno::EPROTOTYPE => Self::connect_as(SockType::Stream),
            errno => Err(errno),
        })
    }

    fn connect_as(kind: SockType) -> Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(AddressFamily::Unix, kind, flags, None)?;
        connect(fd.as_raw_fd(), &UnixAddr::new("/dev/log")?)?;
        Ok(Self { fd, kind })
    }

    /// Sends the whole line or nothing: it is too short to be sent in part.
    fn send(&self, line: &[u8]) -> Result<()> {
        let mut line = line.to_vec();
        if self.kind == SockType::Stream {
            line.push(0);
        }
        send(self.fd.as_raw_fd(), &line, MsgFlags::MSG_NOSIGNAL).map(drop)
    }
}

/// Writes a line to standard error, unless that would block.
pub fn write_stderr(line: &[u8]) {
    let mut stderr = std::io::stderr();
    if writable(&stderr) {
        let _ = stderr.write_all(line);
    }
}

/// A pipe that is writable takes `PIPE_BUF` bytes, more than a line has.
fn writable(fd: &impl AsFd) -> bool {
    writable_within(fd, Duration::ZERO)
}

fn writable_within(fd: &impl AsFd, limit: Duration) -> bool {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)];
    let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::ZERO);
    poll(&mut fds, limit).is_ok_and(|ready| ready > 0)
}

/// How long a logger may take to make room. A queue of 10 datagrams, the kernel's default, is full in no time.
const GRACE: Duration = Duration::from_millis(500);
