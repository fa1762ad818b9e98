//! How many instructions of ours a request may cost. They are counted by callgrind, so the load of the machine hardly moves them.
//!
//! The count of a request is the difference between a session of 2N requests and one of N, over N: the start and the end
//! cancel. What the kernel does is not in it. The bounds are a quarter to a third above what was measured, on x86-64, of the
//! program as tests have it (opt-level 1: about twice the instructions of a release). A bound that is passed wants a reason:
//! find what was added (`callgrind_annotate`, see tests/bench/PROFILING.md), and raise the bound only if it is worth it.
//!
//! Beneath a root a STAT costs more, and a WRITE, before which it is asked whether its file is protected; READ and READDIR do not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

use std::fs;

use support::packet::code;
use support::request;
use support::wire::{Attrs, pflags};
use support::{Launch, Packet, Reply, Server, Tree, under_test};

/// What the client sees: the system as it is, or its tree as if that were all.
#[derive(Clone, Copy)]
enum Seen {
    All,
    Root,
}

/// The instructions of a session, from the start of the program to its end, in which `act` does something.
#[track_caller]
fn instructions(tree: &Tree, seen: Seen, act: impl FnOnce(&mut Server)) -> u64 {
    let out = Tree::new();
    let file = out.at("callgrind");
    let mut launch = Launch::program("valgrind", tree.root())
        .args(["--tool=callgrind", "--quiet"])
        .args([format!("--callgrind-out-file={}", file.display())])
        // The locks would keep valgrind from writing what it counted.
        .args([
            under_test().as_os_str(),
            "--sandbox".as_ref(),
            "off".as_ref(),
        ]);
    if let Seen::Root = seen {
        launch = launch.args(["--root".as_ref(), tree.root().as_os_str()]);
    }
    let mut server = launch.connect();
    act(&mut server);
    let finished = server.finish();
    let counted = fs::read_to_string(&file).ok();
    let total = counted.as_deref().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("totals: "));
        line?.parse().ok()
    });
    total.unwrap_or_else(|| {
        panic!(
            "callgrind counted nothing, {}: {}",
            finished.status,
            finished.stderr_text()
        )
    })
}

/// `act` with `n` and with twice as many requests: what one of them costs is at most `bound`.
#[track_caller]
fn bounded(bound: u64, n: u64, act: impl Fn(u64) -> u64) {
    let measure = || {
        let (once, twice) = (act(n), act(2 * n));
        let each = twice.saturating_sub(once) / n;
        println!("{each} instructions each");
        assert!(each > 0, "{once} for {n}, {twice} for twice as many");
        each
    };
    // Under valgrind, on a busy machine, storage may look slow for a moment. What is handed to a thread then costs more.
    let within = (0..3).map(|_| measure()).any(|each| each <= bound);
    assert!(within, "more than {bound}, three times");
}

/// Whether a request is sent when the one before is answered, or all of them are at once.
#[derive(Clone, Copy)]
enum Pace {
    Alone,
    Burst,
}

/// Sends the same packet `n` times.
#[track_caller]
fn repeat(server: &mut Server, packet: &Packet, n: u64, pace: Pace) -> Vec<Reply> {
    let packets = vec![packet.clone(); n as usize];
    match pace {
        Pace::Alone => packets.iter().map(|packet| server.call(packet)).collect(),
        Pace::Burst => server.pipeline(&packets),
    }
}

#[track_caller]
fn stat(bound: u64, seen: Seen, pace: Pace) {
    let tree = Tree::new();
    tree.file("f", "x");
    bounded(bound, 500, |n| {
        instructions(&tree, seen, |server| {
            for reply in repeat(server, &request::stat("f"), n, pace) {
                assert!(matches!(reply, Reply::Attrs(_)), "{reply:?}");
            }
        })
    });
}

#[track_caller]
fn read(bound: u64, seen: Seen, pace: Pace) {
    let tree = Tree::new();
    tree.file("f", vec![b'x'; 4096]);
    let open = request::open("f", pflags::READ, &Attrs::NONE);
    bounded(bound, 500, |n| {
        instructions(&tree, seen, |server| {
            let handle = server.call(&open).handle().to_vec();
            for reply in repeat(server, &request::read(&handle, 0, 4096), n, pace) {
                assert_eq!(reply.data().len(), 4096);
            }
        })
    });
}

#[track_caller]
fn write(bound: u64, seen: Seen, pace: Pace) {
    let tree = Tree::new();
    tree.file("f", "");
    let open = request::open("f", pflags::WRITE, &Attrs::NONE);
    let data = vec![b'x'; 32_768];
    bounded(bound, 200, |n| {
        instructions(&tree, seen, |server| {
            let handle = server.call(&open).handle().to_vec();
            for reply in repeat(server, &request::write(&handle, 0, &data), n, pace) {
                assert_eq!(reply.code(), code::OK);
            }
        })
    });
}

/// READDIR, counted by entries.
#[track_caller]
fn list(bound: u64, seen: Seen) {
    let tree = Tree::new();
    bounded(bound, 1000, |n| {
        let folder = format!("of-{n}");
        tree.dir(&folder);
        for entry in 0..n {
            tree.file(format!("{folder}/entry-{entry:04}"), "");
        }
        instructions(&tree, seen, |server| {
            let handle = server.call(&request::opendir(&folder)).handle().to_vec();
            let mut listed = 0;
            while let Reply::Names(names) = server.call(&request::readdir(&handle)) {
                listed += names.len() as u64;
            }
            assert_eq!(listed, n + 2, "entries, and the dots");
        })
    });
}

#[test]
fn a_stat_stays_within_its_instructions() {
    stat(10_400, Seen::All, Pace::Alone);
}

#[test]
fn a_stat_among_many_stays_within_its_instructions() {
    stat(3_300, Seen::All, Pace::Burst);
}

#[test]
fn a_stat_beneath_a_root_stays_within_its_instructions() {
    stat(11_000, Seen::Root, Pace::Alone);
}

#[test]
fn a_stat_among_many_beneath_a_root_stays_within_its_instructions() {
    stat(4_300, Seen::Root, Pace::Burst);
}

#[test]
fn a_small_read_stays_within_its_instructions() {
    read(10_300, Seen::All, Pace::Alone);
}

#[test]
fn a_small_read_among_many_stays_within_its_instructions() {
    read(3_300, Seen::All, Pace::Burst);
}

#[test]
fn a_small_read_beneath_a_root_stays_within_its_instructions() {
    read(10_300, Seen::Root, Pace::Alone);
}

#[test]
fn a_small_read_among_many_beneath_a_root_stays_within_its_instructions() {
    read(3_300, Seen::Root, Pace::Burst);
}

#[test]
fn a_write_of_32_kib_stays_within_its_instructions() {
    write(9_100, Seen::All, Pace::Alone);
}

#[test]
fn a_write_of_32_kib_among_many_stays_within_its_instructions() {
    write(5_800, Seen::All, Pace::Burst);
}

#[test]
fn a_write_of_32_kib_beneath_a_root_stays_within_its_instructions() {
    write(10_300, Seen::Root, Pace::Alone);
}

#[test]
fn a_write_of_32_kib_among_many_beneath_a_root_stays_within_its_instructions() {
    write(6_800, Seen::Root, Pace::Burst);
}

#[test]
fn an_entry_of_a_listing_stays_within_its_instructions() {
    list(5_500, Seen::All);
}

#[test]
fn an_entry_of_a_listing_beneath_a_root_stays_within_its_instructions() {
    list(5_500, Seen::Root);
}
