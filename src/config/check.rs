//! `check`: what a session would have, who said so, and what is wrong with it; [`super::host`] looks at this host for it.
//!
//! It becomes the user whom it is asked about, so that the kernel itself says what that user may do, and at last locks
//! itself in as a session does, to tell which locks there are.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;

use super::file::{File, Setting, Table};
use super::keys::{self, Kind};
use super::question::{Asked, Question};
use super::report::{Finding, From, Report, Shown, Value, Weight};
use super::{Error, Told, defaults};
use crate::cli::{Request, flags};
use crate::identity::{self, Login};

/// The answer to `arguments`, without the word `check`.
///
/// # Errors
/// A flag that does not exist, or makes no sense.
pub(super) fn check(arguments: Vec<OsString>) -> Result<Request, Error> {
    let mut question = Question::new(arguments);
    if let Some(end) = question.line.ends(&Login::of_process()) {
        return Ok(end?);
    }
    let json = question.json;
    let colour = std::io::stdout().is_terminal();
    let mut report = Report::default();
    if let Some(operand) = question.operands.first() {
        let what = format!("\"{}\" is no flag", operand.to_string_lossy());
        report.add(Weight::Error, what, "check takes flags alone");
    } else {
        match question.ask() {
            Ok(asked) => report.look(asked),
            Err(error) => report.add(Weight::Error, error.to_string(), error.remedy()),
        }
    }
    let text = match json {
        true => report.json(),
        false => report.text(colour),
    };
    let status = report.status();
    Ok(Request::Report { text, status })
}

