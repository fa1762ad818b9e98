//! FSETSTAT: as SETSTAT, on a handle.

use std::os::unix::fs::MetadataExt;

use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Tree, request};
use crate::{assert_cause, assert_status, ordinary, start};

#[test]
fn all_attrs_at_once_are_set_through_a_handle() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::WRITE);
    let owner = (tree.meta("file").uid(), tree.meta("file").gid());
    let attrs = Attrs::NONE
        .size(3)
        .owner(owner.0, owner.1)
        .permissions(0o604)
        .times(10, 20);
    server.ok(&request::fsetstat(&handle, &attrs));
    let meta = tree.meta("file");
    assert_eq!((meta.size(), meta.atime(), meta.mtime()), (3, 10, 20));
    assert_eq!(tree.mode("file"), 0o604);
}

#[test]
fn the_file_is_meant_not_the_name_it_was_opened_by() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::WRITE);
    server.ok(&request::rename("file", "moved"));
    tree.file("file", "another");
    server.ok(&request::fsetstat(
        &handle,
        &Attrs::NONE.size(1).permissions(0o600).times(1, 2),
    ));
    assert_eq!(
        (tree.read("moved"), tree.mode("moved")),
        (b"c".to_vec(), 0o600)
    );
    assert_eq!(
        (tree.read("file"), tree.mode("file")),
        (b"another".to_vec(), 0o644)
    );
}

#[test]
fn a_handle_for_reading_sets_everything_but_the_size() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ);
    let reply = server.call(&request::fsetstat(&handle, &Attrs::NONE.size(1)));
    assert_cause(&reply, &server, code::BAD_MESSAGE, "Invalid argument");
    server.ok(&request::fsetstat(
        &handle,
        &Attrs::NONE.permissions(0o640).times(3, 4),
    ));
    assert_eq!(
        (
            tree.read("file"),
            tree.mode("file"),
            tree.meta("file").mtime()
        ),
        (b"content".to_vec(), 0o640, 4)
    );
}

/// restic sets the mode before it writes.
#[test]
fn a_mode_without_write_permission_does_not_stop_later_writes() {
    let tree = Tree::new();
    let mut server = ordinary(&tree, &[]);
    let handle = server.open("file", pflags::WRITE | pflags::CREAT | pflags::EXCL);
    server.ok(&request::fsetstat(&handle, &Attrs::NONE.permissions(0o400)));
    server.ok(&request::write(&handle, 0, "content"));
    server.ok(&request::fsetstat(&handle, &Attrs::NONE.size(4)));
    assert_eq!((tree.meta("file").size(), tree.mode("file")), (4, 0o400));
}

#[test]
fn a_directory_opened_by_open_takes_a_mode_and_times() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let handle = server.open("dir", pflags::READ);
    server.ok(&request::fsetstat(
        &handle,
        &Attrs::NONE.permissions(0o1700).times(3, 4),
    ));
    assert_eq!((tree.mode("dir"), tree.meta("dir").mtime()), (0o1700, 4));
}

#[test]
fn what_can_be_set_is_set_and_the_first_failure_is_reported_where_openssh_reports_the_last() {
    let tree = Tree::new();
    tree.file("file", "content");
    let mut server = ordinary(&tree, &[]);
    let handle = server.open("file", pflags::READ);
    let attrs = Attrs::NONE
        .size(3)
        .owner(0, 0)
        .permissions(0o600)
        .times(5, 6);
    let reply = server.call(&request::fsetstat(&handle, &attrs));
    let expected = server.differs(
        "the first cause explains the rest",
        code::BAD_MESSAGE,
        code::PERMISSION_DENIED,
    );
    assert_status(&reply, expected);
    assert_eq!(
        (
            tree.mode("file"),
            tree.meta("file").mtime(),
            tree.meta("file").size()
        ),
        (0o600, 6, 7)
    );
}

#[test]
fn no_attrs_at_all_answer_ok() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ);
    let before = tree.snapshot();
    server.ok(&request::fsetstat(&handle, &Attrs::NONE));
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn sizes_beyond_any_file_are_refused() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::WRITE);
    for (size, expected) in [
        (u64::MAX, code::BAD_MESSAGE),
        (1 << 63, code::BAD_MESSAGE),
        (i64::MAX as u64, code::FAILURE),
    ] {
        assert_status(
            &server.call(&request::fsetstat(&handle, &Attrs::NONE.size(size))),
            expected,
        );
    }
    assert_eq!(tree.read("file"), b"content");
}

#[test]
fn the_set_id_bits_of_a_file_are_set_by_its_handle() {
    let (tree, mut server) = start();
    tree.file("file", "");
    let handle = server.open("file", pflags::READ | pflags::WRITE);
    let asked = Attrs::NONE.permissions(0o6751);
    server.ok(&request::fsetstat(&handle, &asked));
    let kept = server.in_jail("without --keep-setuid", 0o751, 0o6751);
    assert_eq!(tree.mode("file"), kept);
}
