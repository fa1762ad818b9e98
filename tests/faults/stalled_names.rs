//! Names on a mount that stalls, and a WRITE that was sent behind: it is carried out, and what was sent before does not see it.

use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::deaf_locks::bound;
use crate::deaf_mounts::CACHED;
use crate::slow_storage::Stall;
use crate::support::wire::{Attrs, PATIENCE, pflags};
use crate::support::{Packet, Reply, Tree, request};

/// A session with the near file `/near`, and what leads to it from the mount: the link `/far/near` and, by `/far/d`, a name in its directory.
fn stall() -> (Stall, Vec<u8>) {
    let mut stall = bound(Tree::new(), &[]);
    symlink("/near", stall.behind.at("near")).unwrap();
    symlink("/", stall.behind.at("d")).unwrap();
    let flags = pflags::WRITE | pflags::CREAT | pflags::TRUNC;
    let near = stall.server.open("/near", flags);
    stall.server.ok(&request::write(&near, 0, "old"));
    (stall, near)
}

/// Sends a WRITE of 9 bytes to the near file while `request`, sent before it, waits. Whether it is carried out meanwhile, and the answer to `request`.
fn goes_past((mut stall, near): (Stall, Vec<u8>), request: &Packet) -> (bool, Reply) {
    std::thread::sleep(CACHED);
    stall.signal(Signal::SIGSTOP);
    let stalled = stall.server.send(request);
    std::thread::sleep(Duration::from_millis(50));
    let write = stall.server.send(&request::write(&near, 0, "meanwhile"));
    let written = |stall: &Stall| stall.tree.read("near") == b"meanwhile";
    let deadline = Instant::now() + Duration::from_secs(1);
    while !written(&stall) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let past = written(&stall);
    assert!(!stall.server.has_packet(), "answers keep their order");
    stall.signal(Signal::SIGCONT);
    let (id, answer) = stall.server.receive();
    assert_eq!(id, stalled);
    assert_eq!(stall.server.receive().0, write);
    let begun = Instant::now();
    while !written(&stall) {
        assert!(begun.elapsed() < PATIENCE);
    }
    let after = stall.server.call(&request::stat("/far/near"));
    assert_eq!(after.attrs().size, Some(9), "what is sent later sees it");
    (past, answer)
}

#[test]
fn a_write_goes_past_a_name_of_which_nothing_is_told_that_it_changes() {
    for request in [
        request::opendir("/far"),
        request::readlink("/far/near"),
        request::realpath("/far/f"),
        request::statvfs("/far/f"),
        request::open("/far/f", pflags::READ, &Attrs::NONE),
    ] {
        assert!(goes_past(stall(), &request).0, "{request:?}");
    }
}

#[test]
fn a_write_goes_past_a_name_that_leads_to_its_file_and_is_not_seen_there() {
    for request in [
        request::stat("/far/near"),
        request::stat("/far/d/near"),
        request::lstat("/far/d/near"),
    ] {
        let (past, answer) = goes_past(stall(), &request);
        assert!(past, "{request:?}");
        assert_eq!(answer.attrs().size, Some(3), "{request:?}");
    }
}

#[test]
fn a_write_goes_past_a_listing_with_its_file_and_is_not_seen_there() {
    let (mut stall, near) = stall();
    let dir = stall.server.opendir("/");
    let (past, answer) = goes_past((stall, near), &request::readdir(&dir));
    assert!(past);
    let listed = answer.names().iter().find(|name| name.filename == b"near");
    let listed = listed.unwrap();
    assert_eq!(listed.attrs.size, Some(3));
    let longname = String::from_utf8_lossy(&listed.longname);
    assert_eq!(longname.split_whitespace().nth(4), Some("3"), "{longname}");
}
