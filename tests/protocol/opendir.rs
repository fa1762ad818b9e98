//! OPENDIR.

use crate::support::wire::code;
use crate::support::{Tree, request};
use crate::{assert_cause, assert_status, ordinary, start, start_with};

#[test]
fn directories_open_by_any_path_that_leads_to_them() {
    let (tree, mut server) = start();
    tree.dir("dir/sub");
    tree.link("link", "dir");
    for path in [
        "dir",
        "dir/",
        "./dir",
        "dir/sub/..",
        "link",
        "link/",
        "link/sub",
        ".",
        "..",
        "/",
    ] {
        let handle = server.opendir(path);
        server.close(&handle);
    }
    let handle = server.opendir(tree.path("dir"));
    server.close(&handle);
}

#[test]
fn what_is_no_directory_does_not_open() {
    let (tree, mut server) = start_with(&["/dev"]);
    tree.file("file", "");
    tree.fifo("fifo");
    tree.link("to-file", "file");
    for path in ["file", "fifo", "to-file", "file/", "file/x", "/dev/null"] {
        let reply = server.call(&request::opendir(path));
        assert_cause(&reply, &server, code::NO_SUCH_FILE, "Not a directory");
    }
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.link("dangling", "missing");
    tree.link("loop", "loop");
    for path in ["missing", "missing/", "dangling", ""] {
        let reply = server.call(&request::opendir(path));
        assert_status(&reply, code::NO_SUCH_FILE);
        assert_eq!(reply.status().text, "No such file");
    }
    let reply = server.call(&request::opendir("loop"));
    assert_cause(
        &reply,
        &server,
        code::NO_SUCH_FILE,
        "Too many levels of symbolic links",
    );
}

#[test]
fn a_directory_that_may_not_be_read_is_denied() {
    let tree = Tree::new();
    tree.dir("dir");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir", 0o311);
    let reply = server.call(&request::opendir("dir"));
    assert_status(&reply, code::PERMISSION_DENIED);
    assert_eq!(reply.status().text, "Permission denied");
}
