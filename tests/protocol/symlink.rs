//! SYMLINK, its arguments in OpenSSH's order: first what the link says, then where it stands.

use crate::support::wire::code;
use crate::support::{Tree, request, show};
use crate::{assert_cause, assert_status, ordinary, start};

#[test]
fn the_first_argument_is_the_target_and_the_second_the_link() {
    let (tree, mut server) = start();
    server.ok(&request::symlink("target", "link"));
    assert_eq!(tree.target("link"), b"target");
    assert_eq!(tree.names("").len(), 1);
}

#[test]
fn any_bytes_are_stored_as_they_are() {
    let (tree, mut server) = start();
    let long = b"x".repeat(4095);
    let targets: [&[u8]; 9] = [
        b"/",
        b"..",
        b"a//b/./../c/",
        b"\xff\xfe",
        b"new\nline",
        b" ",
        b"~",
        b"l1",
        &long,
    ];
    for (n, target) in targets.into_iter().enumerate() {
        server.ok(&request::symlink(target, format!("l{n}")));
        assert_eq!(show(tree.target(format!("l{n}"))), show(target));
    }
}

#[test]
fn a_name_that_exists_is_refused_whatever_it_is() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    tree.link("dangling", "missing");
    let before = tree.snapshot();
    for path in ["file", "dir", "dir/", "dangling", ".", "..", "/"] {
        let reply = server.call(&request::symlink("target", path));
        assert_cause(&reply, &server, code::FAILURE, "File exists");
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn an_empty_target_an_empty_name_and_a_missing_parent_are_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "");
    for (target, path) in [
        ("", "link"),
        ("x", ""),
        ("x", "missing/link"),
        ("x", "link/"),
    ] {
        assert_status(
            &server.call(&request::symlink(target, path)),
            code::NO_SUCH_FILE,
        );
    }
    let reply = server.call(&request::symlink("x", "file/link"));
    assert_cause(&reply, &server, code::NO_SUCH_FILE, "Not a directory");
    assert_eq!(tree.names(""), [b"file"]);
}

#[test]
fn a_target_too_long_for_the_kernel_is_a_bad_message() {
    let (tree, mut server) = start();
    for length in [4096, 5000, 200_000] {
        let reply = server.call(&request::symlink(b"x".repeat(length), "link"));
        assert_cause(&reply, &server, code::BAD_MESSAGE, "File name too long");
    }
    assert!(tree.names("").is_empty());
}

#[test]
fn a_parent_without_write_permission_is_denied() {
    let tree = Tree::new();
    tree.dir("dir");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir", 0o555);
    assert_status(
        &server.call(&request::symlink("x", "dir/link")),
        code::PERMISSION_DENIED,
    );
    assert!(tree.names("dir").is_empty());
}
