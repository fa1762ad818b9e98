//! Where the options end, as getopt(3) has it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The options, without all that stands behind what decides: the first operand, `--`, a dash behind letters, what prints and
/// ends (`-Q feature`, `-h`, `--help`, `--version`), or `-c`, after which the client's own words begin; and those words, if any.
///
/// This is how getopt(3) reads them for OpenSSH. Whatever a client sends after `-c` never reaches the parser of options.
pub(super) fn split(
    known: &clap::Command,
    mut arguments: Vec<OsString>,
) -> (Vec<OsString>, Option<OsString>) {
    let takes_value =
        |arg: Option<&clap::Arg>| arg.is_some_and(|arg| arg.get_action().takes_values());
    let mut index = 1;
    while let Some(argument) = arguments
        .get(index)
        .map(|argument| argument.as_bytes().to_vec())
    {
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
                return (arguments, client.or(Some(OsString::new())));
            }
            index += if takes_value(arg) && !has_value { 2 } else { 1 };
            if arg.is_some_and(|arg| arg.get_short() == Some('Q'))
                || matches!(name, b"help" | b"version")
            {
                break;
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
                let client = arguments.get(index + 1).cloned();
                arguments.truncate(index);
                if left > 1 {
                    let before = argument.get(..left).unwrap_or_default();
                    arguments.push(OsString::from_vec(before.to_vec()));
                }
                let client = (*letter == b'c').then(|| client.unwrap_or_default());
                return (arguments, client);
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
                }
                if *letter == b'Q' {
                    arguments.truncate(index + step);
                    return (arguments, None);
                }
                break;
            }
        }
        index += step;
    }
    arguments.truncate(index);
    (arguments, None)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory;

    use super::super::Typed;
    use super::split;

    fn split_words(words: &str) -> (Vec<OsString>, Option<OsString>) {
        split(
            &Typed::command(),
            words.split(' ').map(OsString::from).collect(),
        )
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
}
