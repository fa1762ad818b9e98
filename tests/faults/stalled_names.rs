//! Names on a mount that stalls, and a WRITE that was sent behind: it is carried out where the answer cannot tell of what it writes.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::deaf_locks::bound;
use crate::deaf_mounts::CACHED;
use crate::support::wire::{Attrs, PATIENCE, pflags};
use crate::support::{Packet, Tree, request};

/// Whether a WRITE to a near file is carried out while `request`, sent before it, waits.
fn goes_past(request: &Packet) -> bool {
    let mut stall = bound(Tree::new(), &[]);
    let near = stall
        .server
        .open("/near", pflags::WRITE | pflags::CREAT | pflags::TRUNC);
    std::thread::sleep(CACHED);
    stall.signal(Signal::SIGSTOP);
    let stalled = stall.server.send(request);
    std::thread::sleep(Duration::from_millis(50));
    let write = stall.server.send(&request::write(&near, 0, "meanwhile"));
    let deadline = Instant::now() + Duration::from_secs(1);
    while stall.tree.read("near").is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let written = !stall.tree.read("near").is_empty();
    assert!(!stall.server.has_packet(), "answers keep their order");
    stall.signal(Signal::SIGCONT);
    assert_eq!(stall.server.receive().0, stalled);
    assert_eq!(stall.server.receive().0, write);
    let begun = Instant::now();
    while stall.tree.read("near") != b"meanwhile" {
        assert!(begun.elapsed() < PATIENCE);
    }
    written
}

#[test]
fn a_write_goes_past_a_name_of_which_nothing_is_told_that_it_changes_and_past_no_other() {
    for request in [
        request::opendir("/far"),
        request::readlink("/far/f"),
        request::realpath("/far/f"),
        request::open("/far/f", pflags::READ, &Attrs::NONE),
    ] {
        assert!(goes_past(&request), "{request:?}");
    }
    // By a link on the mount it can be the very file.
    assert!(!goes_past(&request::stat("/far/f")));
}
