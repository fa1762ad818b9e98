//! What stands behind `-c` and would change what is served: nothing of it is kept to, and so it is refused.

use super::{MAX_QUOTED, basename, names_server};
use crate::log::escape::escape;

/// A word behind `-c` that is not kept to, and would change what is served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot apply \"{}\" from a command that the login shell is given (-c), where it could be the client's word; set it in \
     /etc/ssh/sftp_server.toml, or give the account another login shell",
    String::from_utf8_lossy(&escape(.0, MAX_QUOTED))
)]
pub struct Unheard(pub(super) Vec<u8>);

/// The first of these words of a command line that does not concern the log alone: an option without its value, or an operand.
pub(super) fn unheard(words: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = match logs(word) {
            Logs::Value(value) => Some(value),
            Logs::NextWord => words.next().map(Vec::as_slice),
            Logs::Nothing => None,
            Logs::Not(option) => return Some(option),
        };
        // An option that somebody forgot the value of the one before it for.
        if let Some(option) = value.filter(|value| value.starts_with(b"-")) {
            return Some(option.to_vec());
        }
    }
    None
}

/// The same for a command that a shell would do more with than call the server, such as `exec sftp-server -R` or `env A=b sftp-server -R 2>&1`.
///
/// The command is read roughly: as it is, with the quotes in a word left out (`sh -c` has a command within them), and with braces as blanks.
/// If it names a server anywhere, no option may stand behind that name, nor behind a variable, which could be the server; and no variable may
/// stand behind the name, which could be an option.
pub(super) fn unheard_in_shell(command: &[u8], program: &[u8]) -> Option<Vec<u8>> {
    let plain = without_redirections(command);
    let bare: Vec<u8> = plain
        .iter()
        .copied()
        .filter(|byte| !b"'\"\\".contains(byte))
        .collect();
    let apart = |byte: &u8| if b"{,}".contains(byte) { b' ' } else { *byte };
    let braced: Vec<u8> = bare.iter().map(apart).collect();
    let mut readings = [plain, bare, braced].into_iter();
    readings.find_map(|reading| unheard_in_calls(&reading, program))
}

fn unheard_in_calls(command: &[u8], program: &[u8]) -> Option<Vec<u8>> {
    let calls = command.split(|byte| b";|&()`\n\r".contains(byte));
    let calls: Vec<Vec<&[u8]>> = calls
        .map(|call| {
            let words = call.split(|byte| b" \t'\"\\<>".contains(byte));
            words.filter(|word| !word.is_empty()).collect()
        })
        .collect();
    let is_server = |word: &&[u8]| {
        let before_variable = word.split(|byte| *byte == b'$').next();
        before_variable.is_some_and(|word| names_server(word, program))
            || may_match_server(word, program)
    };
    let named = |two: &[u8]| {
        let [b'$', next] = two else { return false };
        next.is_ascii_alphanumeric() || matches!(next, b'_' | b'{' | b'@' | b'*')
    };
    let expands = |word: &[u8]| word.windows(2).any(named);
    if !calls.iter().flatten().any(is_server) {
        return None;
    }
    calls.into_iter().find_map(|call| {
        let mut words = call.into_iter();
        let server = words.find(|word| is_server(word) || expands(word))?;
        if is_server(&server) && expands(server) {
            return Some(server.to_vec());
        }
        let kept = |word: &&[u8]| match logs(word) {
            Logs::Not(_) => !word.starts_with(b"-") && !expands(word),
            _ => true,
        };
        words.find(|word| !kept(word)).map(<[u8]>::to_vec)
    })
}

