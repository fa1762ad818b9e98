//! SETSTAT: size, permissions, times, owner, in this order.

use std::os::unix::fs::MetadataExt;

use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Tree, request};
use crate::{NOBODY, assert_cause, assert_status, ordinary, start};

#[test]
fn the_size_grows_by_zeros_and_shrinks_by_cutting() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    for (size, expected) in [(3, &b"con"[..]), (6, b"con\0\0\0"), (0, b""), (2, b"\0\0")] {
        server.ok(&request::setstat("file", &Attrs::NONE.size(size)));
        assert_eq!(tree.read("file"), expected);
    }
    server.ok(&request::setstat("file", &Attrs::NONE.size(1 << 35)));
    assert_eq!(tree.meta("file").size(), 1 << 35);
}

#[test]
fn a_size_that_cannot_be_is_refused_and_changes_nothing() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    for size in [1 << 63, u64::MAX] {
        let reply = server.call(&request::setstat("file", &Attrs::NONE.size(size)));
        assert_cause(&reply, &server, code::BAD_MESSAGE, "Invalid argument");
    }
    let reply = server.call(&request::setstat(
        "file",
        &Attrs::NONE.size(i64::MAX as u64),
    ));
    assert_cause(&reply, &server, code::FAILURE, "File too large");
    let reply = server.call(&request::setstat("dir", &Attrs::NONE.size(0)));
    assert_cause(&reply, &server, code::FAILURE, "Is a directory");
    assert_eq!(tree.read("file"), b"content");
}

#[test]
fn permissions_are_set_whole_whatever_the_umask_and_type_bits_are_ignored() {
    let tree = Tree::new();
    tree.file("file", "");
    tree.dir("dir");
    let mut server = crate::Server::with(&tree, ["-u", "077"]);
    for mode in [
        0,
        0o644,
        0o777,
        0o1777,
        0o2755,
        0o4755,
        0o7777,
        0o100_640,
        0o040_640,
        0xffff_f000 | 0o601,
    ] {
        for name in ["file", "dir"] {
            server.ok(&request::setstat(name, &Attrs::NONE.permissions(mode)));
            let file = server.in_jail("--keep-setuid is for files", name == "file", false);
            let kept = if file { 0o777 } else { 0o7777 };
            assert_eq!(tree.mode(name), mode & kept, "{name} {mode:o}");
        }
    }
}

#[test]
fn times_are_set_to_the_second_over_their_whole_range() {
    let (tree, mut server) = start();
    tree.file("file", "");
    tree.dir("dir");
    for times in [
        (0, 0),
        (1, 2),
        (1_234_567_890, 987_654_321),
        (i32::MAX as u32, 1 << 31),
        (u32::MAX, u32::MAX),
    ] {
        for name in ["file", "dir"] {
            server.ok(&request::setstat(
                name,
                &Attrs::NONE.times(times.0, times.1),
            ));
            let meta = tree.meta(name);
            assert_eq!(
                (meta.atime(), meta.mtime()),
                (i64::from(times.0), i64::from(times.1))
            );
            assert_eq!((meta.atime_nsec(), meta.mtime_nsec()), (0, 0));
        }
    }
}

#[test]
fn the_owner_is_set_by_root_and_minus_one_leaves_it() {
    let tree = Tree::new();
    tree.file("file", "");
    let mut server = crate::Server::start(&tree);
    let mine = (tree.meta("file").uid(), tree.meta("file").gid());
    server.ok(&request::setstat(
        "file",
        &Attrs::NONE.owner(u32::MAX, u32::MAX),
    ));
    assert_eq!((tree.meta("file").uid(), tree.meta("file").gid()), mine);
    let reply = server.call(&request::setstat("file", &Attrs::NONE.owner(7, 8)));
    if nix::unistd::geteuid().is_root() {
        assert_status(&reply, code::OK);
        assert_eq!((tree.meta("file").uid(), tree.meta("file").gid()), (7, 8));
    } else {
        assert_cause(
            &reply,
            &server,
            code::PERMISSION_DENIED,
            "Operation not permitted",
        );
    }
}

