//! What an honest user does in a day, where it is done, and what the disk shows of it afterwards.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::ground::*;

/// A deed, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// Uploads a new file.
    Put,
    /// Uploads a new tree.
    Tree,
    /// Uploads what is missing of a tree.
    Rest,
    /// Downloads a file.
    Get,
    /// Lists a directory of others' files.
    Look,
    /// Lists the tree that was uploaded.
    LookBack,
    /// Downloads a file that the rows for `--hide` and `--deny` speak of.
    Secret,
    /// Uploads over a longer file.
    Over,
    /// Uploads the second half of a file.
    Resume,
    /// Appends to a file.
    Append,
    Rename,
    Remove,
    /// Sets mode 4750.
    Chmod,
}

/// What came of a deed, as the disk shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fate {
    /// All of it.
    Done,
    /// Nothing: all is as before.
    Not,
    /// A file or a directory stands there with nothing in it.
    Empty,
    /// Of a file its beginning, of a tree a part.
    Begun,
    /// The new content, and after it what was longer of the old.
    Tail,
    /// The old file is gone and no new one is there.
    Gone,
    /// Anything else.
    Odd,
}

use Fate::*;

/// What a file holds, here and there. The part that a resume finds is marked: an upload from the start would not leave the mark.
pub(crate) const HALF: usize = 40_000;
const MARK: u8 = b'#';

pub(crate) fn content(name: &str) -> Vec<u8> {
    match name {
        "new" => data(200, 120_000),
        "there" => data(201, 50_000),
        "over" => data(202, 6_000),
        "over before" => data(203, 10_000),
        "half" => data(204, 90_000),
        "more" => data(205, 1_000),
        other => other.as_bytes().to_vec(),
    }
}

/// Lays out both sides; the inode of the file that is uploaded over.
pub(crate) fn lay_out(ground: &Ground) -> u64 {
    for name in ["new", "over", "half", "more"] {
        ground.keep(name, &content(name));
    }
    for tree in ["tree", "rest"] {
        let top = ground.local.join(tree);
        fs::create_dir_all(top.join("deep/deeper")).unwrap();
        fs::create_dir(top.join("hollow")).unwrap();
        for leaf in ["leaf", "leaf2", "deep/leaf3", "deep/deeper/leaf4"] {
            fs::write(top.join(leaf), content(leaf)).unwrap();
            set_mtime(&top.join(leaf), 1_234_567_890);
        }
    }
    ground.plant("there", &content("there"));
    ground.plant("over", &content("over before"));
    ground.plant("half", &[MARK; HALF]);
    for name in ["log", "old", "gone", "modes"] {
        ground.plant(name, &content(name));
    }
    fs::create_dir(ground.remote.join("shelf")).unwrap();
    for name in ["shelf/listed.txt", "shelf/b.hid", "shelf/c.hid"] {
        ground.plant(name, &content(name));
    }
    fs::create_dir(ground.remote.join("rest")).unwrap();
    let planted = ground.plant("rest/leaf", &content("leaf"));
    set_mtime(&planted, 1_234_567_890);
    ground.give(&ground.remote);
    fs::metadata(ground.remote.join("over")).unwrap().ino()
}

/// What a deed has come to; of listings by what the client said.
pub(crate) fn fate(ground: &Ground, deed: Deed, said: &str) -> Fate {
    let there = |name: &str| ground.remote.join(name);
    let file = |path: PathBuf, before: Option<&[u8]>, after: &[u8]| {
        compare(fs::read(path).ok().as_deref(), before, after)
    };
    // A download that fails may leave a file with nothing in it.
    let back = |name: &str, source: &str| {
        let path = ground.local.join(format!("{name}.back"));
        match file(path, None, &content(source)) {
            Empty => Not,
            fate => fate,
        }
    };
    // A client that was refused says the name too, but with a reason after it.
    let listed = |name: &str| match said.lines().any(|line| line.ends_with(name)) {
        true => Done,
        false => Not,
    };
    match deed {
        Deed::Put => file(there("new"), None, &content("new")),
        Deed::Tree => tree(ground, "tree", 0),
        Deed::Rest => tree(ground, "rest", 1),
        Deed::Get => back("there", "there"),
        Deed::Look => listed("listed.txt"),
        Deed::LookBack => listed("leaf2"),
        Deed::Secret => back("secret", "shelf/b.hid"),
        Deed::Over => file(
            there("over"),
            Some(&content("over before")),
            &content("over"),
        ),
        Deed::Resume => {
            let mut whole = content("half");
            whole[..HALF].fill(MARK);
            file(there("half"), Some(&[MARK; HALF]), &whole)
        }
        Deed::Append => {
            let grown = [content("log"), content("more")].concat();
            file(there("log"), Some(b"log"), &grown)
        }
        Deed::Rename => {
            let [old, new] = ["old", "moved"].map(|name| fs::read(there(name)).ok());
            match (old.as_deref(), new.as_deref()) {
                (Some(b"old"), None) => Not,
                (None, Some(b"old")) => Done,
                _ => Odd,
            }
        }
        Deed::Remove => match fs::read(there("gone")).ok().as_deref() {
            None => Done,
            Some(b"gone") => Not,
            Some(_) => Odd,
        },
        Deed::Chmod => match fs::metadata(there("modes")).unwrap().mode() & 0o7777 {
            0o644 => Not,
            // In a root the set-ID bits are taken off, but for the flag that keeps them: a row says which.
            0o750 | 0o4750 => Done,
            _ => Odd,
        },
    }
}

fn compare(found: Option<&[u8]>, before: Option<&[u8]>, after: &[u8]) -> Fate {
    match (found, before) {
        (Some(found), _) if found == after => Done,
        (found, before) if found == before => Not,
        (None, _) => Gone,
        (Some([]), _) => Empty,
        (Some(found), _) if after.starts_with(found) => Begun,
        (Some(found), Some(before))
            if found.len() == before.len()
                && found.starts_with(after)
                && found[after.len()..] == before[after.len()..] =>
        {
            Tail
        }
        _ => Odd,
    }
}

/// Directories alone are nothing of a tree yet; `planted` files were there.
fn tree(ground: &Ground, name: &str, planted: usize) -> Fate {
    let (from, to) = (ground.local.join(name), ground.remote.join(name));
    let leaves = ["leaf", "leaf2", "deep/leaf3", "deep/deeper/leaf4"];
    let arrived = |leaf: &&&str| fs::read(to.join(leaf)).ok() == fs::read(from.join(leaf)).ok();
    let found = files(&to);
    match leaves.iter().filter(arrived).count() {
        4 if found.len() == 4 => Done,
        count if count == planted && found.len() == planted => match to.exists() {
            true if planted == 0 => Empty,
            _ => Not,
        },
        _ => Begun,
    }
}

/// The files beneath a directory; none where there is no directory.
pub(crate) fn files(top: &Path) -> Vec<PathBuf> {
    let (mut found, mut todo) = (Vec::new(), vec![top.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}
