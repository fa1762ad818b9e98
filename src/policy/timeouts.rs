//! `--idle-timeout` and `--session-timeout`: how long a session may do nothing, and how long it may last.

use std::time::Duration;

use super::Invalid;
use super::units;

/// Their flags.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// End a session from which no request came for so long, and that has none outstanding [s, m, h, d; 0 and none: off]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub idle_timeout: Option<String>,

    /// End a session so long after its start, whatever it does [s, m, h, d; 0 and none: off]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub session_timeout: Option<String>,
}

/// What they say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeouts {
    /// How long nothing may be asked for.
    pub idle: Option<Duration>,
    /// How long a session may last.
    pub session: Option<Duration>,
}

impl Args {
    /// The times.
    ///
    /// # Errors
    /// The first flag whose value is no time.
    pub fn read(&self) -> Result<Timeouts, Invalid> {
        let time = |flag, value: &Option<_>| Invalid::of(flag, value.as_ref(), units::duration);
        Ok(Timeouts {
            idle: time("--idle-timeout", &self.idle_timeout)?,
            session: time("--session-timeout", &self.session_timeout)?,
        })
    }
}
