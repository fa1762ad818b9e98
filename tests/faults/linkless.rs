//! File systems of FUSE that can neither refuse to replace nor link, and what they say of it: they get the best that they allow.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;

use crate::support::fault::Fault;
use crate::support::mounted::{Kind, Mounted};
use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::wire::code;
use crate::support::{Attrs, Launch, Reply, Server, Tree};

fn put(server: &mut Server, name: &str, content: &str) -> u32 {
    let handle = match server.call(&open(name, WRITE | CREAT | TRUNC, &Attrs::NONE)) {
        Reply::Handle(handle) => handle,
        reply => return reply.code(),
    };
    let written = server.code(&write(&handle, 0, content));
    let closed = server.code(&close(&handle));
    written.max(closed)
}

#[test]
fn a_new_file_is_uploaded_atomically_whatever_link_says() {
    for errno in [libc::EPERM, libc::EIO, libc::ERANGE, libc::EMLINK] {
        let tree = Tree::new();
        let faults = [
            Fault::new(libc::SYS_renameat2, libc::EINVAL),
            Fault::new(libc::SYS_linkat, errno),
        ];
        let launch = Launch::new(&tree).args(["--atomic-upload", "--no-overwrite"]);
        let mut server = Fault::around(&faults, || launch.connect());
        assert_eq!(put(&mut server, "a", "content"), code::OK, "errno {errno}");
        assert_eq!(tree.read("a"), b"content");
        // Judged again when it is closed.
        let handle = server.open("b", WRITE | CREAT);
        server.ok(&write(&handle, 0, "of the session"));
        tree.file("b", "of a neighbour");
        assert_ne!(server.code(&close(&handle)), code::OK, "errno {errno}");
        assert_eq!(tree.read("b"), b"of a neighbour");
        server.ok(&copy_file("a", "c", 0));
        assert_eq!(
            tree.names(""),
            [b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]
        );
    }
}

#[test]
fn the_name_of_an_atomic_upload_is_never_seen_before_the_file_is_whole() {
    let mounted = Mounted::new(Kind::Exfat);
    let tree = &mounted.point;
    let ended = AtomicBool::new(false);
    let (content, length) = ("x".repeat(1000), 1000);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut seen = HashMap::new();
            while !ended.load(Ordering::Relaxed) {
                for entry in fs::read_dir(tree.root()).unwrap().flatten() {
                    let name = entry.file_name().into_encoded_bytes();
                    if name.starts_with(b"n") && !seen.contains_key(&name) {
                        // By its name, and not by what the listing remembers.
                        let size = fs::metadata(entry.path()).unwrap().len();
                        seen.insert(name, size);
                    }
                }
            }
            seen
        });
        let flags = ["--atomic-upload", "--no-overwrite", "--no-delete"];
        let mut server = Server::with(tree, flags);
        for index in 0..60 {
            assert_eq!(put(&mut server, &format!("n{index}"), &content), code::OK);
            thread::sleep(Duration::from_millis(5));
        }
        ended.store(true, Ordering::Relaxed);
        let seen = watch.join().unwrap();
        assert!(seen.len() > 30, "{} were seen", seen.len());
        assert!(seen.values().all(|size| *size == length), "{seen:?}");
    });
}

#[test]
fn a_rename_never_takes_the_place_of_what_another_session_has_just_put_there() {
    let mounted = Mounted::new(Kind::Exfat);
    let tree = &mounted.point;
    let (mut renames, mut puts) = (Server::start(tree), Server::start(tree));
    let mut both = 0;
    for round in 0..400 {
        assert_eq!(put(&mut renames, "old", "renamed"), code::OK);
        renames.send(&rename("old", "new"));
        let until = Instant::now() + Duration::from_micros(100 * (round % 60));
        while Instant::now() < until {}
        let put = put(&mut puts, "new", "of the put");
        let renamed = renames.receive().1.code();
        both += usize::from(put == code::OK && renamed == code::OK);
        if put == code::OK {
            assert_eq!(
                tree.read("new"),
                b"of the put",
                "round {round}: rename {renamed}"
            );
        } else if renamed == code::OK {
            assert_eq!(tree.read("new"), b"renamed", "round {round}");
        }
        if renamed != code::OK {
            assert_eq!(tree.read("old"), b"renamed", "round {round}");
            fs::remove_file(tree.at("old")).unwrap();
        }
        // Where both were refused nothing need be left of it.
        if tree.has("new") {
            fs::remove_file(tree.at("new")).unwrap();
        }
    }
    assert!(both > 0, "no put came behind a rename");
}

#[test]
fn of_sessions_that_take_one_name_at_once_one_wins() {
    let mounted = Mounted::new(Kind::Exfat);
    let tree = &mounted.point;
    let flags = ["--atomic-upload", "--no-overwrite"];
    let mut servers = [Server::with(tree, flags), Server::with(tree, flags)];
    for round in 0..100 {
        let begin = |index: usize, server: &mut Server| {
            let handle = server.open("target", WRITE | CREAT);
            server.ok(&write(&handle, 0, format!("of {index}")));
            handle
        };
        let handles = [begin(0, &mut servers[0]), begin(1, &mut servers[1])];
        for (server, handle) in servers.iter_mut().zip(&handles) {
            server.send(&close(handle));
        }
        let codes = servers.each_mut().map(|server| server.receive().1.code());
        let won = codes.iter().filter(|code| **code == code::OK).count();
        assert_eq!(won, 1, "round {round}: {codes:?}");
        let winner = usize::from(codes[1] == code::OK);
        assert_eq!(tree.read("target"), format!("of {winner}").into_bytes());
        fs::remove_file(tree.at("target")).unwrap();
    }
}
