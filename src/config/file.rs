//! Reads the file and takes it apart: tables of settings, each with its place and the words that one would type instead.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Kind};
use super::matching::{Criteria, Pattern};
use super::report::From;
use super::syntax::Mistake;
use crate::cli::{self, flags, word};
use crate::fs::{self, Untrusted};

/// What is wrong with the file, in one line: where, with which key, and what.
#[derive(Debug, thiserror::Error)]
pub struct Invalid {
    file: PathBuf,
    /// Line and column, from 1.
    at: Option<(usize, usize)>,
    key: Option<String>,
    why: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = format!("{}:", self.file.display());
        if let Some((row, column)) = self.at {
            line.push_str(&format!("{row}:{column}:"));
        }
        if let Some(key) = &self.key {
            line.push_str(&format!(" {key}:"));
        }
        line.push(' ');
        line.push_str(&self.why);
        // A value that is quoted cannot make two lines of it.
        for letter in line.chars() {
            match letter.is_control() {
                true => write!(f, "{}", letter.escape_default())?,
                false => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}

impl Invalid {
    /// Where one reads what would be right.
    pub(super) fn remedy(&self) -> &'static str {
        match self.at {
            Some(_) => "correct it there; man 5 sftp_server.toml has an example of each key",
            None => "man 5 sftp_server.toml says who may own it and who must read it",
        }
    }

    pub(super) fn of_file(file: &Path, why: &Untrusted) -> Self {
        Self {
            file: file.to_path_buf(),
            at: None,
            key: None,
            why: why.to_string(),
        }
    }
}

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) key: String,
    /// What one would type; nothing where it is off or empty.
    pub(super) words: Vec<OsString>,
    /// From 1; 0 where it was typed.
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A table of the file, or what was typed.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// As they stand in the file.
    pub(super) settings: Vec<Setting>,
    /// For whom; for everybody, if they are empty.
    pub(super) criteria: Criteria,
}

/// The file: the `[[match]]` tables from the top, then the top level.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) tables: Vec<Table>,
}

impl File {
    /// Reads the file, which belongs to root, or to `user` as well.
    ///
    /// # Errors
    /// [`Invalid`].
    pub(super) fn read(path: &Path, user: Option<u32>) -> Result<Self, Invalid> {
        let bytes = fs::read_trusted(path, user, LONGEST);
        let bytes = bytes.map_err(|why| Invalid::of_file(path, &why))?;
        Reader::new(path, &bytes)?.file()
    }

    /// Who said it.
    pub(super) fn origin(setting: &Setting) -> From {
        match setting.line {
            0 => From::Flag,
            row => From::File(row),
        }
    }

    /// What the parser of flags says of a setting.
    pub(super) fn wrong(&self, setting: &Setting, error: &cli::Error) -> Invalid {
        let said = error.to_string();
        let said = said.lines().next().unwrap_or_default();
        // "Invalid umask "9"", "sftp-server: invalid value …": the program is not what is wrong.
        let why = match error {
            cli::Error::Usage { .. } => said.split_once(": ").map_or(said, |(_, what)| what),
            _ => said,
        };
        Invalid {
            file: self.path.clone(),
            at: Some((setting.line, setting.column)),
            key: Some(setting.key.clone()),
            why: match error.meant() {
                Some(meant) => format!("{why}; {meant}"),
                None => why.to_owned(),
            },
        }
    }
}

struct Reader<'t> {
    path: &'t Path,
    text: &'t str,
    known: clap::Command,
}

type Key<'a> = Spanned<Cow<'a, str>>;

impl<'t> Reader<'t> {
    fn new(path: &'t Path, bytes: &'t [u8]) -> Result<Self, Invalid> {
        let reader = |text| Self {
            path,
            text,
            known: flags(),
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(reader(text)),
            Err(error) => {
                let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let good = std::str::from_utf8(good).unwrap_or_default();
                let end = good.len()..good.len();
                Err(reader(good).wrong(&end, None, "this is no UTF-8; save the file as such"))
            }
        }
    }

