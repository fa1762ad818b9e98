//! FSTAT: the facts of an open file.

use crate::start;
use crate::stat::attrs_of;
use crate::support::wire::pflags;
use crate::support::{Reply, request};

#[test]
fn an_open_file_is_described_as_it_stands_on_the_disk() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.times("file", 1_000_000_000, 1_234_567_890);
    for bits in [
        pflags::READ,
        pflags::WRITE,
        pflags::READ | pflags::WRITE | pflags::APPEND,
    ] {
        let handle = server.open("file", bits);
        assert_eq!(
            server.call(&request::fstat(&handle)),
            Reply::Attrs(attrs_of(&tree.meta("file")))
        );
    }
}

#[test]
fn a_directory_opened_by_open_is_described() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let handle = server.open("dir", pflags::READ);
    assert_eq!(
        server.call(&request::fstat(&handle)),
        Reply::Attrs(attrs_of(&tree.meta("dir")))
    );
}

#[test]
fn the_size_follows_each_write_and_truncation() {
    let (_tree, mut server) = start();
    let handle = server.open("file", pflags::WRITE | pflags::CREAT);
    for (n, chunk) in (0..20).map(|n| (n, "x".repeat(n))) {
        let offset: usize = (0..n).sum();
        server.ok(&request::write(&handle, offset as u64, &chunk));
        assert_eq!(
            server.call(&request::fstat(&handle)).attrs().size,
            Some((offset + n) as u64)
        );
    }
}

#[test]
fn a_link_is_described_by_what_it_led_to_when_opened() {
    let (tree, mut server) = start();
    tree.file("one", "1");
    tree.file("other", "22");
    tree.link("link", "one");
    let handle = server.open("link", pflags::READ);
    std::fs::remove_file(tree.at("link")).unwrap();
    tree.link("link", "other");
    assert_eq!(server.call(&request::fstat(&handle)).attrs().size, Some(1));
}
