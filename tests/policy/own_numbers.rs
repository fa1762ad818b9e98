//! What is own where no birth time tells an object from another: on ext4 with small inodes and on FUSE.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::support::mounted::{Kind, Mounted};
use crate::support::packet::pflags::{CREAT, READ, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::wire::{Fields, code};
use crate::support::{Attrs, Launch, Reply, Server, Tree};

const ALL: [Kind; 4] = [Kind::SmallInodes, Kind::Bindfs, Kind::Sshfs, Kind::Exfat];
/// Seconds since the Epoch.
const TIME: u32 = 1_000_000_000;

fn put(server: &mut Server, name: &str, content: &str) {
    let handle = server.open(name, WRITE | CREAT | TRUNC);
    server.ok(&write(&handle, 0, content));
    server.ok(&close(&handle));
}

/// Makes the kernel forget all numbers that nobody holds.
fn forget() {
    fs::write("/proc/sys/vm/drop_caches", "3").expect("root lets the kernel forget");
}

#[test]
fn what_the_session_made_stays_its_own_whatever_becomes_of_its_number() {
    for kind in ALL {
        let mounted = Mounted::new(kind);
        let tree = &mounted.point;
        for rules in [
            &["--drop-box"] as &[&str],
            &["--no-delete"],
            &["--append-only"],
            &["--drop-box", "--atomic-upload"],
            &["--no-delete", "--atomic-upload"],
        ] {
            // Once with a time of whole seconds, as most clients set it.
            for time in [None, Some(TIME)] {
                let mut server = Server::with(tree, rules);
                put(&mut server, "a", "content");
                if let Some(time) = time {
                    server.ok(&setstat("a", &Attrs::NONE.times(time, time)));
                }
                forget();
                assert!(
                    matches!(server.call(&lstat("a")), Reply::Attrs(_)),
                    "{kind:?} {rules:?}"
                );
                server.ok(&rename("a", "b"));
                forget();
                assert!(
                    matches!(server.call(&lstat("b")), Reply::Attrs(_)),
                    "{kind:?} {rules:?}"
                );
                if let Some(time) = time {
                    assert_eq!(
                        tree.meta("b").mtime(),
                        i64::from(time),
                        "{kind:?} {rules:?}"
                    );
                }
                server.ok(&rename("b", "c"));
                assert_eq!(tree.read("c"), b"content");
                server.ok(&remove("c"));
                server.ok(&mkdir("d", &Attrs::NONE));
                forget();
                server.ok(&rename("d", "e"));
                server.ok(&rmdir("e"));
                assert_eq!(tree.names(""), [] as [Vec<u8>; 0], "{kind:?} {rules:?}");
            }
        }
    }
}

#[test]
fn what_gets_the_number_of_an_own_file_that_is_gone_is_foreign() {
    for kind in ALL {
        let mounted = Mounted::new(kind);
        let tree = &mounted.point;
        for rule in ["--drop-box", "--no-delete"] {
            let mut server = Server::with(tree, [rule]);
            put(&mut server, "own", "own");
            let number = tree.meta("own").ino();
            fs::remove_file(tree.at("own")).unwrap();
            let mut met = kind != Kind::Bindfs;
            for index in 0..60 {
                let name = format!("foreign{index}");
                tree.file(&name, "foreign");
                met |= tree.meta(&name).ino() == number;
                assert_ne!(server.code(&remove(&name)), code::OK, "{kind:?} {rule}");
                if rule == "--drop-box" {
                    assert_eq!(server.code(&lstat(&name)), code::NO_SUCH_FILE, "{kind:?}");
                    assert_eq!(
                        server.code(&open(&name, READ, &Attrs::NONE)),
                        code::NO_SUCH_FILE
                    );
                }
                assert_eq!(tree.read(&name), b"foreign");
            }
            // Elsewhere a descriptor keeps the number from being given again.
            assert!(met, "{kind:?}: no file got the number");
            for name in tree.names("") {
                fs::remove_file(tree.at(name)).unwrap();
            }
        }
    }
}

#[test]
fn what_takes_the_name_of_an_own_file_is_foreign() {
    for kind in ALL {
        let mounted = Mounted::new(kind);
        let tree = &mounted.point;
        let mut server = Server::with(tree, ["--no-delete"]);
        put(&mut server, "own", "own");
        tree.file("foreign", "foreign");
        fs::rename(tree.at("foreign"), tree.at("own")).unwrap();
        assert_ne!(server.code(&remove("own")), code::OK, "{kind:?}");
        assert_eq!(tree.read("own"), b"foreign", "{kind:?}");
    }
}

#[test]
fn an_upload_and_a_copy_that_stand_there_are_told_so() {
    for kind in ALL {
        let mounted = Mounted::new(kind);
        let tree = &mounted.point;
        let mut server = Server::with(tree, ["--atomic-upload"]);
        for content in ["new", "over it"] {
            put(&mut server, "a", content);
            assert_eq!(tree.read("a"), content.as_bytes(), "{kind:?}");
        }
        server.ok(&copy_file("a", "b", 0));
        assert_eq!(tree.read("b"), b"over it", "{kind:?}");
        // Renamed to another directory before it is closed.
        tree.dir("dir");
        let handle = server.open("c", WRITE | CREAT);
        server.ok(&write(&handle, 0, "moved"));
        server.ok(&rename("c", "dir/c"));
        server.ok(&close(&handle));
        assert_eq!(tree.read("dir/c"), b"moved", "{kind:?}");
        let mut plain = Server::start(tree);
        plain.ok(&copy_file("a", "d", 0));
        assert_eq!(tree.read("d"), b"over it", "{kind:?}");
    }
}

#[test]
fn what_is_kept_by_descriptors_leaves_room_for_the_handles_that_are_promised() {
    let mounted = Mounted::new(Kind::SmallInodes);
    let tree = &mounted.point;
    let limits = ["prlimit", "--nofile=160:160"];
    let launch = Launch::new(tree).through(&limits).arg("--drop-box");
    let mut server = launch.connect();
    for index in 0..50 {
        put(&mut server, &format!("own{index}"), "own");
    }
    let reply = server.call(&crate::support::request::limits());
    let mut fields = Fields(reply.extended());
    let promised = (0..4).map(|_| fields.uint64()).last().unwrap();
    assert!(promised > 20, "{promised}");
    for index in 0..promised {
        server.open(format!("open{index}"), WRITE | CREAT);
    }
    // The newest are known, and older ones are foreign.
    assert!(matches!(
        server.call(&lstat("open0")),
        Reply::Attrs(_) | Reply::Status(_)
    ));
    assert_eq!(server.code(&remove("own0")), code::NO_SUCH_FILE);
    assert!(tree.has("own0"));
}

#[test]
fn a_file_that_is_taken_away_gives_its_room_back_when_its_session_ends() {
    let mounted = Mounted::new(Kind::SmallInodes);
    let tree: &Tree = &mounted.point;
    let mut server = Server::with(tree, ["--drop-box"]);
    put(&mut server, "own", "own");
    let number = tree.meta("own").ino();
    fs::remove_file(tree.at("own")).unwrap();
    drop(server);
    tree.file("next", "");
    assert_eq!(tree.meta("next").ino(), number);
}
