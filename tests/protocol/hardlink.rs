//! `hardlink@openssh.com`: link(2).

use std::os::unix::fs::MetadataExt;

use crate::support::wire::code;
use crate::support::{Tree, request};
use crate::{assert_cause, assert_status, ordinary, start, start_with};

#[test]
fn a_second_name_is_the_same_file() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.file("file", "content");
    server.ok(&request::hardlink("file", "dir/\u{fc}ber"));
    let (one, two) = (tree.meta("file"), tree.meta("dir/\u{fc}ber"));
    assert_eq!((one.ino(), one.nlink()), (two.ino(), 2));
}

/// link(2) on Linux does not follow.
#[test]
fn a_link_gets_a_second_name_itself() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.link("link", "file");
    tree.link("dangling", "missing");
    for name in ["link", "dangling"] {
        server.ok(&request::hardlink(name, format!("{name}2")));
        assert_eq!(tree.target(format!("{name}2")), tree.target(name));
    }
    assert_eq!(tree.meta("file").nlink(), 1);
}

#[test]
fn an_existing_target_is_refused() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.file("other", "other");
    tree.dir("dir");
    tree.link("dangling", "missing");
    let before = tree.snapshot();
    for to in ["file", "other", "dir", "dangling", ".", "/"] {
        let reply = server.call(&request::hardlink("file", to));
        assert_cause(&reply, &server, code::FAILURE, "File exists");
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn a_directory_gets_no_second_name() {
    let (tree, mut server) = start();
    tree.dir("dir");
    for from in ["dir", ".", "/"] {
        let reply = server.call(&request::hardlink(from, "second"));
        let is_root = from == "/" || from == server.in_jail("the tree is the root", ".", "/");
        assert_status(
            &reply,
            if is_root {
                reply.code()
            } else {
                code::PERMISSION_DENIED
            },
        );
        assert_ne!(reply.code(), code::OK);
    }
    assert_eq!(tree.names(""), [b"dir"]);
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    for (from, to) in [
        ("missing", "x"),
        ("", "x"),
        ("file", ""),
        ("file", "missing/x"),
        ("file", "x/"),
    ] {
        assert_status(
            &server.call(&request::hardlink(from, to)),
            code::NO_SUCH_FILE,
        );
    }
    for (from, to) in [("file/", "x"), ("file", "file/x")] {
        let reply = server.call(&request::hardlink(from, to));
        assert_cause(&reply, &server, code::NO_SUCH_FILE, "Not a directory");
    }
    assert_eq!(tree.meta("file").nlink(), 1);
}

#[test]
fn another_file_system_is_refused() {
    let (tree, mut server) = start_with(&["/dev"]);
    let other = Tree::below("/dev/shm");
    tree.file("file", "content");
    let reply = server.call(&request::hardlink("file", other.host_path("x")));
    assert_cause(&reply, &server, code::FAILURE, "Invalid cross-device link");
    assert!(other.names("").is_empty());
}

#[test]
fn a_directory_without_write_permission_is_denied() {
    let tree = Tree::new();
    tree.dir("dir");
    tree.file("file", "content");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir", 0o555);
    assert_status(
        &server.call(&request::hardlink("file", "dir/x")),
        code::PERMISSION_DENIED,
    );
    assert!(tree.names("dir").is_empty());
}
