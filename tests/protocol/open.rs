//! OPEN: modes, names and what may be opened. The pflags have a file of their own.

use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Reply, Server, Tree, request, show};
use crate::{assert_cause, assert_status, ordinary, start};

const NEW: u32 = pflags::WRITE | pflags::CREAT;

#[test]
fn a_new_file_has_mode_0666_less_the_umask_where_the_client_names_none() {
    let tree = Tree::new();
    for (umask, mode) in [("022", 0o644), ("077", 0o600), ("0", 0o666), ("777", 0)] {
        let mut server = Server::with(&tree, ["-u", umask]);
        server.open(umask, NEW);
        assert_eq!(tree.mode(umask), mode, "umask {umask}");
    }
}

#[test]
fn a_new_file_has_the_mode_that_the_client_names_less_the_umask() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["-u", "027"]);
    for asked in [0, 0o600, 0o644, 0o666, 0o777, 0o1777, 0o4755, 0o6777] {
        let name = format!("{asked:o}");
        server
            .call(&request::open(&name, NEW, &Attrs::NONE.permissions(asked)))
            .handle();
        let kept = server.in_jail("without --keep-setuid", 0o777, 0o7777);
        assert_eq!(tree.mode(&name), asked & kept & !0o027, "{asked:o}");
    }
}

/// psftp, pscp, curl and sshfs send them.
#[test]
fn file_type_bits_in_the_permissions_are_ignored() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["-u", "0"]);
    for bits in [0o100_000_u32, 0o040_000, 0o170_000, 0xffff_0000] {
        let name = format!("{bits:o}");
        server
            .call(&request::open(
                &name,
                NEW,
                &Attrs::NONE.permissions(bits | 0o640),
            ))
            .handle();
        assert_eq!(
            (tree.mode(&name), tree.meta(&name).is_file()),
            (0o640, true),
            "{bits:o}"
        );
    }
}

#[test]
fn the_mode_of_an_existing_file_stays() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.chmod("file", 0o751);
    server
        .call(&request::open(
            "file",
            NEW | pflags::TRUNC,
            &Attrs::NONE.permissions(0o600),
        ))
        .handle();
    assert_eq!((tree.mode("file"), tree.read("file")), (0o751, Vec::new()));
}

#[test]
fn attrs_other_than_permissions_are_ignored() {
    let (tree, mut server) = start();
    let attrs = Attrs::NONE
        .size(100)
        .owner(7, 7)
        .times(1, 2)
        .extended(vec![(b"a".into(), b"b".into())]);
    server.call(&request::open("file", NEW, &attrs)).handle();
    let meta = tree.snapshot().entries[&b"file"[..]].clone();
    assert_eq!(
        (meta.size, meta.owner),
        (
            0,
            (
                nix::unistd::geteuid().as_raw(),
                nix::unistd::getegid().as_raw()
            )
        )
    );
    assert!(meta.mtime.0 > 2);
}

#[test]
fn any_byte_but_nul_and_slash_may_stand_in_a_name() {
    let (tree, mut server) = start();
    for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
        let name = [b'n', byte, b'x'];
        let handle = server.open(name, NEW);
        server.ok(&request::write(&handle, 0, [byte]));
        server.close(&handle);
        assert_eq!(tree.read(name), [byte]);
    }
    assert_eq!(tree.names("").len(), 254);
}

/// NFC and NFD of the same letter, half a sequence, an `a` in more bytes than it takes, and a byte order mark: names of their own.
#[test]
fn names_are_not_normalised_or_folded() {
    let (tree, mut server) = start();
    let names: [&[u8]; 7] = [
        "\u{e9}".as_bytes(),
        "e\u{301}".as_bytes(),
        b"\xc3",
        b"\xc1\xa1",
        "\u{feff}a".as_bytes(),
        b"a",
        b"A",
    ];
    for name in names {
        let handle = server.open(name, NEW | pflags::EXCL);
        server.close(&handle);
    }
    let mut sorted = names.map(<[u8]>::to_vec).to_vec();
    sorted.sort();
    assert_eq!(tree.names(""), sorted);
}

#[test]
fn absolute_and_relative_paths_name_the_same_file() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.file("file", "content");
    for path in [
        tree.path("file"),
        b"./file".into(),
        b"dir/../file".into(),
        b"dir//..//./file".into(),
    ] {
        let handle = server.open(&path, pflags::READ);
        assert_eq!(
            server.call(&request::read(&handle, 0, 99)).data(),
            b"content",
            "{}",
            show(&path)
        );
    }
}

/// curl opens a directory for reading, and expects success.
#[test]
fn a_directory_opens_for_reading_and_fails_at_read() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let handle = server.open("dir", pflags::READ);
    assert_cause(
        &server.call(&request::read(&handle, 0, 10)),
        &server,
        code::FAILURE,
        "Is a directory",
    );
    assert_eq!(
        server.call(&request::fstat(&handle)).attrs().permissions,
        Some(0o040_755)
    );
    server.close(&handle);
}

#[test]
fn a_directory_does_not_open_for_writing() {
    let (tree, mut server) = start();
    tree.dir("dir");
    for bits in [
        pflags::WRITE,
        pflags::READ | pflags::WRITE,
        NEW,
        pflags::READ | pflags::CREAT,
        pflags::TRUNC,
    ] {
        let reply = server.call(&request::open("dir", bits, &Attrs::NONE));
        assert_cause(&reply, &server, code::FAILURE, "Is a directory");
    }
}

#[test]
fn creating_through_a_dangling_link_creates_its_target() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.link("link", "dir/target");
    let handle = server.open("link", NEW);
    server.ok(&request::write(&handle, 0, "here"));
    assert_eq!(tree.read("dir/target"), b"here");
    assert_eq!(tree.target("link"), b"dir/target");
}

#[test]
fn excl_refuses_an_existing_name_a_dangling_link_too() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.link("dangling", "target");
    for name in ["file", "dangling"] {
        let reply = server.call(&request::open(name, NEW | pflags::EXCL, &Attrs::NONE));
        assert_cause(&reply, &server, code::FAILURE, "File exists");
    }
    assert!(!tree.has("target"));
}

#[test]
fn a_user_without_permission_is_denied_and_nothing_is_created() {
    let tree = Tree::new();
    tree.file("secret", "content");
    tree.dir("closed");
    tree.dir("blind");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("secret", 0);
    tree.chmod("closed", 0o555);
    tree.chmod("blind", 0o644);
    for (path, bits) in [
        ("secret", pflags::READ),
        ("secret", pflags::WRITE),
        ("closed/new", NEW),
        ("blind/new", NEW),
    ] {
        let reply = server.call(&request::open(path, bits, &Attrs::NONE));
        assert_status(&reply, code::PERMISSION_DENIED);
        assert_eq!(reply.status().text, "Permission denied");
    }
    assert!(tree.names("closed").is_empty());
}

#[test]
fn a_new_file_of_mode_0000_stays_open_to_who_made_it() {
    let tree = Tree::new();
    let mut server = ordinary(&tree, &[]);
    let reply = server.call(&request::open(
        "file",
        NEW | pflags::READ,
        &Attrs::NONE.permissions(0),
    ));
    let handle = reply.handle();
    server.ok(&request::write(handle, 0, "text"));
    assert_eq!(
        server.call(&request::read(handle, 0, 9)),
        Reply::Data(b"text".to_vec())
    );
    assert_eq!(tree.mode("file"), 0);
}
