//! Where a piece could not be appended, nothing is appended behind it: it would stand where the lost piece belongs.
//!
//! Clients send many WRITEs before they hear of the first. OpenSSH's server takes whatever fits.

use crate::full_disk::Tmpfs;
use crate::support::request;
use crate::support::wire::{code, pflags};
use crate::support::{Launch, OPENSSH, Reply, Server, Tree};

const APPEND: u32 = pflags::WRITE | pflags::APPEND | pflags::CREAT;
const LOST: &str = "Failure: a write before this one failed, and it would take its place";

/// The first WRITE is refused in these words, and those that were sent behind it in ours; the file stays as it was.
#[track_caller]
fn nothing_follows(tree: &Tree, server: &mut Server, long: usize, words: &str) {
    let before = tree.read("log");
    let at = before.len() as u64;
    let handle = server.open("log", APPEND);
    let pieces = [vec![b'B'; long], b"C".to_vec(), b"DD".to_vec()];
    for (number, piece) in (0..).zip(&pieces) {
        server.send(&request::write(&handle, at + number, piece));
    }
    for expected in [words, LOST, LOST] {
        let (_, reply) = server.receive();
        assert_eq!(reply.status().text, expected);
        assert_eq!(reply.code(), code::FAILURE);
    }
    // Nor by a copy.
    tree.file("from", "copied");
    let from = server.open("from", pflags::READ);
    let copied = server.call(&request::copy_data(&from, 0, 0, &handle, 0));
    assert_eq!(copied.status().text, LOST);
    server.close(&handle);
    assert_eq!(tree.read("log"), before);
    // A handle of its own begins anew.
    let handle = server.open("log", APPEND);
    server.ok(&request::write(&handle, 0, "E"));
    server.close(&handle);
    assert_eq!(tree.read("log"), [&before[..], b"E"].concat());
}

#[test]
fn behind_a_write_past_the_limit_of_a_rule() {
    for flags in [
        &["--max-file-size", "1000"][..],
        &["--max-file-size", "1000", "--append-only"],
        &["--max-file-size", "1000", "--no-delete"],
    ] {
        let tree = Tree::new();
        tree.file("log", [b'A'; 600]);
        let mut server = Server::with(&tree, flags);
        let words = "Failure: File too large (--max-file-size)";
        nothing_follows(&tree, &mut server, 500, words);
    }
}

#[test]
fn behind_a_write_that_the_reserve_does_not_let_in() {
    let Some(disk) = Tmpfs::new("size=8M") else {
        return;
    };
    let tree = disk.tree();
    tree.file("log", [b'A'; 600]);
    let mut server = Server::with(&tree, ["--reserve-free", "7M"]);
    let words = "Failure: No space left on device (--reserve-free)";
    let handle = server.open("fill", APPEND);
    let piece = vec![1; 200_000];
    while server.code(&request::write(&handle, 0, &piece)) == code::OK {}
    server.close(&handle);
    nothing_follows(&tree, &mut server, 200_000, words);
}

/// Of a piece that fits in part, that part is there; what was sent behind it is not.
#[test]
fn behind_a_write_that_the_disk_has_no_room_for() {
    let Some(disk) = Tmpfs::new("size=1M") else {
        return;
    };
    let ends = |program: Option<&str>| {
        let tree = disk.tree();
        let mut server = match program {
            Some(program) => Launch::program(program, &tree).connect(),
            None => Server::start(&tree),
        };
        let handle = server.open("log", APPEND);
        for (number, byte) in (0..).zip(*b"ABCDEFGHIJ") {
            server.send(&request::write(
                &handle,
                number * 150_000,
                vec![byte; 150_000],
            ));
        }
        let codes: Vec<u32> = (0..10).map(|_| server.receive().1.code()).collect();
        // There is room again while the client still sends.
        tree.file("ballast", "");
        let whole = codes.iter().take_while(|code| **code == 0).count();
        assert!(
            whole < 10 && codes[whole..].iter().all(|code| *code == 4),
            "{codes:?}"
        );
        let length = tree.meta("log").len();
        std::fs::File::options()
            .write(true)
            .open(tree.at("log"))
            .unwrap()
            .set_len(length - 100_000)
            .unwrap();
        let last = server.call(&request::write(&handle, 0, "X"));
        let said = match &last {
            Reply::Status(status) => status.text.clone(),
            _ => panic!("{last:?}"),
        };
        drop(server);
        (said, tree.read("log").last().copied())
    };
    let (said, end) = ends(None);
    assert_eq!(said, LOST);
    assert_ne!(end, Some(b'X'));
    assert_eq!(ends(Some(OPENSSH)).1, Some(b'X'), "OpenSSH takes it");
}

/// By a handle that does not append, each piece has its place.
#[test]
fn a_write_with_an_offset_of_its_own_is_taken() {
    let tree = Tree::new();
    tree.file("f", [b'A'; 600]);
    let mut server = Server::with(&tree, ["--max-file-size", "1000"]);
    let handle = server.open("f", pflags::WRITE);
    assert_eq!(
        server.code(&request::write(&handle, 600, [b'B'; 500])),
        code::FAILURE
    );
    server.ok(&request::write(&handle, 600, "C"));
    assert_eq!(tree.meta("f").len(), 601);
}

/// What lies behind the end of a copy's source is missing nowhere.
#[test]
fn a_copy_that_came_to_its_source_s_end_loses_nothing() {
    let tree = Tree::new();
    tree.file("from", "copied");
    let mut server = Server::start(&tree);
    let from = server.open("from", pflags::READ);
    let handle = server.open("log", APPEND);
    assert_eq!(
        server.code(&request::copy_data(&from, 0, 100, &handle, 0)),
        code::EOF
    );
    server.ok(&request::write(&handle, 0, "X"));
    assert_eq!(tree.read("log"), b"copiedX");
}
