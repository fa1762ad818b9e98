//! What a session logs, ready to be compared: the same steps to a server, its lines from stderr or from a fake /dev/log.

use std::path::Path;
use std::process::ExitStatus;

use crate::support::log::{Line, Syslog};
use crate::support::openssh::Release;
use crate::support::{Launch, Server, Tree};

/// From the least to the most.
pub(crate) const LEVELS: [&str; 8] = [
    "QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG1", "DEBUG2", "DEBUG3",
];

/// Whom the sessions here come from.
pub(crate) const ADDRESS: &str = "192.0.2.7";
pub(crate) const SSH_CONNECTION: &str = "192.0.2.7 4711 192.0.2.1 22";

/// Where the log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    /// By `-e`
    Stderr,
    Syslog,
}

/// A session that has ended.
pub(crate) struct Recorded {
    /// From stderr: the lines without their CR LF; from syslog: `<PRI> text`. The tree's path reads `TREE`.
    pub(crate) lines: Vec<String>,
    pub(crate) status: ExitStatus,
    /// What stands in the tree at the end
    pub(crate) names: Vec<Vec<u8>>,
}

impl Recorded {
    /// Without what the two servers have each to itself, theirs being of this release; and without what later releases write otherwise,
    /// by which ours goes.
    pub(crate) fn comparable(&self, release: Release) -> Vec<String> {
        let common = |line: &&String| !is_added(line) && !is_about_memory(line);
        let lines = self.lines.iter().filter(common);
        let mut lines: Vec<String> = lines.map(|line| without_numbers(line)).collect();
        if release < (9, 4) {
            for line in &mut lines {
                *line = line.replace(": sent handle handle ", ": sent handle ");
            }
        }
        if release < (10, 3) {
            lines.retain(|line| !text(line).starts_with("users-groups-by-id: "));
        }
        if release < (10, 4) {
            lines.retain(|line| !line.contains("process_extended_copy_data: refusing "));
        }
        lines
    }

    /// The lines that ours has beside OpenSSH's.
    pub(crate) fn added(&self) -> Vec<String> {
        self.lines
            .iter()
            .filter(|line| is_added(line))
            .cloned()
            .collect()
    }
}

/// The outcome of a transfer, ours alone.
fn is_added(line: &str) -> bool {
    text(line).starts_with("transfer \"")
}

/// Ours alone, and not of the session: jail/locks.rs reads it.
fn is_about_locks(line: &str) -> bool {
    text(line).starts_with("sandbox: ")
}

/// "debug3: process_read: allocate 0 => 10": OpenSSH's read buffer grows.
fn is_about_memory(line: &str) -> bool {
    text(line).starts_with("debug3: process_read: allocate ")
}

/// The line of a copy from a file to itself, with letters for its device and inode numbers.
fn without_numbers(line: &str) -> String {
    if !line.contains("refusing to read/write same file") {
        return line.to_owned();
    }
    let words = line.split(' ').map(|word| {
        let number = word.trim_end_matches(',');
        match number.parse::<u64>() {
            Ok(_) => word.replace(number, "N"),
            Err(_) => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Without the priority that stands before it in syslog.
fn text(line: &str) -> &str {
    line.strip_prefix('<')
        .and_then(|line| line.split_once("> "))
        .map_or(line, |(_, text)| text)
}

/// A session in a fresh tree: INIT, the steps, the end of input.
#[track_caller]
pub(crate) fn session(
    program: impl AsRef<Path>,
    flags: &[&str],
    sink: Sink,
    play: fn(&mut Server),
) -> Recorded {
    record(
        program.as_ref(),
        flags,
        sink,
        Some(SSH_CONNECTION),
        |server| {
            server.init(3);
            play(server);
        },
    )
}

/// The same without INIT, and with this `SSH_CONNECTION` or none.
#[track_caller]
pub(crate) fn record(
    program: &Path,
    flags: &[&str],
    sink: Sink,
    connection: Option<&str>,
    play: impl FnOnce(&mut Server),
) -> Recorded {
    let tree = Tree::new();
    let syslog = (sink == Sink::Syslog).then(Syslog::new);
    let launch = match &syslog {
        Some(syslog) => syslog.launch(program, &tree),
        None => Launch::program(program, &tree).args(["-e"]),
    };
    let launch = launch.args(flags).env("HOME", "/root");
    let mut server = match connection {
        Some(connection) => launch.env("SSH_CONNECTION", connection),
        None => launch,
    }
    .start();
    play(&mut server);
    let finished = server.finish();
    let root = tree.root().to_str().unwrap();
    let lines: Vec<String> = match syslog {
        Some(syslog) => {
            assert_eq!(finished.stderr_text(), "", "nothing on stderr");
            let datagrams = syslog.lines();
            datagrams
                .iter()
                .map(|line| Line::parse(line).masked())
                .collect()
        }
        None => stderr_lines(&finished.stderr),
    };
    Recorded {
        lines: lines
            .iter()
            .filter(|line| !is_about_locks(line))
            .map(|line| line.replace(root, "TREE"))
            .collect(),
        status: finished.status,
        names: tree.names(""),
    }
}

/// Each line ends in CR LF, the last one too.
#[track_caller]
pub(crate) fn stderr_lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    if text.is_empty() {
        return Vec::new();
    }
    let text = text.strip_suffix("\r\n").expect("a whole line at the end");
    text.split("\r\n").map(str::to_owned).collect()
}
