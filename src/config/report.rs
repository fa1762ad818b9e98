//! How `check` says it: aligned text for people, one JSON object for programs.

use std::fmt::Write;

use super::disk::Disk;

/// A setting, and who said it.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) from: From,
}

#[derive(Debug)]
pub(super) enum Value {
    /// Nobody set it; what holds then.
    Unset(String),
    Switch(bool),
    One(String),
    List(Vec<String>),
}

#[derive(Debug)]
pub(super) enum From {
    Flag,
    /// The line of the file.
    File(usize),
    Default,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It would stop a session.
    Error,
    Warning,
    Note,
}

/// Something about the host or the settings, and what to do about it.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) weight: Weight,
    pub(super) what: String,
    /// Empty where there is nothing to do.
    pub(super) remedy: String,
}

/// A path that self-protection keeps as it is.
#[derive(Debug)]
pub(super) struct Protected {
    pub(super) path: String,
    /// Where links lead from it.
    pub(super) leads: Option<String>,
    /// Whether anything stands there.
    pub(super) stands: bool,
}

impl Protected {
    fn text(&self) -> Option<String> {
        let path = &self.path;
        match (&self.leads, self.stands) {
            (None, true) => Some(path.clone()),
            (Some(leads), true) => Some(format!("{path} -> {leads}")),
            (Some(leads), false) => Some(format!("{path} -> {leads}, which is not there")),
            // There are many of them, and the manual has the list.
            (None, false) => None,
        }
    }
}

/// All that `check` has to say.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) user: String,
    pub(super) address: Option<String>,
    pub(super) file: Option<String>,
    pub(super) settings: Vec<Shown>,
    pub(super) protected: Vec<Protected>,
    pub(super) disks: Vec<Disk>,
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// The exit status.
    pub(super) fn status(&self) -> u8 {
        let stops = |finding: &Finding| finding.weight == Weight::Error;
        u8::from(self.findings.iter().any(stops))
    }

    pub(super) fn text(&self, colour: bool) -> String {
        let mut text = String::new();
        let none = "none";
        let address = self.address.as_deref().unwrap_or(none);
        let file = self.file.as_deref().unwrap_or(none);
        for (name, value) in [("user", &*self.user), ("address", address), ("file", file)] {
            line(&mut text, &format!("{name:8}  {value}"));
        }
        if !self.settings.is_empty() {
            text.push('\n');
        }
        let width = |of: fn(&Shown) -> usize| self.settings.iter().map(of).max().unwrap_or(0);
        let keys = width(|shown| shown.key.len());
        // A long list does not push all the rest aside.
        let values = width(|shown| shown.value.text().chars().count()).min(40);
        for Shown { key, value, from } in &self.settings {
            let from = match (from, &self.file) {
                (From::Flag, _) => "flag".to_owned(),
                (From::File(row), Some(file)) => format!("{file}:{row}"),
                (From::File(_) | From::Default, _) => "default".to_owned(),
            };
            let value = value.text();
            line(&mut text, &format!("{key:keys$}  {value:values$}  {from}"));
        }
        text.push('\n');
        let known = self.protected.iter().filter_map(Protected::text);
        for path in known {
            line(&mut text, &format!("protected  {}", printable(&path)));
        }
        if !self.protected.is_empty() {
            let missing = self.protected.iter();
            let missing = missing.filter(|known| known.text().is_none()).count();
            line(
                &mut text,
                &format!(
                    "protected  and {missing} names that are not there (SELF-PROTECTION in the manual)"
                ),
            );
            text.push('\n');
        }
        for row in self.disks.iter().flat_map(Disk::text) {
            line(&mut text, &row);
        }
        if !self.disks.is_empty() {
            text.push('\n');
        }
        for finding in &self.findings {
            let (word, shade) = match finding.weight {
                Weight::Error => ("error", "\x1b[31m"),
                Weight::Warning => ("warning", "\x1b[33m"),
                Weight::Note => ("note", "\x1b[32m"),
            };
            let (on, off) = if colour { (shade, "\x1b[0m") } else { ("", "") };
            let what = printable(&finding.what);
            let _ = writeln!(text, "{on}{word:7}{off}  {what}");
            if !finding.remedy.is_empty() {
                let _ = writeln!(text, "         {}", printable(&finding.remedy));
            }
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let settings = self.settings.iter().map(|shown| {
            let value = match &shown.value {
                Value::Unset(_) => "null".to_owned(),
                Value::Switch(on) => on.to_string(),
                Value::One(text) => quoted(text),
                Value::List(list) => array(list.iter().map(|text| quoted(text))),
            };
            let (from, row) = match shown.from {
                From::Flag => ("flag", String::new()),
                From::File(row) => ("file", format!(",\"line\":{row}")),
                From::Default => ("default", String::new()),
            };
            let key = quoted(&shown.key);
            format!("{key}:{{\"value\":{value},\"from\":\"{from}\"{row}}}")
        });
        let defaults = self.settings.iter().filter_map(|shown| match &shown.value {
            Value::Unset(default) => Some(format!("{}:{}", quoted(&shown.key), quoted(default))),
            _ => None,
        });
        let findings = self.findings.iter().map(|finding| {
            let weight = match finding.weight {
                Weight::Error => "error",
                Weight::Warning => "warning",
                Weight::Note => "note",
            };
            let (what, remedy) = (quoted(&finding.what), quoted(&finding.remedy));
            format!("{{\"level\":\"{weight}\",\"text\":{what},\"remedy\":{remedy}}}")
        });
        let protected = self.protected.iter().map(|known| {
            let leads = known.leads.as_deref().unwrap_or(&known.path);
            let (path, leads) = (quoted(&known.path), quoted(leads));
            let stands = known.stands;
            format!("{{\"path\":{path},\"leads\":{leads},\"stands\":{stands}}}")
        });
        let or_null = |text: &Option<String>| text.as_deref().map_or("null".to_owned(), quoted);
        format!(
            "{{\"user\":{},\"address\":{},\"file\":{},\"settings\":{{{}}},\"defaults\":{{{}}},\"protected\":{},\"filesystems\":{},\
             \"findings\":{},\"exit\":{}}}\n",
            quoted(&self.user),
            or_null(&self.address),
            or_null(&self.file),
            settings.collect::<Vec<_>>().join(","),
            defaults.collect::<Vec<_>>().join(","),
            array(protected),
            array(self.disks.iter().map(Disk::json)),
            array(findings),
            self.status()
        )
    }
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Unset(default) => printable(default),
            Self::Switch(on) => on.to_string(),
            Self::One(text) => printable(text),
            Self::List(list) if list.is_empty() => "(empty)".to_owned(),
            Self::List(list) => printable(&list.join(", ")),
        }
    }
}

/// Without blanks at its end, which the last column would leave.
fn line(text: &mut String, row: &str) {
    text.push_str(row.trim_end());
    text.push('\n');
}

/// No name makes a second line, nor moves the cursor.
pub(super) fn printable(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    letters.collect()
}

pub(super) fn array(elements: impl Iterator<Item = String>) -> String {
    format!("[{}]", elements.collect::<Vec<_>>().join(","))
}

/// A string of JSON.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
