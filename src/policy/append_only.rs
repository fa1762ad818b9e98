//! `--append-only`: files grow at their end and nowhere else.

use super::no_delete;
use super::own::Own;
use crate::fs::{Deed, Effect, Writing};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Files grow at their end only; nothing is replaced, and removed or renamed only what this session created
    #[arg(long)]
    pub append_only: bool,
}

/// Whether this is forbidden; where a file is written to is judged by [`forbids_writing`].
pub(super) fn forbids(deed: &Deed<'_>, own: &Own) -> bool {
    match deed.effect {
        Effect::Truncate | Effect::Replace => true,
        Effect::Resize(size) => deed.size() != Some(size),
        _ => no_delete::forbids(deed, own),
    }
}

/// Whether data may not be written there: it begins at the present end, or goes there whatever the client says.
pub(super) fn forbids_writing(writing: &Writing) -> bool {
    writing.length > 0 && !writing.appends && writing.from != writing.size
}
