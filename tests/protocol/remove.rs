//! REMOVE.

use crate::support::wire::{code, pflags};
use crate::support::{Tree, request};
use crate::{assert_cause, assert_status, ordinary, start};

#[test]
fn a_file_is_removed_and_another_name_of_it_stays() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    std::fs::hard_link(tree.at("file"), tree.at("other")).unwrap();
    server.ok(&request::remove("file"));
    assert!(!tree.has("file"));
    assert_eq!(tree.read("other"), b"content");
}

#[test]
fn a_link_is_removed_and_its_target_stays() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    for (name, target) in [
        ("to-file", "file"),
        ("to-dir", "dir"),
        ("dangling", "missing"),
        ("loop", "loop"),
    ] {
        tree.link(name, target);
        server.ok(&request::remove(name));
        assert!(!tree.has(name));
    }
    assert_eq!(tree.names("").len(), 2);
}

#[test]
fn a_directory_is_refused() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.link("link", "dir");
    for path in ["dir", "dir/", ".", "..", "/", "dir/.", "dir/.."] {
        assert_cause(
            &server.call(&request::remove(path)),
            &server,
            code::FAILURE,
            "Is a directory",
        );
    }
    assert_status(&server.call(&request::remove("link/")), code::NO_SUCH_FILE);
    assert_eq!(tree.names("").len(), 2);
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "");
    for path in ["missing", "missing/x", ""] {
        assert_status(&server.call(&request::remove(path)), code::NO_SUCH_FILE);
    }
    for path in ["file/", "file/x"] {
        assert_cause(
            &server.call(&request::remove(path)),
            &server,
            code::NO_SUCH_FILE,
            "Not a directory",
        );
    }
    assert!(tree.has("file"));
}

#[test]
fn a_file_removed_while_open_is_served_until_it_is_closed() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ);
    server.ok(&request::remove("file"));
    assert_eq!(
        server.call(&request::read(&handle, 0, 99)).data(),
        b"content"
    );
    server.close(&handle);
    assert!(tree.names("").is_empty());
}

#[test]
fn a_parent_without_write_permission_is_denied_and_a_file_without_any_is_not() {
    let tree = Tree::new();
    tree.dir("dir");
    tree.file("dir/file", "content");
    tree.file("file", "content");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir", 0o555);
    tree.chmod("file", 0);
    assert_status(
        &server.call(&request::remove("dir/file")),
        code::PERMISSION_DENIED,
    );
    server.ok(&request::remove("file"));
    assert!(tree.has("dir/file"));
}
