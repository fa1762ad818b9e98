//! `--no-overwrite`: what exists keeps its content, and its name.

use crate::fs::{Deed, Effect};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// What exists keeps its content: no writing to it, no truncating, nothing put in its place; new files can be made
    #[arg(long)]
    pub no_overwrite: bool,
}

/// Whether this is forbidden.
///
/// A file that the session created is written by the handle that created it, of which no deed tells.
pub(super) fn forbids(deed: &Deed<'_>) -> bool {
    match deed.effect {
        Effect::Content | Effect::Truncate | Effect::Replace => true,
        Effect::Resize(size) => !deed.by_maker && deed.size() != Some(size),
        _ => false,
    }
}
