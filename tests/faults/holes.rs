//! Copies of files with holes: the content is equal to the byte, and the copy takes no more of the disk than its source where nothing stood
//! before. OpenSSH's server writes zeros.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::libc;

use crate::reflinks::Disk;
use crate::support::fault::Fault;
use crate::support::mounted::{Kind, Mounted};
use crate::support::packet::pflags::{APPEND, CREAT, READ, TRUNC, WRITE};
use crate::support::wire::code;
use crate::support::{Attrs, Launch, OPENSSH, Server, Tree, request, show, under_test};

const K: u64 = 1024;
const MEBI: u64 = K * K;
/// In bytes: the last one of a hole at the end, and what a file system needs to know where its extents are.
const LITTLE: u64 = 16 * K;

/// Where there is data, in bytes from the start, and how long the file is.
struct Layout {
    data: &'static [(u64, u64)],
    size: u64,
}

const LAYOUTS: [Layout; 5] = [
    // A hole at its begin, in its midst, and at its end, which is in the middle of a block.
    Layout {
        data: &[(MEBI, 64 * K), (3 * MEBI, 100)],
        size: 4 * MEBI + 777,
    },
    Layout {
        data: &[(0, 64 * K), (3 * MEBI, 64 * K + 5)],
        size: 3 * MEBI + 64 * K + 5,
    },
    // Nothing but a hole.
    Layout {
        data: &[],
        size: 2 * MEBI + 1,
    },
    // More than one piece of a copy.
    Layout {
        data: &[(20 * MEBI, 8 * K)],
        size: 40 * MEBI,
    },
    // No hole.
    Layout {
        data: &[(0, 300_001)],
        size: 300_001,
    },
];

impl Layout {
    fn make(&self, tree: &Tree, name: &str) -> Vec<u8> {
        let file = File::create(tree.at(name)).unwrap();
        file.set_len(self.size).unwrap();
        let mut content = vec![0; self.size as usize];
        for (at, length) in self.data {
            let data: Vec<u8> = (0..*length).map(|n| (n * 7 % 251) as u8 + 1).collect();
            file.write_all_at(&data, *at).unwrap();
            content[*at as usize..][..data.len()].copy_from_slice(&data);
        }
        file.sync_all().unwrap();
        content
    }
}

/// Bytes on the disk.
fn stored(tree: &Tree, name: &str) -> u64 {
    let file = File::open(tree.at(name)).unwrap();
    // ext4 decides when it writes.
    file.sync_all().unwrap();
    file.metadata().unwrap().blocks() * 512
}

#[track_caller]
fn is_as_sparse(tree: &Tree, copy: &str, source: &str) {
    let (copied, most) = (stored(tree, copy), stored(tree, source) + LITTLE);
    assert!(copied <= most, "{copy}: {copied} bytes, not {most}");
}

/// ext4, Btrfs, and memory.
fn on_each(test: impl Fn(PathBuf)) {
    for mkfs in ["mkfs.ext4", "mkfs.btrfs"] {
        if let Some(disk) = Disk::new(mkfs, 512 * MEBI) {
            test(disk.place.root().to_owned());
        }
    }
    test("/dev/shm".into());
}

/// Each asks something else before a piece is copied.
const RULES: [&[&str]; 4] = [
    &[],
    &["--root", "."],
    &[
        "--root",
        ".",
        "--max-file-size",
        "1G",
        "--reserve-free",
        "1M",
    ],
    &["--atomic-upload"],
];

#[test]
fn a_copy_keeps_the_holes_of_its_source() {
    on_each(|place| {
        for rules in RULES {
            let tree = Tree::below(&place);
            let mut server = Server::with(&tree, rules);
            for layout in &LAYOUTS {
                let content = layout.make(&tree, "from");
                tree.file("old", "what was there");
                let from = server.open("from", READ);
                let new = server.open("new", WRITE | CREAT | TRUNC);
                server.ok(&request::copy_data(&from, 0, 0, &new, 0));
                server.close(&new);
                server.close(&from);
                server.ok(&request::copy_file("from", "by name", 0));
                server.ok(&request::copy_file("from", "old", 1));
                for copy in ["new", "by name", "old"] {
                    assert!(tree.read(copy) == content, "{rules:?}: {copy}");
                    is_as_sparse(&tree, copy, "from");
                    server.ok(&request::remove(copy));
                }
            }
        }
    });
}

#[test]
fn openssh_s_server_fills_them() {
    let tree = Tree::below("/dev/shm");
    let content = LAYOUTS[0].make(&tree, "from");
    let mut server = Launch::program(OPENSSH, &tree).connect();
    let from = server.open("from", READ);
    let to = server.open("to", WRITE | CREAT);
    server.ok(&request::copy_data(&from, 0, 0, &to, 0));
    assert!(tree.read("to") == content);
    assert!(stored(&tree, "to") >= content.len() as u64);
}

