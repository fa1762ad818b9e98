//! RMDIR.

use crate::support::wire::code;
use crate::support::{Tree, request};
use crate::{assert_cause, assert_status, ordinary, start};

#[test]
fn an_empty_directory_is_removed() {
    let (tree, mut server) = start();
    tree.dir("one");
    tree.dir("two/three");
    server.ok(&request::rmdir("one"));
    server.ok(&request::rmdir("two/three/"));
    server.ok(&request::rmdir("two"));
    assert!(tree.names("").is_empty());
}

#[test]
fn a_directory_with_anything_in_it_stays() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.link("dir/.hidden", "nowhere");
    let reply = server.call(&request::rmdir("dir"));
    assert_cause(&reply, &server, code::FAILURE, "Directory not empty");
    assert!(tree.has("dir/.hidden"));
}

#[test]
fn what_is_no_directory_stays() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    tree.link("link", "dir");
    tree.fifo("fifo");
    for path in ["file", "link", "link/", "fifo", "file/x"] {
        let reply = server.call(&request::rmdir(path));
        assert_cause(&reply, &server, code::NO_SUCH_FILE, "Not a directory");
    }
    assert_eq!(tree.names("").len(), 4);
}

#[test]
fn the_special_names_are_refused() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let table = [
        (".", code::BAD_MESSAGE, "Invalid argument"),
        ("dir/.", code::BAD_MESSAGE, "Invalid argument"),
        ("..", code::FAILURE, "Directory not empty"),
        ("dir/..", code::FAILURE, "Directory not empty"),
        ("/", code::FAILURE, "Device or resource busy"),
    ];
    for (path, code, cause) in table {
        assert_cause(&server.call(&request::rmdir(path)), &server, code, cause);
    }
    for path in ["", "missing", "missing/x"] {
        assert_status(&server.call(&request::rmdir(path)), code::NO_SUCH_FILE);
    }
    assert!(tree.has("dir"));
}

#[test]
fn a_parent_without_write_permission_is_denied() {
    let tree = Tree::new();
    tree.dir("dir/sub");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir", 0o555);
    assert_status(
        &server.call(&request::rmdir("dir/sub")),
        code::PERMISSION_DENIED,
    );
    assert!(tree.has("dir/sub"));
}
