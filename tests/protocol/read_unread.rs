//! READ that was answered but not read yet: whatever is done to the file afterwards, the answer stays what it was.
//!
//! Ours hands the file's pages to the pipe without a copy, so that this is not a matter of course.

use crate::start;
use crate::support::wire::{Attrs, Packet, pflags};
use crate::support::{Reply, Server, Tree, request};

const LENGTH: usize = 64 * 1024;

/// Sends three long READs of `file` and then `change` in one burst, while nobody reads; the READs must tell what was there before.
#[track_caller]
fn answers_stay(tree: &Tree, server: &mut Server, handle: &[u8], change: &Packet) {
    let before: Vec<u8> = (0..3 * LENGTH).map(|n| (n % 251) as u8).collect();
    tree.file("file", &before);
    for part in 0..3 {
        server.send(&request::read(
            handle,
            (part * LENGTH) as u64,
            LENGTH as u32,
        ));
    }
    server.send(change);
    // Long enough for a server that does not wait to have done it.
    std::thread::sleep(std::time::Duration::from_millis(60));
    for part in 0..3 {
        let (_, reply) = server.receive();
        assert!(
            reply.data() == &before[part * LENGTH..(part + 1) * LENGTH],
            "READ {part} before {change:?}"
        );
    }
    let (_, reply) = server.receive();
    assert!(
        matches!(&reply, Reply::Status(status) if status.code == 0)
            || matches!(reply, Reply::Handle(_)),
        "{change:?}: {reply:?}"
    );
}

#[test]
fn a_write_does_not_reach_an_answer_that_was_given() {
    let (tree, mut server) = start();
    tree.file("file", "");
    let handle = server.open("file", pflags::READ | pflags::WRITE);
    let write = request::write(&handle, LENGTH as u64, [b'X'; LENGTH / 2]);
    answers_stay(&tree, &mut server, &handle, &write);
    assert_eq!(
        tree.read("file")[LENGTH..LENGTH + LENGTH / 2],
        [b'X'; LENGTH / 2]
    );
}

#[test]
fn a_write_by_another_handle_does_not_either() {
    let (tree, mut server) = start();
    tree.file("file", "");
    std::fs::hard_link(tree.at("file"), tree.at("again")).unwrap();
    let handle = server.open("file", pflags::READ);
    let other = server.open("again", pflags::WRITE);
    let write = request::write(&other, 100, [b'X'; LENGTH]);
    answers_stay(&tree, &mut server, &handle, &write);
    assert_eq!(tree.read("file")[100..100 + LENGTH], [b'X'; LENGTH]);
}

#[test]
fn no_truncation_reaches_an_answer_that_was_given() {
    let (tree, mut server) = start();
    tree.file("file", "");
    let handle = server.open("file", pflags::READ | pflags::WRITE);
    for change in [
        request::setstat("file", &Attrs::NONE.size(5)),
        request::fsetstat(&handle, &Attrs::NONE.size(5)),
        request::open("file", pflags::WRITE | pflags::TRUNC, &Attrs::NONE),
    ] {
        answers_stay(&tree, &mut server, &handle, &change);
        assert!(tree.read("file").len() <= 5, "{change:?}");
    }
}

#[test]
fn no_copy_reaches_an_answer_that_was_given() {
    let (tree, mut server) = start();
    tree.file("file", "");
    tree.file("source", [b'Y'; 2 * LENGTH]);
    let handle = server.open("file", pflags::READ | pflags::WRITE);
    let source = server.open("source", pflags::READ);
    let copy = request::copy_data(&source, 0, 0, &handle, 0);
    answers_stay(&tree, &mut server, &handle, &copy);
    assert_eq!(tree.read("file")[..2 * LENGTH], [b'Y'; 2 * LENGTH]);
}

#[test]
fn what_has_been_read_holds_nothing_up() {
    let (tree, mut server) = start();
    tree.file("file", [b'a'; 2 * LENGTH]);
    let handle = server.open("file", pflags::READ | pflags::WRITE);
    for round in 0..50u8 {
        let reply = server.call(&request::read(&handle, 0, LENGTH as u32));
        assert_eq!(reply.data().len(), LENGTH);
        server.ok(&request::write(&handle, 0, [round; LENGTH]));
        let reply = server.call(&request::read(&handle, 1, LENGTH as u32 - 1));
        assert!(reply.data() == [round; LENGTH - 1], "{round}");
    }
}
