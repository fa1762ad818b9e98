//! Paths at the limits of NAME_MAX and PATH_MAX, in every request that takes one.

use crate::support::wire::{Attrs, code, pflags};
use crate::support::{Packet, Reply, request, show};
use crate::{assert_cause, start};

type Builder = fn(&[u8]) -> Packet;

/// Every request that takes a path, with the path in question.
const REQUESTS: [(&str, Builder); 22] = [
    ("open", |path| {
        request::open(path, pflags::READ, &Attrs::NONE)
    }),
    ("open to create", |path| {
        request::open(path, pflags::WRITE | pflags::CREAT, &Attrs::NONE)
    }),
    ("stat", |path| request::stat(path)),
    ("lstat", |path| request::lstat(path)),
    ("setstat", |path| {
        request::setstat(path, &Attrs::NONE.permissions(0o600))
    }),
    ("setstat size", |path| {
        request::setstat(path, &Attrs::NONE.size(1))
    }),
    ("setstat times", |path| {
        request::setstat(path, &Attrs::NONE.times(1, 2))
    }),
    ("setstat owner", |path| {
        request::setstat(path, &Attrs::NONE.owner(u32::MAX, u32::MAX))
    }),
    ("opendir", |path| request::opendir(path)),
    ("remove", |path| request::remove(path)),
    ("mkdir", |path| request::mkdir(path, &Attrs::NONE)),
    ("rmdir", |path| request::rmdir(path)),
    ("rename from", |path| request::rename(path, "x")),
    ("rename to", |path| request::rename("file", path)),
    ("readlink", |path| request::readlink(path)),
    ("symlink at", |path| request::symlink("x", path)),
    ("posix-rename from", |path| request::posix_rename(path, "x")),
    ("posix-rename to", |path| {
        request::posix_rename("file", path)
    }),
    ("statvfs", |path| request::statvfs(path)),
    ("hardlink from", |path| request::hardlink(path, "x")),
    ("hardlink to", |path| request::hardlink("file", path)),
    ("lsetstat", |path| {
        request::lsetstat(path, &Attrs::NONE.times(1, 2))
    }),
];

#[test]
fn a_name_of_256_bytes_is_a_bad_message_in_every_request() {
    for name in [vec![b'n'; 256], vec![0xff; 256], vec![b'n'; 4000]] {
        let (tree, mut server) = start();
        tree.file("file", "content");
        let before = tree.snapshot();
        for (what, request) in REQUESTS {
            let reply = server.call(&request(&name));
            assert_eq!(reply.code(), code::BAD_MESSAGE, "{what}: {reply:?}");
            assert_cause(&reply, &server, code::BAD_MESSAGE, "File name too long");
        }
        assert_eq!(server.code(&request::realpath(&name)), code::BAD_MESSAGE);
        assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    }
}

#[test]
fn a_path_of_4096_bytes_and_more_is_a_bad_message_in_every_request() {
    for length in [4096, 4097, 10_000, 200_000] {
        let (tree, mut server) = start();
        tree.file("file", "content");
        let before = tree.snapshot();
        let path: Vec<u8> = b"./"
            .iter()
            .copied()
            .cycle()
            .take(length - 1)
            .chain(*b"x")
            .collect();
        for (what, request) in REQUESTS {
            let reply = server.call(&request(&path));
            assert_eq!(
                reply.code(),
                code::BAD_MESSAGE,
                "{what} of {length} bytes: {reply:?}"
            );
        }
        assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    }
}

#[test]
fn a_name_of_255_bytes_serves_in_every_request() {
    for name in [vec![b'n'; 255], vec![0xff; 255], b"\xe2\x82\xac".repeat(85)] {
        let (tree, mut server) = start();
        let none = &Attrs::NONE;
        let handle = server.open(&name, pflags::WRITE | pflags::CREAT);
        server.ok(&request::write(&handle, 0, "content"));
        server.close(&handle);
        assert_eq!(
            server.call(&request::stat(&name)),
            server.call(&request::lstat(&name))
        );
        server.ok(&request::setstat(&name, &none.clone().permissions(0o600)));
        assert_eq!(
            show(server.call(&request::realpath(&name)).name()),
            show(tree.path(&name))
        );
        server.ok(&request::rename(&name, "x"));
        server.ok(&request::hardlink("x", &name));
        server.ok(&request::posix_rename("x", &name));
        server.ok(&request::remove(&name));
        server.ok(&request::remove("x"));
        server.ok(&request::symlink("target", &name));
        assert_eq!(server.call(&request::readlink(&name)).name(), b"target");
        server.ok(&request::lsetstat(&name, &none.clone().times(1, 2)));
        server.ok(&request::remove(&name));
        server.ok(&request::mkdir(&name, none));
        assert!(server.list(&name).len() == 2);
        assert!(matches!(
            server.call(&request::statvfs(&name)),
            Reply::Extended(_)
        ));
        server.ok(&request::rmdir(&name));
        assert!(tree.names("").is_empty());
    }
}

#[test]
fn a_path_of_4095_bytes_serves() {
    let (tree, mut server) = start();
    tree.file("x", "content");
    let path: Vec<u8> = b"./"
        .iter()
        .copied()
        .cycle()
        .take(4094)
        .chain(*b"x")
        .collect();
    assert_eq!(path.len(), 4095);
    assert_eq!(server.call(&request::stat(&path)).attrs().size, Some(7));
    let handle = server.open(&path, pflags::READ);
    assert_eq!(
        server.call(&request::read(&handle, 0, 99)).data(),
        b"content"
    );
    server.ok(&request::setstat(&path, &Attrs::NONE.size(1)));
    server.ok(&request::remove(&path));
    assert!(tree.names("").is_empty());
}

/// The kernel takes relative paths only up to PATH_MAX, but a tree may be deeper.
#[test]
fn a_tree_deeper_than_path_max_is_reached_step_by_step_from_within() {
    let (tree, mut server) = start();
    let part = "d".repeat(250);
    let mut path = String::new();
    for _ in 0..15 {
        path = format!("{path}{part}/");
        server.ok(&request::mkdir(&path, &Attrs::NONE));
    }
    let deepest = format!("{path}{}", "f".repeat(200));
    let handle = server.open(&deepest, pflags::WRITE | pflags::CREAT);
    server.ok(&request::write(&handle, 0, "deep"));
    assert!(tree.path(&deepest).len() < 4096);
    assert_eq!(tree.read(&deepest), b"deep");
    assert_eq!(server.list(&path).len(), 3);
}
