//! `-R`: every request there is, and nothing changes on the disk.

use crate::support::server::is_openssh;
use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Packet, Reply, Server, Snapshot, Tree, request};
use crate::{assert_status, start};

fn fill(tree: &Tree) -> Snapshot {
    tree.file("file", "content");
    tree.file("other", "other");
    tree.dir("dir");
    tree.dir("empty");
    tree.file("dir/inner", "inner");
    tree.link("link", "file");
    tree.link("dangling", "missing");
    tree.fifo("fifo");
    tree.snapshot()
}

fn writing(file: &[u8], other: &[u8]) -> Vec<(&'static str, Packet)> {
    let attrs = Attrs::NONE.size(1).permissions(0o600).times(1, 2);
    let mut all = vec![
        ("write", request::write(file, 0, "x")),
        ("setstat", request::setstat("file", &attrs)),
        (
            "setstat without attrs",
            request::setstat("file", &Attrs::NONE),
        ),
        ("fsetstat", request::fsetstat(file, &attrs)),
        ("remove", request::remove("file")),
        ("mkdir", request::mkdir("new", &Attrs::NONE)),
        ("rmdir", request::rmdir("empty")),
        ("rename", request::rename("file", "new")),
        ("symlink", request::symlink("x", "new")),
        ("posix-rename", request::posix_rename("file", "other")),
        ("hardlink", request::hardlink("file", "new")),
        ("fsync", request::fsync(file)),
        (
            "lsetstat",
            request::lsetstat("link", &Attrs::NONE.times(1, 2)),
        ),
        ("copy-data", request::copy_data(file, 0, 0, other, 0)),
    ];
    // OpenSSH does not know it.
    if !is_openssh() {
        all.push(("copy-file", request::copy_file("file", "new", 0)));
    }
    all
}

#[test]
fn every_request_that_writes_is_denied_and_nothing_changes() {
    let tree = Tree::new();
    let before = fill(&tree);
    let mut server = Server::with(&tree, ["-R"]);
    let (file, other) = (
        server.open("file", pflags::READ),
        server.open("other", pflags::READ),
    );
    for (name, request) in writing(&file, &other) {
        let reply = server.call(&request);
        assert_eq!(reply.code(), code::PERMISSION_DENIED, "{name}: {reply:?}");
        assert_status(&reply, code::PERMISSION_DENIED);
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn requests_that_write_are_denied_before_anything_is_asked_about_them() {
    let tree = Tree::new();
    fill(&tree);
    let mut server = Server::with(&tree, ["-R"]);
    for (name, request) in writing(b"forged", b"forged") {
        assert_eq!(server.code(&request), code::PERMISSION_DENIED, "{name}");
    }
    assert_eq!(
        server.code(&request::remove("missing")),
        code::PERMISSION_DENIED
    );
}

#[test]
fn each_of_the_64_pflags_that_could_write_create_or_cut_is_denied() {
    let tree = Tree::new();
    let before = fill(&tree);
    let mut server = Server::with(&tree, ["-R"]);
    for bits in 0..64 {
        let appends = bits & (pflags::APPEND | pflags::READ) == pflags::APPEND;
        let writes = bits & (pflags::WRITE | pflags::CREAT | pflags::TRUNC) != 0
            || server.differs("to append is to write", appends, false);
        for path in ["file", "missing", "dir", "link", "dangling"] {
            match server.call(&request::open(path, bits, &Attrs::NONE.permissions(0o600))) {
                Reply::Handle(handle) => {
                    assert!(!writes, "pflags {bits:#x} opened {path}");
                    assert_ne!(server.code(&request::write(&handle, 0, "x")), code::OK);
                    server.close(&handle);
                }
                reply => {
                    let expected = if writes {
                        code::PERMISSION_DENIED
                    } else {
                        code::NO_SUCH_FILE
                    };
                    assert_eq!(reply.code(), expected, "pflags {bits:#x} of {path}");
                }
            }
        }
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn every_request_that_reads_is_served() {
    let tree = Tree::new();
    let before = fill(&tree);
    let mut server = Server::with(&tree, ["-R"]);
    let file = server.open("file", pflags::READ);
    assert_eq!(server.call(&request::read(&file, 0, 99)).data(), b"content");
    for request in [
        request::stat("file"),
        request::lstat("link"),
        request::fstat(&file),
    ] {
        server.call(&request).attrs();
    }
    assert_eq!(server.list("dir").len(), 3);
    assert_eq!(server.call(&request::readlink("link")).name(), b"file");
    server.call(&request::realpath("dir/..")).name();
    server.call(&request::expand_path("~")).name();
    server.call(&request::home_directory("root")).name();
    for request in [
        request::statvfs("."),
        request::fstatvfs(&file),
        request::limits(),
        request::users_groups_by_id(&[0], &[0]),
    ] {
        server.call(&request).extended();
    }
    server.close(&file);
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn without_r_the_same_requests_do_write() {
    let (tree, mut server) = start();
    fill(&tree);
    let rw = pflags::READ | pflags::WRITE;
    for index in 0..writing(b"", b"").len() {
        let tree = Tree::new();
        let before = fill(&tree);
        server = Server::start(&tree);
        let (file, other) = (server.open("file", rw), server.open("other", rw));
        let (name, request) = writing(&file, &other).swap_remove(index);
        server.ok(&request);
        let changed = !before.differences(&tree.snapshot()).is_empty();
        assert_eq!(
            changed,
            !matches!(name, "fsync" | "setstat without attrs"),
            "{name}"
        );
    }
    drop((tree, server));
}
