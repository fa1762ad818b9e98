//! The configuration file, and whose value wins: a flag, then the `[[match]]` tables that apply, from the top, then the top level.
//!
//! A key is a flag's long name, and its value becomes the words that one would type; the one parser of flags reads them.
//! So no key can mean anything else than its flag, and a flag that is added is a key at once.

mod check;
mod defaults;
mod disk;
mod explain;
mod file;
mod guarded;
mod host;
mod keys;
mod matching;
mod question;
mod report;
mod syntax;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::{self, Line, Request};
use crate::fs;
use crate::identity::Login;

pub use file::Invalid;
use file::{File, Setting, Table};
pub use guarded::view;
pub use host::crippled;
pub use matching::Who;

/// Read where it exists, unless the command line says otherwise.
pub const DEFAULT: &str = "/etc/ssh/sftp_server.toml";

/// What was typed or configured cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was typed.
    #[error(transparent)]
    Typed(#[from] cli::Error),
    /// What the file says, or the file itself.
    #[error(transparent)]
    File(#[from] Invalid),
    /// For whom a table of the file is cannot be known.
    #[error("{}:{line}: {key}: cannot look up this session's {key}: {why}", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// Where the criterion stands, from 1.
        line: usize,
        /// Its key.
        key: &'static str,
        /// What the name service said.
        why: &'static str,
    },
    /// What `explain` was asked.
    #[error("{0}")]
    Question(String),
}

impl Error {
    /// The exit status.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Typed(error) => error.exit_status(),
            Self::File(_) | Self::Unknown { .. } | Self::Question(_) => 1,
        }
    }

    /// What would be right, where OpenSSH's words do not say it; the log has these alone.
    #[must_use]
    pub fn meant(&self) -> Option<&str> {
        match self {
            Self::Typed(error) => error.meant(),
            Self::Unknown { .. } => Some(self.remedy()),
            Self::File(_) | Self::Question(_) => None,
        }
    }

    /// What to do about it.
    fn remedy(&self) -> &str {
        match self {
            Self::Typed(error) => error.meant().unwrap_or("correct that flag"),
            Self::File(invalid) => invalid.remedy(),
            Self::Unknown { .. } => {
                "who it is for must be known: see that getent(1) answers, or take the criterion out"
            }
            Self::Question(_) => "correct it",
        }
    }

    /// Whether it goes to the log too.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        match self {
            Self::Typed(error) => error.is_logged(),
            Self::File(_) | Self::Unknown { .. } => true,
            Self::Question(_) => false,
        }
    }
}

/// What the command line and the configuration file ask for together.
///
/// # Errors
/// What cannot be, in words.
pub fn read(mut arguments: Vec<OsString>, login: &Login) -> Result<Request, Error> {
    // The first word alone: what a client asks for comes behind -c, or in the environment.
    let question = arguments.get(1).and_then(|word| match word.to_str() {
        Some("check") => Some(check::check as fn(_) -> _),
        Some("explain") => Some(explain::explain as fn(_) -> _),
        _ => None,
    });
    if let Some(answer) = question {
        arguments.remove(1);
        return answer(arguments);
    }
    if arguments.len() < 2 && !exists()? {
        return Ok(cli::bare(arguments.first(), login)?);
    }
    let mut line = Line::new(arguments);
    if let Some(end) = line.ends(login) {
        return Ok(end?);
    }
    let mut told = Told::new(line, login)?;
    told.apply(&Who::of_session(login))?;
    told.request(login)
}

/// All that was said, by whom, and what of it applies.
#[derive(Debug)]
struct Told {
    line: Line,
    typed: Table,
    file: Option<File>,
    /// Which tables of the file apply, by their number, the first one wins.
    applying: Vec<usize>,
}

impl Told {
    /// Reads the file, and looks at all of its values.
    fn new(line: Line, login: &Login) -> Result<Self, Error> {
        let typed = line.typed().into_iter();
        let typed = Table {
            settings: typed
                .map(|(key, words)| Setting {
                    key,
                    words,
                    line: 0,
                    column: 0,
                })
                .collect(),
            ..Table::default()
        };
        let mut told = Self {
            file: None,
            line,
            typed,
            applying: Vec::new(),
        };
        if let Some((path, user)) = which(&told.line, login)? {
            let file = File::read(&path, user)?;
            told.file = Some(file);
            told.judge_tables(login)?;
        }
        Ok(told)
    }

