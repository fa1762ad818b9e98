//! The protocol, request by request, against ours and against OpenSSH's server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

use support::{Attrs, Reply, Server, Tree, request, wire::pflags};

#[test]
fn a_socket_serves_as_two_pipes_do() {
    let tree = Tree::new();
    let mut server = support::Launch::new(&tree).socket().connect();
    assert_eq!(server.call(&request::realpath("")).name(), tree.path(""));
    assert!(server.finish().status.success());
}

#[test]
fn smoke() {
    let tree = Tree::new();
    tree.file("a", "hello");
    let mut server = Server::start(&tree);
    let handle = server
        .call(&request::open("a", pflags::READ, &Attrs::NONE))
        .handle()
        .to_vec();
    assert_eq!(
        server.call(&request::read(&handle, 0, 100)),
        Reply::Data(b"hello".to_vec())
    );
    assert!(server.finish().status.success());
    assert_eq!(tree.names(""), [b"a"]);
}
