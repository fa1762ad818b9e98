//! `lsetstat@openssh.com`: permissions, times and owner of a name itself, its last link not followed.

use std::os::unix::fs::MetadataExt;

use crate::support::wire::code;
use crate::support::{Attrs, Tree, request};
use crate::{assert_cause, assert_status, ordinary, start};

#[test]
fn a_link_takes_times_and_owner_and_its_target_is_left_alone() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.times("file", 100, 200);
    for (name, target) in [("link", "file"), ("dangling", "missing")] {
        tree.link(name, target);
        let owner = (tree.meta(name).uid(), tree.meta(name).gid());
        server.ok(&request::lsetstat(
            name,
            &Attrs::NONE.times(5, 6).owner(owner.0, owner.1),
        ));
        assert_eq!((tree.meta(name).atime(), tree.meta(name).mtime()), (5, 6));
    }
    assert_eq!(
        (tree.meta("file").atime(), tree.meta("file").mtime()),
        (100, 200)
    );
}

#[test]
fn root_gives_a_link_away_without_its_target() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.link("link", "file");
    let mine = tree.meta("file").uid();
    let reply = server.call(&request::lsetstat("link", &Attrs::NONE.owner(7, 8)));
    if nix::unistd::geteuid().is_root() {
        assert_status(&reply, code::OK);
        assert_eq!((tree.meta("link").uid(), tree.meta("link").gid()), (7, 8));
    } else {
        assert_cause(
            &reply,
            &server,
            code::PERMISSION_DENIED,
            "Operation not permitted",
        );
    }
    assert_eq!(tree.meta("file").uid(), mine);
}

/// Linux has no permissions on links: EOPNOTSUPP.
#[test]
fn a_link_takes_no_permissions_and_its_target_keeps_its_own() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.link("link", "file");
    let reply = server.call(&request::lsetstat("link", &Attrs::NONE.permissions(0o600)));
    assert_cause(&reply, &server, code::FAILURE, "Operation not supported");
    assert_eq!(tree.mode("file"), 0o644);
}

#[test]
fn what_is_no_link_takes_everything_but_a_size() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    tree.fifo("fifo");
    for name in ["file", "dir", "fifo"] {
        server.ok(&request::lsetstat(
            name,
            &Attrs::NONE.permissions(0o107_600).times(5, 6),
        ));
        let files = server.in_jail("--keep-setuid is for files", name != "dir", false);
        assert_eq!(
            (tree.mode(name), tree.meta(name).mtime()),
            (if files { 0o600 } else { 0o7600 }, 6),
            "{name}"
        );
    }
}

#[test]
fn a_file_without_any_permission_is_served_to_its_owner() {
    let tree = Tree::new();
    tree.file("file", "content");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("file", 0);
    server.ok(&request::lsetstat(
        "file",
        &Attrs::NONE.permissions(0o200).times(5, 6),
    ));
    assert_eq!((tree.mode("file"), tree.meta("file").mtime()), (0o200, 6));
}

#[test]
fn a_size_is_a_bad_message_and_nothing_else_is_set() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.link("link", "file");
    let before = tree.snapshot();
    for name in ["file", "link", "missing"] {
        let attrs = Attrs::NONE.size(1).permissions(0o600).times(5, 6);
        assert_status(
            &server.call(&request::lsetstat(name, &attrs)),
            code::BAD_MESSAGE,
        );
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn what_is_not_there_is_no_such_file_and_no_attrs_are_no_question() {
    let (tree, mut server) = start();
    tree.file("file", "");
    for attrs in [
        Attrs::NONE.permissions(0),
        Attrs::NONE.times(1, 2),
        Attrs::NONE.owner(0, 0),
    ] {
        for path in ["missing", "", "file/x"] {
            assert_status(
                &server.call(&request::lsetstat(path, &attrs)),
                code::NO_SUCH_FILE,
            );
        }
    }
    server.ok(&request::lsetstat("missing", &Attrs::NONE));
}
