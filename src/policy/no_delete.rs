//! `--no-delete`: no name disappears or is replaced, but those of what the session made itself.

use super::own::Own;
use crate::fs::{Deed, Effect};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// No name disappears or is replaced; what this session created may be removed and renamed
    #[arg(long)]
    pub no_delete: bool,
}

/// Whether this is forbidden.
pub(super) fn forbids(deed: &Deed<'_>, own: &Own) -> bool {
    let ends_a_name = matches!(deed.effect, Effect::Remove | Effect::Move | Effect::Replace);
    ends_a_name && !own.has(deed)
}
