//! CLOSE.

use crate::start;
use crate::support::wire::{code, pflags};
use crate::support::{Attrs, request};

#[test]
fn close_of_a_file_answers_ok_and_what_was_written_is_there() {
    let (tree, mut server) = start();
    let handle = server.open("file", pflags::WRITE | pflags::CREAT);
    server.ok(&request::write(&handle, 0, "content"));
    server.ok(&request::close(&handle));
    assert_eq!(tree.read("file"), b"content");
}

#[test]
fn close_of_a_directory_answers_ok_at_any_point_of_the_listing() {
    let (tree, mut server) = start();
    for n in 0..300 {
        tree.file(format!("f{n}"), "");
    }
    for reads in 0..3 {
        let handle = server.opendir(".");
        for _ in 0..reads {
            server.call(&request::readdir(&handle));
        }
        server.ok(&request::close(&handle));
    }
}

#[test]
fn a_second_close_fails() {
    let (tree, mut server) = start();
    tree.file("file", "");
    let handle = server.open("file", pflags::READ);
    server.ok(&request::close(&handle));
    let expected = server.differs(
        "one answer to a bad handle",
        code::FAILURE,
        code::NO_SUCH_FILE,
    );
    assert_eq!(server.code(&request::close(&handle)), expected);
}

#[test]
fn closing_one_handle_of_a_file_leaves_the_others_open() {
    let (tree, mut server) = start();
    let first = server.open("file", pflags::WRITE | pflags::CREAT);
    let second = server.open("file", pflags::READ | pflags::WRITE);
    server.close(&first);
    server.ok(&request::write(&second, 0, "content"));
    assert_eq!(server.call(&request::read(&second, 3, 4)).data(), b"tent");
    assert_eq!(tree.read("file"), b"content");
}

#[test]
fn handles_left_open_at_the_end_keep_what_was_written() {
    let (tree, mut server) = start();
    let handle = server.open("file", pflags::WRITE | pflags::CREAT);
    server
        .call(&request::open(
            "empty",
            pflags::WRITE | pflags::CREAT,
            &Attrs::NONE,
        ))
        .handle();
    server.opendir(".");
    server.ok(&request::write(&handle, 0, "content"));
    assert_eq!(server.finish().status.code(), Some(0));
    assert_eq!(tree.read("file"), b"content");
    assert_eq!(tree.read("empty"), b"");
}
