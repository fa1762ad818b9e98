//! FIFOs, sockets and devices under rules: those that keep something from the client open none of them, and all others leave them as they are
//! without rules. In a root none is opened in any case.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;

use nix::libc::{O_NONBLOCK, makedev};
use nix::sys::stat::{Mode, SFlag, mknod};

use crate::support::packet::pflags::{APPEND, CREAT, EXCL, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Reply, Server, Tree};

/// They bound files, or shape them.
const OTHERS: [&[&str]; 6] = [
    &["--atomic-upload"],
    &["--max-file-size", "10"],
    &["--reserve-free", "900T"],
    &["--file-mode", "0640"],
    &["--ignore-setstat", "size,perms"],
    &[
        "--atomic-upload",
        "--file-mode",
        "0640",
        "--max-file-size",
        "10",
    ],
];

const KEEPING: [&[&str]; 6] = [
    &["--no-overwrite"],
    &["--no-delete"],
    &["--append-only"],
    &["--drop-box"],
    &["--hide", "x"],
    &["--deny", "x"],
];

const NAMES: [&str; 5] = ["fifo", "null", "full", "socket", "link"];

/// One of each, and who reads the FIFO.
fn furnished() -> (Tree, File, UnixListener) {
    let tree = Tree::new();
    let path = tree.fifo("fifo");
    let mut reading = File::options();
    let reader = reading.read(true).custom_flags(O_NONBLOCK).open(path);
    for (name, minor) in [("null", 3), ("full", 7)] {
        let mode = Mode::from_bits_retain(0o666);
        mknod(&tree.at(name), SFlag::S_IFCHR, mode, makedev(1, minor)).unwrap();
    }
    let socket = UnixListener::bind(tree.at("socket")).unwrap();
    tree.link("link", "null");
    (tree, reader.unwrap(), socket)
}

/// What came of an OPEN and of what is done by its handle, in words.
fn played(server: &mut Server, name: &str, pflags: u32) -> Vec<String> {
    let words = |reply: Reply| match reply {
        Reply::Status(status) => format!("{} {}", status.code, status.text),
        Reply::Data(data) => format!("{data:?}"),
        Reply::Attrs(attrs) => format!("{:o}", attrs.permissions.unwrap()),
        _ => "a handle".to_owned(),
    };
    let reply = server.call(&open(name, pflags, &Attrs::NONE));
    let mut said = vec![];
    if let Reply::Handle(handle) = &reply {
        for packet in [
            fstat(handle),
            write(handle, 0, "a piece of 20 bytes."),
            write(handle, 1 << 40, "another"),
            read(handle, 0, 10),
            close(handle),
        ] {
            said.push(words(server.call(&packet)));
        }
    }
    said.insert(0, words(reply));
    said
}

fn arrived(reader: &mut File) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let count = reader.read(&mut bytes).unwrap_or(0);
    bytes.truncate(count);
    bytes
}

#[test]
fn rules_that_keep_nothing_from_the_client_leave_them_as_they_are() {
    let (tree, mut reader, _socket) = furnished();
    let inodes = || NAMES.map(|name| tree.meta(name).ino());
    let before = (inodes(), tree.names(""));
    let mut without = Server::start(&tree);
    for rule in OTHERS {
        let mut server = Server::with(&tree, rule);
        for name in NAMES {
            for pflags in 0..64 {
                let expected = played(&mut without, name, pflags);
                let sent = arrived(&mut reader);
                let said = played(&mut server, name, pflags);
                assert_eq!(said, expected, "{rule:?}: {name} {pflags:#x}");
                assert_eq!(arrived(&mut reader), sent, "{rule:?}: {pflags:#x}");
            }
        }
    }
    // What an appending handle writes to a FIFO arrives, truncated or not; without APPEND it has no positions, as OpenSSH's server says.
    let mut server = Server::with(&tree, ["--atomic-upload"]);
    for more in [0, TRUNC, CREAT, CREAT | TRUNC] {
        let handle = server.open("fifo", WRITE | APPEND | more);
        server.ok(&write(&handle, 0, "arrives"));
        server.close(&handle);
        assert_eq!(arrived(&mut reader), b"arrives");
        let handle = server.open("fifo", WRITE | more);
        let reply = server.call(&write(&handle, 0, "does not"));
        assert_eq!(reply.status().text, "Failure: Illegal seek");
        server.close(&handle);
        assert_eq!(arrived(&mut reader), b"");
    }
    assert_eq!((inodes(), tree.names("")), before);
}

#[test]
fn rules_that_keep_something_and_roots_open_none() {
    let (tree, mut reader, _socket) = furnished();
    let before = tree.snapshot();
    let root = &["--root", "."][..];
    let rooted = OTHERS.map(|rule| [root, rule].concat());
    let keeping = KEEPING.map(<[_]>::to_vec);
    for flags in keeping.iter().chain(&rooted) {
        let mut server = Server::with(&tree, flags);
        for name in NAMES {
            for pflags in 0..64 {
                let said = played(&mut server, name, pflags);
                assert_eq!(said.len(), 1, "{flags:?}: {name} {pflags:#x}: {said:?}");
                if pflags & (WRITE | APPEND | CREAT | EXCL | TRUNC) == 0 && flags[0] != "--drop-box"
                {
                    assert_eq!(said[0], "4 Failure: Operation not supported", "{flags:?}");
                }
            }
        }
    }
    assert_eq!(arrived(&mut reader), b"");
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}
