//! `--ignore-setstat`: attributes that a client sets in vain.

use super::Invalid;
use crate::fs::{Deed, Effect};

/// Its flag.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Attributes that are not set, although the client is told so: size, perms, times, owner, separated by commas
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub ignore_setstat: Option<String>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ignored {
    size: bool,
    perms: bool,
    times: bool,
    owner: bool,
}

impl Ignored {
    pub(super) fn new(args: &Args) -> Result<Self, Invalid> {
        let mut ignored = Self::default();
        let Some(list) = &args.ignore_setstat else {
            return Ok(ignored);
        };
        for name in list.split(',') {
            match name {
                "size" => ignored.size = true,
                "perms" => ignored.perms = true,
                "times" => ignored.times = true,
                "owner" => ignored.owner = true,
                _ => {
                    let why = "it lists size, perms, times and owner, separated by commas";
                    return Err(Invalid::new("--ignore-setstat", list, why));
                }
            }
        }
        Ok(ignored)
    }

    pub(super) fn any(self) -> bool {
        self.size || self.perms || self.times || self.owner
    }

    /// Whether this is answered, and not done.
    pub(super) fn leaves(self, deed: &Deed<'_>) -> bool {
        match deed.effect {
            Effect::Resize(_) => self.size,
            Effect::Permissions => self.perms,
            Effect::Times => self.times,
            Effect::Owner => self.owner,
            _ => false,
        }
    }
}
