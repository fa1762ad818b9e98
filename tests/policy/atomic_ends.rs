//! How an atomic upload ends that is not closed: whatever ends it, what was there before is untouched.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Launch, Server, Tree};

/// A session with two uploads under way, half of each written.
fn half_done(tree: &Tree, args: &[&str]) -> Server {
    tree.file("old", "what was there");
    let mut server = Launch::new(tree)
        .args(["--atomic-upload"])
        .args(args)
        .connect();
    for name in ["old", "new"] {
        let handle = server.open(name, WRITE | CREAT | TRUNC);
        server.ok(&write(&handle, 0, "half"));
    }
    assert_eq!(
        tree.names(".").len(),
        3,
        "one is there, two are being written"
    );
    server
}

fn untouched(tree: &Tree) {
    assert_eq!(tree.names("."), [b"old".to_vec()]);
    assert_eq!(tree.read("old"), b"what was there");
}

#[test]
fn the_end_of_input_discards_it() {
    for root in [&[][..], &["--root", "."]] {
        let tree = Tree::new();
        half_done(&tree, root).finish();
        untouched(&tree);
    }
}

#[test]
fn signals_that_ask_for_the_end_discard_it() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let tree = Tree::new();
        let mut server = half_done(&tree, &[]);
        kill(Pid::from_raw(server.pid() as i32), signal).unwrap();
        server.wait();
        untouched(&tree);
    }
}

#[test]
fn an_oversized_packet_discards_it() {
    let tree = Tree::new();
    let mut server = half_done(&tree, &["--root", "."]);
    server.send_raw(&[0xff; 8]).unwrap();
    assert_eq!(server.wait().code(), Some(11));
    untouched(&tree);
}

#[test]
fn sigkill_leaves_no_more_than_the_unlisted_names() {
    let tree = Tree::new();
    let mut server = half_done(&tree, &[]);
    kill(Pid::from_raw(server.pid() as i32), Signal::SIGKILL).unwrap();
    server.wait();
    assert_eq!(tree.read("old"), b"what was there");
    assert!(!tree.has("new"));
    let names = tree.names(".").into_iter();
    let left: Vec<_> = names.filter(|name| name != b"old").collect();
    assert_eq!(left.len(), 2);
    for name in left {
        let digits = name.strip_prefix(b".sftp-server-upload.").unwrap();
        assert_eq!(digits.len(), 16, "as the manual says");
    }
}

#[test]
fn a_directory_that_cannot_be_written_is_told_at_open_in_words() {
    let tree = Tree::new();
    tree.dir("closed");
    tree.file("closed/file", "old");
    tree.give_to(12_345, 12_345);
    std::os::unix::fs::chown(tree.at("closed/file"), Some(12_345), Some(12_345)).unwrap();
    std::os::unix::fs::chown(tree.at("closed"), Some(12_345), Some(12_345)).unwrap();
    tree.chmod("closed", 0o555);
    let mut server = Launch::new(&tree)
        .args(["--atomic-upload"])
        .user(12_345, 12_345)
        .connect();
    for name in ["closed/file", "closed/new"] {
        let reply = server.call(&open(name, WRITE | CREAT | TRUNC, &Default::default()));
        assert_eq!(
            reply.status().text,
            "Permission denied: the directory cannot be written (--atomic-upload)"
        );
    }
    assert_eq!(tree.read("closed/file"), b"old");
}

#[test]
fn a_file_that_the_user_may_not_write_is_not_replaced_either() {
    let tree = Tree::new();
    tree.file("file", "old");
    tree.chmod("file", 0o444);
    tree.give_to(12_345, 12_345);
    std::os::unix::fs::chown(tree.at("file"), Some(12_345), Some(12_345)).unwrap();
    let mut server = Launch::new(&tree)
        .args(["--atomic-upload", "--root", "."])
        .user(12_345, 12_345)
        .connect();
    // The directory is open: it must not be blamed.
    for pflags in [WRITE | TRUNC, WRITE | CREAT | TRUNC] {
        let reply = server.call(&open("file", pflags, &Default::default()));
        let status = reply.status();
        assert_eq!((status.code, &*status.text), (3, "Permission denied"));
    }
    assert_eq!(tree.read("file"), b"old");
    assert_eq!(tree.names(".").len(), 1);
}
