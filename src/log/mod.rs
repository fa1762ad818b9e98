//! The log: what happened goes in as an [`Event`], lines come out where the system manager looks for them.
//!
//! Knows nothing of packets, files or policies. [`event`] says what can happen, [`openssh`] how it reads,
//! [`syslog`] where it goes. An event costs one atomic load where its level is off.

pub mod escape;
pub mod event;
mod fit;
pub mod openssh;
pub mod syslog;
pub mod time;
mod zone;

use std::str::FromStr;

use tracing::span;
use tracing_subscriber::Layer;

pub use event::Event;

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
pub struct Facility(u8);

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

/// Opens the log for the whole program. The first call counts, later ones change nothing.
pub fn init(level: Level, target: Target) {
    let layer = openssh::Layer::new(level, target);
    // It can fail only where a subscriber is set already; that one stays.
    let _ = tracing::subscriber::set_global_default(layer.with_subscriber(Events));
}

/// What the layers stand on: events alone, no spans, so that no session starts by making room for spans.
struct Events;

impl tracing::Subscriber for Events {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Logs what `event` makes, if a line of `threshold` is wanted at all; otherwise `event` is not called.
#[inline]
pub fn emit(threshold: Level, event: impl FnOnce() -> Event) {
    // tracing knows five levels where OpenSSH has six: the debug levels share one, and the layer tells them apart.
    match threshold {
        Level::Quiet | Level::Fatal | Level::Error => {
            if tracing::enabled!(tracing::Level::ERROR) {
                tracing::error!(event = as_error(&event()));
            }
        }
        Level::Info => {
            if tracing::enabled!(tracing::Level::INFO) {
                tracing::info!(event = as_error(&event()));
            }
        }
        Level::Verbose => {
            if tracing::enabled!(tracing::Level::DEBUG) {
                tracing::debug!(event = as_error(&event()));
            }
        }
        Level::Debug1 | Level::Debug2 | Level::Debug3 => {
            if tracing::enabled!(tracing::Level::TRACE) {
                tracing::trace!(event = as_error(&event()));
            }
        }
    }
}

/// Whether lines of [`Level::Info`] are wanted, where it costs something to know what they would say.
#[must_use]
pub fn tells_info() -> bool {
    tracing::enabled!(tracing::Level::INFO)
}

/// The same of [`Level::Error`].
#[must_use]
pub fn tells_errors() -> bool {
    tracing::enabled!(tracing::Level::ERROR)
}

/// Writes one line to standard error, for whoever started the program; not at all where that would block.
pub fn say(line: &str) {
    syslog::write_stderr(format!("{line}\n").as_bytes());
}

/// The same text on one line: what is quoted in it makes no second one, nor moves the cursor.
#[must_use]
pub fn one_line(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    letters.collect()
}

/// An event as the only typed value that tracing carries from a call to a layer.
fn as_error(event: &Event) -> &(dyn std::error::Error + 'static) {
    event
}
