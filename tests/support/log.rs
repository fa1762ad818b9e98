//! A syslogd of the test's own: a datagram socket that a server finds at `/dev/log`, in a mount namespace of its own.
//!
//! Needs root, as `unshare -m` does: an ordinary user is root of a user namespace for that long. In there `/dev` holds the
//! usual nodes and a link `log` to the socket, as systemd makes it, so that the socket can be taken away and put back
//! like that of a logger that is restarted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::unistd::{getegid, geteuid};

use super::wire::PATIENCE;
use super::{Launch, Tree};

/// A logger; dropped, its socket is gone.
pub(crate) struct Syslog {
    place: Tree,
    lines: Arc<Mutex<Vec<Vec<u8>>>>,
    reader: Option<JoinHandle<()>>,
    /// Kept open and unread by a logger that is stuck.
    _stuck: Option<UnixDatagram>,
}

impl Syslog {
    /// A logger that reads all it gets.
    pub(crate) fn new() -> Self {
        let mut syslog = Self::absent();
        syslog.listen();
        syslog
    }

    /// No logger: `/dev/log` leads nowhere.
    pub(crate) fn absent() -> Self {
        Self {
            place: Tree::new(),
            lines: Arc::default(),
            reader: None,
            _stuck: None,
        }
    }

    /// A logger that never reads: the kernel queues a few datagrams and then takes no more.
    pub(crate) fn stuck() -> Self {
        let mut syslog = Self::absent();
        syslog._stuck = Some(syslog.bind());
        syslog
    }

    /// Begins to read, at a socket that was absent or stuck until now.
    pub(crate) fn listen(&mut self) {
        let socket = match self._stuck.take() {
            Some(socket) => socket,
            None => self.bind(),
        };
        let lines = Arc::clone(&self.lines);
        self.reader = Some(std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(length) = socket.recv(&mut buffer) {
                if buffer[..length] == *LEAVE {
                    // Else it lives on in a child that another test is forking right now.
                    let _ = socket.shutdown(std::net::Shutdown::Both);
                    return;
                }
                lines.lock().unwrap().push(buffer[..length].to_vec());
            }
        }));
    }

    /// Stops reading and takes the socket away, as a logger does that is stopped.
    pub(crate) fn stop(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _ = UnixDatagram::unbound()
                .unwrap()
                .send_to(LEAVE, self.socket());
            let _ = reader.join();
        }
        let _ = fs::remove_file(self.socket());
    }

    /// A server about to be started that has this logger's socket at `/dev/log`; its flags are added as to any [`Launch`].
    pub(crate) fn launch(&self, program: impl AsRef<Path>, dir: impl AsRef<Path>) -> Launch {
        fs::create_dir_all(self.place.at("dev")).unwrap();
        Launch::program("unshare", dir)
            .args([if geteuid().is_root() { "-m" } else { "-Urm" }])
            .args(["sh", "-ec", SCRIPT])
            .args([self.place.root()])
            .args(as_oneself())
            .args([program.as_ref()])
    }

    /// The datagrams so far, in order, once those that were sent before this call have been read.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Vec<u8>> {
        let marker = format!("mark {:?}", Instant::now()).into_bytes();
        let socket = UnixDatagram::unbound().unwrap();
        socket.send_to(&marker, self.socket()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut lines = self.lines.lock().unwrap();
            if let Some(end) = lines.iter().position(|line| *line == marker) {
                lines.remove(end);
                let mut lines = lines[..end].to_vec();
                lines.retain(|line| !is_about_locks(line));
                return lines;
            }
            drop(lines);
            assert!(Instant::now() < deadline, "the test's own logger is stuck");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn bind(&self) -> UnixDatagram {
        let socket = UnixDatagram::bind(self.socket()).unwrap();
        fs::set_permissions(self.socket(), fs::Permissions::from_mode(0o666)).unwrap();
        socket
    }

    /// Where the link at `/dev/log` leads: for a socket of another kind.
    pub(crate) fn socket(&self) -> std::path::PathBuf {
        self.place.at("log")
    }
}

/// Back from the root of a user namespace to who one is.
fn as_oneself() -> Vec<String> {
    let words = [
        "unshare".to_owned(),
        format!("--map-user={}", geteuid()),
        format!("--map-group={}", getegid()),
    ];
    words.into_iter().filter(|_| !geteuid().is_root()).collect()
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether a datagram tells which locks hold: ours alone, and jail/locks.rs reads it from standard error.
pub(crate) fn is_about_locks(datagram: &[u8]) -> bool {
    split(datagram, b"]: ").is_some_and(|(_, text)| text.starts_with(b"sandbox: "))
}

/// One line of syslog, taken apart: `<PRI>Mmm dd HH:MM:SS TAG[PID]: TEXT`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) priority: u8,
    /// 15 bytes: local time as `%h %e %T`
    pub(crate) time: String,
    pub(crate) tag: String,
    pub(crate) pid: u32,
    pub(crate) text: Vec<u8>,
}

impl Line {
    /// Fails the test where a datagram has not exactly that form.
    #[track_caller]
    pub(crate) fn parse(datagram: &[u8]) -> Self {
        let take = || {
            let rest = datagram.strip_prefix(b"<")?;
            let (priority, rest) = split(rest, b">")?;
            let (time, rest) = rest.split_at_checked(15)?;
            let (tag, rest) = split(rest.strip_prefix(b" ")?, b"[")?;
            let (pid, text) = split(rest, b"]: ")?;
            Some(Self {
                priority: String::from_utf8(priority.to_vec()).ok()?.parse().ok()?,
                time: String::from_utf8(time.to_vec()).ok()?,
                tag: String::from_utf8(tag.to_vec()).ok()?,
                pid: String::from_utf8(pid.to_vec()).ok()?.parse().ok()?,
                text: text.to_vec(),
            })
        };
        take().unwrap_or_else(|| panic!("no line of syslog: {}", datagram.escape_ascii()))
    }

    /// Priority and text: what is the same in two sessions.
    pub(crate) fn masked(&self) -> String {
        format!(
            "<{}> {}",
            self.priority,
            String::from_utf8_lossy(&self.text)
        )
    }
}

fn split<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes
        .windows(separator.len())
        .position(|window| window == separator)?;
    Some((&bytes[..at], &bytes[at + separator.len()..]))
}

const LEAVE: &[u8] = b"leave";

/// $0 is the logger's directory, the arguments are the server and its flags.
const SCRIPT: &str = r#"
mount -t tmpfs tmpfs "$0/dev"
for node in null zero full random urandom tty; do
    : > "$0/dev/$node"
    mount --bind "/dev/$node" "$0/dev/$node"
done
ln -s "$0/log" "$0/dev/log"
mount --rbind "$0/dev" /dev
exec "$@""#;