    fn file(&self) -> Result<File, Invalid> {
        let top = DeTable::parse(self.text).map_err(|error| {
            // The first one in the file is what somebody looks for; the parser tells what it came to first.
            let (_, all) = DeTable::parse_recoverable(self.text);
            let begins = |error: &toml::de::Error| error.span().map_or(usize::MAX, |at| at.start);
            let error = all.into_iter().min_by_key(begins).unwrap_or(error);
            let at = error.span().unwrap_or_default();
            let mistake = Mistake::new(self.text, at.start);
            let why = mistake.words(error.message(), &self.known);
            self.wrong(&at, mistake.key, &why)
        })?;
        let mut tables = Vec::new();
        let mut rest = Table::default();
        for (key, value) in in_order(top.get_ref()) {
            if key.get_ref() == "match" {
                self.matches(key, value, &mut tables)?;
            } else {
                rest.settings.push(self.setting(key, value, &[])?);
            }
        }
        tables.push(rest);
        Ok(File {
            path: self.path.to_path_buf(),
            tables,
        })
    }

    fn matches(
        &self,
        key: &Key<'_>,
        value: &Spanned<DeValue<'_>>,
        tables: &mut Vec<Table>,
    ) -> Result<(), Invalid> {
        let wrong = |at| self.wrong(&at, Some("match"), WRITTEN);
        let DeValue::Array(array) = value.get_ref() else {
            return Err(wrong(key.span()));
        };
        for entry in array.iter() {
            let DeValue::Table(entries) = entry.get_ref() else {
                return Err(wrong(key.span()));
            };
            let mut table = Table::default();
            for (key, value) in in_order(entries) {
                let name: &str = key.get_ref();
                let list = match name {
                    "user" => &mut table.criteria.user,
                    "group" => &mut table.criteria.group,
                    "address" => &mut table.criteria.address,
                    _ => {
                        table.settings.push(self.setting(key, value, &CRITERIA)?);
                        continue;
                    }
                };
                *list = Some(self.patterns(name, value)?);
            }
            tables.push(table);
        }
        Ok(())
    }

    fn patterns(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<Pattern>, Invalid> {
        let mut patterns = Vec::new();
        for element in elements(value) {
            let DeValue::String(text) = element.get_ref() else {
                let why = format!("{}, and not {}", LIST, a(element.get_ref()));
                return Err(self.wrong(&element.span(), Some(key), &why));
            };
            let (line, _) = self.place(&element.span());
            for text in text.split(',').map(str::trim) {
                let pattern = match key {
                    "address" => Pattern::of_address(text, line),
                    _ => Pattern::of_name(text, line).map_err(Cow::from),
                };
                patterns.push(pattern.map_err(|why| {
                    self.wrong(&element.span(), Some(key), &format!("\"{text}\": {why}"))
                })?);
            }
        }
        Ok(patterns)
    }

    fn setting(
        &self,
        key: &Key<'_>,
        value: &Spanned<DeValue<'_>>,
        others: &[&str],
    ) -> Result<Setting, Invalid> {
        let name: &str = key.get_ref();
        let Some(arg) = keys::key(&self.known, name) else {
            let known = keys::all(&self.known).filter_map(clap::Arg::get_long);
            let known = known.chain(others.iter().copied());
            let is_table = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
            let why = match keys::nearest(name, known) {
                _ if keys::is_typed(name) => "only a command line can say it".to_owned(),
                _ if CRITERIA.contains(&name) => format!("it stands behind a line {MATCH}"),
                _ if name.eq_ignore_ascii_case("match") && is_table => WRITTEN.to_owned(),
                Some(nearest) => format!("unknown key; is {nearest} meant?"),
                None => "unknown key; man 5 sftp_server.toml lists all".to_owned(),
            };
            return Err(self.wrong(&key.span(), Some(name), &why));
        };
        let (line, column) = self.place(&value.span());
        Ok(Setting {
            key: name.to_owned(),
            words: self.words(name, keys::kind(arg), value)?,
            line,
            column,
        })
    }

    /// The words that say on a command line what `value` says here.
    fn words(
        &self,
        key: &str,
        kind: Kind,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<OsString>, Invalid> {
        let wrong = |value: &Spanned<DeValue<'_>>, wanted: &str| {
            let quote = match value.get_ref() {
                DeValue::Float(_) => "; write it in quotes",
                _ => "",
            };
            let why = format!("{wanted}, and not {}{quote}", a(value.get_ref()));
            self.wrong(&value.span(), Some(key), &why)
        };
        let text = |value: &Spanned<DeValue<'_>>, wanted| {
            let text = text(kind, value.get_ref()).ok_or_else(|| wrong(value, wanted))?;
            match text.contains('\0') {
                true => Err(self.wrong(&value.span(), Some(key), "it has a NUL byte in it")),
                false => Ok(text),
            }
        };
        match (kind, value.get_ref()) {
            (Kind::Switch, DeValue::Boolean(true)) => Ok(vec![format!("--{key}").into()]),
            (Kind::Switch, DeValue::Boolean(false)) => Ok(Vec::new()),
            (Kind::Switch, _) => Err(wrong(value, "it takes true or false")),
            (Kind::One, _) => Ok(vec![word(key, text(value, "it takes a string")?)]),
            (Kind::Number | Kind::Mode, _) => {
                let text = text(value, "it takes a string or an integer")?;
                Ok(vec![word(key, text)])
            }
            (Kind::Commas | Kind::Several, given) => {
                let mut texts = Vec::new();
                for element in elements(value) {
                    texts.push(text(element, LIST)?);
                }
                if let (Kind::Several, DeValue::String(_)) = (kind, given) {
                    let split = texts.iter().flat_map(|text| text.split(','));
                    texts = split.map(|text| text.trim().to_owned()).collect();
                }
                // Where these alone are allowed, none of them is nothing, and not everything.
                let is_empty = texts.is_empty() && key != "allow-requests";
                if kind == Kind::Commas && !is_empty {
                    let names = texts.iter().flat_map(|text| text.split(','));
                    let names: Vec<_> = names.map(str::trim).collect();
                    if let Some(why) = unknown_request(key, &names) {
                        return Err(self.wrong(&value.span(), Some(key), &why));
                    }
                    texts = vec![names.join(",")];
                }
                Ok(texts.iter().map(|text| word(key, text)).collect())
            }
        }
    }

