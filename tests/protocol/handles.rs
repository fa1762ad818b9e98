//! Handles: opaque, forged, stale, of the wrong kind, and many.

use std::collections::HashSet;

use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Launch, Packet, Reply, Server, Tree, request, show};
use crate::{assert_cause, assert_status, start};

/// Every request that takes a handle, by its name.
fn with_handle(handle: &[u8], good: &[u8]) -> Vec<(&'static str, Packet)> {
    vec![
        ("close", request::close(handle)),
        ("read", request::read(handle, 0, 1)),
        ("write", request::write(handle, 0, "x")),
        ("fstat", request::fstat(handle)),
        (
            "fsetstat",
            request::fsetstat(handle, &Attrs::NONE.permissions(0o600)),
        ),
        (
            "fsetstat without attrs",
            request::fsetstat(handle, &Attrs::NONE),
        ),
        ("readdir", request::readdir(handle)),
        ("fstatvfs", request::fstatvfs(handle)),
        ("fsync", request::fsync(handle)),
        ("copy-data from", request::copy_data(handle, 0, 0, good, 0)),
        ("copy-data to", request::copy_data(good, 0, 0, handle, 0)),
    ]
}

/// OpenSSH answers CLOSE by ENOENT's status, and fsync by a NO_SUCH_FILE of its own, and from 10.4 on copy-data by EBADF's; ours answers
/// FAILURE everywhere.
fn refusal(server: &Server, request: &str) -> u32 {
    let copied = server.differed_before((10, 4), "EBADF", code::NO_SUCH_FILE, code::FAILURE);
    let theirs = match request {
        "close" | "fsync" => code::NO_SUCH_FILE,
        "copy-data from" | "copy-data to" => copied,
        _ => code::FAILURE,
    };
    server.differs("one answer to a bad handle", code::FAILURE, theirs)
}

#[test]
fn a_forged_handle_is_refused_by_every_request() {
    let (tree, mut server) = start();
    tree.file("good", "content");
    let good = server.open("good", pflags::READ | pflags::WRITE);
    let before = tree.snapshot();
    let mut forged: Vec<Vec<u8>> = [0, 1, 3, 4, 5, 7, 8, 9, 16, 255, 256, 257, 10_000]
        .into_iter()
        .flat_map(|length| [vec![0xff; length], vec![0x01; length], vec![0x7f; length]])
        .collect();
    forged.push([&good[..], b"x"].concat());
    forged.push(good[..good.len() - 1].to_vec());
    for place in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[place / 8] ^= 1 << (place % 8);
        forged.push(flipped);
    }
    for handle in forged {
        for (name, request) in with_handle(&handle, &good) {
            let reply = server.call(&request);
            assert_eq!(
                reply.code(),
                refusal(&server, name),
                "{name} of {}: {reply:?}",
                show(&handle)
            );
        }
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    server.close(&good);
}

#[test]
fn a_closed_handle_is_refused_by_every_request() {
    let (tree, mut server) = start();
    tree.file("good", "content");
    let good = server.open("good", pflags::READ | pflags::WRITE);
    let closed_file = server.open("good", pflags::READ | pflags::WRITE);
    let closed_dir = server.opendir(".");
    server.close(&closed_file);
    server.close(&closed_dir);
    for handle in [closed_file, closed_dir] {
        for (name, request) in with_handle(&handle, &good) {
            assert_eq!(server.code(&request), refusal(&server, name), "{name}");
        }
    }
    assert_eq!(tree.read("good"), b"content");
}

#[test]
fn a_directory_handle_is_refused_where_a_file_is_meant() {
    let (tree, mut server) = start();
    tree.file("good", "content");
    let good = server.open("good", pflags::READ | pflags::WRITE);
    let dir = server.opendir(".");
    for (name, request) in with_handle(&dir, &good) {
        if !matches!(name, "close" | "readdir") {
            assert_eq!(server.code(&request), refusal(&server, name), "{name}");
        }
    }
    server.close(&dir);
}

