//! `copy-data`: bytes from one open file to another, within the server.

use crate::support::wire::{code, pflags};
use crate::support::{Server, Tree, request};
use crate::{assert_cause, assert_not_open_for, assert_status, start, start_with};

const NEW: u32 = pflags::READ | pflags::WRITE | pflags::CREAT;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 % 251) as u8).collect()
}

/// A source of `length` bytes and an empty target, both open.
fn pair(tree: &Tree, server: &mut Server, length: usize) -> (Vec<u8>, Vec<u8>) {
    tree.file("from", content(length));
    (server.open("from", pflags::READ), server.open("to", NEW))
}

#[test]
fn length_0_copies_everything_to_the_end() {
    for length in [0, 1, 65_535, 65_536, 65_537, 3_000_000] {
        let (tree, mut server) = start();
        let (from, to) = pair(&tree, &mut server, length);
        server.ok(&request::copy_data(&from, 0, 0, &to, 0));
        assert!(tree.read("to") == content(length), "{length} bytes");
    }
}

#[test]
fn a_range_is_copied_to_an_offset_and_the_rest_of_the_target_stays() {
    let (tree, mut server) = start();
    let (from, to) = pair(&tree, &mut server, 200_000);
    server.ok(&request::write(&to, 0, vec![b'-'; 100]));
    server.ok(&request::copy_data(&from, 1_000, 10, &to, 5));
    let mut expected = vec![b'-'; 100];
    expected[5..15].copy_from_slice(&content(2_000)[1_000..1_010]);
    assert_eq!(tree.read("to"), expected);
    server.ok(&request::copy_data(&from, 50_000, 150_000, &to, 100));
    assert!(tree.read("to")[100..] == content(200_000)[50_000..]);
}

#[test]
fn length_0_from_an_offset_copies_the_rest_and_past_the_end_nothing() {
    let (tree, mut server) = start();
    let (from, to) = pair(&tree, &mut server, 1_000);
    server.ok(&request::copy_data(&from, 990, 0, &to, 0));
    assert_eq!(tree.read("to"), content(1_000)[990..]);
    for offset in [1_000, 5_000, 1 << 40] {
        server.ok(&request::copy_data(&from, offset, 0, &to, 0));
    }
    assert_eq!(tree.read("to").len(), 10);
}

/// OpenSSH answers OK where the end falls into the last 64 KiB of what was asked for, EOF where it does not.
#[test]
fn past_the_end_of_the_source_the_answer_is_eof_and_what_was_copied_stays() {
    let (tree, mut server) = start();
    let (from, to) = pair(&tree, &mut server, 1_000);
    let near = server.differs("the end of the source is told", code::EOF, code::OK);
    for (offset, length, expected) in [
        (0, 1_001, near),
        (999, 10, near),
        (1_000, 10, near),
        (0, 1 << 20, code::EOF),
    ] {
        server.ok(&request::fsetstat(
            &to,
            &crate::support::Attrs::NONE.size(0),
        ));
        assert_eq!(
            server.code(&request::copy_data(&from, offset, length, &to, 0)),
            expected,
            "{length} at {offset}"
        );
        assert_eq!(tree.read("to"), content(1_000)[offset as usize..]);
    }
    for length in [1 << 40, u64::MAX] {
        assert_status(
            &server.call(&request::copy_data(&from, 0, length, &to, 0)),
            code::EOF,
        );
        assert_eq!(tree.read("to"), content(1_000));
    }
}

#[test]
fn an_appending_target_gets_the_bytes_at_its_end() {
    let (tree, mut server) = start();
    tree.file("from", "copied");
    tree.file("to", "start ");
    let from = server.open("from", pflags::READ);
    let to = server.open("to", pflags::WRITE | pflags::APPEND);
    server.ok(&request::copy_data(&from, 0, 0, &to, 0));
    server.ok(&request::copy_data(&from, 2, 2, &to, 99));
    assert_eq!(tree.read("to"), b"start copiedpi");
}

/// Where the bytes go is the end of the file, whatever the offset says.
#[test]
fn an_appending_target_takes_no_notice_of_an_offset_that_no_file_can_have() {
    let (tree, mut server) = start();
    tree.file("from", content(200_000));
    let from = server.open("from", pflags::READ);
    let to = server.open("to", NEW | pflags::APPEND);
    for offset in [u64::MAX, u64::MAX - 1, 1 << 63] {
        server.ok(&request::copy_data(&from, 0, 200_000, &to, offset));
    }
    assert!(tree.read("to") == content(200_000).repeat(3));
}