    fn wrong(&self, at: &Range<usize>, key: Option<&str>, why: &str) -> Invalid {
        Invalid {
            file: self.path.to_path_buf(),
            at: Some(self.place(at)),
            key: key.map(str::to_owned),
            why: why.to_owned(),
        }
    }

    /// Line and column, both from 1, of a place in bytes.
    fn place(&self, at: &Range<usize>) -> (usize, usize) {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }
}

/// The entries of a table as they stand in the file.
fn in_order<'e, 'i>(table: &'e DeTable<'i>) -> Vec<(&'e Key<'i>, &'e Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries
}

/// Those of an array; anything else is the only one.
fn elements<'e, 'i>(value: &'e Spanned<DeValue<'i>>) -> Vec<&'e Spanned<DeValue<'i>>> {
    match value.get_ref() {
        DeValue::Array(array) => array.iter().collect(),
        _ => vec![value],
    }
}

/// A string, or an integer as it is written.
fn text(kind: Kind, value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => match (number.radix(), kind) {
            _ if !matches!(kind, Kind::Number | Kind::Mode) => None,
            (10, _) => {
                let digits = number.as_str();
                Some(digits.strip_prefix('+').unwrap_or(digits).to_owned())
            }
            // As chmod(1) takes it.
            (8, Kind::Mode) => Some(format!("0{}", number.as_str())),
            (radix, Kind::Number) => {
                let value = u128::from_str_radix(number.as_str(), radix);
                Some(value.map_or_else(|_| number.to_string(), |value| value.to_string()))
            }
            _ => Some(number.to_string()),
        },
        _ => None,
    }
}

/// Why a list of requests cannot mean what it says; other lists are looked at by the parser of flags.
fn unknown_request(key: &str, names: &[&str]) -> Option<String> {
    if !matches!(key, "allow-requests" | "deny-requests") {
        return None;
    }
    let unknown = |name: &&&str| !cli::requests().any(|known| known == **name);
    let name = names.iter().find(unknown).filter(|_| names != [""])?;
    Some(match keys::nearest(name, cli::requests()) {
        Some(nearest) => format!("there is no request \"{name}\"; is {nearest} meant?"),
        None => format!("there is no request \"{name}\"; sftp-server -Q requests prints them"),
    })
}

/// What a value is, for people.
fn a(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

const LIST: &str = "it takes a list of strings";
const CRITERIA: [&str; 3] = ["user", "group", "address"];
const MATCH: &str = "[[match]]";
const WRITTEN: &str = "a table for some of the users begins with a line [[match]]";
/// In bytes.
const LONGEST: usize = 1 << 20;