/// Whether a word is a pattern that a shell could find a server by, such as `sftp-serve[r]`. One of which nothing but the middle is a server's
/// name does not count, nor does test(1) by its other name.
fn may_match_server(word: &[u8], program: &[u8]) -> bool {
    let name = basename(word);
    let special = |byte: &u8| b"*?[]".contains(byte);
    let (Some(first), Some(last)) = (
        name.iter().position(special),
        name.iter().rposition(special),
    ) else {
        return false;
    };
    let (begin, end) = (
        name.get(..first).unwrap_or_default(),
        name.get(last + 1..).unwrap_or_default(),
    );
    let own = basename(program.strip_prefix(b"-").unwrap_or(program));
    let found_by = |server: &[u8]| server.starts_with(begin) && server.ends_with(end);
    !(begin.is_empty() && end.is_empty())
        && [b"sftp-server".as_slice(), b"internal-sftp", own]
            .iter()
            .any(|server| found_by(server))
}

/// The command without the ampersands of redirections, such as `2>&1`: behind them the call goes on, as it does in the next line behind a
/// backslash.
fn without_redirections(command: &[u8]) -> Vec<u8> {
    let joined = |at: usize| match command.get(at) {
        Some(b'&') => {
            let before = at.checked_sub(1).and_then(|before| command.get(before));
            matches!(before, Some(b'<' | b'>')) || command.get(at + 1) == Some(&b'>')
        }
        Some(b'\n') => at.checked_sub(1).and_then(|before| command.get(before)) == Some(&b'\\'),
        _ => false,
    };
    let bytes = command.iter().enumerate();
    bytes
        .map(|(at, byte)| if joined(at) { b' ' } else { *byte })
        .collect()
}

/// Whether a command that names a server takes words for it from the output of another one, which could be options.
pub(super) fn substitutes(command: &[u8], program: &[u8]) -> bool {
    let mut words = command.split(|byte| b" \t'\"\\<>;|&()`\n\r".contains(byte));
    let opens = |two: &[u8]| two == b"$(";
    words.any(|word| names_server(word, program))
        && (command.contains(&b'`') || command.windows(2).any(opens))
}

/// What of a word concerns the log.
enum Logs<'w> {
    /// All of it, and the next word is the value.
    NextWord,
    /// All of it, with this value.
    Value(&'w [u8]),
    /// All of it, without a value.
    Nothing,
    /// Not this.
    Not(Vec<u8>),
}

