//! What may run and what may happen: requests by their names, and rules that judge by effect.
//!
//! A rule is a file. It knows deeds ([`crate::fs::Deed`]), nothing of requests or sessions; the verdict on all of them is
//! [`Rules::judge`], in the order of the manual's table. Rates, timeouts and the number of handles are no rules: their values are read here,
//! and the session keeps them.

pub mod append_only;
pub mod atomic_upload;
pub mod deny;
pub mod drop_box;
pub mod glob;
pub mod hide;
pub mod ignore_setstat;
mod invalid;
pub mod keep_setuid;
pub mod max_file_size;
pub mod max_handles;
pub mod modes;
pub mod no_delete;
pub mod no_overwrite;
pub mod own;
pub mod rates;
mod read_only;
mod requests;
pub mod reserve_free;
pub mod rules;
pub mod timeouts;
pub mod units;

pub use invalid::Invalid;
pub use rates::Rates;
pub use requests::{Operation, Policy, Refused};
pub use rules::Rules;
pub use timeouts::Timeouts;

/// The flags of all rules.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
#[allow(missing_docs, reason = "each says it")]
pub struct Args {
    #[command(flatten)]
    pub no_overwrite: no_overwrite::Args,
    #[command(flatten)]
    pub no_delete: no_delete::Args,
    #[command(flatten)]
    pub append_only: append_only::Args,
    #[command(flatten)]
    pub drop_box: drop_box::Args,
    #[command(flatten)]
    pub hide: hide::Args,
    #[command(flatten)]
    pub deny: deny::Args,
    #[command(flatten)]
    pub modes: modes::Args,
    #[command(flatten)]
    pub ignore_setstat: ignore_setstat::Args,
    #[command(flatten)]
    pub atomic_upload: atomic_upload::Args,
    #[command(flatten)]
    pub max_file_size: max_file_size::Args,
    #[command(flatten)]
    pub reserve_free: reserve_free::Args,
    #[command(flatten)]
    pub rates: rates::Args,
    #[command(flatten)]
    pub timeouts: timeouts::Args,
    #[command(flatten)]
    pub max_handles: max_handles::Args,
    #[command(flatten)]
    pub keep_setuid: keep_setuid::Args,
}
