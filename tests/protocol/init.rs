//! INIT and VERSION.

use crate::support::server::is_openssh;
use crate::support::wire::{frame, kind, pflags, string};
use crate::support::{Attrs, Launch, Reply, Server, Tree, request};

/// OpenSSH's, and ours behind them.
const ANNOUNCED: [(&str, &str); 13] = [
    ("posix-rename@openssh.com", "1"),
    ("statvfs@openssh.com", "2"),
    ("fstatvfs@openssh.com", "2"),
    ("hardlink@openssh.com", "1"),
    ("fsync@openssh.com", "1"),
    ("lsetstat@openssh.com", "1"),
    ("limits@openssh.com", "1"),
    ("expand-path@openssh.com", "1"),
    ("copy-data", "1"),
    ("home-directory", "1"),
    ("users-groups-by-id@openssh.com", "1"),
    ("copy-file", "1"),
    ("space-available", "1"),
];

/// How many OpenSSH announces, from 9.2 to 10.6.
const THEIRS: usize = 11;

fn announced(args: &[&str]) -> Vec<(String, String)> {
    let tree = Tree::new();
    Launch::new(&tree).args(args).start().init(3).1
}

fn expected(without: &[&str]) -> Vec<(String, String)> {
    let count = if is_openssh() {
        THEIRS
    } else {
        ANNOUNCED.len()
    };
    let known = ANNOUNCED.iter().take(count);
    let kept = known.filter(|(name, _)| !without.contains(name));
    kept.map(|(name, version)| (name.to_string(), version.to_string()))
        .collect()
}

#[test]
fn version_3_is_answered_whatever_the_client_asks() {
    let tree = Tree::new();
    for asked in [0, 1, 2, 3, 4, 5, 6, 100, u32::MAX] {
        let mut server = Launch::new(&tree).start();
        let (version, extensions) = server.init(asked);
        assert_eq!(
            (version, extensions.len()),
            (3, expected(&[]).len()),
            "asked for {asked}"
        );
        assert!(server.finish().status.success());
    }
}

#[test]
fn the_extensions_are_announced_in_openssh_order_with_their_versions_and_ours_behind_them() {
    assert_eq!(announced(&[]), expected(&[]));
}

#[test]
fn a_denied_extension_is_not_announced() {
    assert_eq!(
        announced(&["-P", "statvfs"]),
        expected(&["statvfs@openssh.com", "space-available"])
    );
    assert_eq!(
        announced(&["-P", "copy-data,limits"]),
        expected(&["copy-data", "limits@openssh.com", "copy-file"])
    );
    assert_eq!(
        announced(&["-p", "open,read,fsync"]),
        [("fsync@openssh.com".to_owned(), "1".to_owned())]
    );
}

/// A list that was written for OpenSSH's server, which has no copy-file, leaves no way to copy content here either.
#[test]
fn copy_file_needs_all_to_be_allowed_that_it_is_made_of() {
    let parts = ["open", "read", "write", "close", "copy-data"];
    for part in parts {
        let lost = expected(&["copy-file"]);
        let expected = lost.into_iter().filter(|(name, _)| name != part);
        assert_eq!(
            announced(&["-P", part]),
            expected.collect::<Vec<_>>(),
            "{part}"
        );
        let others = parts.into_iter().filter(|other| *other != part);
        let list = ["copy-file"].into_iter().chain(others).collect::<Vec<_>>();
        let announced = announced(&["-p", &list.join(",")]);
        assert!(
            !announced.iter().any(|(name, _)| name == "copy-file"),
            "{part}"
        );
    }
    let all = announced(&["-p", "copy-file,open,read,write,close,copy-data"]);
    let announced = all.iter().any(|(name, _)| name == "copy-file");
    assert_eq!(announced, !is_openssh());
}

/// Asserted on the disk: it is neither made nor replaced.
#[test]
fn a_denylist_for_openssh_leaves_no_copy_file() {
    for deny in ["copy-data", "write,copy-data", "open", "close", "read"] {
        let tree = Tree::new();
        tree.file("a", "new");
        tree.file("b", "old");
        let mut server = Server::with(&tree, ["-P", deny]);
        for (to, overwrite) in [("c", 0), ("b", 1)] {
            let expected = if is_openssh() { 8 } else { 3 };
            assert_eq!(
                server.code(&request::copy_file("a", to, overwrite)),
                expected
            );
        }
        assert_eq!(tree.read("b"), b"old", "{deny}");
        assert!(!tree.has("c"), "{deny}");
    }
}

#[test]
fn read_only_hides_the_extensions_that_write() {
    let writing = [
        "posix-rename@openssh.com",
        "hardlink@openssh.com",
        "fsync@openssh.com",
        "lsetstat@openssh.com",
        "copy-data",
        "copy-file",
    ];
    assert_eq!(announced(&["-R"]), expected(&writing));
}

#[test]
fn a_second_init_is_answered_again_and_handles_live_on() {
    let tree = Tree::new();
    tree.file("a", "text");
    let mut server = Server::start(&tree);
    let handle = server.open("a", pflags::READ);
    assert_eq!(server.init(3).0, 3);
    assert_eq!(
        server.call(&request::read(&handle, 0, 9)),
        Reply::Data(b"text".to_vec())
    );
}

#[test]
fn extensions_that_the_client_announces_are_passed_over() {
    let tree = Tree::new();
    let mut server = Launch::new(&tree).start();
    let pairs = [
        string("newline@vandyke.com"),
        string("\r\n"),
        string("x"),
        string(""),
    ]
    .concat();
    server
        .send_raw(&frame(&[&[kind::INIT, 0, 0, 0, 3], &pairs[..]].concat()))
        .unwrap();
    let version = server.receive_raw().unwrap();
    assert_eq!(version[..5], [kind::VERSION, 0, 0, 0, 3]);
    server.ok(&request::mkdir("d", &Attrs::NONE));
    assert!(tree.has("d"));
}

/// The draft has no texts before version 3, and OpenSSH sends none.
#[test]
fn a_client_of_version_2_gets_a_status_without_texts() {
    let tree = Tree::new();
    let mut server = Launch::new(&tree).start();
    server.init(2);
    server.send_raw(&request::stat("missing").frame(7)).unwrap();
    assert_eq!(
        server.receive_raw().unwrap(),
        [kind::STATUS, 0, 0, 0, 7, 0, 0, 0, 2]
    );
}
