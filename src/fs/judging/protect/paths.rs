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

/// Those of one look, where somebody asks for them.
#[derive(Debug, Default)]
pub(super) struct Traces {
    wanted: bool,
    found: Vec<Trace>,
    /// On the way that is being followed.
    open: Vec<PathBuf>,
}

impl Traces {
    pub(super) fn wanted() -> Self {
        Self {
            wanted: true,
            ..Self::default()
        }
    }

    /// Another path is followed.
    pub(super) fn begin(&mut self) {
        self.open.clear();
    }

    /// Others can exchange names in the directory at `at`.
    pub(super) fn open_at(&mut self, at: &[u8]) {
        if self.wanted {
            self.open.push(path(at));
        }
    }

    /// The path was followed to where it leads.
    pub(super) fn add(&mut self, path_of: &[u8], leads: Vec<u8>, stands: bool) {
        let open = std::mem::take(&mut self.open);
        if self.wanted {
            let whole = path_of
                .strip_prefix(b"/")
                .filter(|rest| rest.starts_with(b"/"));
            self.found.push(Trace {
                path: path(whole.unwrap_or(path_of)),
                leads: path(&leads),
                stands,
                open,
            });
        }
    }

    pub(super) fn all(self) -> Vec<Trace> {
        self.found
    }
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

/// The names in a directory that are wanted; none where it cannot be listed, or holds more than `most` of them.
pub(super) fn names_in(
    at: &[u8],
    most: usize,
    mut wanted: impl FnMut(&[u8]) -> bool,
) -> Option<HashSet<Vec<u8>>> {
    let mut names = HashSet::new();
    for entry in fs::read_dir(path(at)).ok()? {
        let name = entry.ok()?.file_name().into_vec();
        if !wanted(&name) {
            continue;
        }
        if names.len() >= most {
            return None;
        }
        names.insert(name);
    }
    Some(names)
}

/// Few enough that to read them is less work than to ask for those that are looked for.
pub(super) const MOST_LISTED: usize = 500;
