//! `--download-rate` and `--upload-rate`: how much content a session may move in a second.

use std::num::NonZeroU64;

use super::Invalid;
use super::units;

/// Their flags.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub struct Args {
    /// So many bytes may be read in a second, over the whole session [K, M, G, T; 0 and none: off]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub download_rate: Option<String>,

    /// So many bytes may be written in a second, over the whole session [K, M, G, T; 0 and none: off]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub upload_rate: Option<String>,
}

/// What they say, in bytes a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// What READ is answered with.
    pub download: Option<NonZeroU64>,
    /// What WRITE brings.
    pub upload: Option<NonZeroU64>,
}

impl Args {
    /// The rates.
    ///
    /// # Errors
    /// The first flag whose value is no size.
    pub fn read(&self) -> Result<Rates, Invalid> {
        let rate = |flag, value: &Option<_>| {
            let size = Invalid::of(flag, value.as_ref(), units::size)?;
            Ok(size.and_then(NonZeroU64::new))
        };
        Ok(Rates {
            download: rate("--download-rate", &self.download_rate)?,
            upload: rate("--upload-rate", &self.upload_rate)?,
        })
    }
}
