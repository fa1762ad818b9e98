//! What is no SFTP, or only looks like it: the session ends in order or goes on, never by a signal, and never eats CPU.

use std::process::Stdio;

use crate::raw::Raw;
use crate::support::request;
use crate::support::wire::{frame, kind};
use crate::support::{Finished, Launch, OPENSSH, Server, Tree, under_test};

/// Runs a server on these bytes as its whole input.
fn fed(program: impl Into<std::path::PathBuf>, bytes: &[u8]) -> Finished {
    let tree = Tree::new();
    let input = tree.file("input", bytes);
    let launch = Launch::program(program, &tree);
    launch.run(std::fs::File::open(input).unwrap(), Stdio::piped())
}

#[test]
fn text_instead_of_packets_ends_the_session_with_11_as_openssh_does() {
    for text in [
        &b"GET / HTTP/1.0\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\xff\xff\xff\xff\xff",
    ] {
        let (ours, theirs) = (fed(under_test(), text), fed(OPENSSH, text));
        assert_eq!(ours.status.code(), Some(11), "{}", text.escape_ascii());
        assert_eq!(ours.status, theirs.status);
        assert_eq!(ours.stdout, b"");
    }
}

#[test]
fn the_longest_frame_is_served_and_one_byte_more_ends_the_session() {
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    // A STAT whose name is as long as the frame allows: an answer, if only that it is too long.
    let name = vec![b'x'; 262_144 - 9];
    assert_eq!(request::stat(&name).frame(1).len(), 4 + 262_144);
    server.call(&request::stat(&name)).code();
    server.call(&request::stat("/")).attrs();

    server
        .send_raw(&request::stat([&name[..], b"x"].concat()).frame(2))
        .ok();
    assert_eq!(server.wait().code(), Some(11));
}

#[test]
fn a_length_that_is_too_long_ends_the_session_before_its_bytes_have_come() {
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    server.send_raw(&[0, 4, 0, 1, kind::STAT]).unwrap();
    assert_eq!(server.wait().code(), Some(11));
}

#[test]
fn what_was_asked_for_before_a_frame_that_is_too_long_is_answered() {
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    let bytes = [request::stat("/").frame(1), vec![0xff; 5]].concat();
    server.send_raw(&bytes).unwrap();
    let (id, reply) = server.receive();
    assert_eq!(id, 1);
    reply.attrs();
    assert_eq!(server.wait().code(), Some(11));
}

#[test]
fn frames_of_random_bytes_are_answered_one_by_one_and_the_session_lives() {
    // Types above 20 but 200, so that no reply can be anything but a STATUS; the tree is empty and stays so.
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..2_000 {
        let length = random.usize(0..60);
        let mut content = vec![random.u8(21..200)];
        content.extend((0..length).map(|_| random.u8(..)));
        server.send_raw(&frame(&content)).unwrap();
        let (_, reply) = server.receive();
        assert!(
            matches!(reply.code(), 5 | 8),
            "seed {seed}, round {round}: {reply:?}"
        );
    }
    server.call(&request::stat("/")).attrs();
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn requests_of_random_fields_are_answered_one_by_one_and_the_session_lives() {
    let tree = Tree::new();
    let jail = tree.dir("inside");
    let mut server = Server::with(jail, ["-R"]);
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..5_000 {
        let length = random.usize(0..80);
        // Mostly small numbers, as lengths are.
        let byte = |random: &mut fastrand::Rng| {
            if random.bool() {
                random.u8(..8)
            } else {
                random.u8(..)
            }
        };
        let types = [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 200,
        ];
        let mut content = vec![types[random.usize(..types.len())]];
        content.extend((0..length).map(|_| byte(&mut random)));
        server.send_raw(&frame(&content)).unwrap();
        let reply = server.receive_raw();
        let reply = reply.unwrap_or_else(|| panic!("seed {seed}: the session ended"));
        let id = content.get(1..5).unwrap_or(&[0; 4]);
        assert_eq!(&reply[1..5], id, "seed {seed}: the reply's id");
    }
    server.call(&request::stat("/")).attrs();
    assert_eq!(tree.names(""), [b"inside".to_vec()]);
}

#[test]
fn random_bytes_without_frames_end_the_session_in_order() {
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..200 {
        let length = random.usize(0..300);
        let init = frame(&[kind::INIT, 0, 0, 0, 3]);
        let mut bytes = if random.bool() { init } else { Vec::new() };
        // A first byte of 0 lets it be a length that is waited for.
        bytes.extend((0..length).map(|_| if random.bool() { 0 } else { random.u8(..) }));
        let finished = fed(under_test(), &bytes);
        let code = finished.status.code();
        let words = bytes.escape_ascii();
        assert!(
            matches!(code, Some(0 | 1 | 11)),
            "seed {seed}: {code:?} for {words}"
        );
    }
}

#[test]
fn half_a_packet_costs_no_cpu() {
    let tree = Tree::new();
    let mut raw = Raw::start(&tree, &[]);
    raw.push(&[0, 3, 0, 0, kind::WRITE, 0]);
    raw.idles();
    assert!(raw.is_running());
}

#[test]
fn an_idle_session_costs_no_cpu() {
    let tree = Tree::new();
    let mut raw = Raw::start(&tree, &[]);
    raw.idles();
    assert!(raw.is_running());
}
