//! Why the program was started: for SFTP, or for something that is refused in words.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;

use crate::log::escape::escape;

/// What is known of the start.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// What the client asked for: the text after `-c`, or `SSH_ORIGINAL_COMMAND`.
    pub command: Option<OsString>,
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
    /// How to begin, or what to refuse.
    ///
    /// # Errors
    /// [`Refusal`], where nothing that may come on standard input could make this an SFTP session.
    pub fn patience(self) -> Result<Patience, Refusal> {
        let program = self.program.into_vec();
        let login_shell = program.starts_with(b"-");
        match self.command.map(OsString::into_vec) {
            Some(command) if asks_for_sftp(&command, &program) => Ok(Patience::Unlimited),
            Some(command) => Ok(Patience::Short(Refusal(Some(command)))),
            None if self.terminal => Err(Refusal(None)),
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
/// Quotes and backslashes are those of sh(1); whatever the arguments are, they are dropped.
fn asks_for_sftp(command: &[u8], program: &[u8]) -> bool {
    let Some(word) = first_word(command) else {
        return false;
    };
    let own = basename(program.strip_prefix(b"-").unwrap_or(program));
    let name = basename(&word);
    matches!(name, b"sftp-server" | b"internal-sftp") || (!name.is_empty() && name == own)
}

fn basename(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The first word of a command without unquoted metacharacters; none where a shell would see more in it than words.
///
/// An equals sign counts as one in the first word: before the command it would be an assignment.
fn first_word(command: &[u8]) -> Option<Vec<u8>> {
    let mut words = 0;
    let mut word = Vec::new();
    let mut in_word = false;
    let mut first = Vec::new();
    let mut bytes = command.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' | b'\t' => {
                if in_word {
                    words += 1;
                    if words == 1 {
                        first = std::mem::take(&mut word);
                    }
                    in_word = false;
                }
                word.clear();
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
            b'=' if words == 0 => return None,
            byte => {
                in_word = true;
                word.push(byte);
            }
        }
    }
    if words == 0 && in_word {
        first = word;
    }
    (!first.is_empty()).then_some(first)
}

/// Said after 3 s of silence, where nobody can tell a slow client from a person.
pub const WAITING: &str = "This account is restricted to SFTP; waiting for an SFTP client.";

const MAX_QUOTED: usize = 200;

#[cfg(test)]
mod tests {
    use super::{Refusal, asks_for_sftp};

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