#[test]
fn the_same_handle_and_the_same_path_are_refused() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let one = server.open("file", pflags::READ | pflags::WRITE);
    let two = server.open("file", pflags::READ | pflags::WRITE);
    for to in [&one, &two] {
        assert_status(
            &server.call(&request::copy_data(&one, 0, 3, to, 5)),
            code::FAILURE,
        );
    }
    assert_eq!(tree.read("file"), b"content");
}

/// OpenSSH before 10.4 compares the paths as they were written; copying to the end of what grows would never end.
#[test]
fn the_same_file_by_another_name_is_refused() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    std::fs::hard_link(tree.at("file"), tree.at("hard")).unwrap();
    tree.link("soft", "file");
    let from = server.open("file", pflags::READ);
    for name in ["./file", "hard", "soft"] {
        let to = server.open(name, pflags::WRITE);
        let reply = server.call(&request::copy_data(&from, 0, 3, &to, 0));
        assert_status(
            &reply,
            server.differed_before(
                (10, 4),
                "judged by device and inode",
                code::FAILURE,
                code::OK,
            ),
        );
    }
    assert_eq!(tree.read("file"), b"content");
}

/// OpenSSH finds out at the first write, so that copying nothing succeeds.
#[test]
fn a_target_not_open_for_writing_is_refused_at_once() {
    let (tree, mut server) = start();
    let (from, _) = pair(&tree, &mut server, 100);
    let to = server.open("to", pflags::READ);
    let reply = server.call(&request::copy_data(&from, 0, 0, &to, 0));
    assert_not_open_for(&reply, &server, "writing");
    let nothing = server.call(&request::copy_data(&from, 100, 0, &to, 0));
    assert_status(
        &nothing,
        server.differs("refused before anything is read", code::FAILURE, code::OK),
    );
    assert!(tree.read("to").is_empty());
}

#[test]
fn a_source_not_open_for_reading_fails() {
    let (tree, mut server) = start();
    tree.file("from", "content");
    let from = server.open("from", pflags::WRITE);
    let to = server.open("to", NEW);
    let reply = server.call(&request::copy_data(&from, 0, 0, &to, 0));
    assert_not_open_for(&reply, &server, "reading");
    assert!(tree.read("to").is_empty());
}

#[test]
fn offsets_that_no_file_can_have_are_a_bad_message() {
    let (tree, mut server) = start();
    let (from, to) = pair(&tree, &mut server, 100);
    for offset in [1 << 63, u64::MAX] {
        for request in [
            request::copy_data(&from, offset, 1, &to, 0),
            request::copy_data(&from, 0, 1, &to, offset),
        ] {
            assert_cause(
                &server.call(&request),
                &server,
                code::BAD_MESSAGE,
                "Invalid argument",
            );
        }
    }
    assert!(tree.read("to").is_empty());
}

#[test]
fn holes_in_the_source_arrive_as_zeros() {
    let (tree, mut server) = start();
    let (_, to) = pair(&tree, &mut server, 0);
    let from = server.open("sparse", NEW);
    server.ok(&request::write(&from, 10_000_000, "end"));
    server.ok(&request::copy_data(&from, 0, 0, &to, 0));
    let copied = tree.read("to");
    assert_eq!(
        (copied.len(), &copied[10_000_000..]),
        (10_000_003, &b"end"[..])
    );
    assert!(copied[..10_000_000].iter().all(|byte| *byte == 0));
}

#[test]
fn reads_and_writes_around_a_copy_keep_their_order() {
    let (tree, mut server) = start();
    let (from, to) = pair(&tree, &mut server, 100_000);
    let replies = server.pipeline(&[
        request::write(&to, 0, vec![1; 10]),
        request::copy_data(&from, 0, 0, &to, 0),
        request::write(&to, 5, vec![2; 5]),
        request::read(&to, 0, 10),
        request::close(&from),
    ]);
    assert_eq!(replies[3].data(), [&content(5)[..], &[2; 5]].concat());
    assert!(tree.read("to")[10..] == content(100_000)[10..]);
}

#[test]
fn a_source_whose_size_is_said_to_be_0_is_copied_as_it_reads() {
    let (tree, mut server) = start_with(&["/proc"]);
    let comm = std::fs::read(format!("/proc/{}/comm", server.pid())).unwrap();
    let from = server.open("/proc/self/comm", pflags::READ);
    let to = server.open("to", NEW);
    server.ok(&request::copy_data(&from, 0, 0, &to, 0));
    assert_eq!(tree.read("to"), comm);
}
