//! RENAME: never onto an existing target, and race-free.

use std::os::unix::fs::MetadataExt;

use crate::support::wire::code;
use crate::support::{Tree, request};
use crate::{assert_cause, assert_status, ordinary, start, start_with};

#[test]
fn whatever_a_name_stands_for_moves_to_a_free_name_as_the_same_inode() {
    let (tree, mut server) = start();
    tree.dir("to");
    tree.file("file", "content");
    tree.dir("dir/sub");
    tree.link("link", "file");
    tree.link("dangling", "missing");
    tree.fifo("fifo");
    for name in ["file", "dir", "link", "dangling", "fifo"] {
        let inode = tree.meta(name).ino();
        server.ok(&request::rename(name, format!("to/{name}")));
        let moved = tree.meta(format!("to/{name}"));
        assert_eq!((moved.ino(), tree.has(name)), (inode, false), "{name}");
    }
    assert_eq!(tree.meta("to/file").nlink(), 1);
    assert_eq!(tree.read("to/file"), b"content");
    assert!(tree.has("to/dir/sub"));
}

#[test]
fn an_existing_target_is_refused_and_both_stay_as_they_are() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.file("other", "other");
    tree.dir("dir");
    tree.dir("empty");
    tree.link("link", "other");
    tree.fifo("fifo");
    let before = tree.snapshot();
    for from in ["file", "dir", "link", "fifo"] {
        for onto in ["other", "empty", "link", "fifo", "file", "dir"] {
            let reply = server.call(&request::rename(from, onto));
            assert_status(&reply, code::FAILURE);
            if !server.is_openssh() {
                assert_eq!(
                    reply.status().text,
                    "Failure: File exists",
                    "{from} onto {onto}"
                );
            }
        }
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn another_name_of_the_same_file_is_an_existing_target_too() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    std::fs::hard_link(tree.at("file"), tree.at("same")).unwrap();
    let before = tree.snapshot();
    assert_cause(
        &server.call(&request::rename("file", "same")),
        &server,
        code::FAILURE,
        "File exists",
    );
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

/// A link to nothing is a name that is taken. OpenSSH moves what is no file by rename(2), after a look that follows the link: a link and a
/// FIFO take its place, and a directory meets rename(2)'s own words.
#[test]
fn a_link_to_nothing_is_never_replaced() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir/sub");
    tree.link("dangling", "missing");
    let before = tree.snapshot();
    let taken = server.call(&request::rename("file", "dangling"));
    assert_cause(&taken, &server, code::FAILURE, "File exists");
    let reply = server.call(&request::rename("dir", "dangling"));
    let expected = server.differs("the name is taken", code::FAILURE, code::NO_SUCH_FILE);
    assert_eq!(reply.code(), expected);
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    tree.link("link", "x");
    tree.fifo("fifo");
    for name in ["link", "fifo"] {
        let reply = server.call(&request::rename(name, "dangling"));
        let expected = server.differs("nothing is replaced", code::FAILURE, code::OK);
        assert_eq!(reply.code(), expected, "{name}");
        assert_eq!(tree.has(name), !server.is_openssh());
        if server.is_openssh() {
            std::fs::remove_file(tree.at("dangling")).unwrap();
            tree.link("dangling", "missing");
        }
    }
    assert_eq!(tree.target("dangling"), b"missing");
}

#[test]
fn a_directory_does_not_move_into_itself_and_shows_no_trace_of_it() {
    let (tree, mut server) = start();
    tree.dir("dir/sub");
    for name in ["dir", "dir/sub"] {
        tree.times(name, 1_000_000_000, 1_000_000_000);
    }
    let before = tree.snapshot();
    for target in ["dir/x", "dir/sub/x"] {
        let reply = server.call(&request::rename("dir", target));
        assert_cause(&reply, &server, code::BAD_MESSAGE, "Invalid argument");
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    let table = [
        ("missing", "x"),
        ("missing", "file"),
        ("missing/x", "y"),
        ("", "x"),
        ("file", ""),
        ("file", "missing/x"),
    ];
    for (from, to) in table {
        assert_status(&server.call(&request::rename(from, to)), code::NO_SUCH_FILE);
    }
    for (from, to) in [("file/", "x"), ("file/x", "y"), ("dir", "file/x")] {
        let reply = server.call(&request::rename(from, to));
        assert_cause(&reply, &server, code::NO_SUCH_FILE, "Not a directory");
    }
    assert_eq!(tree.names("").len(), 2);
}

#[test]
fn the_special_names_do_not_move() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let before = tree.snapshot();
    for (from, to) in [
        (".", "x"),
        ("..", "x"),
        ("dir/.", "x"),
        ("dir/..", "x"),
        ("/", "x"),
    ] {
        let reply = server.call(&request::rename(from, to));
        assert_cause(&reply, &server, code::FAILURE, "Device or resource busy");
    }
    for to in [".", "..", "/", "dir/."] {
        assert_status(&server.call(&request::rename("dir", to)), code::FAILURE);
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn another_file_system_is_refused() {
    let (tree, mut server) = start_with(&["/dev"]);
    let other = Tree::below("/dev/shm");
    assert_ne!(
        other.meta("").dev(),
        tree.meta("").dev(),
        "/dev/shm is another file system than the temporary directory"
    );
    tree.file("file", "content");
    tree.dir("dir");
    for name in ["file", "dir"] {
        let reply = server.call(&request::rename(name, other.host_path(name)));
        assert_cause(&reply, &server, code::FAILURE, "Invalid cross-device link");
    }
    assert!(tree.has("file") && tree.has("dir") && other.names("").is_empty());
}

#[test]
fn a_source_directory_without_write_permission_is_denied_and_no_second_name_is_left() {
    let tree = Tree::new();
    tree.dir("locked");
    tree.file("locked/file", "content");
    tree.dir("locked/dir");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("locked", 0o555);
    for name in ["file", "dir"] {
        let reply = server.call(&request::rename(format!("locked/{name}"), name));
        assert_status(&reply, code::PERMISSION_DENIED);
        assert_eq!(reply.status().text, "Permission denied");
    }
    assert_eq!(tree.names(""), [b"locked"]);
    assert_eq!(tree.meta("locked/file").nlink(), 1);
}

#[test]
fn names_of_any_bytes_move() {
    let (tree, mut server) = start();
    let names: [&[u8]; 6] = [b"\xff", b"new\nline", b"a", b" ", b"\"'\\", &[0xe9; 255]];
    tree.file("start", "content");
    let mut last: &[u8] = b"start";
    for name in names {
        server.ok(&request::rename(last, name));
        last = name;
    }
    assert_eq!(tree.read(last), b"content");
    assert_eq!(tree.names("").len(), 1);
}
