//! Paths of the host, as bytes; and how one was followed.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// How one protected path was followed, for `check`.
#[derive(Debug)]
pub struct Trace {
    /// The path.
    pub path: PathBuf,
    /// What stands there, or would: where links lead to.
    pub leads: PathBuf,
    /// Whether anything stands there.
    pub stands: bool,
    /// Directories on the way in which others can exchange names.
    pub open: Vec<PathBuf>,
}

/// A canonical path, as it is written: that of the root is empty here.
pub(super) fn path(at: &[u8]) -> PathBuf {
    match at {
        b"" => PathBuf::from("/"),
        at => PathBuf::from(OsString::from_vec(at.to_vec())),
    }
}

/// The components of a path, the first one last.
pub(super) fn components(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path.split(|byte| *byte == b'/').rev();
    let names = names.filter(|name| !matches!(*name, b"" | b"."));
    names.map(<[u8]>::to_vec).collect()
}

/// The names in a directory; none where it cannot be listed, or holds so many that to ask for those few is less work.
pub(super) fn names_in(at: &[u8]) -> Option<HashSet<Vec<u8>>> {
    let mut names = HashSet::new();
    for entry in fs::read_dir(path(at)).ok()? {
        if names.len() >= MOST_LISTED {
            return None;
        }
        names.insert(entry.ok()?.file_name().into_vec());
    }
    Some(names)
}

/// Few enough that to read them is less work than to ask for those that are looked for.
const MOST_LISTED: usize = 500;
