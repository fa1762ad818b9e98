//! WRITE: offsets, holes, appending, lengths.

use std::os::unix::fs::MetadataExt;

use crate::support::wire::{code, pflags};
use crate::support::{Attrs, request};
use crate::{assert_cause, assert_not_open_for, start};

const NEW: u32 = pflags::WRITE | pflags::CREAT;

#[test]
fn a_write_lands_at_its_offset_and_leaves_the_rest() {
    let (tree, mut server) = start();
    tree.file("file", "0123456789");
    let handle = server.open("file", pflags::WRITE);
    server.ok(&request::write(&handle, 3, "abc"));
    assert_eq!(tree.read("file"), b"012abc6789");
    server.ok(&request::write(&handle, 8, "xyz"));
    assert_eq!(tree.read("file"), b"012abc67xyz");
    server.ok(&request::write(&handle, 0, "-"));
    assert_eq!(tree.read("file"), b"-12abc67xyz");
}

#[test]
fn a_write_past_the_end_leaves_a_hole() {
    let (tree, mut server) = start();
    let handle = server.open("file", NEW);
    server.ok(&request::write(&handle, 1 << 32, "far"));
    let meta = tree.meta("file");
    assert_eq!(meta.size(), (1 << 32) + 3);
    assert!(meta.blocks() < 100, "a hole takes no room");
}

#[test]
fn an_empty_write_answers_ok_and_changes_nothing() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::WRITE);
    for offset in [0, 3, 7, 1000, 1 << 40] {
        server.ok(&request::write(&handle, offset, ""));
    }
    assert_eq!(tree.read("file"), b"content");
}

/// Go's pkg/sftp appends with offset 0, sftp's `reput` with the true one.
#[test]
fn append_goes_to_the_end_whatever_the_offset_says() {
    let (tree, mut server) = start();
    tree.file("file", "start");
    let handle = server.open("file", pflags::WRITE | pflags::APPEND);
    for (offset, data) in [
        (0, " one"),
        (2, " two"),
        (9999, " three"),
        (u64::MAX, " four"),
    ] {
        server.ok(&request::write(&handle, offset, data));
    }
    assert_eq!(tree.read("file"), b"start one two three four");
    tree.file("file", "cut");
    server.ok(&request::write(&handle, 0, " off"));
    assert_eq!(tree.read("file"), b"cut off");
}

#[test]
fn an_appending_handle_reads_at_any_offset_between_its_writes() {
    let (_tree, mut server) = start();
    let handle = server.open("file", NEW | pflags::READ | pflags::APPEND);
    for n in 0..10_u8 {
        server.ok(&request::write(&handle, 0, [b'0' + n]));
        assert_eq!(server.call(&request::read(&handle, 0, 1)).data(), b"0");
    }
    assert_eq!(
        server.call(&request::read(&handle, 0, 99)).data(),
        b"0123456789"
    );
}

#[test]
fn writes_of_all_lengths_that_fit_a_packet_are_complete() {
    let (tree, mut server) = start();
    let handle = server.open("file", NEW);
    // What is left of the largest packet: type, id, handle, offset, length of the data.
    let longest = 262_144 - 1 - 4 - (4 + handle.len()) - 8 - 4;
    for length in [
        1, 4095, 4096, 4097, 32_768, 65_536, 65_537, 261_120, longest,
    ] {
        let data: Vec<u8> = (0..length).map(|n| (n % 253) as u8).collect();
        server.ok(&request::write(&handle, 0, &data));
        server.ok(&request::fsetstat(
            &handle,
            &Attrs::NONE.size(length as u64),
        ));
        assert!(tree.read("file") == data, "{length} bytes");
    }
}

#[test]
fn an_offset_that_no_file_can_have_is_a_bad_message_and_writes_nothing() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::WRITE);
    for offset in [i64::MAX as u64 + 1, u64::MAX - 1, u64::MAX] {
        let reply = server.call(&request::write(&handle, offset, "x"));
        assert_cause(&reply, &server, code::BAD_MESSAGE, "Invalid argument");
    }
    assert_eq!(tree.read("file"), b"content");
}

/// The file system's own limit lies below 2^63: lseek(2), which OpenSSH uses, says EINVAL there; pwrite(2) says EFBIG.
#[test]
fn a_write_between_the_largest_file_and_the_largest_offset_fails() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::WRITE);
    for offset in [1 << 62, i64::MAX as u64 - 1, i64::MAX as u64] {
        let code = server.code(&request::write(&handle, offset, "x"));
        assert!(
            [code::FAILURE, code::BAD_MESSAGE].contains(&code),
            "status {code} at {offset}"
        );
    }
    assert_eq!(tree.read("file"), b"content");
}

#[test]
fn a_handle_opened_for_reading_alone_does_not_write() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    for bits in [0, pflags::READ, pflags::READ | pflags::APPEND] {
        let handle = server.open("file", bits);
        let reply = server.call(&request::write(&handle, 0, "x"));
        assert_not_open_for(&reply, &server, "writing");
    }
    assert_eq!(tree.read("file"), b"content");
}

#[test]
fn a_write_is_seen_by_the_next_read_of_another_handle() {
    let (_tree, mut server) = start();
    let writer = server.open("file", NEW);
    let reader = server.open("file", pflags::READ);
    for n in 0..50_u64 {
        let replies = server.pipeline(&[
            request::write(&writer, n * 3, format!("{n:03}")),
            request::read(&reader, n * 3, 100),
        ]);
        assert_eq!(replies[1].data(), format!("{n:03}").as_bytes());
    }
}

#[test]
fn a_write_clears_setuid_as_the_kernel_has_it_for_the_user_at_hand() {
    let tree = crate::Tree::new();
    tree.file("file", "content");
    let mut server = crate::ordinary(&tree, &[]);
    tree.chmod("file", 0o4755);
    let handle = server.open("file", pflags::WRITE);
    server.ok(&request::write(&handle, 0, "x"));
    assert_eq!(tree.mode("file"), 0o755);
}
