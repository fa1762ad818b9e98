//! `--file-mode` and `--dir-mode`: what is created has this mode, and keeps it.

use super::Invalid;
use super::units;
use crate::fs::{Deed, Effect, Modes};

/// Their flags.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Exact mode of files that are created, octal, whatever client, umask and default ACL say; a later chmod leaves it
    #[arg(long, value_name = "MODE", allow_hyphen_values = true)]
    pub file_mode: Option<String>,

    /// The same of directories
    #[arg(long, value_name = "MODE", allow_hyphen_values = true)]
    pub dir_mode: Option<String>,
}

pub(super) fn read(args: &Args, keep_setuid: bool) -> Result<Modes, Invalid> {
    let read = |flag, text: &Option<String>| {
        let Some(text) = text else {
            return Ok(None);
        };
        let mode = units::mode(text).and_then(|mode| match mode > 0o777 && !keep_setuid {
            true => Err("bits above 0777 need --keep-setuid"),
            false => Ok(mode),
        });
        mode.map(Some).map_err(|why| Invalid::new(flag, text, why))
    };
    Ok(Modes {
        file: read("--file-mode", &args.file_mode)?,
        dir: read("--dir-mode", &args.dir_mode)?,
    })
}

/// Whether the mode stays as it is, whatever the client says.
pub(super) fn leaves(modes: Modes, deed: &Deed<'_>) -> bool {
    let fixed = if deed.is_directory() {
        modes.dir
    } else {
        modes.file
    };
    deed.effect == Effect::Permissions && fixed.is_some()
}
