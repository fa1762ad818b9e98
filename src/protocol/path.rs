//! A path as the client sent it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error};

/// A path from the wire: any bytes but NUL. Nothing is decoded, normalised or folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WirePath(Vec<u8>);

impl WirePath {
    /// `.`: what the empty path stands for in REALPATH and expand-path.
    #[must_use]
    pub fn dot() -> Self {
        Self(b".".to_vec())
    }

    /// The bytes as a path for the kernel.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, given away.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl<'de> Deserialize<'de> for WirePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        if bytes.contains(&0) {
            return Err(D::Error::custom("NUL in a name"));
        }
        Ok(Self(bytes))
    }
}
