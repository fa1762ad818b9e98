//! How much is logged, and where it goes.

use std::str::FromStr;

/// How much is logged: OpenSSH's levels, from the least to the most.
///
/// Source: sshd_config(5) `LogLevel`; log.c `log_levels`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are OpenSSH's own")]
pub enum Level {
    Quiet,
    Fatal,
    Error,
    Info,
    Verbose,
    Debug1,
    Debug2,
    Debug3,
}

/// A name that is not one of the list it should be of.
#[derive(Debug, thiserror::Error)]
#[error("unknown name")]
pub struct UnknownName;

impl FromStr for Level {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        Ok(match name.to_ascii_uppercase().as_str() {
            "QUIET" => Self::Quiet,
            "FATAL" => Self::Fatal,
            "ERROR" => Self::Error,
            "INFO" => Self::Info,
            "VERBOSE" => Self::Verbose,
            "DEBUG" | "DEBUG1" => Self::Debug1,
            "DEBUG2" => Self::Debug2,
            "DEBUG3" => Self::Debug3,
            _ => return Err(UnknownName),
        })
    }
}

/// The syslog facility: its code as in RFC 3164, already shifted for a priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub(super) u8);

impl Facility {
    /// OpenSSH's default.
    pub const AUTH: Self = Self(4 << 3);
}

impl FromStr for Facility {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let code = match name.to_ascii_uppercase().as_str() {
            "USER" => 1,
            "DAEMON" => 3,
            "AUTH" => 4,
            "AUTHPRIV" => 10,
            "LOCAL0" => 16,
            "LOCAL1" => 17,
            "LOCAL2" => 18,
            "LOCAL3" => 19,
            "LOCAL4" => 20,
            "LOCAL5" => 21,
            "LOCAL6" => 22,
            "LOCAL7" => 23,
            _ => return Err(UnknownName),
        };
        Ok(Self(code << 3))
    }
}

/// Where the lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Standard error, for a person (`-e`).
    Stderr,
    /// `/dev/log`, under this facility.
    Syslog(Facility),
}
