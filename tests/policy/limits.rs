//! Limits that hold by whatever way content comes into a file, and a session that can be ended whatever it is at.

use std::fs::{self, File};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::statvfs as free_of;
use nix::unistd::Pid;

use crate::support::fault::Fault;
use crate::support::packet::pflags::{CREAT, READ, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Server, Tree};

#[test]
fn a_copy_of_a_file_that_holds_more_than_its_size_says_stops_at_the_limit() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["--max-file-size", "100"]);
    let from = server.open("/proc/self/status", READ);
    let to = server.open("to", WRITE | CREAT);
    assert!(fs::read("/proc/self/status").unwrap().len() > 200);
    let reply = server.call(&copy_data(&from, 0, 0, &to, 0));
    assert_eq!(
        reply.status().text,
        "Failure: File too large (--max-file-size)"
    );
    assert_eq!(tree.meta("to").len(), 100);
}

#[test]
fn a_copy_of_what_is_at_its_end_is_no_copy_past_the_limit() {
    let tree = Tree::new();
    tree.file("from", "0123456789");
    let mut server = Server::with(&tree, ["--max-file-size", "10"]);
    let (from, to) = (server.open("from", READ), server.open("to", WRITE | CREAT));
    server.ok(&copy_data(&from, 0, 0, &to, 0));
    assert_eq!(tree.read("to"), b"0123456789");
}

#[test]
fn what_stays_free_is_not_taken_by_filling_holes() {
    // A file system of which nobody else takes this much meanwhile.
    let tree = Tree::below("/dev/shm");
    let free = || {
        let figures = free_of(tree.root()).unwrap();
        figures.blocks_available() * figures.fragment_size()
    };
    const MEBI: u64 = 1 << 20;
    let reserve = free() - 64 * MEBI;
    let mut server = Server::with(&tree, ["--reserve-free", &reserve.to_string()]);
    let holes: Vec<_> = (0..4)
        .map(|number| {
            let hole = server.open(format!("hole{number}"), WRITE | CREAT);
            server.ok(&fsetstat(&hole, &Attrs::default().size(40 * MEBI)));
            hole
        })
        .collect();
    let data = vec![1; 128 * 1024];
    let mut refused = None;
    for (hole, number) in holes
        .iter()
        .flat_map(|hole| (0..320).map(move |at| (hole, at)))
    {
        let reply = server.call(&write(hole, number * data.len() as u64, &data));
        if reply.code() != 0 {
            refused = Some(reply.status().text.clone());
            break;
        }
    }
    let text = "Failure: No space left on device (--reserve-free)";
    assert_eq!(refused.as_deref(), Some(text));
}

#[test]
fn a_long_copy_under_a_rule_hears_signals_and_leaves_nothing_half_done() {
    for (flags, left) in [
        (&["--no-delete"][..], 2),
        (&["--atomic-upload"], 1),
        (&["--atomic-upload", "--session-timeout", "1"], 1),
    ] {
        let tree = Tree::new();
        let endless = File::create(tree.at("endless")).unwrap();
        endless.set_len(1 << 38).unwrap();
        let mut server = Fault::around(&[Fault::no_holes()], || Server::with(&tree, flags));
        let from = server.open("endless", READ);
        let to = server.open("to", WRITE | CREAT | TRUNC);
        server.send(&copy_data(&from, 0, 0, &to, 0));
        sleep(Duration::from_millis(500));
        let begun = Instant::now();
        if !flags.contains(&"--session-timeout") {
            kill(Pid::from_raw(server.pid() as i32), Signal::SIGTERM).unwrap();
        }
        server.wait();
        assert!(begun.elapsed() < Duration::from_secs(5), "{flags:?}");
        assert_eq!(tree.names(".").len(), left, "{flags:?}");
    }
}

#[test]
fn a_path_that_links_make_deeper_than_any_is_not_judged_for_ever() {
    let tree = Tree::new();
    let names = |count| vec!["a"; count].join("/");
    fs::create_dir_all(tree.at(names(1500))).unwrap();
    tree.link("link", names(1500));
    let mut free = Server::with(&tree, ["--root", "."]);
    for depth in 1..=700 {
        free.ok(&mkdir(format!("link/{}", names(depth)), &Attrs::default()));
    }
    let mut judged = Server::with(&tree, ["--root", ".", "--hide", "**/*x*/y"]);
    let (within, beyond) = (
        format!("link/{}", names(500)),
        format!("link/{}", names(700)),
    );
    for path in [&within, &beyond] {
        free.call(&stat(path)).attrs();
    }
    judged.call(&stat(&within)).attrs();
    let reply = judged.call(&stat(&beyond));
    assert_eq!(reply.status().text, "Bad message: File name too long");
}
