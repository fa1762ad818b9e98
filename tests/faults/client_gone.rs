//! A client that is gone: what it had asked for is done, nothing half is done, and the server leaves.

use std::process::ExitStatus;

use crate::raw::Raw;
use crate::support::request;
use crate::support::server::user;
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Packet, Server, Tree};

const CREATE: u32 = pflags::WRITE | pflags::CREAT;

/// A thousand MKDIRs, as bytes.
fn thousand() -> Vec<u8> {
    let made = |index: u32| request::mkdir(format!("d{index}"), &Attrs::NONE).frame(index);
    (0..1000).flat_map(made).collect()
}

#[track_caller]
fn all_made(tree: &Tree, status: ExitStatus) {
    assert_eq!(status.code(), Some(0), "{status}");
    assert_eq!(tree.names("").len(), 1000);
}

#[test]
fn what_arrived_whole_before_the_end_of_input_is_carried_out() {
    // OpenSSH drops what it has not yet done.
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    server.send_raw(&thousand()).unwrap();
    all_made(&tree, server.finish().status);
}

#[test]
fn what_arrived_whole_is_carried_out_when_nobody_reads_any_more() {
    let tree = Tree::new();
    let mut raw = Raw::start(&tree, &[]);
    raw.stop_reading();
    raw.push(&thousand());
    // The input stays open: it is the output that tells.
    all_made(&tree, raw.ask_until_it_leaves().0);
}

#[test]
fn a_closed_output_is_no_death_by_sigpipe() {
    let tree = Tree::new();
    let mut raw = Raw::start(&tree, &["-e", "-l", "DEBUG1"]);
    raw.stop_reading();
    let (status, log) = raw.ask_until_it_leaves();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(log.contains("debug1: write eof\r\n"), "{log}");
    let last = format!(
        "session closed for local user {} from [UNKNOWN]\r\n",
        user()
    );
    assert!(log.ends_with(&last), "{log}");
}

#[test]
fn a_session_that_nobody_listens_to_ends_though_its_input_stays_open() {
    // Another process may hold the end from which requests came.
    let tree = Tree::new();
    let mut raw = Raw::start(&tree, &["-e", "-l", "INFO"]);
    raw.stop_reading();
    let (status, log) = raw.wait();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(log.contains("session closed"), "{log}");
}

#[test]
fn a_client_that_opened_the_end_of_the_server_s_own_input_leaves_no_session_behind() {
    let tree = Tree::new();
    let mut server = Launch::new(&tree).args(["-e", "-l", "INFO"]).connect();
    server.open("/proc/self/fd/0", pflags::WRITE);
    // Both ends are closed on our side; the server's input does not end by that.
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    server.wire = crate::support::Wire::new(near, far);
    assert_eq!(server.wait().code(), Some(0));
    let log = server.stderr();
    assert!(log.contains("forced close \"/proc/self/fd/0\""), "{log}");
    assert!(log.contains("session closed"), "{log}");
}

#[test]
fn a_socket_that_is_closed_with_replies_unread_is_the_end() {
    let tree = Tree::new();
    let mut server = Launch::new(&tree).socket().connect();
    server.open("f", CREATE);
    server.reading = false;
    for _ in 0..100 {
        server.send(&request::stat("/"));
    }
    // Both ends of the pair are ours to close: what is unread makes it a reset.
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    server.wire = crate::support::Wire::new(near, far);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_packet_that_is_cut_short_is_not_done() {
    let tree = Tree::new();
    tree.file("f", b"before");
    let mut server = Launch::new(&tree).args(["-e", "-l", "INFO"]).connect();
    let handle = server.open("f", CREATE);
    let frame = request::write(&handle, 0, b"AFTER!").frame(9);
    server.send_raw(&frame[..frame.len() - 1]).unwrap();
    let finished = server.finish();
    assert_eq!(finished.status.code(), Some(0));
    assert!(
        finished
            .stderr_text()
            .contains("forced close \"f\" bytes read 0 written 0")
    );
    assert_eq!(tree.read("f"), b"before");
}

#[test]
fn an_end_of_input_anywhere_in_a_packet_is_the_end_of_the_session() {
    let tree = Tree::new();
    let frame = request::mkdir("d", &Attrs::NONE).frame(9);
    for length in 0..frame.len() {
        let mut server = Server::start(&tree);
        server.send_raw(&frame[..length]).unwrap();
        assert_eq!(
            server.finish().status.code(),
            Some(0),
            "after {length} bytes"
        );
        assert!(!tree.has("d"));
    }
}

#[test]
fn data_acknowledged_before_the_client_was_killed_is_in_the_file() {
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    let handle = server.open("f", CREATE);
    let block = vec![b'x'; 32_768];
    let writes: Vec<Packet> = (0..64_u64)
        .map(|index| request::write(&handle, index * 32_768, &block))
        .collect();
    server.pipeline(&writes);
    // No CLOSE.
    assert_eq!(server.finish().status.code(), Some(0));
    assert_eq!(tree.read("f"), vec![b'x'; 64 * 32_768]);
}
