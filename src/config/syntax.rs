//! Where a file is no TOML: on which line, with which key, and what would be right, for one who writes sshd_config every day.

use super::keys::{self, Kind};

/// Something that is no TOML.
#[derive(Debug)]
pub(super) struct Mistake<'t> {
    /// All that stands before its line.
    before: &'t str,
    line: &'t str,
    /// What stands before the equals sign, if that could be a key.
    pub(super) key: Option<&'t str>,
}

impl<'t> Mistake<'t> {
    /// At this byte of the file.
    pub(super) fn new(text: &'t str, at: usize) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let (before, rest) = text.split_at(start);
        let line = rest.lines().next().unwrap_or_default();
        let key = line.split_once('=').map(|(key, _)| key.trim());
        let bare = |key: &&str| {
            let mut letters = key.bytes();
            !key.is_empty()
                && letters.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        Self {
            before,
            line,
            key: key.filter(bare),
        }
    }

    /// What is wrong, where the parser says `said`.
    pub(super) fn words(&self, said: &str, known: &clap::Command) -> String {
        let said = said.lines().collect::<Vec<_>>().join(", ");
        let arg = self.key.and_then(|key| keys::key(known, key));
        let kind = match self.key {
            Some("user" | "group" | "address") => Some(Kind::Commas),
            _ => arg.map(keys::kind),
        };
        let begins = |those: &[&str]| those.iter().any(|that| said.starts_with(that));
        let words = match said.as_str() {
            // As chmod(1) would take it, and TOML does not.
            "unexpected leading zero, expected nothing" => {
                "a number has no zero in front; a mode is written \"022\" or 0o022"
            }
            "duplicate key" => return self.twice(),
            _ if begins(&[
                "key with no value",
                "invalid unquoted key",
                "invalid key-value pair",
            ]) =>
            {
                match self.line.trim_start().get(..5) {
                    Some(word) if word.eq_ignore_ascii_case("match") => {
                        "a table for some of the users begins with a line [[match]]; user, group and address are keys of it"
                    }
                    _ => "a line is KEY = VALUE, as in read-only = true; a comment begins with #",
                }
            }
            _ if begins(&["string values must be quoted", "invalid boolean"]) => match kind {
                Some(Kind::Switch) => "it takes true or false, in lower case and alone",
                _ => "a value that is no number stands in straight quotes, as in \"10M\"",
            },
            _ if begins(&["unexpected key or value"]) => match kind {
                Some(Kind::Commas | Kind::Several) => {
                    "behind the value nothing can follow; a list is written [\"a\", \"b\"]"
                }
                _ => "behind the value nothing can follow but a comment",
            },
            _ if begins(&["unclosed array table"]) => {
                "the line lacks a bracket; it is written [[match]]"
            }
            _ if said.contains("unicode") || begins(&["missing escaped value"]) => {
                "a backslash in double quotes begins an escape; in single quotes it is itself"
            }
            _ if begins(&["invalid basic string", "invalid literal string"]) => {
                "the string does not end, or has a control character in it"
            }
            _ => return said,
        };
        words.to_owned()
    }

    fn twice(&self) -> String {
        let is_it = |line: &&str| {
            let key = line.split_once('=').map(|(key, _)| key.trim());
            key.is_some() && key == self.key
        };
        // In the same table, so the last line that has it.
        let lines: Vec<&str> = self.before.lines().collect();
        match lines.iter().rposition(is_it) {
            Some(row) => format!("it stands in line {} already; remove one of them", row + 1),
            None => "it stands there already; remove one of them".to_owned(),
        }
    }
}
