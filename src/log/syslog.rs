//! Where lines go: the datagram socket of the system's logger, and standard error. Neither ever blocks the session.

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

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
    socket: Option<UnixDatagram>,
    /// Whether the logger let a grace pass without taking a line; it gets no other before it takes one.
    stuck: bool,
    dropped: u64,
}

impl Syslog {
    /// Connects; where no logger listens, lines are lost as syslog(3) loses them.
    #[must_use]
    pub fn open(facility: Facility) -> Self {
        Self {
            facility,
            socket: connect(),
            stuck: false,
            dropped: 0,
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
        let taken = self.dropped > 0 && self.socket.as_ref().is_some_and(writable);
        taken.then(|| std::mem::take(&mut self.dropped))
    }

    /// A logger that is only busy gets a grace, so that a burst of lines is not lost; one that is stuck costs it once.
    fn try_send(&mut self, line: &[u8]) -> bool {
        let start = Instant::now();
        loop {
            match self.send_now(line) {
                Some(sent) => {
                    self.stuck = false;
                    return sent;
                }
                None if self.stuck => return false,
                None => {}
            }
            let rest = GRACE.saturating_sub(start.elapsed());
            self.stuck = rest.is_zero()
                || !self
                    .socket
                    .as_ref()
                    .is_some_and(|socket| writable_within(socket, rest));
        }
    }

    /// Whether the line was sent; none where the logger has no room for it now.
    fn send_now(&mut self, line: &[u8]) -> Option<bool> {
        let sent = |socket: &UnixDatagram| socket.send(line).map_err(|error| error.kind());
        match self.socket.as_ref().map(sent) {
            Some(Ok(_)) => Some(true),
            Some(Err(std::io::ErrorKind::WouldBlock)) => None,
            // The logger was restarted, or starts only now.
            Some(Err(_)) | None => {
                self.socket = connect();
                match self.socket.as_ref().map(sent) {
                    Some(Err(std::io::ErrorKind::WouldBlock)) => None,
                    result => Some(matches!(result, Some(Ok(_)))),
                }
            }
        }
    }
}

/// Writes a line to standard error, unless that would block.
pub fn write_stderr(line: &[u8]) {
    let mut stderr = std::io::stderr();
    if writable(&stderr) {
        let _ = stderr.write_all(line);
    }
}

fn connect() -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    socket.connect("/dev/log").ok()?;
    Some(socket)
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
