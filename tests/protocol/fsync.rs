//! `fsync@openssh.com`.

use crate::support::request;
use crate::support::wire::{code, pflags};
use crate::{assert_cause, start, start_with};

#[test]
fn what_was_written_is_synced_and_answered_ok() {
    let (tree, mut server) = start();
    let handle = server.open("file", pflags::WRITE | pflags::CREAT);
    let replies = server.pipeline(&[
        request::write(&handle, 0, "content"),
        request::fsync(&handle),
    ]);
    assert!(replies.iter().all(|reply| reply.code() == code::OK));
    assert_eq!(tree.read("file"), b"content");
}

#[test]
fn a_handle_for_reading_and_a_directory_opened_by_open_are_synced_too() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    for path in ["file", "."] {
        let handle = server.open(path, pflags::READ);
        server.ok(&request::fsync(&handle));
    }
}

#[test]
fn what_cannot_be_synced_says_so() {
    let (_tree, mut server) = start_with(&["/proc"]);
    let handle = server.open("/proc/self/comm", pflags::READ);
    assert_cause(
        &server.call(&request::fsync(&handle)),
        &server,
        code::BAD_MESSAGE,
        "Invalid argument",
    );
}

#[test]
fn a_handle_of_opendir_is_refused() {
    let (_tree, mut server) = start();
    let handle = server.opendir(".");
    let expected = server.differs(
        "one answer to a bad handle",
        code::FAILURE,
        code::NO_SUCH_FILE,
    );
    assert_eq!(server.code(&request::fsync(&handle)), expected);
}
