//! Reads Rust as the rules need it: what is code, what is a comment or a string, and which names a `use` brings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file: its path below the folder that was asked for, and its text.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// Every Rust file below `folder`, but for the fuzz package, which is a workspace of its own.
    pub(crate) fn all(folder: &str) -> impl Iterator<Item = Source> {
        let top = root().join(folder);
        let mut files = Vec::new();
        walk(&top, &mut files);
        assert!(!files.is_empty(), "{folder} holds no Rust file");
        files.sort();
        files
            .into_iter()
            .filter(|path| !path.starts_with(root().join("tests/fuzz")))
            .map(move |path| Source {
                name: path
                    .strip_prefix(&top)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
                text: fs::read_to_string(&path).unwrap(),
            })
    }

    /// `session` for session/mod.rs, `cli` for cli.rs.
    pub(crate) fn room(&self) -> &str {
        self.name.split('/').next().unwrap().trim_end_matches(".rs")
    }

    /// What ships: without comments, the insides of strings, and the unit tests at the file's foot.
    pub(crate) fn code(&self) -> String {
        let code = blank(&self.text);
        code.split("#[cfg(test)]").next().unwrap().to_owned()
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `text` with comments and the insides of literals replaced by blanks.
pub(crate) fn blank(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kept, length) = token(rest, first);
        let (this, next) = rest.split_at(length);
        if kept {
            code.push_str(this);
        } else {
            code.extend(
                this.chars()
                    .map(|letter| if letter == '\n' { '\n' } else { ' ' }),
            );
        }
        rest = next;
    }
    code
}

/// Whether what `rest` begins with is code, and its length in bytes.
fn token(rest: &str, first: char) -> (bool, usize) {
    let until = |end: &str| rest.find(end).map_or(rest.len(), |at| at + end.len());
    if rest.starts_with("//") {
        return (false, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (false, until("*/"));
    }
    if first == '"' {
        return (false, quoted(rest, '"'));
    }
    if let Some(inner) = rest
        .strip_prefix("r#\"")
        .or_else(|| rest.strip_prefix("br#\""))
    {
        return (
            false,
            rest.len() - inner.len() + inner.find("\"#").map_or(inner.len(), |at| at + 2),
        );
    }
    if first == '\'' {
        let mut inner = rest[1..].chars();
        let letter = inner.next();
        // 'x' and '\n' are characters, 'a is a lifetime.
        if letter == Some('\\') || inner.next() == Some('\'') {
            return (false, quoted(rest, '\''));
        }
    }
    let word = rest
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .unwrap_or(rest.len());
    (true, word.max(first.len_utf8()))
}

/// The length of the literal that `rest` begins with, its two `quote`s included.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if letter == quote && !escaped {
            return at + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    rest.len()
}

/// What a file names: by each `use a::{b, c::{d, e}};` one name after the other, and in the rest of its code.
pub(crate) struct Uses {
    pub(crate) taken: Vec<String>,
    /// By `pub use`.
    pub(crate) handed_on: Vec<String>,
    pub(crate) rest: String,
}

impl Uses {
    pub(crate) fn of(code: &str) -> Self {
        let mut uses = Self {
            taken: Vec::new(),
            handed_on: Vec::new(),
            rest: String::new(),
        };
        let mut rest = code;
        while let Some(at) = find_word(rest, "use ") {
            let (before, statement) = rest.split_at(at);
            let end = statement.find(';').map_or(statement.len(), |at| at + 1);
            let tree = statement[4..end].trim_end_matches(';').split_whitespace();
            let names = expand(&tree.collect::<Vec<_>>().join(" "));
            let line = before.rsplit('\n').next().unwrap_or_default();
            match contains_word(line, "pub") {
                true => uses.handed_on.extend(names),
                false => uses.taken.extend(names),
            }
            uses.rest.push_str(before);
            rest = &statement[end..];
        }
        uses.rest.push_str(rest);
        uses
    }
}

/// Each `use a::{b, c::{d, e}};` written out as one `use` a name.
pub(crate) fn flatten_uses(code: &str) -> String {
    let uses = Uses::of(code);
    let names = uses.handed_on.iter().chain(&uses.taken);
    let lines: String = names.map(|name| format!("use {name}; ")).collect();
    lines + &uses.rest
}

/// `a::{b, c::{d, e}}` as `a::b`, `a::c::d`, `a::c::e`.
fn expand(tree: &str) -> Vec<String> {
    // The outermost group of a `use` always ends it.
    let (Some(open), Some(close)) = (tree.find('{'), tree.rfind('}')) else {
        return vec![tree.trim().to_owned()];
    };
    let (prefix, inner) = (tree[..open].trim(), &tree[open + 1..close]);
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = inner[start..at].trim();
                if !branch.is_empty() {
                    names.extend(
                        expand(branch)
                            .into_iter()
                            .map(|name| format!("{prefix}{name}")),
                    );
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    names
}

/// The rooms that `code` names as `crate::room` or `sftp_server::room`.
pub(crate) fn imports(code: &str) -> BTreeSet<String> {
    let flat = flatten_uses(code);
    ["crate::", "sftp_server::"]
        .into_iter()
        .flat_map(|start| {
            flat.match_indices(start)
                .map(move |(at, found)| at + found.len())
                .collect::<Vec<_>>()
        })
        .map(|at| {
            flat[at..]
                .chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect()
        })
        .filter(|room: &String| room.chars().next().is_some_and(char::is_lowercase))
        .collect()
}

/// Whether `word` stands in `code` by itself, not as a part of a longer name.
pub(crate) fn contains_word(code: &str, word: &str) -> bool {
    find_word(code, word).is_some()
}

fn find_word(code: &str, word: &str) -> Option<usize> {
    let part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let stands_alone = |at: usize| {
        let before = code[..at].chars().next_back().is_some_and(part) && word.starts_with(part);
        let after = code[at + word.len()..].starts_with(part) && word.ends_with(part);
        !before && !after
    };
    code.match_indices(word)
        .map(|(at, _)| at)
        .find(|at| stands_alone(*at))
}

pub(crate) fn test_names(code: &str) -> Vec<&str> {
    code.split("#[test]")
        .skip(1)
        .filter_map(|after| after.split("fn ").nth(1)?.split('(').next())
        .collect()
}

#[test]
fn the_reader_of_these_rules_sees_code_and_not_words_about_it() {
    let code = blank("a /* unsafe */ b // unsafe\n\"un\\\"safe\" r#\"unsafe\"# b'\\'' 'x' &'a str");
    assert!(!code.contains("safe"), "{code}");
    assert!(code.contains("&'a str") && code.starts_with("a "), "{code}");
    assert_eq!(
        flatten_uses("use nix::{dir::Dir, sys::{stat::Mode, uio}};").trim(),
        "use nix::dir::Dir; use nix::sys::stat::Mode; use nix::sys::uio;"
    );
    assert_eq!(
        imports("use crate::{fs, log::Event}; crate::session::run()"),
        ["fs", "log", "session"].map(String::from).into()
    );
    assert!(contains_word("x unsafe {", "unsafe") && !contains_word("unsafe_code", "unsafe"));
    assert_eq!(flatten_uses("cause { a; }"), "cause { a; }");
    assert_eq!(
        test_names("#[test]\n#[should_panic]\nfn a_b_c() {}"),
        ["a_b_c"]
    );
}
