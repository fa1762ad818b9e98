//! `space-available` in a jail: of the root and of each bind the file system that it lies on, and of nothing outside.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::support::wire::{Fields, code};
use crate::support::{Reply, Server, Tree, request};

#[test]
fn what_rules_keep_from_the_client_is_not_told_of() {
    let tree = Tree::new();
    tree.dir("hidden");
    tree.file("another", "x");
    for (flag, path) in [("--hide=hidden", "hidden"), ("--drop-box", "another")] {
        let mut server = Server::with(&tree, [flag]);
        for request in [request::space_available(path), request::statvfs(path)] {
            assert_eq!(server.code(&request), code::NO_SUCH_FILE, "{flag}");
        }
        assert!(matches!(
            server.call(&request::space_available(".")),
            Reply::Extended(_)
        ));
    }
}

#[test]
fn a_jail_tells_of_what_is_in_it() {
    let tree = Tree::new();
    tree.dir("jail");
    tree.link("jail/out", "/dev/shm");
    let shared = Tree::below("/dev/shm");
    let bind = format!("/shared={}", shared.root().display());
    let root = tree.at("jail").display().to_string();
    let mut server = Server::with(&tree, ["--root", &root, "--bind", &bind]);
    let device = |path: &Path| {
        let facts = statvfs(path).unwrap();
        facts.blocks() * facts.fragment_size()
    };
    let mut told = |path: &str| {
        let reply = server.call(&request::space_available(path));
        Fields(reply.extended()).uint64()
    };
    assert_eq!(told("/"), device(tree.root()));
    assert_eq!(told("/shared"), device(shared.root()));
    for path in ["/out", "/dev/shm"] {
        assert_eq!(
            server.code(&request::space_available(path)),
            code::NO_SUCH_FILE
        );
    }
}
