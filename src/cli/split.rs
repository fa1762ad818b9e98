//! Where the options end, as getopt(3) has it, and which word would take options away that were typed.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A command line, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// The program's name and the options.
    pub(super) options: Vec<OsString>,
    /// What the client asked for, as the text after `-c`.
    pub(super) command: Option<OsString>,
    /// A word by which options that were typed would not count.
    pub(super) misplaced: Option<Misplaced>,
}

/// A word that does not stand where it means what somebody meant by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misplaced {
    /// It is no option: all that stands behind it is none either.
    Operand(OsString),
    /// An option stands where this option's value is expected.
    Value { of: String, word: OsString },
}

/// The options, without all that stands behind what decides: the first operand, `--`, a dash behind letters, what prints and
/// ends (`-Q feature`, `-h`, `--help`, `--version`), or `-c`, after which the client's own words begin; and those words, if any.
///
/// This is how getopt(3) reads them for OpenSSH. Whatever a client sends after `-c` never reaches the parser of options.
pub(super) fn split(known: &clap::Command, mut arguments: Vec<OsString>) -> Split {
    let takes_value =
        |arg: Option<&clap::Arg>| arg.is_some_and(|arg| arg.get_action().takes_values());
    let mut misplaced = None;
    let mut index = 1;
    while let Some(argument) = arguments
        .get(index)
        .map(|argument| argument.as_bytes().to_vec())
    {
        let mut swallows = |of: String, next: Option<&OsString>| {
            let word = next.filter(|word| is_option(known, word.as_bytes()));
            if let (None, Some(word)) = (&misplaced, word) {
                let word = word.clone();
                misplaced = Some(Misplaced::Value { of, word });
            }
        };
        if let Some(long) = argument.strip_prefix(b"--").filter(|long| !long.is_empty()) {
            let has_value = long.contains(&b'=');
            let name = long.split(|byte| *byte == b'=').next().unwrap_or_default();
            let arg = known
                .get_arguments()
                .find(|arg| arg.get_long().is_some_and(|long| long.as_bytes() == name));
            if arg.is_some_and(|arg| arg.get_short() == Some('c')) {
                let attached = long.strip_prefix(b"command=");
                let client = attached
                    .map(|text| OsString::from_vec(text.to_vec()))
                    .or_else(|| arguments.get(index + 1).cloned());
                arguments.truncate(index);
                return Split {
                    options: arguments,
                    command: client.or(Some(OsString::new())),
                    misplaced,
                };
            }
            let next_is_value = takes_value(arg) && !has_value;
            let prints = arg.is_some_and(|arg| arg.get_short() == Some('Q'))
                || matches!(name, b"help" | b"version");
            if let Some(long) = arg
                .and_then(clap::Arg::get_long)
                .filter(|_| next_is_value && !prints)
            {
                swallows(format!("--{long}"), arguments.get(index + 1));
            }
            index += if next_is_value { 2 } else { 1 };
            if prints {
                arguments.truncate(index);
                return Split {
                    options: arguments,
                    command: None,
                    misplaced,
                };
            }
            continue;
        }
        let Some(letters) = argument
            .strip_prefix(b"-")
            .filter(|letters| !letters.is_empty() && *letters != b"-")
        else {
            break;
        };
        let mut step = 1;
        for (position, letter) in letters.iter().enumerate() {
            // How much of the word is left, the dash in front counted, where this letter ends the options.
            let left = match letter {
                b'h' => Some(position + 2),
                b'c' => Some(position + 1),
                b'-' if position + 1 == letters.len() => Some(position + 1),
                _ => None,
            };
            if let Some(left) = left {
                let next = arguments.get(index + 1).cloned();
                arguments.truncate(index);
                if left > 1 {
                    let before = argument.get(..left).unwrap_or_default();
                    arguments.push(OsString::from_vec(before.to_vec()));
                }
                let (command, operand) = match letter {
                    b'c' => (Some(next.unwrap_or_default()), None),
                    b'-' => (None, next.map(Misplaced::Operand)),
                    _ => (None, None),
                };
                return Split {
                    options: arguments,
                    command,
                    misplaced: misplaced.or(operand),
                };
            }
            let arg = known
                .get_arguments()
                .find(|arg| arg.get_short() == Some(char::from(*letter)));
            if takes_value(arg) {
                step = 2;
                let (before, value) = argument.split_at(position + 2);
                if !value.is_empty() {
                    // In a word of its own, since clap would take an equals sign for no part of it.
                    let words = [before, value].map(|word| OsString::from_vec(word.to_vec()));
                    arguments.splice(index..=index, words);
                } else if *letter != b'Q' {
                    swallows(
                        format!("-{}", char::from(*letter)),
                        arguments.get(index + 1),
                    );
                }
                if *letter == b'Q' {
                    arguments.truncate(index + step);
                    return Split {
                        options: arguments,
                        command: None,
                        misplaced,
                    };
                }
                break;
            }
        }
        index += step;
    }
    let behind = match arguments.get(index) {
        Some(word) if word == "--" => arguments.get(index + 1),
        word => word,
    };
    let operand = behind.cloned().map(Misplaced::Operand);
    arguments.truncate(index);
    Split {
        options: arguments,
        command: None,
        misplaced: misplaced.or(operand),
    }
}

