//! Limits that hold by whatever way content comes into a file.

use std::fs;

use crate::support::packet::pflags::{CREAT, READ, WRITE};
use crate::support::request::*;
use crate::support::{Server, Tree};

#[test]
fn a_copy_of_a_file_that_holds_more_than_its_size_says_stops_at_the_limit() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["--max-file-size", "100"]);
    let from = server.open("/proc/self/status", READ);
    let to = server.open("to", WRITE | CREAT);
    assert!(fs::read("/proc/self/status").unwrap().len() > 200);
    let reply = server.call(&copy_data(&from, 0, 0, &to, 0));
    assert_eq!(
        reply.status().text,
        "Failure: File too large (--max-file-size)"
    );
    assert_eq!(tree.meta("to").len(), 100);
}

#[test]
fn a_copy_of_what_is_at_its_end_is_no_copy_past_the_limit() {
    let tree = Tree::new();
    tree.file("from", "0123456789");
    let mut server = Server::with(&tree, ["--max-file-size", "10"]);
    let (from, to) = (server.open("from", READ), server.open("to", WRITE | CREAT));
    server.ok(&copy_data(&from, 0, 0, &to, 0));
    assert_eq!(tree.read("to"), b"0123456789");
}
