//! Trees that clients carry, and whether two of them are the same.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::ground::{data, set_mode, set_mtime};

/// A tree of some depth: files of several lengths and modes, an empty directory, and `names`, times all in the past.
pub(crate) fn grow_tree(top: &Path, names: &[impl AsRef<OsStr>]) {
    let deep = top.join("a/b/c/d");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(top.join("empty")).unwrap();
    fs::write(top.join("zero"), b"").unwrap();
    fs::write(top.join("a/program"), data(1, 70_000)).unwrap();
    set_mode(&top.join("a/program"), 0o755);
    fs::write(top.join("a/private"), b"secret").unwrap();
    set_mode(&top.join("a/private"), 0o600);
    fs::write(deep.join("deep"), data(2, 300_000)).unwrap();
    for (number, name) in names.iter().enumerate() {
        fs::write(
            top.join("a/b").join(name.as_ref()),
            data(number as u64, 100 + number),
        )
        .unwrap();
        let dir = deep.join(name.as_ref());
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("inside"), name.as_ref().as_bytes()).unwrap();
    }
    age(top, 1_111_111_111);
}

fn age(path: &Path, seconds: u64) {
    if path.is_dir() {
        for (number, entry) in fs::read_dir(path).unwrap().enumerate() {
            age(&entry.unwrap().path(), seconds + number as u64);
        }
    }
    set_mtime(path, seconds);
}

/// Adds what only some clients carry over: a link to a file, one to a directory, a dangling one.
pub(crate) fn grow_links(top: &Path) {
    symlink("a/program", top.join("to-file")).unwrap();
    symlink("a/b", top.join("to-dir")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
}

/// What of a tree two sides have to have in common, beside names, types, bytes and the targets of links.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) modes: bool,
    pub(crate) times: bool,
}

pub(crate) const NEITHER: Kept = Kept {
    modes: false,
    times: false,
};
pub(crate) const MODES: Kept = Kept {
    modes: true,
    times: false,
};
pub(crate) const MODES_AND_TIMES: Kept = Kept {
    modes: true,
    times: true,
};

#[track_caller]
pub(crate) fn assert_same_tree(found: &Path, expected: &Path, kept: Kept) {
    let (found, expected) = (survey(found, kept), survey(expected, kept));
    assert!(expected.len() > 5, "a tree to compare with");
    let missing: Vec<_> = expected
        .keys()
        .filter(|path| !found.contains_key(*path))
        .collect();
    let surplus: Vec<_> = found
        .keys()
        .filter(|path| !expected.contains_key(*path))
        .collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing {missing:?}, too many {surplus:?}"
    );
    for (path, entry) in &expected {
        assert!(
            found[path] == *entry,
            "{}: {:?}, expected {entry:?}",
            path.display(),
            found[path]
        );
    }
}

#[derive(PartialEq)]
struct Entry {
    kind: char,
    content: Vec<u8>,
    mode: u32,
    mtime: i64,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start =
            String::from_utf8_lossy(&self.content[..self.content.len().min(20)]).into_owned();
        write!(
            out,
            "{} {:o} {} {} bytes {start:?}",
            self.kind,
            self.mode,
            self.mtime,
            self.content.len()
        )
    }
}

fn survey(top: &Path, kept: Kept) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    let mut todo = vec![top.to_owned()];
    while let Some(path) = todo.pop() {
        let metadata = fs::symlink_metadata(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (kind, content) = if metadata.is_dir() {
            todo.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            ('d', Vec::new())
        } else if metadata.is_symlink() {
            (
                'l',
                fs::read_link(&path).unwrap().into_os_string().into_vec(),
            )
        } else {
            ('f', fs::read(&path).unwrap())
        };
        // A link's own mode and times are the file system's business.
        let entry = Entry {
            mode: if kept.modes && kind != 'l' {
                metadata.mode() & 0o7777
            } else {
                0
            },
            mtime: if kept.times && kind != 'l' {
                metadata.mtime()
            } else {
                0
            },
            kind,
            content,
        };
        entries.insert(path.strip_prefix(top).unwrap().to_owned(), entry);
    }
    entries
}