/// Whether a word is an option of ours, with a value or without.
fn is_option(known: &clap::Command, word: &[u8]) -> bool {
    let mut args = known.get_arguments();
    match (word.strip_prefix(b"--"), word) {
        (Some(long), _) => {
            let name = long.split(|byte| *byte == b'=').next();
            args.any(|arg| arg.get_long().map(str::as_bytes) == name)
        }
        (None, [b'-', letter, ..]) => args.any(|arg| arg.get_short() == Some(char::from(*letter))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory;

    use super::super::Typed;
    use super::{Misplaced, split};

    fn split_words(words: &str) -> (Vec<OsString>, Option<OsString>) {
        let split = split(&Typed::command(), self::words(words));
        (split.options, split.command)
    }

    fn words(words: &str) -> Vec<OsString> {
        words.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn what_follows_c_is_never_an_option() {
        assert_eq!(split_words("x -c y -R"), (words("x"), Some("y".into())));
        assert_eq!(split_words("x -Rc y -h"), (words("x -R"), Some("y".into())));
        assert_eq!(
            split_words("x -l INFO -ce -R"),
            (words("x -l INFO"), Some("-R".into()))
        );
        assert_eq!(
            split_words("x --command y --read-only"),
            (words("x"), Some("y".into()))
        );
        assert_eq!(
            split_words("x --command=y --read-only"),
            (words("x"), Some("y".into()))
        );
        assert_eq!(split_words("x -d -c"), (words("x -d -c"), None));
    }

    #[test]
    fn the_first_operand_ends_the_options() {
        assert_eq!(split_words("x -R left -h"), (words("x -R"), None));
        assert_eq!(split_words("x -- -h"), (words("x"), None));
        assert_eq!(split_words("x - -h"), (words("x"), None));
        assert_eq!(split_words("x -R- -h"), (words("x -R"), None));
    }

    #[test]
    fn what_prints_and_ends_is_the_last_option() {
        assert_eq!(
            split_words("x -Q requests -z"),
            (words("x -Q requests"), None)
        );
        assert_eq!(split_words("x -Rhz -u bad"), (words("x -Rh"), None));
        assert_eq!(split_words("x --help -u bad"), (words("x --help"), None));
    }

    #[test]
    fn a_value_is_all_that_stands_behind_its_letter() {
        assert_eq!(split_words("x -l=INFO -R"), (words("x -l =INFO -R"), None));
        assert_eq!(split_words("x -Ru022 -h"), (words("x -Ru 022 -h"), None));
        assert_eq!(split_words("x -d-c -R"), (words("x -d -c -R"), None));
    }

    #[test]
    fn a_word_that_takes_options_away_is_found() {
        let misplaced = |line: &str| split(&Typed::command(), words(line)).misplaced;
        for (line, word) in [
            ("x left -R", "left"),
            ("x --hide a b --root /x", "b"),
            ("x -R- left", "left"),
            ("x -- -R", "-R"),
            ("x - -R", "-"),
        ] {
            let operand = Misplaced::Operand(word.into());
            assert_eq!(misplaced(line), Some(operand), "{line}");
        }
        for (line, of, word) in [
            ("x --hide --root /x", "--hide", "--root"),
            ("x --hide -R", "--hide", "-R"),
            ("x -d -R", "-d", "-R"),
            ("x -RP --root=/x", "-P", "--root=/x"),
            ("x --root -c y", "--root", "-c"),
        ] {
            let (of, word) = (of.to_owned(), word.into());
            let value = Misplaced::Value { of, word };
            assert_eq!(misplaced(line), Some(value), "{line}");
        }
        for line in [
            "x -R",
            "x -R --",
            "x -R-",
            "x --hide=-R --hide --x",
            "x -d-R",
            "x -Q requests left",
            "x -h left",
            "x --help left",
            "x -c y left",
        ] {
            assert_eq!(misplaced(line), None, "{line}");
        }
    }
}