fn logs(word: &[u8]) -> Logs<'_> {
    if let Some(long) = word.strip_prefix(b"--").filter(|long| !long.is_empty()) {
        let equals = long.iter().position(|byte| *byte == b'=');
        let (name, value) = long.split_at(equals.unwrap_or(long.len()));
        return match name {
            b"log-stderr" => Logs::Nothing,
            b"log-facility" | b"log-level" => value.get(1..).map_or(Logs::NextWord, Logs::Value),
            _ => Logs::Not([b"--", name].concat()),
        };
    }
    let Some(mut letters) = word.strip_prefix(b"-").filter(|rest| !rest.is_empty()) else {
        return Logs::Not(word.to_vec());
    };
    while let Some((letter, rest)) = letters.split_first() {
        match letter {
            b'e' => letters = rest,
            b'f' | b'l' if rest.is_empty() => return Logs::NextWord,
            b'f' | b'l' => return Logs::Value(rest),
            letter => return Logs::Not(vec![b'-', *letter]),
        }
    }
    Logs::Nothing
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::{substitutes, unheard, unheard_in_shell};

    #[test]
    fn what_concerns_the_log_alone_may_be_dropped() {
        let first = |command: &str| {
            let words = words(format!("sftp-server {command}").as_bytes()).unwrap();
            unheard(&words[1..]).map(|word| String::from_utf8(word).unwrap())
        };
        for command in [
            "",
            "-e",
            "-l INFO -f LOCAL7",
            "-lINFO -efAUTH",
            "-l '' -e",
            "--log-level INFO --log-facility=AUTH --log-stderr",
            "-l",
        ] {
            assert_eq!(first(command), None, "{command}");
        }
        for (command, word) in [
            ("-R", "-R"),
            ("-l INFO -R", "-R"),
            ("-eR", "-R"),
            ("-el -R", "-R"),
            ("-l-R", "-R"),
            ("--log-level --root /srv/box", "--root"),
            ("-lINFO -u077", "-u"),
            ("-e --root=/srv/box", "--root"),
            ("--log-level INFO --root /srv/box", "--root"),
            ("--log-levels=INFO", "--log-levels"),
            ("--sandbox off", "--sandbox"),
            ("-h", "-h"),
            ("-d '/a b'", "-d"),
            ("'stray word' -l INFO", "stray word"),
            ("--", "--"),
            ("-", "-"),
            ("-l INFO ''", ""),
        ] {
            assert_eq!(first(command).as_deref(), Some(word), "{command}");
        }
    }

    #[test]
    fn an_option_behind_a_server_is_found_in_whatever_a_shell_would_do() {
        let found = |command: &str| {
            let word = unheard_in_shell(command.as_bytes(), b"-our-sftp")?;
            Some(String::from_utf8(word).unwrap())
        };
        for (command, word) in [
            ("exec sftp-server --root /srv/box", "--root"),
            ("LANG=C /usr/lib/openssh/sftp-server -R", "-R"),
            ("env A=b our-sftp -eR", "-eR"),
            ("nice -n 5 sftp-server -l INFO -R", "-R"),
            ("sftp-server --read-only 2>/dev/null", "--read-only"),
            ("sh -c 'sftp-server --root=/srv/box'", "--root=/srv/box"),
            ("cd /srv && exec ./sftp-server --root .", "--root"),
            ("sftp-server $OPTIONS", "$OPTIONS"),
            ("S=/opt/sftp-server; $S -R", "-R"),
            ("sudo -u other \"/opt/sftp-server\" -R", "-R"),
            ("exec sftp-server 2>&1 --root /srv/box", "--root"),
            ("sftp-server <&0 -R", "-R"),
            ("sftp-server &>/dev/null -R", "-R"),
            ("exec sftp-server -e \\\n -R", "-R"),
            ("exec \"sftp\"-server -R", "-R"),
            ("exec /opt/sftp\\-server -R", "-R"),
            ("nice sftp-server \"$@\"", "$@"),
            ("sftp-server${IFS}-R", "sftp-server${IFS}-R"),
            ("exec sftp-server$IFS$1", "sftp-server$IFS$1"),
            ("/usr/lib/openssh/sftp-serve[r] --root /srv", "--root"),
            ("/opt/*-sftp -R", "-R"),
            ("{sftp-server,--root,/srv}", "--root"),
        ] {
            assert_eq!(found(command).as_deref(), Some(word), "{command}");
        }
        for command in [
            "uptime",
            "grep -R $HOME",
            "scp -f x",
            "sftp-server $(uptime)",
            "exec sftp-server",
            "sudo -n /usr/lib/openssh/sftp-server -l INFO",
            "sftp-server -e 2>/dev/null",
            "sftp-server -e 2>&1 & cat -n",
            "sftp-server && ls -R",
            "[ -x /opt/sftp-server ] && exec /opt/sftp-server",
            "grep -R x *.txt",
            "ls [a-z]* --color",
            // PuTTY's, where there is no subsystem.
            "test -x /usr/lib/sftp-server && exec /usr/lib/sftp-server\ntest -x /opt/sftp-server && exec /opt/sftp-server\nexec sftp-server",
        ] {
            assert_eq!(found(command), None, "{command}");
        }
    }

    #[test]
    fn what_another_program_says_behind_a_server_s_name_could_be_an_option() {
        for command in [
            "sftp-server $(cat options)",
            "exec /opt/our-sftp `cat options`",
            "`echo sftp-server` -R",
            "nice sftp-server \"$(cat options)\"",
        ] {
            assert!(substitutes(command.as_bytes(), b"our-sftp"), "{command}");
        }
        for command in [
            "sftp-server -l INFO",
            "echo $(uptime)",
            "(cd /srv; sftp-server)",
        ] {
            assert!(!substitutes(command.as_bytes(), b"our-sftp"), "{command}");
        }
    }
}
