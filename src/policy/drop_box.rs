//! `--drop-box`: what others put there is not there.

use super::own::Own;
use crate::fs::{Deed, Effect};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Files and directories can be made and written; of what exists only directories are seen, without what others put into them
    #[arg(long)]
    pub drop_box: bool,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is no business of this rule.
    Nothing,
    /// The object is none for this client.
    Absent,
    /// It is refused.
    Refused,
}

/// What becomes of this.
pub(super) fn judge(deed: &Deed<'_>, own: &Own) -> Finding {
    match deed.effect {
        // No links of either kind; and what is refused for a foreign object would tell of it.
        Effect::Alias if !own.has(deed) => Finding::Absent,
        Effect::Alias | Effect::CreateLink => Finding::Refused,
        // To be told that a name is taken is to be told of a foreign object; so it is refused alike, whatever stands there.
        Effect::Create if !deed.exists() || own.has(deed) => Finding::Nothing,
        Effect::Create | Effect::Replace => Finding::Refused,
        // The way to what is one's own leads through directories.
        Effect::Look | Effect::List if deed.is_directory() => Finding::Nothing,
        // Without a name it is known no more, but to the handle that created it.
        _ if !deed.by_maker && !own.has(deed) => Finding::Absent,
        Effect::Content | Effect::Truncate => Finding::Refused,
        Effect::Resize(size) if !deed.by_maker && deed.size() != Some(size) => Finding::Refused,
        _ => Finding::Nothing,
    }
}
