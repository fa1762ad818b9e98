//! Why the program was started: for SFTP, or for something that is refused in words.

mod heard;

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::log::escape::escape;
use heard::{substitutes, unheard, unheard_in_shell};

pub use heard::Unheard;

/// What is known of the start.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// The text after `-c`, as a login shell gets it: the client's word, or that of a forced command, which look the same.
    pub shell: Option<OsString>,
    /// `SSH_ORIGINAL_COMMAND`: what the client asked for, where sshd runs a forced command instead.
    pub original: Option<OsString>,
    /// argv\[0\]: it begins with `-` where login(1) or sshd start a login shell.
    pub program: OsString,
    /// Whether standard input is a terminal.
    pub terminal: bool,
    /// Whether sshd started us (`SSH_CONNECTION`).
    pub by_sshd: bool,
}

/// How long the first packet may take, and what is said if none comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patience {
    /// An SFTP session: no limit.
    Unlimited,
    /// A Subsystem line, or `ssh host` on a forced key: after 3 s a line says what is waited for, after 120 s it ends.
    Announced,
    /// Something else was asked for: served if an INIT comes within 3 s, otherwise refused.
    Short(Refusal),
}

impl Launch {
    /// Whether all that the text after `-c` says is kept to, if it calls an SFTP server: what concerns the log alone is dropped.
    ///
    /// sshd gives a login shell a forced command, a `command=` of one key for example, and a Subsystem line as it gives it the client's own
    /// words. Who wrote `--root` there wants to lock somebody in, and is not to find the whole host served; a client's word that locks
    /// the client in is no loss. `SSH_ORIGINAL_COMMAND` does not tell them apart: a client that asks for a shell has a forced command run
    /// without it.
    ///
    /// # Errors
    /// [`Unheard`].
    pub fn heard(&self) -> Result<(), Unheard> {
        let Some(command) = &self.shell else {
            return Ok(());
        };
        let (command, program) = (command.as_bytes(), self.program.as_bytes());
        let word = if asks_for_sftp(command, program) {
            words(command).and_then(|words| unheard(words.get(1..)?))
        } else {
            unheard_in_shell(command, program)
        };
        word.map_or(Ok(()), |word| Err(Unheard(word)))
    }

    /// How to begin, or what to refuse.
    ///
    /// # Errors
    /// [`Refusal`], where nothing that may come on standard input could make this an SFTP session: a terminal, which would change bytes
    /// of packets; a command that calls nothing but tools known not to be SFTP servers; one that has another program say what a server is
    /// called with, which could be options; and, as a login shell, a forced command that is another program.
    pub fn patience(self) -> Result<Patience, Refusal> {
        let program = self.program.into_vec();
        let login_shell = program.starts_with(b"-");
        let forced = self.shell.is_some() && self.original.is_some();
        match self.shell.or(self.original).map(OsString::into_vec) {
            command if self.terminal => Err(Refusal(command)),
            Some(command) if asks_for_sftp(&command, &program) => Ok(Patience::Unlimited),
            Some(command)
                if forced || is_no_server(&command) || substitutes(&command, &program) =>
            {
                Err(Refusal(Some(command)))
            }
            Some(command) => Ok(Patience::Short(Refusal(Some(command)))),
            None if login_shell => Ok(Patience::Short(Refusal(None))),
            None if self.by_sshd => Ok(Patience::Announced),
            None => Ok(Patience::Unlimited),
        }
    }
}

/// What was asked for in place of SFTP: a command, or a login without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub Option<Vec<u8>>);

/// The line that tells a client what it may do. The command is escaped as in the log and cut at 200 bytes.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("This account is restricted to SFTP; ")?;
        match &self.0 {
            Some(command) => {
                let command = escape(command, MAX_QUOTED);
                write!(f, "'{}'", String::from_utf8_lossy(&command))?;
            }
            None => f.write_str("a login without a command")?,
        }
        f.write_str(" was refused.")
    }
}

/// Whether the first word's basename is that of an SFTP server or our own, and no shell would do more than run it.
///
/// Quotes and backslashes are those of sh(1).
fn asks_for_sftp(command: &[u8], program: &[u8]) -> bool {
    let words = words(command).unwrap_or_default();
    words
        .first()
        .is_some_and(|word| names_server(word, program))
}

/// Whether a word is the path of an SFTP server, or of this program.
fn names_server(word: &[u8], program: &[u8]) -> bool {
    let own = basename(program.strip_prefix(b"-").unwrap_or(program));
    let name = basename(word);
    matches!(name, b"sftp-server" | b"internal-sftp") || (!name.is_empty() && name == own)
}

/// Whether a command calls nothing but [`TOOLS`], so that no client waits for an SFTP server behind it.
///
/// Where a shell would do more than call one program, the command is read roughly, and each of its calls has to be one of a tool:
/// `cd /srv && ./wrapper` can be an SFTP server.
fn is_no_server(command: &[u8]) -> bool {
    if let Some(words) = words(command) {
        return words.first().is_some_and(|word| is_tool(word));
    }
    let calls = command.split(|byte| b";|&()`\n\r".contains(byte));
    let calls = calls.map(|call| call.split(|byte| b" \t'\"\\<>".contains(byte)));
    let mut calls = calls.filter_map(|mut words| words.find(|word| !word.is_empty()));
    calls.clone().next().is_some() && calls.all(is_tool)
}

fn is_tool(word: &[u8]) -> bool {
    TOOLS.iter().any(|tool| tool.as_bytes() == basename(word))
}

fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The words of a command without unquoted metacharacters; none where a shell would see more in it than words.
///
/// An equals sign counts as one in the first word: before the command it would be an assignment.
fn words(command: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut in_word = false;
    let mut bytes = command.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' => {
                if in_word {
                    words.push(std::mem::take(&mut word));
                    in_word = false;
                }
            }
            b'\'' => {
                in_word = true;
                loop {
                    match bytes.next()? {
                        b'\'' => break,
                        byte => word.push(byte),
                    }
                }
            }
            b'"' => {
                in_word = true;
                loop {
                    match bytes.next()? {
                        b'"' => break,
                        // A shell would expand these within double quotes too.
                        b'$' | b'`' => return None,
                        b'\\' => match bytes.next()? {
                            byte @ (b'"' | b'\\' | b'$' | b'`') => word.push(byte),
                            byte => word.extend([b'\\', byte]),
                        },
                        byte => word.push(byte),
                    }
                }
            }
            b'\\' => {
                in_word = true;
                word.push(bytes.next()?);
            }
            b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')' | b'$' | b'`' | b'\n' | b'\r' => {
                return None;
            }
            b'=' if words.is_empty() => return None,
            byte => {
                in_word = true;
                word.push(byte);
            }
        }
    }
    if in_word {
        words.push(word);
    }
    Some(words)
}

/// Said after 3 s of silence, where nobody can tell a slow client from a person.
pub const WAITING: &str = "This account is restricted to SFTP; waiting for an SFTP client.";

const MAX_QUOTED: usize = 200;

/// What clients call beside SFTP to learn about a host, to copy, or to have digests made there, and what people type first. None of them
/// starts another program that could be an SFTP server, so that test(1), env(1), sudo(8), shells and their like do not belong here.
#[rustfmt::skip] // A name a line is longer than what uses them.
const TOOLS: &[&str] = &[
    // Content.
    "scp", "rsync", "cat", "cp", "dd", "head", "tail", "tar", "gzip", "gunzip", "zcat", "split", "tee",
    "git-receive-pack", "git-upload-archive", "git-upload-pack", "borg", "svnserve", "unison",
    // Digests.
    "md5", "md5sum", "sha1", "sha1sum", "sha224sum", "sha256", "sha256sum", "sha384sum", "sha512", "sha512sum", "shasum",
    "b2sum", "b3sum", "blake3", "cksum", "crc32", "sum", "xxh128sum", "xxh32sum", "xxh64sum", "xxhsum", "rhash", "QuickXorHash",
    // Names and attributes.
    "ls", "dir", "stat", "file", "readlink", "realpath", "chgrp", "chmod", "chown", "ln", "mkdir", "mv", "rm", "rmdir", "touch",
    // The host and the account.
    "uname", "hostname", "whoami", "id", "groups", "date", "df", "du", "free", "echo", "printf", "pwd", "cd", "true", "false", "type", "which",
    "ver", "mosh-server", "locale",
];

#[cfg(test)]
mod tests {
    use super::{Refusal, asks_for_sftp, is_no_server};

    #[test]
    fn a_server_by_any_path_and_with_any_arguments_is_sftp() {
        for command in [
            "sftp-server",
            "internal-sftp",
            "our-sftp",
            "/usr/lib/openssh/sftp-server -R -d /x",
            "  'sftp-server' \"-l\" INFO",
            "/usr/lib/open\\ssh/sftp-server",
            "internal-sftp -f LOCAL7 -l 'a;b'",
            "sftp-server --umask=022",
        ] {
            assert!(
                asks_for_sftp(command.as_bytes(), b"-/opt/bin/our-sftp"),
                "{command}"
            );
        }
    }

    #[test]
    fn whatever_a_shell_would_do_more_with_is_not() {
        for command in [
            "",
            " ",
            "uptime",
            "sftp-server; uptime",
            "sftp-server && uptime",
            "sftp-server $(uptime)",
            "sftp-server \"`uptime`\"",
            "sftp-server > /tmp/x",
            "sftp-server 'open",
            "sftp-server\nuptime",
            "x/sftp-server/y",
            "echo sftp-server",
            "PATH=/usr/lib/openssh/sftp-server uptime",
        ] {
            assert!(
                !asks_for_sftp(command.as_bytes(), b"-/opt/bin/our-sftp"),
                "{command}"
            );
        }
    }

    #[test]
    fn what_calls_nothing_but_tools_is_no_server_and_whatever_could_be_a_wrapper_is_one() {
        for command in [
            "uname",
            "uname -s",
            "/usr/bin/scp -t .",
            "'md5sum' a\\ b",
            "md5sum 'sftp-server;x'",
            "echo ${ShellId}%ComSpec%",
            "cd /srv && ls | head -n 1",
            "echo $(uname -m)",
        ] {
            assert!(is_no_server(command.as_bytes()), "{command}");
        }
        for command in [
            "",
            " ;",
            "uptime",
            "scp-sftp",
            "sudo -n /usr/lib/openssh/sftp-server",
            "exec sftp-server",
            "env ls",
            "LANG=C ls",
            "/opt/wrapper-sftp",
            "$SHELL",
            "cd /srv && ./wrapper",
            "echo ready; exec sftp-server",
            "echo $(/opt/wrapper)",
            "test -x /opt/sftp-server && exec /opt/sftp-server\nexec sftp-server",
        ] {
            assert!(!is_no_server(command.as_bytes()), "{command}");
        }
    }

    #[test]
    fn a_refused_command_is_escaped_and_cut() {
        let refusal = |command: &[u8]| Refusal(Some(command.to_vec())).to_string();
        assert_eq!(
            refusal(b"uptime"),
            "This account is restricted to SFTP; 'uptime' was refused."
        );
        assert!(refusal(b"a\x1b[2J\nb").contains(r"'a\033[2J\nb'"));
        assert!(refusal(&[b'x'; 1000]).len() < 260);
    }
}
