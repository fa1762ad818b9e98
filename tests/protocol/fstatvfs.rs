//! `fstatvfs@openssh.com`: as statvfs, of an open file.

use crate::statvfs::{expected, steady};
use crate::support::request;
use crate::support::wire::{code, pflags};
use crate::{start, start_with};

#[test]
fn the_answer_is_what_statvfs_says_of_the_file_s_file_system() {
    let (tree, mut server) = start_with(&["/dev", "/proc"]);
    tree.file("file", "");
    for path in ["file", ".", "/dev/shm", "/proc/self/comm"] {
        let handle = server.open(path, pflags::READ);
        let reply = server.call(&request::fstatvfs(&handle));
        assert_eq!(steady(reply.extended()), expected(&tree.at(path)), "{path}");
    }
}

#[test]
fn a_file_that_was_removed_still_answers() {
    let (tree, mut server) = start();
    tree.file("file", "");
    let handle = server.open("file", pflags::WRITE);
    server.ok(&request::remove("file"));
    assert_eq!(
        steady(server.call(&request::fstatvfs(&handle)).extended()),
        expected(tree.root())
    );
}

#[test]
fn a_handle_of_opendir_is_refused() {
    let (_tree, mut server) = start();
    let handle = server.opendir(".");
    assert_eq!(server.code(&request::fstatvfs(&handle)), code::FAILURE);
}
