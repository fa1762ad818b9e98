//! `--hide`: what matches does not exist for the client, nor what lies beneath it.

use super::glob::Glob;
use crate::fs::{Deed, Effect};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// What matches, and what lies beneath, does not exist for the client; may be repeated
    #[arg(long, value_name = "GLOB", action = clap::ArgAction::Append, allow_hyphen_values = true)]
    pub hide: Vec<std::ffi::OsString>,
}

/// Whether a path, or a directory above it, is hidden.
pub(super) fn hides(globs: &[Glob], path: &[u8]) -> bool {
    globs.iter().any(|glob| glob.covers(path))
}

/// Whether a directory would be renamed, from or to where a pattern could reach something in it.
pub(super) fn forbids(globs: &[Glob], deed: &Deed<'_>) -> bool {
    deed.is_directory() && forbids_directories(globs, deed)
}

/// Whether it would be, if it were a directory.
pub(super) fn forbids_directories(globs: &[Glob], deed: &Deed<'_>) -> bool {
    let renames = matches!(deed.effect, Effect::Move | Effect::MoveTo);
    renames && globs.iter().any(|glob| glob.reaches_below(deed.path()))
}
