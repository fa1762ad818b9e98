//! What is wrong with a command line, in OpenSSH's words where it has some; and with which exit status.

use std::ffi::OsString;

use super::split::Misplaced;
use crate::policy;

/// What was typed cannot be.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("{text}")]
    Usage { text: String, flag: Option<String> },
    #[error("\"{}\" is no option, and those behind it would not count", .0.to_string_lossy())]
    Operand(OsString),
    #[error("{of} has no value: the option \"{}\" stands there", word.to_string_lossy())]
    NoValue { of: String, word: OsString },
    #[error("Invalid query type")]
    Query,
    #[error("Invalid log level \"{0}\"")]
    LogLevel(String),
    #[error("Invalid log facility \"{0}\"")]
    LogFacility(String),
    #[error("Invalid umask \"{0}\"")]
    Umask(String),
    #[error("Invalid file mode \"{0}\"")]
    FileMode(String),
    #[error("Permitted requests already set")]
    AllowedTwice,
    #[error("Refused requests already set")]
    DeniedTwice,
    #[error("Invalid start directory \"{path}\": {why}")]
    StartDirectory { path: String, why: &'static str },
    #[error("Invalid --config \"{path}\": {why}")]
    Config { path: String, why: &'static str },
    #[error("Invalid {flag} \"{value}\": {why}")]
    Jail {
        flag: &'static str,
        value: String,
        why: &'static str,
    },
    #[error("--bind needs --root: without it the client sees the whole host")]
    BindWithoutRoot,
    #[error(transparent)]
    Policy(#[from] policy::Invalid),
}

impl From<Misplaced> for Error {
    fn from(word: Misplaced) -> Self {
        match word {
            Misplaced::Operand(word) => Self::Operand(word),
            Misplaced::Value { of, word } => Self::NoValue { of, word },
        }
    }
}

impl Error {
    /// The exit status, OpenSSH's: 255 where it calls fatal().
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage { .. }
            | Self::Operand(_)
            | Self::NoValue { .. }
            | Self::Query
            | Self::Config { .. }
            | Self::LogLevel(_)
            | Self::LogFacility(_)
            | Self::Jail { .. }
            | Self::BindWithoutRoot
            | Self::Policy(_) => 1,
            Self::Umask(_)
            | Self::FileMode(_)
            | Self::AllowedTwice
            | Self::DeniedTwice
            | Self::StartDirectory { .. } => 255,
        }
    }

    /// The long name of the flag whose value is wrong.
    #[must_use]
    pub fn flag(&self) -> Option<&str> {
        match self {
            Self::Usage { flag, .. } => flag.as_deref(),
            Self::Operand(_) => None,
            Self::NoValue { of, .. } => of.strip_prefix("--"),
            Self::Query => Some("query"),
            Self::LogLevel(_) => Some("log-level"),
            Self::LogFacility(_) => Some("log-facility"),
            Self::Umask(_) => Some("umask"),
            Self::FileMode(_) => Some("force-file-perms"),
            Self::AllowedTwice => Some("allow-requests"),
            Self::DeniedTwice => Some("deny-requests"),
            Self::StartDirectory { .. } => Some("start-directory"),
            Self::Config { .. } => Some("config"),
            Self::Jail { flag, .. } => flag.strip_prefix("--"),
            Self::BindWithoutRoot => Some("bind"),
            Self::Policy(invalid) => invalid.flag().strip_prefix("--"),
        }
    }

    /// What would be right, where the message does not say it: OpenSSH's words do not, and are left as they are.
    #[must_use]
    pub fn meant(&self) -> Option<&'static str> {
        match self {
            Self::Umask(_) => Some("it is octal, 0 to 0777, as in \"027\""),
            Self::FileMode(_) => Some("it is octal, 0 to 0777, as in \"0640\""),
            Self::LogLevel(_) => {
                Some("it is QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3")
            }
            Self::LogFacility(_) => Some("it is DAEMON, USER, AUTH, AUTHPRIV, or LOCAL0 to LOCAL7"),
            Self::AllowedTwice | Self::DeniedTwice => {
                Some("give the flag once, with commas between the requests")
            }
            Self::BindWithoutRoot => Some("add --root DIR, or leave out --bind"),
            Self::Operand(_) => Some(
                "a pattern or a path that a shell sees is written in quotes, as in --hide='*.key'",
            ),
            Self::NoValue { .. } => Some("behind an equals sign anything can be the value"),
            _ => None,
        }
    }

    pub(super) fn is_fatal(&self) -> bool {
        self.exit_status() == 255
    }

    /// Whether it goes to the log too. A usage is for the eyes of who typed.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        !matches!(self, Self::Usage { .. } | Self::Query)
    }
}
