//! A file that is large is freed extent by extent, which can take the kernel long: a thread does that, whichever request brings it about.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::slow_storage::is_exiting;
use crate::support::fault::Fault;
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Packet, Server, Tree, request, under_test};

/// In bytes; not sparse.
const LARGE: usize = 9 << 20;

/// What freeing takes, in microseconds of strace, and how soon a signal is to be heard meanwhile.
const DELAY: u64 = 3_000_000;
const SOON: Duration = Duration::from_millis(1500);

type Ask<'a> = &'a dyn Fn(&mut Server) -> Packet;

/// Sends what `ask` makes to a session in which these system calls take long: it hears a signal meanwhile.
#[track_caller]
fn hears(calls: &str, jail: bool, ask: Ask) {
    let tree = Tree::new();
    tree.file("large", vec![b'x'; LARGE]);
    tree.file("small", "");
    let inject = format!("{calls}:delay_enter={DELAY}");
    let mut launch = Fault::traced(&inject, under_test(), &tree);
    if jail {
        launch = launch.args(["--root", tree.root().to_str().unwrap()]);
    }
    let mut server = launch.connect();
    let request = ask(&mut server);
    server.send(&request);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!server.has_packet(), "{request:?} was answered already");
    kill(Pid::from_raw(server.pid() as i32), Signal::SIGTERM).unwrap();
    let called = Instant::now();
    while !is_exiting(&server) {
        let heard = called.elapsed() < SOON;
        assert!(heard, "{request:?} keeps the session deaf, jail: {jail}");
        std::thread::sleep(Duration::from_millis(5));
    }
    server.wait();
}

#[test]
fn a_large_file_that_is_removed_replaced_or_cut_keeps_nobody_waiting() {
    let emptied = Attrs::NONE.size(0);
    let requests: [(&str, Ask); 4] = [
        ("unlinkat", &|_| request::remove("large")),
        ("renameat", &|_| request::posix_rename("small", "large")),
        ("ftruncate", &|_| request::setstat("large", &emptied)),
        ("ftruncate", &|server| {
            let handle = server.open("large", pflags::WRITE);
            request::fsetstat(&handle, &emptied)
        }),
    ];
    for (calls, request) in requests {
        for jail in [false, true] {
            hears(calls, jail, request);
        }
    }
}

/// How many threads a session has.
fn threads(server: &Server) -> usize {
    let tasks = format!("/proc/{}/task", server.pid());
    std::fs::read_dir(tasks).unwrap().count()
}

#[test]
fn a_large_file_is_emptied_by_an_open_and_freed_by_a_close_in_a_thread_and_a_small_one_is_not() {
    let tree = Tree::new();
    let root = tree.root().to_str().unwrap();
    let emptying = pflags::WRITE | pflags::CREAT | pflags::TRUNC;
    let launches: [&[&str]; 3] = [&[], &["--root", root], &["--atomic-upload"]];
    for flags in launches {
        for (length, aside) in [(100, false), (LARGE, true)] {
            tree.file("f", vec![b'x'; length]);
            let mut server = Launch::new(&tree).args(flags).connect();
            let handle = server.open("f", emptying);
            server.ok(&request::write(&handle, 0, "new"));
            server.close(&handle);
            assert_eq!(threads(&server) > 1, aside, "OPEN {flags:?} {length}");
            assert_eq!(tree.read("f"), b"new");
            server.finish();

            tree.file("f", vec![b'x'; length]);
            let mut server = Launch::new(&tree).args(flags).connect();
            let handle = server.open("f", pflags::READ);
            // What it reaches to is known where it was looked at, or read.
            let end = length.saturating_sub(1000) as u64;
            server.call(&request::read(&handle, end, 1000)).data();
            std::fs::remove_file(tree.at("f")).unwrap();
            server.close(&handle);
            assert_eq!(threads(&server) > 1, aside, "CLOSE {flags:?} {length}");
            server.finish();
        }
    }
}
