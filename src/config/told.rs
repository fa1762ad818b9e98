//! All that was said, by whom, and what of it applies.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::file::{File, Invalid, Setting, Table};
use super::matching::Who;
use crate::cli::{self, Line, Request};
use crate::fs;
use crate::identity::Login;

/// Read where it exists, unless the command line says otherwise.
pub const DEFAULT: &str = "/etc/ssh/sftp_server.toml";

/// All that was said, by whom, and what of it applies.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) line: Line,
    pub(super) typed: Table,
    pub(super) file: Option<File>,
    /// Which tables of the file apply, by their number, the first one wins.
    pub(super) applying: Vec<usize>,
}

impl Told {
    /// Reads the file, and looks at all of its values.
    pub(super) fn new(line: Line, login: &Login) -> Result<Self, Error> {
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
    pub(super) fn apply(&mut self, who: &Who<'_>) -> Result<(), Error> {
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
    pub(super) fn said(&self, key: &str) -> Vec<&Setting> {
        let all = std::iter::once(&self.typed).chain(self.tables());
        let settings = all.flat_map(|table| &table.settings);
        settings.filter(|setting| setting.key == key).collect()
    }

    /// The tables that apply.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.file.iter().flat_map(|file| {
            let applying = self.applying.iter();
            applying.filter_map(|number| file.tables.get(*number))
        })
    }

    /// What wins of the file.
    pub(super) fn chosen(&self) -> Vec<&Setting> {
        let all = first_of(std::iter::once(&self.typed).chain(self.tables()));
        let of_file = all.into_iter().filter(|setting| setting.line > 0);
        of_file.collect()
    }

    pub(super) fn request(&mut self, login: &Login) -> Result<Request, Error> {
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
pub(super) fn exists() -> Result<bool, Invalid> {
    let path = Path::new(DEFAULT);
    fs::stands(path)
        .map_err(|errno| Invalid::of_file(path, &fs::Untrusted::Kernel(path.to_path_buf(), errno)))
}
