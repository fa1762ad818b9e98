//! `posix-rename@openssh.com`: rename(2), which replaces.

use std::os::unix::fs::MetadataExt;

use crate::support::wire::{code, pflags};
use crate::support::{Tree, request};
use crate::{assert_cause, assert_status, ordinary, start, start_with};

#[test]
fn an_existing_file_is_replaced_at_once() {
    let (tree, mut server) = start();
    tree.file("file", "new");
    tree.file("target", "old");
    let inode = tree.meta("file").ino();
    let old = server.open("target", pflags::READ);
    server.ok(&request::posix_rename("file", "target"));
    assert_eq!(
        (
            tree.read("target"),
            tree.meta("target").ino(),
            tree.has("file")
        ),
        (b"new".to_vec(), inode, false)
    );
    assert_eq!(
        server.call(&request::read(&old, 0, 9)).data(),
        b"old",
        "who had it open still reads the old one"
    );
}

#[test]
fn a_free_name_is_taken() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    server.ok(&request::posix_rename("file", "dir/moved"));
    server.ok(&request::posix_rename("dir", "elsewhere/"));
    assert_eq!(tree.read("elsewhere/moved"), b"content");
}

#[test]
fn a_link_is_replaced_itself_and_moves_itself() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.file("precious", "precious");
    tree.link("link", "precious");
    server.ok(&request::posix_rename("file", "link"));
    assert_eq!(
        (tree.read("link"), tree.read("precious")),
        (b"content".to_vec(), b"precious".to_vec())
    );
    tree.link("other", "precious");
    server.ok(&request::posix_rename("other", "link"));
    assert_eq!(tree.target("link"), b"precious");
}

#[test]
fn a_directory_replaces_an_empty_one_and_no_other() {
    let (tree, mut server) = start();
    tree.dir("dir/sub");
    tree.dir("empty");
    tree.dir("full/x");
    tree.file("file", "content");
    let reply = server.call(&request::posix_rename("dir", "full"));
    assert_cause(&reply, &server, code::FAILURE, "Directory not empty");
    let reply = server.call(&request::posix_rename("dir", "file"));
    assert_cause(&reply, &server, code::NO_SUCH_FILE, "Not a directory");
    let reply = server.call(&request::posix_rename("file", "dir"));
    assert_cause(&reply, &server, code::FAILURE, "Is a directory");
    let reply = server.call(&request::posix_rename("dir", "dir/sub/x"));
    assert_cause(&reply, &server, code::BAD_MESSAGE, "Invalid argument");
    server.ok(&request::posix_rename("dir", "empty"));
    assert!(tree.has("empty/sub") && !tree.has("dir") && tree.has("file"));
}

#[test]
fn onto_itself_or_another_name_of_itself_nothing_happens() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    std::fs::hard_link(tree.at("file"), tree.at("same")).unwrap();
    let before = tree.snapshot();
    server.ok(&request::posix_rename("file", "file"));
    server.ok(&request::posix_rename("file", "same"));
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn what_is_not_there_is_no_such_file_and_the_special_names_are_busy() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    for (from, to) in [
        ("missing", "file"),
        ("", "x"),
        ("file", ""),
        ("file", "missing/x"),
    ] {
        assert_status(
            &server.call(&request::posix_rename(from, to)),
            code::NO_SUCH_FILE,
        );
    }
    for (from, to) in [
        (".", "x"),
        ("file", "."),
        ("/", "x"),
        ("file", "/"),
        ("..", "x"),
    ] {
        let reply = server.call(&request::posix_rename(from, to));
        assert_cause(&reply, &server, code::FAILURE, "Device or resource busy");
    }
    assert_eq!(tree.read("file"), b"content");
}

#[test]
fn another_file_system_is_refused() {
    let (tree, mut server) = start_with(&["/dev"]);
    let other = Tree::below("/dev/shm");
    tree.file("file", "content");
    let reply = server.call(&request::posix_rename("file", other.host_path("file")));
    assert_cause(&reply, &server, code::FAILURE, "Invalid cross-device link");
    assert!(tree.has("file") && other.names("").is_empty());
}

#[test]
fn a_directory_without_write_permission_is_denied() {
    let tree = Tree::new();
    tree.dir("locked");
    tree.file("locked/file", "content");
    tree.file("file", "other");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("locked", 0o555);
    for (from, to) in [
        ("locked/file", "moved"),
        ("file", "locked/file"),
        ("file", "locked/new"),
    ] {
        assert_status(
            &server.call(&request::posix_rename(from, to)),
            code::PERMISSION_DENIED,
        );
    }
    assert_eq!(
        (tree.read("locked/file"), tree.read("file")),
        (b"content".to_vec(), b"other".to_vec())
    );
}