/// What a copy of `length` bytes leaves of a target; a length of 0 means all.
fn overlaid(old: &[u8], from: &[u8], (at, length): (usize, usize), to: usize) -> Vec<u8> {
    let rest = &from[at..];
    let piece = match length {
        0 => rest,
        length => &rest[..length.min(rest.len())],
    };
    let mut content = old.to_vec();
    content.resize(old.len().max(to + piece.len()), 0);
    content[to..][..piece.len()].copy_from_slice(piece);
    content
}

/// Pieces of a source, and where they go: into what stands there, across its end and behind it, on blocks and beside them.
#[test]
fn holes_over_what_stands_there_arrive_as_zeros() {
    let mega = MEBI as usize;
    on_each(|place| {
        for rules in RULES {
            let tree = Tree::below(&place);
            let mut server = Server::with(&tree, rules);
            let content = LAYOUTS[0].make(&tree, "from");
            let old: Vec<u8> = vec![0xee; 2 * mega + 5];
            let from = server.open("from", READ);
            for (at, length) in [
                (0, 0),
                (0, 5000),
                (5, mega),
                (mega - 3, 70_000),
                (mega + 64 * 1024, 0),
                (3 * mega + 50, 5 * mega),
                (4 * mega, 777),
                (4 * mega + 100, 0),
            ] {
                for to in [0, 5, mega, 2 * mega + 5, 2 * mega + 6, 3 * mega + 11] {
                    tree.file("to", &old);
                    let target = server.open("to", WRITE);
                    let copy =
                        request::copy_data(&from, at as u64, length as u64, &target, to as u64);
                    // The source ends before a length that goes past its end.
                    let ends = at + length > content.len();
                    let answer = if ends { code::EOF } else { code::OK };
                    assert_eq!(server.code(&copy), answer, "{at} {length}");
                    server.close(&target);
                    let expected = overlaid(&old, &content, (at, length), to);
                    assert!(tree.read("to") == expected, "{rules:?}: {at} {length} {to}");
                }
            }
        }
    });
}

#[test]
fn what_is_appended_has_no_holes_and_all_of_its_zeros() {
    for rules in [&[][..], &["--root", "."], &["--append-only"]] {
        let tree = Tree::below("/dev/shm");
        let mut server = Server::with(&tree, rules);
        let content = LAYOUTS[0].make(&tree, "from");
        tree.file("to", "before");
        let from = server.open("from", READ);
        let to = server.open("to", WRITE | APPEND);
        // Where files only grow the offset is the end; elsewhere it means nothing.
        let ends = [6, 6 + content.len() as u64];
        let offsets = if rules.contains(&"--append-only") {
            ends
        } else {
            [0, 1 << 40]
        };
        for offset in offsets {
            server.ok(&request::copy_data(&from, 0, 0, &to, offset));
        }
        assert!(tree.read("to") == [b"before", &content[..], &content].concat());
    }
}

/// The limit is met behind the first piece, and that stays, as long as if it had been written.
#[test]
fn what_was_copied_before_a_refusal_stays_as_long_as_it_is_told() {
    let tree = Tree::below("/dev/shm");
    let content = LAYOUTS[3].make(&tree, "from");
    tree.file("dense", &content);
    let flags = ["-e", "-l", "INFO", "--max-file-size", "24M"];
    let mut server = Server::with(&tree, flags);
    for name in ["from", "dense"] {
        let from = server.open(name, READ);
        let to = server.open("to", WRITE | CREAT | TRUNC);
        let reply = server.call(&request::copy_data(&from, 0, 0, &to, 0));
        let refused = "Failure: File too large (--max-file-size)";
        assert_eq!(reply.status().text, refused);
        server.close(&to);
        assert!(tree.read("to") == content[..16 * MEBI as usize], "{name}");
    }
    let log = server.finish().stderr_text();
    let told = "close \"to\" bytes read 0 written 16777216";
    assert_eq!(log.matches(told).count(), 2, "{log}");
}

#[test]
fn bytes_of_holes_are_counted_as_any() {
    let tree = Tree::below("/dev/shm");
    let content = LAYOUTS[0].make(&tree, "from");
    let mut server = Server::with(&tree, ["-e", "-l", "INFO"]);
    let from = server.open("from", READ);
    let to = server.open("to", WRITE | CREAT);
    server.ok(&request::copy_data(&from, 0, 0, &to, 0));
    server.close(&to);
    server.close(&from);
    let log = server.finish().stderr_text();
    let length = content.len();
    for told in [
        format!("close \"to\" bytes read 0 written {length}"),
        format!("close \"from\" bytes read {length} written 0"),
    ] {
        assert!(log.contains(&told), "{told}: {log}");
    }
}