#[test]
fn a_file_handle_is_refused_by_readdir_even_of_a_directory() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    for name in ["file", "."] {
        let handle = server.open(name, pflags::READ);
        assert_status(&server.call(&request::readdir(&handle)), code::FAILURE);
        server.close(&handle);
    }
}

/// A client that still holds the old one would otherwise act on a file that it never opened.
#[test]
fn a_closed_handle_never_comes_back_where_openssh_reuses_it_at_once() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        let handle = server.open("file", pflags::READ);
        assert!(handle.len() < 256, "the draft's limit");
        seen.insert(handle.clone());
        server.close(&handle);
    }
    assert_eq!(
        seen.len(),
        server.differs("stale handles stay stale", 1000, 1)
    );
}

#[test]
fn two_hundred_handles_are_open_at_once_and_distinct() {
    let (tree, mut server) = start();
    let handles: Vec<Vec<u8>> = (0..200)
        .map(|n| {
            server.open(
                format!("f{n}"),
                pflags::READ | pflags::WRITE | pflags::CREAT,
            )
        })
        .collect();
    assert_eq!(handles.iter().collect::<HashSet<_>>().len(), 200);
    for (n, handle) in handles.iter().enumerate() {
        server.ok(&request::write(handle, 0, n.to_string()));
    }
    for handle in handles.iter().rev() {
        server.close(handle);
    }
    for n in 0..200 {
        assert_eq!(tree.read(format!("f{n}")), n.to_string().as_bytes());
    }
}

#[test]
fn a_handle_outlives_the_name_of_its_file() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ | pflags::WRITE);
    server.ok(&request::rename("file", "renamed"));
    server.ok(&request::write(&handle, 0, "CON"));
    assert_eq!(tree.read("renamed"), b"CONtent");
    server.ok(&request::remove("renamed"));
    assert_eq!(
        server.call(&request::read(&handle, 0, 100)),
        Reply::Data(b"CONtent".to_vec())
    );
    server.ok(&request::fsetstat(&handle, &Attrs::NONE.size(3)));
    assert_eq!(server.call(&request::fstat(&handle)).attrs().size, Some(3));
    assert!(tree.names("").is_empty());
}

/// OpenSSH promises RLIMIT_NOFILE - 5 and runs into EMFILE a little earlier or later.
#[test]
fn as_many_handles_as_limits_promises_can_be_opened_and_a_closed_one_makes_room() {
    let tree = Tree::new();
    tree.file("file", "content");
    let mut server = Launch::new(&tree)
        .through(&["prlimit", "--nofile=128:128"])
        .connect();
    let reply = server.call(&request::limits());
    let promised = u64::from_be_bytes(reply.extended()[24..32].try_into().unwrap());
    let mut handles = Vec::new();
    let refused = loop {
        match server.call(&request::open("file", pflags::READ, &Attrs::NONE)) {
            Reply::Handle(handle) => handles.push(handle),
            reply => break reply,
        }
        assert!(
            handles.len() <= 128,
            "more files than the limit of the process"
        );
    };
    assert_cause(&refused, &server, code::FAILURE, "Too many open files");
    assert_cause(
        &server.call(&request::opendir(".")),
        &server,
        code::FAILURE,
        "Too many open files",
    );
    if !server.is_openssh() {
        assert_eq!(handles.len() as u64, promised);
    }
    let least = server.in_jail("the way to a file takes some for a moment", 30, 40);
    assert!(handles.len() > least, "{} of 128", handles.len());
    // Everything without a handle goes on.
    server.ok(&request::mkdir("d", &Attrs::NONE));
    server.close(&handles.pop().unwrap());
    handles.push(server.opendir("."));
    assert!(
        server
            .call(&request::readdir(handles.last().unwrap()))
            .names()
            .len()
            >= 4
    );
}
