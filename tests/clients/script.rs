//! Clients that are libraries: a script of ours calls them as it is told on its command line, and prints what it saw.
//!
//! `with_X OP ARG… ; OP ARG… ; …` over one connection. What an operation answers comes back as lines that end in NUL, for names may hold anything else.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ground::*;

/// Operations, to be done one after another.
#[derive(Default)]
pub(crate) struct Script(Vec<OsString>);

impl Script {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Arguments that are paths of the server's side are given as the client sees them.
    pub(crate) fn then(mut self, operation: &str, arguments: &[&Path]) -> Self {
        if !self.0.is_empty() {
            self.0.push(";".into());
        }
        self.0.push(operation.into());
        self.0.extend(
            arguments
                .iter()
                .map(|argument| seen(argument).into_os_string()),
        );
        self
    }

    /// Plays it to its good end.
    #[track_caller]
    pub(crate) fn play(self, ground: &Ground, client: Client) -> Vec<OsString> {
        let output = succeed(client.command(ground).args(self.0));
        let mut lines: Vec<OsString> = output
            .stdout
            .split(|&byte| byte == 0)
            .map(|line| OsString::from_vec(line.to_vec()))
            .collect();
        // Each line ends in NUL: nothing follows the last.
        assert_eq!(lines.pop(), Some(OsString::new()));
        lines
    }

    /// The client about to play it. An operation with a `-` before it may fail.
    pub(crate) fn command(self, ground: &Ground, client: Client) -> Command {
        let mut command = client.command(ground);
        command.args(self.0);
        command
    }

    /// Plays it; its last operation has to fail. What was said.
    #[track_caller]
    pub(crate) fn refused(self, ground: &Ground, client: Client) -> String {
        fail(client.command(ground).args(self.0))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Client {
    Paramiko,
    Asyncssh,
    Ssh2,
    Erlang,
    Perl,
    Phpseclib,
    Jsch,
}

impl Client {
    fn command(self, ground: &Ground) -> Command {
        let (interpreter, script) = match self {
            Self::Paramiko => (cached("venv/bin/python", "paramiko"), "with_paramiko.py"),
            Self::Asyncssh => (cached("venv/bin/python", "asyncssh"), "with_asyncssh.py"),
            Self::Ssh2 => (PathBuf::from("node"), "with_ssh2.mjs"),
            Self::Erlang => (PathBuf::from("escript"), "with_erlang.escript"),
            Self::Perl => (PathBuf::from("perl"), "with_perl.pl"),
            Self::Phpseclib => (PathBuf::from("php"), "with_phpseclib.php"),
            Self::Jsch => (PathBuf::from("java"), "WithJsch"),
        };
        let mut command = Command::new(interpreter);
        if matches!(self, Self::Jsch) {
            let classes = cached("java", "what drives JSch");
            let path = format!("/usr/share/java/jsch.jar:{}", classes.display());
            // It is gone before it would be fast.
            command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"]);
            command.args([&path, script]);
        } else {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
            command.arg(folder.join(script));
        }
        let sshd = &ground.sshd;
        match self {
            Self::Ssh2 => {
                command.env("NODE_MODULES", cached("node/node_modules", "ssh2 for Node"));
            }
            Self::Erlang => {
                lay_out_ssh(ground);
                // The names that it is given and tells are characters.
                command.env("ERL_FLAGS", "+fnu");
            }
            _ => {}
        }
        command
            .env("SFTP_PORT", sshd.port.to_string())
            .env("SFTP_USER", &sshd.account().name)
            .env("SFTP_KEY", sshd.user_key())
            .env("SFTP_KNOWN_HOSTS", sshd.known_hosts())
            .env("SFTP_CONFIG", sshd.client_config())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("HOME", &ground.local);
        command
    }
}

/// What clients look for in `~/.ssh`, the home being [`Ground::local`].
pub(crate) fn lay_out_ssh(ground: &Ground) {
    let (sshd, dir) = (&ground.sshd, ground.local.join(".ssh"));
    fs::create_dir_all(&dir).unwrap();
    for (from, name) in [
        (sshd.user_key(), "id_ed25519"),
        (sshd.known_hosts(), "known_hosts"),
        (sshd.client_config(), "config"),
    ] {
        fs::copy(from, dir.join(name)).unwrap();
    }
}

/// Names in the order of their bytes, to compare a listing with what there is.
pub(crate) fn sorted(names: impl IntoIterator<Item = impl Into<OsString>>) -> Vec<OsString> {
    let mut names: Vec<OsString> = names.into_iter().map(Into::into).collect();
    names.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    names
}
