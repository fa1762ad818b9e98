//! What the kernel tells and does by a descriptor and a name: nothing that the view adds, and nobody is asked.
//!
//! It knows neither view nor judge.

pub(super) mod dress;
pub(super) mod entries;
pub(super) mod file_limit;
pub(super) mod identity;
pub(super) mod linked;
pub(super) mod linkless;
pub(super) mod made;
pub(super) mod mounts;
pub(super) mod moving;
pub(super) mod opening;
pub(super) mod patience;
pub(super) mod place;
pub(super) mod stat;
pub(super) mod trial;
pub(super) mod trusted;
pub(super) mod unlisted;