#[test]
fn an_ordinary_user_gives_nothing_away() {
    let tree = Tree::new();
    tree.file("file", "");
    let mut server = ordinary(&tree, &[]);
    let before = tree.snapshot();
    let reply = server.call(&request::setstat("file", &Attrs::NONE.owner(0, 0)));
    assert_cause(
        &reply,
        &server,
        code::PERMISSION_DENIED,
        "Operation not permitted",
    );
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn links_are_followed() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.link("link", "file");
    server.ok(&request::setstat(
        "link",
        &Attrs::NONE.size(3).permissions(0o600).times(5, 6),
    ));
    assert_eq!(
        (
            tree.read("file"),
            tree.mode("file"),
            tree.meta("file").mtime()
        ),
        (b"con".to_vec(), 0o600, 6)
    );
    assert_eq!(tree.target("link"), b"file");
    tree.link("dangling", "missing");
    assert_status(
        &server.call(&request::setstat("dangling", &Attrs::NONE.permissions(0))),
        code::NO_SUCH_FILE,
    );
}

/// Writing changes the modification time, and chown(2) clears setuid: the order decides what is left at the end.
#[test]
fn size_comes_before_times_and_the_owner_last() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let owner = (tree.meta("file").uid(), tree.meta("file").gid());
    let attrs = Attrs::NONE
        .size(3)
        .owner(owner.0, owner.1)
        .permissions(0o4755)
        .times(10, 20);
    server.ok(&request::setstat("file", &attrs));
    let meta = tree.meta("file");
    assert_eq!((meta.size(), meta.atime(), meta.mtime()), (3, 10, 20));
    assert_eq!(
        tree.mode("file"),
        0o755,
        "the owner came after the permissions"
    );
}

#[test]
fn a_file_without_any_permission_is_served_to_its_owner() {
    let tree = Tree::new();
    tree.file("file", "content");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("file", 0);
    server.ok(&request::setstat("file", &Attrs::NONE.times(5, 6)));
    assert_eq!(tree.meta("file").mtime(), 6);
    server.ok(&request::setstat("file", &Attrs::NONE.permissions(0o400)));
    assert_eq!(tree.mode("file"), 0o400);
    let reply = server.call(&request::setstat("file", &Attrs::NONE.size(0)));
    assert_status(&reply, code::PERMISSION_DENIED);
    assert_eq!(tree.meta("file").size(), 7);
}

/// Size comes first, so a mode without write permission set in the same request does not stand in its way.
#[test]
fn a_size_and_a_mode_without_write_permission_go_together() {
    let tree = Tree::new();
    tree.file("file", "content");
    let mut server = ordinary(&tree, &[]);
    server.ok(&request::setstat(
        "file",
        &Attrs::NONE.size(2).permissions(0o400),
    ));
    assert_eq!((tree.meta("file").size(), tree.mode("file")), (2, 0o400));
}

/// OpenSSH reports the last failure, which says less about what went wrong first.
#[test]
fn what_can_be_set_is_set_and_the_first_failure_is_reported_where_openssh_reports_the_last() {
    let tree = Tree::new();
    tree.dir("dir");
    let mut server = ordinary(&tree, &[]);
    let reply = server.call(&request::setstat(
        "dir",
        &Attrs::NONE
            .size(3)
            .owner(0, 0)
            .permissions(0o700)
            .times(5, 6),
    ));
    if server.is_openssh() {
        assert_status(&reply, code::PERMISSION_DENIED);
    } else {
        assert_cause(&reply, &server, code::FAILURE, "Is a directory");
    }
    let meta = tree.meta("dir");
    assert_eq!(
        (tree.mode("dir"), meta.mtime()),
        (0o700, 6),
        "the rest was done"
    );
    if nix::unistd::geteuid().is_root() {
        assert_eq!(meta.uid(), NOBODY);
    }
}

#[test]
fn no_attrs_at_all_answer_ok_without_looking_at_the_name() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let before = tree.snapshot();
    server.ok(&request::setstat("file", &Attrs::NONE));
    server.ok(&request::setstat("missing", &Attrs::NONE));
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "");
    let each = [
        Attrs::NONE.size(0),
        Attrs::NONE.permissions(0),
        Attrs::NONE.times(1, 2),
        Attrs::NONE.owner(0, 0),
    ];
    for attrs in each {
        for path in ["missing", "", "missing/x", "file/x"] {
            assert_status(
                &server.call(&request::setstat(path, &attrs)),
                code::NO_SUCH_FILE,
            );
        }
    }
}

#[test]
fn an_open_handle_sees_the_new_size() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ);
    server.ok(&request::setstat("file", &Attrs::NONE.size(3)));
    assert_eq!(server.call(&request::read(&handle, 0, 99)).data(), b"con");
}
