//! A command line, taken apart once, and put together with what the configuration file says.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, value_parser};

use super::split::{Misplaced, Split, split};
use super::{Error, Request, Typed, flags, paths, program_name, request, usage_text};
use crate::identity::Login;

/// What was typed, before it is known what it means.
#[derive(Debug)]
pub struct Line {
    program: String,
    known: Command,
    /// The program's name first.
    options: Vec<OsString>,
    command: Option<OsString>,
    misplaced: Option<Misplaced>,
    matches: Result<ArgMatches, clap::Error>,
}

impl Line {
    /// Takes `arguments` apart, the program's name first.
    #[must_use]
    pub fn new(arguments: Vec<OsString>) -> Self {
        let program = program_name(arguments.first());
        let mut known = flags();
        let Split {
            options,
            command,
            misplaced,
        } = split(&known, arguments);
        let matches = known.try_get_matches_from_mut(&options);
        Self {
            program,
            known,
            options,
            command,
            misplaced,
            matches,
        }
    }

    /// A question to `check`: flags, about whom it is, and operands wherever they stand.
    #[must_use]
    pub fn question(options: Vec<OsString>) -> Self {
        let mut known = question();
        // Operands have their place here.
        let misplaced = split(&known, options.clone()).misplaced;
        let misplaced = misplaced.filter(|word| !matches!(word, Misplaced::Operand(_)));
        let matches = known.try_get_matches_from_mut(&options);
        Self {
            program: program_name(options.first()),
            known,
            options,
            command: None,
            misplaced,
            matches,
        }
    }

    /// The values of an option.
    #[must_use]
    pub fn values(&self, name: &str) -> Vec<OsString> {
        let matches = self.matches.as_ref().ok();
        let values = matches.and_then(|matches| matches.get_raw(name));
        values.into_iter().flatten().map(OsString::from).collect()
    }

    /// The value of an option.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<OsString> {
        self.values(name).pop()
    }

    /// Whether this option was given.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let matches = self.matches.as_ref();
        matches.is_ok_and(|matches| matches.get_flag(name))
    }

    /// What it asks for by itself where that is no session: to print something, or what makes no sense.
    pub fn ends(&mut self, login: &Login) -> Option<Result<Request, Error>> {
        let ends = |matches: &ArgMatches| {
            let prints = ["usage", "help", "version"];
            prints.iter().any(|flag| matches.get_flag(flag)) || matches.contains_id("query")
        };
        match &self.matches {
            Ok(matches) if !ends(matches) => None,
            _ => Some(self.request(&[], login)),
        }
    }

    /// The configuration file that it names.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn config(&self, login: &Login) -> Result<Option<PathBuf>, Error> {
        let typed = self.matches.as_ref().ok();
        let typed = typed.and_then(|matches| matches.get_one::<OsString>("config"));
        typed.map(|path| paths::config(path, login)).transpose()
    }

    /// Whether no configuration file is to be read.
    #[must_use]
    pub fn no_config(&self) -> bool {
        self.has("no_config")
    }

    /// The flags that have a long name, each with the words that say the same.
    #[must_use]
    pub fn typed(&self) -> Vec<(String, Vec<OsString>)> {
        let Ok(matches) = &self.matches else {
            return Vec::new();
        };
        let known = self.known.get_arguments();
        let typed = known.filter(|arg| {
            let source = matches.value_source(arg.get_id().as_str());
            source == Some(ValueSource::CommandLine)
        });
        let words = typed.filter_map(|arg| {
            let long = arg.get_long()?;
            let values = matches.get_raw(arg.get_id().as_str());
            let values = values.filter(|_| arg.get_action().takes_values());
            let words = match values {
                Some(values) => values.map(|value| word(long, value)).collect(),
                None => vec![OsString::from(format!("--{long}"))],
            };
            Some((long.to_owned(), words))
        });
        words.collect()
    }

    /// What is asked for, with the words of the configuration file.
    ///
    /// # Errors
    /// What cannot be, in words.
    pub fn request(&mut self, configured: &[OsString], login: &Login) -> Result<Request, Error> {
        let command = self.command.clone();
        let options = self.options.clone();
        let result = if configured.is_empty() {
            match &self.matches {
                Ok(matches) => self.means(matches, command, login),
                Err(error) => Err(wrong(&self.program, error)),
            }
        } else {
            let typed = options.get(1..).unwrap_or_default();
            self.judge(&[configured, typed].concat(), command, login)
        };
        let result = match (result, self.misplaced.clone()) {
            (Ok(Request::Serve(_)), Some(word)) => Err(Error::from(word)),
            // What seems to be missing may stand behind it.
            (Err(Error::BindWithoutRoot), Some(word)) => Err(Error::from(word)),
            (result, _) => result,
        };
        result.map_err(|error| {
            // OpenSSH takes one option after the other and leaves at the first that is fatal.
            (1..options.len())
                .filter_map(|end| self.judge(options.get(1..end)?, None, login).err())
                .find(Error::is_fatal)
                .unwrap_or(error)
        })
    }

    /// What these options alone ask for.
    ///
    /// # Errors
    /// What cannot be, in words.
    pub fn judge(
        &mut self,
        options: &[OsString],
        command: Option<OsString>,
        login: &Login,
    ) -> Result<Request, Error> {
        let program = OsString::from(&self.program);
        let words = std::iter::once(&program).chain(options);
        let matches = self.known.try_get_matches_from_mut(words);
        let matches = matches.map_err(|error| wrong(&self.program, &error))?;
        self.means(&matches, command, login)
    }

    fn means(
        &self,
        matches: &ArgMatches,
        command: Option<OsString>,
        login: &Login,
    ) -> Result<Request, Error> {
        let typed = Typed::from_arg_matches(matches);
        let typed = typed.map_err(|error| wrong(&self.program, &error))?;
        request(&self.program, typed, command, login)
    }
}

/// What `check` can be asked: every flag, for whom, and how to answer.
#[must_use]
pub fn question() -> Command {
    let about = |name: &'static str, what: &'static str| {
        let arg = Arg::new(name).long(name).value_name(what);
        arg.value_parser(value_parser!(OsString))
    };
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue);
    let operands = Arg::new("operands")
        .num_args(0..)
        .value_parser(value_parser!(OsString));
    flags()
        .arg(about("user", "NAME").help("Whose session it is about"))
        .arg(about("address", "ADDRESS").help("From where the client would come"))
        .arg(json.help("Answer as one JSON object"))
        .arg(operands.hide(true))
}

/// A flag with its value, as one word.
#[must_use]
pub fn word(long: &str, value: impl AsRef<std::ffi::OsStr>) -> OsString {
    let mut word = OsString::from(format!("--{long}="));
    word.push(value);
    word
}

/// What is wrong, where clap can say it, and the usage.
fn wrong(program: &str, error: &clap::Error) -> Error {
    let rendered = error.to_string();
    let first = rendered.lines().next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first);
    let meant = match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(meant)) => format!("; is {meant} meant?"),
        _ => String::new(),
    };
    // `--sandbox <MODE>`
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(arg)) => arg.split([' ', '=']).next(),
        _ => None,
    };
    let flag = flag.and_then(|flag| flag.strip_prefix("--"));
    Error::Usage {
        text: format!("{program}: {what}{meant}\n{}", usage_text(program)),
        flag: flag.map(str::to_owned),
    }
}