impl Report {
    pub(super) fn add(
        &mut self,
        weight: Weight,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.findings.push(Finding {
            weight,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    fn look(&mut self, asked: Asked) {
        let Asked {
            mut told,
            login,
            address,
        } = asked;
        self.user = OsStr::to_string_lossy(login.name()).into_owned();
        self.address = address.map(|address| address.to_string());
        self.file = told
            .file
            .as_ref()
            .map(|file| file.path.display().to_string());
        self.settings = shown(&told);
        let settings = match told.request(&login) {
            Ok(Request::Serve(settings)) => settings,
            // What prints was answered before.
            Ok(_) => return,
            Err(error) => return self.add(Weight::Error, error.to_string(), error.remedy()),
        };
        self.shadowed(&told);
        self.requests(&mut told, &login);
        self.rules();
        self.strangers(&told);
        self.never(&told);
        self.shell(&login);
        self.tree(*settings, &login);
    }

    pub(super) fn is_on(&self, key: &str) -> bool {
        let mut settings = self.settings.iter();
        settings.any(|shown| shown.key == key && matches!(shown.value, Value::Switch(true)))
    }

    /// Whether a rule has a value that is not off.
    pub(super) fn is_in_force(&self, key: &str) -> bool {
        let mut settings = self.settings.iter();
        settings.any(|shown| {
            shown.key == key && !matches!(shown.value, Value::Unset(_) | Value::Switch(false))
        })
    }

    fn list(&self, key: &str) -> Option<&[String]> {
        let mut settings = self.settings.iter();
        let shown = settings.find(|shown| shown.key == key)?;
        match &shown.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// Lists that keep something from a client, where another list took their place.
    fn shadowed(&mut self, told: &Told) {
        for key in ["hide", "deny"] {
            let all = told.said(key);
            let Some((winner, losers)) = all.split_first() else {
                continue;
            };
            for loser in losers {
                let lost = loser
                    .words
                    .iter()
                    .filter(|word| !winner.words.contains(word));
                let lost: Vec<String> = lost.map(|word| value_of(key, word)).collect();
                if lost.is_empty() {
                    continue;
                }
                let file = self.file.clone().unwrap_or_default();
                let by = match winner.line {
                    0 => "the flag".to_owned(),
                    row => format!("line {row}"),
                };
                let lost = lost.join(", ");
                let what = format!(
                    "{file}:{}: {key}: {by} takes its place, without {lost}",
                    loser.line
                );
                let remedy = "lists are not merged; repeat its patterns there";
                self.add(Weight::Warning, what, remedy);
            }
        }
    }

    /// Names that no request has, and a rule that can be walked around.
    fn requests(&mut self, told: &mut Told, login: &Login) {
        let words = [OsString::from("--query=requests")];
        let Ok(Request::Print(known)) = told.line.judge(&words, None, login) else {
            return;
        };
        for key in ["deny-requests", "allow-requests"] {
            let names = self.list(key).unwrap_or_default().to_vec();
            for name in names {
                if !known.lines().any(|request| request == name) {
                    let nearest = keys::nearest(&name, known.lines());
                    let remedy = match nearest {
                        Some(nearest) => format!("is {nearest} meant? -Q requests prints them"),
                        None => "-Q requests prints them".to_owned(),
                    };
                    let what = format!("{key}: there is no request \"{name}\"");
                    self.add(Weight::Warning, what, remedy);
                }
            }
        }
        if self.list("allow-requests").is_some_and(<[_]>::is_empty) {
            let what = "allow-requests: the list is empty, so every request is refused";
            self.add(
                Weight::Warning,
                what,
                "name requests in it, or leave it out",
            );
        }
        let denied = self.list("deny-requests").unwrap_or_default();
        let denies = |request: &str| denied.iter().any(|name| name == request);
        if denies("rename") && !denies("posix-rename") {
            let what = "deny-requests: rename is refused, and posix-rename does the same";
            self.add(Weight::Warning, what, "deny posix-rename as well");
        }
    }

    /// Settings that do not do what they seem to.
    fn rules(&mut self) {
        for key in ["hide", "deny"] {
            let listed = |pattern: &&String| pattern.replace("[,]", "").contains(',');
            let lists: Vec<_> = self.list(key).unwrap_or_default().to_vec();
            for pattern in lists.iter().filter(listed) {
                let what = format!("{key}: \"{pattern}\" is one pattern, of names with a comma");
                let remedy = "give each pattern by itself, or write the comma [,]";
                self.add(Weight::Warning, what, remedy);
            }
        }
        let covered = ["no-delete", "append-only", "drop-box", "read-only"];
        if self.is_on("no-overwrite") && !covered.iter().any(|key| self.is_on(key)) {
            let what = "no-overwrite: a file can still be removed and its name written anew";
            self.add(Weight::Warning, what, "add no-delete");
        }
        if self.is_on("drop-box") && self.is_on("read-only") {
            let what = "drop-box and read-only: nothing can be put into the box";
            self.add(Weight::Warning, what, "take one of them");
        }
    }

    /// Tables for users and groups that do not exist.
    fn strangers(&mut self, told: &Told) {
        let Some(file) = &told.file else {
            return;
        };
        let mut asked = HashMap::new();
        for Table { criteria, .. } in &file.tables {
            let users = criteria.user.iter().flatten();
            let groups = criteria.group.iter().flatten();
            let all = users.map(|user| ("user", user));
            for (key, pattern) in all.chain(groups.map(|group| ("group", group))) {
                let Some(name) = pattern.name() else {
                    continue;
                };
                // Each once: the name service may be on another host.
                let stands = asked.entry((key, name)).or_insert_with(|| match key {
                    "user" => identity::is_user(name),
                    _ => identity::is_group(name),
                });
                let (path, name) = (file.path.display(), name.escape_ascii());
                let at = format!("{path}:{}: {key}", pattern.line);
                let (what, remedy) = match stands {
                    Ok(true) => continue,
                    Ok(false) => (
                        format!("{at}: there is no {key} \"{name}\""),
                        "correct the name; as it is, it holds for nobody",
                    ),
                    Err(errno) => (
                        format!("{at}: cannot look up \"{name}\": {}", errno.desc()),
                        "see that getent(1) answers: a session whose names cannot be looked up is refused",
                    ),
                };
                self.add(Weight::Warning, what, remedy);
            }
        }
    }

    /// Tables that are for nobody.
    fn never(&mut self, told: &Told) {
        let tables = told.file.iter().flat_map(|file| &file.tables);
        let criteria = tables.flat_map(|table| table.criteria.lists());
        let never: Vec<_> = criteria
            .filter(|(_, list)| super::matching::never(list))
            .map(|(key, list)| match list.is_empty() {
                true => (
                    format!("[[match]]: {key} is an empty list, which never holds"),
                    "name somebody in it, or leave it out",
                ),
                false => (
                    format!("[[match]]: {key} has negations alone, and so never holds"),
                    "add \"*\" to it",
                ),
            })
            .collect();
        for (what, remedy) in never {
            self.add(Weight::Warning, what, remedy);
        }
    }
}

/// Every key with its value.
fn shown(told: &Told) -> Vec<Shown> {
    let known = flags();
    let keys = keys::all(&known).filter_map(|arg| Some((arg, arg.get_long()?)));
    let shown = keys.map(|(arg, key)| {
        let said = told.said(key);
        let kind = keys::kind(arg);
        let default = arg.get_default_values().first();
        let (value, from) = match said.first() {
            Some(setting) => (value(kind, setting), File::origin(setting)),
            None if kind == Kind::Switch => (Value::Switch(false), From::Default),
            None => match default {
                Some(value) => (Value::One(text(value)), From::Default),
                None => (Value::Unset(defaults::default(key)), From::Default),
            },
        };
        Shown {
            key: key.to_owned(),
            value,
            from,
        }
    });
    shown.collect()
}

fn value(kind: Kind, setting: &Setting) -> Value {
    let words = setting.words.iter();
    let mut values = words.map(|word| value_of(&setting.key, word));
    match kind {
        Kind::Switch => Value::Switch(!setting.words.is_empty()),
        // The last one counts, where a letter is repeated.
        Kind::One | Kind::Number | Kind::Mode => Value::One(values.next_back().unwrap_or_default()),
        Kind::Several => Value::List(values.collect()),
        Kind::Commas => {
            let all: Vec<String> = values.collect();
            let names = all.iter().flat_map(|list| list.split(','));
            let names = names.filter(|name| !name.is_empty());
            Value::List(names.map(str::to_owned).collect())
        }
    }
}

/// The value of a word such as `--key=value`.
fn value_of(key: &str, word: &OsStr) -> String {
    let word = text(word);
    let value = word.strip_prefix(&format!("--{key}=")).map(str::to_owned);
    value.unwrap_or(word)
}

fn text(text: &OsStr) -> String {
    text.to_string_lossy().into_owned()
}
