//! `--reserve-free`: so much of the file system stays free.

use super::Invalid;
use super::units;
use crate::fs::{Deed, Effect, Writing};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// So much of the file system stays free [K, M, G, T; 0 and none: off]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub reserve_free: Option<String>,
}

impl Args {
    /// The size in bytes.
    pub(super) fn limit(&self) -> Result<Option<u64>, Invalid> {
        Invalid::of("--reserve-free", self.reserve_free.as_ref(), units::size)
    }
}

/// Whether a file would grow into the reserve.
pub(super) fn forbids(reserve: u64, deed: &Deed<'_>) -> bool {
    let Effect::Resize(size) = deed.effect else {
        return false;
    };
    let growth = size.saturating_sub(deed.size().unwrap_or_default());
    growth > 0 && takes(reserve, growth, deed.free())
}

/// Whether what is written behind the end of the file, or perhaps into a hole of it, would go into the reserve.
pub(super) fn forbids_writing(
    reserve: u64,
    writing: &Writing,
    free: impl FnOnce() -> Option<u64>,
) -> bool {
    let mut growth = writing.end().saturating_sub(writing.size);
    if writing.stored < writing.size {
        growth = growth.max(writing.length);
    }
    growth > 0 && takes(reserve, growth, free())
}

/// Where the file system does not tell, nothing is reserved.
fn takes(reserve: u64, growth: u64, free: Option<u64>) -> bool {
    free.is_some_and(|free| free.saturating_sub(growth) < reserve)
}
