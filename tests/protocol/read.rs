//! READ: lengths, offsets, the end.

use std::os::unix::fs::MetadataExt;

use crate::support::wire::{code, pflags};
use crate::support::{Reply, Tree, request};
use crate::{assert_cause, assert_not_open_for, assert_status, start, start_with};

const LONGEST: usize = 261_120;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[test]
fn reads_return_what_was_asked_up_to_261120_bytes() {
    let (tree, mut server) = start();
    let content = content(600_000);
    tree.file("file", &content);
    let handle = server.open("file", pflags::READ);
    for asked in [
        1,
        2,
        4095,
        4096,
        32_768,
        65_536,
        261_119,
        261_120,
        261_121,
        262_144,
        1 << 31,
        u32::MAX,
    ] {
        for offset in [0, 1, 4096, 77_777] {
            let reply = server.call(&request::read(&handle, offset as u64, asked));
            let length = (asked as usize).min(LONGEST);
            assert!(
                reply.data() == &content[offset..offset + length],
                "{} of {asked} at {offset}",
                reply.data().len()
            );
        }
    }
}

#[test]
fn a_read_of_0_bytes_answers_no_bytes_wherever_it_points() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.file("empty", "");
    for (name, offset) in [("file", 0), ("file", 7), ("file", 1 << 40), ("empty", 0)] {
        let handle = server.open(name, pflags::READ);
        assert_eq!(
            server.call(&request::read(&handle, offset, 0)),
            Reply::Data(Vec::new()),
            "{name} at {offset}"
        );
    }
}

#[test]
fn a_read_across_the_end_is_short_and_one_at_the_end_is_eof() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ);
    assert_eq!(server.call(&request::read(&handle, 4, 100)).data(), b"ent");
    for offset in [7, 8, 4096, 1 << 32, 1 << 40] {
        assert_status(
            &server.call(&request::read(&handle, offset, 100)),
            code::EOF,
        );
    }
    tree.file("empty", "");
    let handle = server.open("empty", pflags::READ);
    assert_status(&server.call(&request::read(&handle, 0, 1)), code::EOF);
}

#[test]
fn a_file_that_grows_has_no_end_for_good() {
    let (tree, mut server) = start();
    tree.file("file", "");
    let handle = server.open("file", pflags::READ);
    assert_status(&server.call(&request::read(&handle, 0, 9)), code::EOF);
    tree.file("file", "grown");
    assert_eq!(server.call(&request::read(&handle, 0, 9)).data(), b"grown");
}

#[test]
fn an_offset_that_no_file_can_have_is_a_bad_message() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ);
    for offset in [i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX] {
        for length in [0, 1, u32::MAX] {
            let reply = server.call(&request::read(&handle, offset, length));
            assert_cause(&reply, &server, code::BAD_MESSAGE, "Invalid argument");
        }
    }
}

/// The file system's own limit lies below 2^63: lseek(2), which OpenSSH uses, says EINVAL there; pread(2) sees the end.
#[test]
fn a_read_between_the_largest_file_and_the_largest_offset_fails_or_is_eof() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ);
    for offset in [1 << 62, i64::MAX as u64 - 1, i64::MAX as u64] {
        let code = server.code(&request::read(&handle, offset, 1));
        assert!(
            [code::EOF, code::BAD_MESSAGE].contains(&code),
            "status {code} at {offset}"
        );
    }
}

#[test]
fn a_handle_opened_for_writing_alone_does_not_read() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::WRITE);
    let reply = server.call(&request::read(&handle, 0, 5));
    assert_not_open_for(&reply, &server, "reading");
}

#[test]
fn holes_read_as_zeros() {
    let (tree, mut server) = start();
    let handle = server.open("file", pflags::READ | pflags::WRITE | pflags::CREAT);
    server.ok(&request::write(&handle, 1 << 30, "end"));
    assert_eq!(
        server.call(&request::read(&handle, 12_345, 4096)).data(),
        [0; 4096]
    );
    assert_eq!(
        server
            .call(&request::read(&handle, (1 << 30) - 2, 10))
            .data(),
        b"\0\0end"
    );
    assert!(tree.meta("file").blocks() < 100, "a hole takes no room");
}

#[test]
fn two_handles_read_the_same_file_without_moving_each_other() {
    let (tree, mut server) = start();
    tree.file("file", "0123456789");
    let (one, two) = (
        server.open("file", pflags::READ),
        server.open("file", pflags::READ),
    );
    for n in 0..10_u64 {
        let expected = b'0' + u8::try_from(n).unwrap();
        assert_eq!(server.call(&request::read(&one, n, 1)).data(), [expected]);
        assert_eq!(
            server.call(&request::read(&two, 9 - n, 1)).data(),
            [b'0' + b'9' - expected]
        );
    }
}

#[test]
fn files_whose_size_is_said_to_be_0_are_read_as_they_are() {
    let (_tree, mut server) = start_with(&["/proc"]);
    let comm = std::fs::read(format!("/proc/{}/comm", server.pid())).unwrap();
    let handle = server.open("/proc/self/comm", pflags::READ);
    assert_eq!(server.call(&request::read(&handle, 0, 1000)).data(), comm);
    let end = request::read(&handle, comm.len() as u64, 1000);
    assert_status(&server.call(&end), code::EOF);
}

#[test]
fn a_large_file_is_read_whole_in_any_chunks() {
    let tree = Tree::new();
    let content = content(1_234_567);
    tree.file("file", &content);
    let mut server = crate::Server::start(&tree);
    let handle = server.open("file", pflags::READ);
    for chunk in [1_000, 32_768, 100_003, 261_120, 300_000] {
        let mut got = Vec::new();
        loop {
            match server.call(&request::read(&handle, got.len() as u64, chunk)) {
                Reply::Data(data) => got.extend(data),
                reply => break assert_status(&reply, code::EOF),
            }
        }
        assert!(got == content, "in chunks of {chunk}");
    }
}
