//! What was typed or configured and cannot be.

use std::path::PathBuf;

use super::file::Invalid;
use crate::cli;

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
    pub(super) fn remedy(&self) -> &str {
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
