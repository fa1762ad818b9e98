//! READ that was answered but not read yet: whatever is done to the file afterwards, the answer stays what it was.
//!
//! Ours hands the file's pages to the pipe or the socket without a copy, so that this is not a matter of course.

use crate::support::server::Launch;
use crate::support::wire::{Attrs, Packet, pflags};
use crate::support::{Reply, Server, Tree, request};

const LENGTH: usize = 64 * 1024;

/// Over pipes, and over one socket.
fn over_each(test: impl Fn(&Tree, &mut Server)) {
    let tree = Tree::new();
    test(&tree, &mut Launch::new(&tree).connect());
    let tree = Tree::new();
    test(&tree, &mut Launch::new(&tree).socket().connect());
}

/// Where the answers begin and end in pages: with them, shortly behind them, and shortly before.
const SKEWS: [usize; 4] = [0, 1, 100, 4000];

/// Sends three long READs of `file` and then `change` in one burst, while nobody reads; the READs must tell what was there before.
#[track_caller]
fn answers_stay(tree: &Tree, server: &mut Server, handle: &[u8], change: &Packet) {
    for skew in SKEWS {
        answers_stay_from(skew, tree, server, handle, change);
    }
}

#[track_caller]
fn answers_stay_from(
    skew: usize,
    tree: &Tree,
    server: &mut Server,
    handle: &[u8],
    change: &Packet,
) {
    let before: Vec<u8> = (0..skew + 3 * LENGTH).map(|n| (n % 251) as u8).collect();
    tree.file("file", &before);
    for part in 0..3 {
        server.send(&request::read(
            handle,
            (skew + part * LENGTH) as u64,
            LENGTH as u32,
        ));
    }
    let before = &before[skew..];
    server.send(change);
    // Long enough for a server that does not wait to have done it.
    std::thread::sleep(std::time::Duration::from_millis(60));
    for part in 0..3 {
        let (_, reply) = server.receive();
        assert!(
            reply.data() == &before[part * LENGTH..(part + 1) * LENGTH],
            "READ {part} from {skew} before {change:?}"
        );
    }
    let (_, reply) = server.receive();
    match reply {
        Reply::Handle(handle) => server.close(&handle),
        Reply::Status(status) => assert_eq!(status.code, 0, "{change:?}: {status:?}"),
        other => panic!("{change:?}: {other:?}"),
    }
}

#[test]
fn a_write_does_not_reach_an_answer_that_was_given() {
    over_each(|tree, server| {
        tree.file("file", "");
        let handle = server.open("file", pflags::READ | pflags::WRITE);
        let write = request::write(&handle, LENGTH as u64, [b'X'; LENGTH / 2]);
        answers_stay(tree, server, &handle, &write);
        assert_eq!(
            tree.read("file")[LENGTH..LENGTH + LENGTH / 2],
            [b'X'; LENGTH / 2]
        );
    });
}

#[test]
fn a_write_by_another_handle_does_not_either() {
    over_each(|tree, server| {
        tree.file("file", "");
        std::fs::hard_link(tree.at("file"), tree.at("again")).unwrap();
        let handle = server.open("file", pflags::READ);
        let other = server.open("again", pflags::WRITE);
        let write = request::write(&other, 100, [b'X'; LENGTH]);
        answers_stay(tree, server, &handle, &write);
        assert_eq!(tree.read("file")[100..100 + LENGTH], [b'X'; LENGTH]);
    });
}

#[test]
fn no_truncation_reaches_an_answer_that_was_given() {
    over_each(|tree, server| {
        tree.file("file", "");
        let handle = server.open("file", pflags::READ | pflags::WRITE);
        for change in [
            request::setstat("file", &Attrs::NONE.size(5)),
            request::fsetstat(&handle, &Attrs::NONE.size(5)),
            request::open("file", pflags::WRITE | pflags::TRUNC, &Attrs::NONE),
        ] {
            answers_stay(tree, server, &handle, &change);
            assert!(tree.read("file").len() <= 5, "{change:?}");
        }
    });
}

#[test]
fn no_copy_reaches_an_answer_that_was_given() {
    over_each(|tree, server| {
        tree.file("file", "");
        tree.file("source", [b'Y'; 2 * LENGTH]);
        let handle = server.open("file", pflags::READ | pflags::WRITE);
        let source = server.open("source", pflags::READ);
        let copy = request::copy_data(&source, 0, 0, &handle, 0);
        answers_stay(tree, server, &handle, &copy);
        assert_eq!(tree.read("file")[..2 * LENGTH], [b'Y'; 2 * LENGTH]);
    });
}

#[test]
fn what_has_been_read_holds_nothing_up() {
    over_each(|tree, server| {
        tree.file("file", [b'a'; 2 * LENGTH]);
        let handle = server.open("file", pflags::READ | pflags::WRITE);
        for round in 0..50u8 {
            let reply = server.call(&request::read(&handle, 0, LENGTH as u32));
            assert_eq!(reply.data().len(), LENGTH);
            server.ok(&request::write(&handle, 0, [round; LENGTH]));
            let reply = server.call(&request::read(&handle, 1, LENGTH as u32 - 1));
            assert!(reply.data() == [round; LENGTH - 1], "{round}");
        }
    });
}

#[test]
fn long_reads_that_begin_and_end_anywhere_are_answered_in_full() {
    over_each(|tree, server| {
        let size = 300_001;
        let bytes: Vec<u8> = (0..size).map(|n: usize| (n % 251) as u8).collect();
        tree.file("file", &bytes);
        let handle = server.open("file", pflags::READ);
        let offsets = [0, 1, 4095, 4096, 61_440, 100_000, 261_120, 298_000, 300_000];
        let lengths = [16_384, 20_481, 32_768, 65_537, 69_631, 131_073, 261_120];
        let asked = || {
            let each = move |offset| lengths.map(|length: usize| (offset, length));
            offsets.into_iter().flat_map(each)
        };
        for (offset, length) in asked() {
            server.send(&request::read(&handle, offset as u64, length as u32));
        }
        for (offset, length) in asked() {
            let (_, reply) = server.receive();
            let expected = &bytes[offset..size.min(offset + length)];
            assert!(reply.data() == expected, "{length} bytes at {offset}");
        }
    });
}

#[test]
fn a_write_does_not_reach_the_last_bytes_of_an_answer_either() {
    over_each(|tree, server| {
        tree.file("file", "");
        let handle = server.open("file", pflags::READ | pflags::WRITE);
        for last in [1, 100, 383, 384, 1000, 4096] {
            let before: Vec<u8> = (0..2 * LENGTH).map(|n| (n % 251) as u8).collect();
            tree.file("file", &before);
            // The first one shows that the file is long.
            for _ in 0..2 {
                server.send(&request::read(&handle, last as u64, LENGTH as u32));
            }
            let head = 13;
            server.take_only(2 * (head + LENGTH) - last);
            let write = request::write(&handle, LENGTH as u64, [b'X'; 4096]);
            server.send(&write);
            std::thread::sleep(std::time::Duration::from_millis(30));
            for part in 0..2 {
                let (_, reply) = server.receive();
                assert!(
                    reply.data() == &before[last..last + LENGTH],
                    "answer {part} of which {last} bytes were unread"
                );
            }
            assert_eq!(server.receive().1.status().code, 0);
        }
    });
}
