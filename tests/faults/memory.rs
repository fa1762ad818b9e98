//! Memory is bounded whatever the client sends, and no CPU is burnt on one that does not read.

use std::io::Write;
use std::path::Path;

use crate::raw::Raw;
use crate::support::request;
use crate::support::wire::{Attrs, frame, kind, pflags};
use crate::support::{OPENSSH, Packet, Tree, under_test};

/// SPEC §12.
const BOUND_KIB: u64 = 64 * 1024;

const OUTSTANDING: u32 = 10_000;

/// Sends 10 000 requests, or as many as are taken, without reading a reply; memory and CPU stay low. Then reads:
/// every reply is there, in order.
#[track_caller]
fn stuck(tree: &Tree, open: Option<&Packet>, request: impl Fn(&[u8]) -> Packet) {
    let mut raw = Raw::start(tree, &[]);
    let mut handle = Vec::new();
    if let Some(open) = open {
        raw.push(&open.frame(0));
        let reply = raw.reply();
        assert_eq!(reply[0], kind::HANDLE);
        handle = reply[9..].to_vec();
    }
    let packet = request(&handle);
    let bytes: Vec<u8> = (1..=OUTSTANDING).flat_map(|id| packet.frame(id)).collect();
    let taken = raw.push(&bytes);
    let length = packet.frame(0).len();

    raw.idles();
    let peak = raw.memory("VmHWM:");
    assert!(peak < BOUND_KIB, "{peak} KiB");

    let whole = u32::try_from(taken / length).unwrap();
    assert!(whole > 100, "only {whole} requests were taken");
    for id in 1..=whole {
        let reply = raw.reply();
        assert_eq!(reply[1..5], id.to_be_bytes(), "the replies' order");
    }
    // The rest of the packet that was cut, and one more: the session is as it was.
    raw.push(&bytes[taken..taken.next_multiple_of(length)]);
    if taken % length != 0 {
        raw.reply();
    }
    raw.push(&request::stat("/").frame(77));
    assert_eq!(raw.reply()[..5], [kind::ATTRS, 0, 0, 0, 77]);
    let peak = raw.memory("VmHWM:");
    assert!(peak < BOUND_KIB, "{peak} KiB");
}

#[test]
fn ten_thousand_reads_and_no_reply_read() {
    let tree = Tree::new();
    tree.file("f", vec![b'x'; 1 << 20]);
    let open = request::open("f", pflags::READ, &Attrs::NONE);
    stuck(&tree, Some(&open), |handle| {
        request::read(handle, 0, 32_768)
    });
}

#[test]
fn ten_thousand_reads_of_the_largest_size_and_no_reply_read() {
    let tree = Tree::new();
    tree.file("f", vec![b'x'; 1 << 20]);
    let open = request::open("f", pflags::READ, &Attrs::NONE);
    stuck(&tree, Some(&open), |handle| {
        request::read(handle, 0, 261_120)
    });
}

#[test]
fn ten_thousand_stats_and_no_reply_read() {
    let tree = Tree::new();
    stuck(&tree, None, |_| request::stat("/"));
}

#[test]
fn ten_thousand_realpaths_of_long_paths_and_no_reply_read() {
    let tree = Tree::new();
    let deep = ["x".repeat(200), "y".repeat(200), "z".repeat(200)].join("/");
    tree.dir(&deep);
    stuck(&tree, None, |_| request::realpath(&deep));
}

#[test]
fn ten_thousand_writes_and_no_reply_read() {
    let tree = Tree::new();
    let open = request::open("f", pflags::WRITE | pflags::CREAT, &Attrs::NONE);
    stuck(&tree, Some(&open), |handle| {
        request::write(handle, 0, vec![b'x'; 4096])
    });
}

#[test]
fn ten_thousand_unknown_extensions_with_long_names_and_no_reply_read() {
    let tree = Tree::new();
    stuck(&tree, None, |_| request::extended(vec![b'x'; 20_000], b""));
}

#[test]
fn a_listing_of_many_names_and_no_reply_read() {
    let tree = Tree::new();
    tree.dir("many");
    for index in 0..5_000 {
        tree.file(format!("many/{index:0200}"), "");
    }
    let mut raw = Raw::start(&tree, &[]);
    // Each directory has its own position: one handle for each READDIR.
    let opens: Vec<u8> = (0..50)
        .flat_map(|id| request::opendir("many").frame(id))
        .collect();
    raw.push(&opens);
    let handles: Vec<_> = (0..50).map(|_| raw.reply()[9..].to_vec()).collect();
    let reads: Vec<u8> = (0..1_000_u32)
        .flat_map(|id| request::readdir(&handles[id as usize % 50]).frame(id))
        .collect();
    raw.push(&reads);
    raw.idles();
    let peak = raw.memory("VmHWM:");
    assert!(peak < BOUND_KIB, "{peak} KiB");
    for id in 0..1_000_u32 {
        assert_eq!(raw.reply()[1..5], id.to_be_bytes());
    }
}

#[test]
fn packets_of_the_largest_size_that_are_never_whole_for_long() {
    let tree = Tree::new();
    let mut raw = Raw::start(&tree, &[]);
    let long = frame(&[&[99, 0, 0, 0, 1][..], &vec![0; 262_139]].concat());
    for _ in 0..50 {
        assert_eq!(raw.push(&long), long.len());
        assert_eq!(raw.reply()[0], kind::STATUS);
    }
    let peak = raw.memory("VmHWM:");
    assert!(peak < BOUND_KIB, "{peak} KiB");
}

#[test]
fn names_of_handles_are_bounded_too() {
    // A handle keeps its name for the log: thousands of handles, each by a name as long as a path can be.
    let tree = Tree::new();
    tree.file("f", "");
    let long = format!("{}f", "./".repeat(2_000));
    let mut raw = Raw::start(&tree, &[]);
    for id in 0..5_000 {
        raw.push(&request::open(&long, pflags::READ, &Attrs::NONE).frame(id));
        raw.reply();
    }
    let peak = raw.memory("VmHWM:");
    assert!(peak < BOUND_KIB, "{peak} KiB");
}

#[test]
fn an_idle_session_is_small_beside_openssh_s() {
    let tree = Tree::new();
    let idle = |program: &Path| {
        let raw = Raw::program(program, &tree, &[]);
        raw.memory("VmRSS:")
    };
    let (ours, theirs) = (idle(&under_test()), idle(OPENSSH.as_ref()));
    // Past the harness, which keeps what a test prints that passes.
    let mut out = std::io::stderr();
    let _ = writeln!(
        out,
        "memory of an idle session, resident\n  {ours:6} KiB  ours, {} build\n  {theirs:6} KiB  OpenSSH's",
        if cfg!(debug_assertions) {
            "debug"
        } else {
            "release"
        }
    );
    assert!(ours < theirs + 16 * 1024, "{ours} KiB beside {theirs} KiB");
}