/// Where the file system cannot tell its holes, and where only the kernel's copying fails.
#[test]
fn without_seek_data_zeros_are_written_and_without_copy_file_range_holes_are_kept() {
    let copy = Fault::new(libc::SYS_copy_file_range, libc::EXDEV);
    for (faults, keeps) in [
        (vec![Fault::no_holes()], false),
        (vec![Fault::no_holes(), copy.clone()], false),
        (vec![copy], true),
    ] {
        let tree = Tree::below("/dev/shm");
        let mut server = Fault::around(&faults, || Launch::program(under_test(), &tree).connect());
        for layout in &LAYOUTS[..3] {
            let content = layout.make(&tree, "from");
            server.ok(&request::copy_file("from", "to", 1));
            assert!(tree.read("to") == content);
            let fills = stored(&tree, "to") >= layout.size;
            assert_eq!(fills, !keeps, "{faults:?}");
        }
    }
}

/// The kernel keeps it, and has no place on the disk for it yet.
#[test]
fn what_was_just_written_is_no_hole() {
    on_each(|place| {
        let tree = Tree::below(&place);
        let mut server = Server::start(&tree);
        for round in 0..30 {
            let name = format!("from {round}");
            let from = server.open(&name, READ | WRITE | CREAT);
            let to = server.open("to", WRITE | CREAT | TRUNC);
            server.pipeline(&[
                request::write(&from, 5 * MEBI, vec![1; 100_000]),
                request::write(&from, MEBI + 10, vec![2; 5_000]),
                request::copy_data(&from, 0, 0, &to, 0),
                request::write(&from, 3 * MEBI, vec![3; 20_000]),
                request::copy_file(&*name, format!("copy {round}"), 0),
                request::close(&to),
                request::close(&from),
            ]);
            let mut content = vec![0; 5 * MEBI as usize + 100_000];
            content[5 * MEBI as usize..].fill(1);
            content[MEBI as usize + 10..][..5_000].fill(2);
            assert!(tree.read("to") == content, "{round}");
            content[3 * MEBI as usize..][..20_000].fill(3);
            assert!(tree.read(format!("copy {round}")) == content, "{round}");
        }
        is_as_sparse(&tree, "to", "from 29");
    });
}

/// A daemon may not know what the kernel has not told it yet.
#[test]
fn on_fuse_nobody_is_asked_for_holes_and_zeros_are_written() {
    let mounted = Mounted::new(Kind::Bindfs);
    for (place, asks) in [(Path::new("/dev/shm"), true), (mounted.point.root(), false)] {
        let (tree, aside) = (Tree::below(place), Tree::new());
        let calls = aside.at("calls").display().to_string();
        let strace = [
            "strace",
            "-D",
            "-f",
            "-qqq",
            "-e",
            "trace=lseek",
            "-o",
            &calls,
        ];
        let mut server = Launch::program(under_test(), &tree)
            .through(&strace)
            .connect();
        // One without holes asks nowhere.
        LAYOUTS[4].make(&tree, "dense");
        server.ok(&request::copy_file("dense", "dense copy", 0));
        let asked = || show(aside.read("calls")).contains("SEEK_DATA");
        assert!(!asked(), "{place:?}");
        let content = LAYOUTS[0].make(&tree, "from");
        server.ok(&request::copy_file("from", "copy", 0));
        assert_eq!(asked(), asks, "{place:?}");
        assert!(tree.read("copy") == content);
        let fills = stored(&tree, "copy") >= LAYOUTS[0].size;
        assert_eq!(fills, !asks, "{place:?}");
    }
}

/// A source that becomes longer by holes and by data, and one that becomes shorter, while the handles are open.
#[test]
fn a_source_that_changes_is_copied_as_it_is_then() {
    let tree = Tree::below("/dev/shm");
    let mut server = Server::start(&tree);
    tree.file("from", "");
    let from = server.open("from", READ | WRITE);
    let to = server.open("to", WRITE | CREAT);
    let mut end = 0;
    for (size, tail) in [(MEBI, "one"), (3 * MEBI, ""), (4 * MEBI + 1, "two")] {
        server.ok(&request::fsetstat(&from, &Attrs::NONE.size(size)));
        server.ok(&request::write(&from, size, tail));
        server.ok(&request::copy_data(&from, end, 0, &to, end));
        end = size + tail.len() as u64;
        assert!(tree.read("to") == tree.read("from"), "{size}");
        assert_eq!(tree.meta("to").len(), end);
    }
    assert!(stored(&tree, "to") < MEBI);
    server.ok(&request::fsetstat(&from, &Attrs::NONE.size(MEBI)));
    let past = request::copy_data(&from, MEBI, 5, &to, 0);
    assert_eq!(server.code(&past), code::EOF);
    let across = request::copy_data(&from, MEBI - 10, 500, &to, end + 10);
    assert_eq!(server.code(&across), code::EOF);
    assert_eq!(tree.meta("to").len(), end + 20);
}
