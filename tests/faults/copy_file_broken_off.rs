//! `copy-file` that is broken off: by a signal, by the client's end, by storage that does not answer. Nothing is left of it, and what was
//! there stays; a client that is merely gone has what it asked for.
//!
//! SIGKILL is the exception, as for all that a process would have to clean up: then the name stays, and sessions list it from then on.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::atomic_descriptors::is_unlisted;
use crate::signals::{ENDING, ended_by};
use crate::slow_storage::{Stall, hears_a_signal};
use crate::support::fault::Fault;
use crate::support::wire::PATIENCE;
use crate::support::{Server, Tree, Wire, request, under_test};

const OLD: &[u8] = b"what was there";

/// A long file to be copied, and one to be replaced.
fn furnished() -> Tree {
    let tree = Tree::new();
    let long = std::fs::File::create(tree.at("from")).unwrap();
    long.set_len(1 << 40).unwrap();
    tree.file("old", OLD);
    tree
}

/// A session in which these calls take so long, as strace(1) writes it.
fn slowed(tree: &Tree, calls: &str) -> Server {
    let launch = Fault::traced(calls, under_test(), tree);
    Fault::around(&[Fault::no_holes()], || launch.connect())
}

fn unlisted(tree: &Tree) -> Vec<Vec<u8>> {
    let mut names = tree.names("");
    names.retain(|name| is_unlisted(name));
    names
}

/// Until the copy is being written.
#[track_caller]
fn wait_for_unlisted(tree: &Tree) {
    let deadline = Instant::now() + PATIENCE;
    while unlisted(tree).is_empty() {
        assert!(Instant::now() < deadline, "no copy is begun");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn nothing_is_left(tree: &Tree) {
    assert_eq!(unlisted(tree).len(), 0);
    assert!(!tree.has("new"));
    assert_eq!(tree.read("old"), OLD);
    assert_eq!(tree.meta("from").len(), 1 << 40);
}

const SLOW_CONTENT: &str = "copy_file_range,pread64,pwrite64:delay_enter=50000";

#[test]
fn a_signal_ends_a_long_copy_at_once_and_nothing_is_left() {
    for signal in ENDING {
        for (to, overwrite) in [("new", 0), ("new", 1), ("old", 1)] {
            let tree = furnished();
            let mut server = slowed(&tree, SLOW_CONTENT);
            server.send(&request::copy_file("from", to, overwrite));
            wait_for_unlisted(&tree);
            std::thread::sleep(Duration::from_millis(120));
            ended_by(server, signal);
            nothing_is_left(&tree);
        }
    }
}

/// The moments in which the file is there already, and the session is still at making it.
#[test]
fn nor_is_anything_left_where_the_signal_comes_while_the_file_is_made() {
    for calls in [
        // It exists, and the thread that has made it does not know.
        "openat:delay_exit=300000",
        // It is given the attributes of what it is to replace.
        "fgetxattr:delay_enter=300000",
        "fchmod:delay_enter=300000",
    ] {
        for (to, overwrite) in [("new", 0), ("old", 1)] {
            if to == "new" && !calls.starts_with("openat") {
                continue;
            }
            let tree = furnished();
            let mut server = slowed(&tree, calls);
            server.send(&request::copy_file("from", to, overwrite));
            wait_for_unlisted(&tree);
            ended_by(server, Signal::SIGTERM);
            nothing_is_left(&tree);
        }
    }
}

/// The others have been removed then, and this one may not begin.
#[test]
fn nor_where_it_comes_before_the_file_is_made() {
    for wait in [0, 30, 60, 90, 120, 150, 180] {
        let tree = furnished();
        // A file that is made late, in a process that dies late.
        let calls = "openat:delay_enter=60000 tgkill:delay_enter=700000";
        let mut server = slowed(&tree, calls);
        server.send(&request::copy_file("from", "new", 0));
        std::thread::sleep(Duration::from_millis(wait));
        ended_by(server, Signal::SIGTERM);
        nothing_is_left(&tree);
    }
}

#[test]
fn a_client_that_closes_its_end_in_the_middle_has_its_copy() {
    for (to, overwrite, both) in [("new", 0, false), ("old", 1, false), ("old", 1, true)] {
        let tree = furnished();
        tree.file("from", vec![b'x'; 300_000]);
        let mut server = slowed(&tree, "copy_file_range:delay_enter=500000");
        server.send(&request::copy_file("from", to, overwrite));
        wait_for_unlisted(&tree);
        if both {
            // What it would be answered finds nobody.
            let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
            server.wire = Wire::new(near, far);
        } else {
            server.close_input();
        }
        assert_eq!(server.wait().code(), Some(0));
        assert_eq!(tree.read(to), vec![b'x'; 300_000]);
        assert_eq!(unlisted(&tree).len(), 0);
    }
}

#[test]
fn what_is_killed_leaves_what_was_there_and_a_name_that_is_listed() {
    let tree = furnished();
    let mut server = slowed(&tree, SLOW_CONTENT);
    server.send(&request::copy_file("from", "old", 1));
    wait_for_unlisted(&tree);
    kill(Pid::from_raw(server.pid() as i32), Signal::SIGKILL).unwrap();
    assert_eq!(server.wait().signal(), Some(Signal::SIGKILL as i32));
    assert_eq!(unlisted(&tree).len(), 1);
    assert_eq!(tree.read("old"), OLD);
    let mut next = Server::start(&tree);
    let names = next.list(".").into_iter().map(|name| name.filename);
    let left: Vec<_> = names.filter(|name| is_unlisted(name)).collect();
    assert_eq!(left.len(), 1, "whoever finds it can remove it");
    next.ok(&request::remove(&left[0]));
    assert_eq!(unlisted(&tree).len(), 0);
}

#[test]
fn a_copy_to_where_nothing_answers_any_more_leaves_the_session_its_ears() {
    let mut stall = Fault::around(&[Fault::no_holes()], Stall::new);
    let long = std::fs::File::create(stall.tree.at("from")).unwrap();
    long.set_len(1 << 40).unwrap();
    let to = stall.mount.point.path("new");
    stall.server.send(&request::copy_file("from", to, 0));
    // Until the copy is under way there.
    let deadline = Instant::now() + PATIENCE;
    while !stall.behind.names("").iter().any(|name| is_unlisted(name)) {
        assert!(Instant::now() < deadline, "no copy is begun");
        std::thread::sleep(Duration::from_millis(5));
    }
    stall.signal(Signal::SIGSTOP);
    hears_a_signal(&mut stall);
}