    /// Chooses the tables that apply.
    ///
    /// # Errors
    /// [`Error::Unknown`]: a table that is passed over can be the one that restricts.
    fn apply(&mut self, who: &Who<'_>) -> Result<(), Error> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        for (number, table) in file.tables.iter().enumerate() {
            let is = who.is(table).map_err(|unknown| Error::Unknown {
                file: file.path.clone(),
                line: unknown.line,
                key: unknown.key,
                why: unknown.why,
            });
            if is? {
                self.applying.push(number);
            }
        }
        Ok(())
    }

    /// What was said of a key, the first one wins.
    fn said(&self, key: &str) -> Vec<&Setting> {
        let all = std::iter::once(&self.typed).chain(self.tables());
        let settings = all.flat_map(|table| &table.settings);
        settings.filter(|setting| setting.key == key).collect()
    }

    /// The tables that apply.
    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.file.iter().flat_map(|file| {
            let applying = self.applying.iter();
            applying.filter_map(|number| file.tables.get(*number))
        })
    }

    /// What wins of the file.
    fn chosen(&self) -> Vec<&Setting> {
        let all = first_of(std::iter::once(&self.typed).chain(self.tables()));
        let of_file = all.into_iter().filter(|setting| setting.line > 0);
        of_file.collect()
    }

    fn request(&mut self, login: &Login) -> Result<Request, Error> {
        let chosen = self.chosen().into_iter().cloned().collect::<Vec<_>>();
        let words = words(chosen.iter());
        let mut request = self.line.request(&words, login).map_err(|error| {
            let blamed = error.flag().and_then(|flag| {
                let setting = chosen.iter().find(|setting| setting.key == flag)?;
                Some(self.file.as_ref()?.wrong(setting, &error))
            });
            blamed.map_or(Error::Typed(error), Error::File)
        })?;
        if let Request::Serve(settings) = &mut request {
            if let Some(jail) = &mut settings.jail {
                jail.config = self.file.as_ref().map(|file| file.path.clone());
            }
        }
        Ok(request)
    }

    /// Has the parser of flags look at each table of the file, whether it applies or not.
    fn judge_tables(&mut self, login: &Login) -> Result<(), Error> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let top = file.tables.last();
        for table in &file.tables {
            let near = [table, &self.typed].into_iter().chain(top);
            let Some((setting, error)) = blame(&mut self.line, table, near.clone(), login) else {
                continue;
            };
            // What it needs beside it may stand in another table.
            let all = near.chain(&file.tables);
            if blame(&mut self.line, table, all, login).is_some() {
                return Err(file.wrong(setting, &error).into());
            }
        }
        Ok(())
    }
}

/// What is wrong with a setting of `table`, where `tables` say the rest.
fn blame<'t>(
    line: &mut Line,
    table: &'t Table,
    tables: impl Iterator<Item = &'t Table>,
    login: &Login,
) -> Option<(&'t Setting, cli::Error)> {
    let settings = first_of(tables);
    let words = words(settings);
    let error = line.judge(&words, None, login).err()?;
    let mut settings = table.settings.iter();
    let flag = error.flag()?.to_owned();
    let setting = settings.find(|setting| setting.key == flag)?;
    Some((setting, error))
}

/// The first setting of each key.
fn first_of<'t>(tables: impl Iterator<Item = &'t Table>) -> Vec<&'t Setting> {
    let mut first: Vec<&Setting> = Vec::new();
    for setting in tables.flat_map(|table| &table.settings) {
        if !first.iter().any(|known| known.key == setting.key) {
            first.push(setting);
        }
    }
    first
}

fn words<'s>(settings: impl IntoIterator<Item = &'s Setting>) -> Vec<OsString> {
    let settings = settings.into_iter();
    settings
        .flat_map(|setting| setting.words.iter().cloned())
        .collect()
}

/// The file that is to be read, and who may own it beside root.
fn which(line: &Line, login: &Login) -> Result<Option<(PathBuf, Option<u32>)>, Error> {
    if line.no_config() {
        return Ok(None);
    }
    if let Some(path) = line.config(login)? {
        return Ok(Some((path, Some(login.uid()))));
    }
    Ok(exists()?.then(|| (PathBuf::from(DEFAULT), None)))
}

/// Whether there is a configuration file where one is looked for.
fn exists() -> Result<bool, Invalid> {
    let path = Path::new(DEFAULT);
    fs::stands(path)
        .map_err(|errno| Invalid::of_file(path, &fs::Untrusted::Kernel(path.to_path_buf(), errno)))
}
