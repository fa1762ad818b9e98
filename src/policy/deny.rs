//! `--deny`: what matches is listed, and nothing else is done with it.

use super::glob::Glob;
use super::hide;
use crate::fs::{Deed, Effect};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// What matches, and what lies beneath, may be neither read nor touched; may be repeated
    #[arg(long, value_name = "GLOB", action = clap::ArgAction::Append, allow_hyphen_values = true)]
    pub deny: Vec<std::ffi::OsString>,
}

/// Whether this is forbidden.
pub(super) fn forbids(globs: &[Glob], deed: &Deed<'_>) -> bool {
    let touches = deed.effect != Effect::Look && hide::hides(globs, deed.path());
    touches || hide::forbids(globs, deed)
}
