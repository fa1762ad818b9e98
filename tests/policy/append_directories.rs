//! A directory of which no name can be taken away (`chattr +a`): what is written unseen first could never take its place there, nor be removed.

use std::path::Path;
use std::process::Command;

use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Server, Tree};

const UPLOAD: u32 = WRITE | CREAT | TRUNC;
const ROOTS: [&[&str]; 2] = [&[], &["--root", "."]];

/// Gives a directory the attribute, as long as this lasts.
struct Kept<'t>(&'t Tree);

impl<'t> Kept<'t> {
    fn new(tree: &'t Tree) -> Self {
        assert!(chattr("+a", &tree.at("spool")), "an ext4 or so below /srv");
        Self(tree)
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        chattr("-a", &self.0.at("spool"));
    }
}

fn chattr(how: &str, path: &Path) -> bool {
    let status = Command::new("chattr").arg(how).arg(path).status();
    status.unwrap().success()
}

fn tree() -> Tree {
    let tree = Tree::below("/srv");
    tree.dir("spool");
    tree.file("spool/old", "old");
    tree.file("from", "copied");
    tree
}

#[test]
fn an_atomic_upload_is_refused_before_anything_is_sent_and_leaves_nothing() {
    for root in ROOTS {
        let tree = tree();
        let _kept = Kept::new(&tree);
        let mut server = Server::with(&tree, [&["--atomic-upload"], root].concat());
        for name in ["spool/new", "spool/old"] {
            let reply = server.call(&open(name, UPLOAD, &Attrs::NONE));
            let said = "Permission denied: the directory cannot be written (--atomic-upload)";
            assert_eq!(reply.status().text, said);
        }
        // As ever: to go on with what is there is no upload of that kind.
        let handle = server.open("spool/old", WRITE);
        server.ok(&write(&handle, 3, "er"));
        server.close(&handle);
        assert_eq!(tree.read("spool/old"), b"older");
        assert_eq!(tree.names("spool"), [b"old"]);
    }
}

#[test]
fn a_copy_is_written_in_place_or_not_at_all_and_leaves_nothing() {
    for root in ROOTS {
        let tree = tree();
        let _kept = Kept::new(&tree);
        let mut server = Server::with(&tree, root);
        server.ok(&copy_file("from", "spool/old", 1));
        assert_eq!(tree.read("spool/old"), b"copied");
        assert_eq!(server.code(&copy_file("from", "spool/new", 0)), 3);
        assert_eq!(tree.names("spool"), [b"old"]);
        // Without rules files are made there as by any program.
        let handle = server.open("spool/new", UPLOAD);
        server.close(&handle);
        assert_eq!(tree.names("spool"), [&b"new"[..], b"old"]);
    }
}

#[test]
fn what_the_session_made_is_renamed_into_it_at_once_or_stays_where_it_is() {
    for root in ROOTS {
        for rule in ["--no-delete", "--append-only", "--drop-box"] {
            let tree = tree();
            let _kept = Kept::new(&tree);
            let mut server = Server::with(&tree, [&[rule], root].concat());
            let handle = server.open("file", UPLOAD);
            server.ok(&write(&handle, 0, "own"));
            server.close(&handle);
            server.ok(&mkdir("dir", &Attrs::NONE));
            assert_eq!(server.code(&rename("file", "spool/old")), 3);
            assert_eq!(server.code(&posix_rename("file", "spool/old")), 3);
            assert_eq!(tree.read("file"), b"own");
            server.ok(&rename("file", "spool/file"));
            server.ok(&posix_rename("dir", "spool/dir"));
            // From there nothing goes on, and it is what it was.
            assert_eq!(server.code(&rename("spool/file", "spool/again")), 3);
            let handle = server.open("other", UPLOAD);
            server.close(&handle);
            assert_eq!(server.code(&posix_rename("other", "spool/file")), 3);
            assert_eq!(tree.read("spool/file"), b"own");
            assert_eq!(tree.names("spool"), [&b"dir"[..], b"file", b"old"]);
            assert_eq!(tree.names("."), [&b"from"[..], b"other", b"spool"]);
        }
    }
}
