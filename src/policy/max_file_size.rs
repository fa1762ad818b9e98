//! `--max-file-size`: no file grows past it.

use super::Invalid;
use super::units;
use crate::fs::{Deed, Effect, Writing};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// No file grows past this size [K, M, G, T; 0 and none: off]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub max_file_size: Option<String>,
}

impl Args {
    /// The size in bytes.
    pub(super) fn limit(&self) -> Result<Option<u64>, Invalid> {
        Invalid::of("--max-file-size", self.max_file_size.as_ref(), units::size)
    }
}

/// Whether the new size is too much. Shrinking is allowed, from whatever size.
pub(super) fn forbids(limit: u64, deed: &Deed<'_>) -> bool {
    match deed.effect {
        Effect::Resize(size) => size > limit && deed.size().is_none_or(|present| size > present),
        _ => false,
    }
}

/// Whether what is written ends behind the limit.
pub(super) fn forbids_writing(limit: u64, writing: &Writing) -> bool {
    writing.length > 0 && writing.end() > limit
}
