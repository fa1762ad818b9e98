//! LSTAT: the facts of a name itself, its last link not followed.

use crate::stat::attrs_of;
use crate::support::wire::code;
use crate::support::{Reply, request};
use crate::{assert_cause, assert_status, start, start_with};

#[test]
fn a_link_is_described_itself_with_the_length_of_its_target() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    for (name, target) in [
        ("to-file", "file"),
        ("dangling", "missing"),
        ("loop", "loop"),
        ("up", ".."),
    ] {
        tree.link(name, target);
        tree.times(name, 1_000, 2_000);
        let reply = server.call(&request::lstat(name));
        assert_eq!(reply, Reply::Attrs(attrs_of(&tree.meta(name))));
        assert_eq!(reply.attrs().permissions, Some(0o120_777));
        assert_eq!(reply.attrs().size, Some(target.len() as u64));
    }
}

#[test]
fn what_is_no_link_is_described_as_by_stat() {
    let (tree, mut server) = start_with(&["/dev"]);
    tree.file("file", "content");
    tree.dir("dir");
    tree.fifo("fifo");
    for path in ["file", "dir", "dir/", "fifo", ".", "/", "/dev/null"] {
        let replies = server.pipeline(&[request::lstat(path), request::stat(path)]);
        assert_eq!(replies[0], replies[1], "{path}");
        replies[0].attrs();
    }
}

#[test]
fn links_before_the_last_component_are_followed() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.file("dir/file", "content");
    tree.link("link", "dir");
    assert_eq!(
        server.call(&request::lstat("link/file")).attrs().size,
        Some(7)
    );
    assert_eq!(
        server.call(&request::lstat("link/")).attrs().permissions,
        Some(0o040_755),
        "a slash follows the link"
    );
    assert_eq!(
        server.call(&request::lstat("link")).attrs().permissions,
        Some(0o120_777)
    );
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "");
    tree.link("loop", "loop");
    for path in ["missing", "missing/x", ""] {
        assert_status(&server.call(&request::lstat(path)), code::NO_SUCH_FILE);
    }
    assert_cause(
        &server.call(&request::lstat("file/x")),
        &server,
        code::NO_SUCH_FILE,
        "Not a directory",
    );
    let reply = server.call(&request::lstat("loop/x"));
    assert_cause(
        &reply,
        &server,
        code::NO_SUCH_FILE,
        "Too many levels of symbolic links",
    );
}
