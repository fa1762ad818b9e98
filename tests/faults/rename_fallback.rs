//! RENAME where renameat2(RENAME_NOREPLACE) is missing, by kernel, file system or container: by link and unlink, and as safe.

use nix::libc;

use crate::support::fault::Fault;
use crate::support::request;
use crate::support::wire::code;
use crate::support::{Launch, Reply, Server, Tree, under_test};

/// How it is missing: an old kernel, a file system that does not know the flag, a container's filter.
const MISSING: [i32; 2] = [libc::ENOSYS, libc::EINVAL];

fn without_renameat2(tree: &Tree, errno: i32) -> Server {
    let faults = [Fault::new(libc::SYS_renameat2, errno)];
    Fault::around(&faults, || Launch::new(tree).connect())
}

/// As on FAT: no hard links either.
fn without_links(tree: &Tree, errno: i32) -> Server {
    let faults = [
        Fault::new(libc::SYS_renameat2, libc::EINVAL),
        Fault::new(libc::SYS_linkat, errno),
    ];
    Fault::around(&faults, || Launch::new(tree).connect())
}

/// The last two are said by rclone's mounts and by cryfs.
const NO_LINKS: [i32; 6] = [
    libc::EPERM,
    libc::EOPNOTSUPP,
    libc::ENOSYS,
    libc::EMLINK,
    libc::EIO,
    libc::ERANGE,
];

#[test]
fn a_file_is_renamed_and_keeps_what_it_is() {
    for errno in MISSING {
        let tree = Tree::new();
        tree.file("a", "content");
        let before = tree.meta("a");
        let mut server = without_renameat2(&tree, errno);
        server.ok(&request::rename("a", "b"));
        assert_eq!(tree.names(""), [b"b".to_vec()]);
        use std::os::unix::fs::MetadataExt;
        assert_eq!(tree.meta("b").ino(), before.ino());
        assert_eq!(tree.meta("b").nlink(), 1);
        assert_eq!(tree.read("b"), b"content");
    }
}

#[test]
fn directories_links_and_fifos_are_renamed() {
    for errno in MISSING {
        let tree = Tree::new();
        tree.dir("dir/inner");
        tree.link("link", "nowhere");
        tree.fifo("fifo");
        let mut server = without_renameat2(&tree, errno);
        for name in ["dir", "link", "fifo"] {
            server.ok(&request::rename(name, format!("new-{name}")));
        }
        assert_eq!(
            tree.names(""),
            [
                b"new-dir".to_vec(),
                b"new-fifo".to_vec(),
                b"new-link".to_vec()
            ]
        );
        assert!(tree.has("new-dir/inner"));
        assert_eq!(tree.target("new-link"), b"nowhere");
    }
}

#[test]
fn an_existing_target_is_refused_and_both_stay() {
    for errno in MISSING {
        let tree = Tree::new();
        tree.file("a", "of a");
        tree.file("b", "of b");
        tree.dir("d");
        tree.dir("e");
        tree.link("to-b", "b");
        let before = tree.snapshot();
        let mut server = without_renameat2(&tree, errno);
        for (from, to) in [
            ("a", "b"),
            ("a", "d"),
            ("d", "b"),
            ("d", "e"),
            ("a", "to-b"),
            ("to-b", "a"),
            ("to-b", "d"),
        ] {
            let reply = server.call(&request::rename(from, to));
            assert_eq!(reply.code(), code::FAILURE, "{from} to {to}: {reply:?}");
        }
        assert_eq!(before.differences(&tree.snapshot()), [] as [String; 0]);
    }
}

#[test]
fn a_missing_source_is_no_such_file() {
    for errno in MISSING {
        let tree = Tree::new();
        let mut server = without_renameat2(&tree, errno);
        assert_eq!(
            server.code(&request::rename("missing", "b")),
            code::NO_SUCH_FILE
        );
        assert_eq!(tree.names(""), [] as [Vec<u8>; 0]);
    }
}

#[test]
fn a_link_to_nothing_at_the_target_is_refused_there_too() {
    for errno in MISSING {
        let tree = Tree::new();
        tree.file("a", "of a");
        tree.link("b", "nowhere");
        let mut server = without_renameat2(&tree, errno);
        assert_eq!(server.code(&request::rename("a", "b")), code::FAILURE);
        assert_eq!(tree.names(""), [b"a".to_vec(), b"b".to_vec()]);
    }
}

#[test]
fn where_there_are_no_hard_links_it_looks_and_renames() {
    for errno in NO_LINKS {
        let tree = Tree::new();
        tree.file("a", "of a");
        tree.file("b", "of b");
        let mut server = without_links(&tree, errno);
        assert_eq!(
            server.code(&request::rename("a", "b")),
            code::FAILURE,
            "errno {errno}"
        );
        server.ok(&request::rename("a", "c"));
        assert_eq!(tree.names(""), [b"b".to_vec(), b"c".to_vec()]);
        assert_eq!(
            (tree.read("b"), tree.read("c")),
            (b"of b".to_vec(), b"of a".to_vec())
        );
    }
}

#[test]
fn of_two_that_rename_to_one_name_at_once_one_wins_and_nothing_is_lost() {
    for errno in MISSING {
        let tree = Tree::new();
        let mut servers = [
            without_renameat2(&tree, errno),
            without_renameat2(&tree, errno),
        ];
        for round in 0..300 {
            tree.file("a0", "of 0");
            tree.file("a1", "of 1");
            for (index, server) in servers.iter_mut().enumerate() {
                server.send(&request::rename(format!("a{index}"), "target"));
            }
            let codes: Vec<u32> = servers
                .iter_mut()
                .map(|server| server.receive().1.code())
                .collect();
            let winner = codes.iter().position(|code| *code == code::OK);
            let winner = winner.unwrap_or_else(|| panic!("round {round}: nobody won: {codes:?}"));
            let loser = 1 - winner;
            assert_eq!(codes[loser], code::FAILURE, "round {round}: {codes:?}");
            assert_eq!(tree.read("target"), format!("of {winner}").into_bytes());
            assert_eq!(
                tree.read(format!("a{loser}")),
                format!("of {loser}").into_bytes()
            );
            for name in [format!("a{loser}"), "target".to_owned()] {
                std::fs::remove_file(tree.at(name)).unwrap();
            }
            assert_eq!(tree.names(""), [] as [Vec<u8>; 0], "round {round}");
        }
    }
}

#[test]
fn a_file_whose_old_name_cannot_be_removed_keeps_only_that() {
    // After link, unlink fails: the new name goes away again.
    let tree = Tree::new();
    tree.file("a", "content");
    let faults = [Fault::new(libc::SYS_renameat2, libc::EINVAL)];
    let launch = Fault::around(&faults, || {
        Fault::traced("unlinkat:error=EIO:when=1", under_test(), &tree).connect()
    });
    let mut server = launch;
    let reply = server.call(&request::rename("a", "b"));
    match reply {
        Reply::Status(status) if status.code == code::FAILURE => {
            assert_eq!(tree.names(""), [b"a".to_vec()]);
        }
        // Done by rename(2) after all.
        reply => {
            assert_eq!(reply.code(), code::OK);
            assert_eq!(tree.names(""), [b"b".to_vec()]);
        }
    }
}
