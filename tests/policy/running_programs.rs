//! A program that is running cannot be written to; it can be replaced, and goes on as what it was.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command};

use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Server, Tree};

const UPLOAD: u32 = WRITE | CREAT | TRUNC;
const ROOTS: [&[&str]; 2] = [&[], &["--root", "."]];

struct Running(Child);

impl Running {
    /// Runs a program called `service`.
    fn new(tree: &Tree) -> Self {
        fs::copy("/usr/bin/sleep", tree.at("service")).unwrap();
        Self(Command::new(tree.at("service")).arg("60").spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_atomic_upload_takes_its_place() {
    for root in ROOTS {
        let tree = Tree::new();
        let mut running = Running::new(&tree);
        let before = tree.meta("service");
        let mut server = Server::with(&tree, [&["--atomic-upload"], root].concat());
        let handle = server.open("service", UPLOAD);
        server.ok(&write(&handle, 0, "the next release"));
        server.close(&handle);
        assert_eq!(tree.read("service"), b"the next release");
        assert_eq!(tree.meta("service").mode(), before.mode());
        assert_ne!(tree.meta("service").ino(), before.ino());
        assert_eq!(running.0.try_wait().unwrap(), None, "it runs on");
        assert_eq!(tree.names(""), [b"service"]);
    }
}

#[test]
fn so_does_a_copy() {
    for root in ROOTS {
        let tree = Tree::new();
        let mut running = Running::new(&tree);
        tree.file("next", "the next release");
        let mut server = Server::with(&tree, root);
        server.ok(&copy_file("next", "service", 1));
        assert_eq!(tree.read("service"), b"the next release");
        assert_eq!(running.0.try_wait().unwrap(), None, "it runs on");
    }
}

#[test]
fn what_has_to_be_written_in_place_is_busy() {
    let tree = Tree::new();
    let _running = Running::new(&tree);
    fs::hard_link(tree.at("service"), tree.at("other")).unwrap();
    let before = tree.read("service");
    for (flags, pflags) in [
        (&["--atomic-upload"][..], UPLOAD),
        (&["--atomic-upload"], WRITE),
        (&[], UPLOAD),
    ] {
        let mut server = Server::with(&tree, flags);
        let reply = server.call(&open("service", pflags, &Attrs::NONE));
        assert_eq!(reply.status().text, "Failure: Text file busy");
        assert_eq!(tree.read("service"), before);
    }
    assert_eq!(tree.names("").len(), 2, "nothing is left");
}

#[test]
fn a_rule_that_keeps_what_is_there_keeps_it_from_both() {
    let tree = Tree::new();
    let _running = Running::new(&tree);
    tree.file("next", "the next release");
    let before = tree.read("service");
    let mut server = Server::with(&tree, ["--atomic-upload", "--no-overwrite"]);
    assert_eq!(server.code(&open("service", UPLOAD, &Attrs::NONE)), 3);
    assert_eq!(server.code(&copy_file("next", "service", 1)), 3);
    assert_eq!(tree.read("service"), before);
}
