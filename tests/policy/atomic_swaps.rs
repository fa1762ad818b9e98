//! `--atomic-upload` beside a neighbour, another process of the same user, who puts something of its own where the upload is, or where
//! it goes: a CLOSE publishes the session's bytes or fails, and what is the neighbour's is neither written to nor removed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::fault::Fault;
use crate::support::request::*;
use crate::support::wire::pflags::{CREAT, TRUNC, WRITE};
use crate::support::{Launch, Reply, Server, Tree, show, under_test};

const UPLOAD: u32 = WRITE | CREAT | TRUNC;
const BAIT: &str = "not for this session";

/// What the neighbour puts there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Swap {
    Nothing,
    File,
    Link,
    HardLink,
    Dir,
    FullDir,
    Fifo,
}

const ALL: [Swap; 7] = [
    Swap::Nothing,
    Swap::File,
    Swap::Link,
    Swap::HardLink,
    Swap::Dir,
    Swap::FullDir,
    Swap::Fifo,
];

/// A root in a tree with a bait beside it, and one in it that the rules may name.
struct Ground {
    tree: Tree,
    server: Server,
}

impl Ground {
    fn new(jailed: bool, flags: &[&str]) -> Self {
        let tree = Tree::new();
        tree.dir("root");
        tree.file("root/secret", BAIT);
        tree.file("outside", BAIT);
        let root = tree.at("root");
        let launch = Launch::new(&root).arg("--atomic-upload").args(flags);
        let launch = match jailed {
            true => launch.arg("--root").arg(&root),
            false => launch,
        };
        let server = launch.connect();
        Self { tree, server }
    }

    /// The unlisted names.
    fn hidden(&self) -> Vec<String> {
        let names = self.tree.names("root").into_iter().map(show);
        names
            .filter(|name| name.starts_with(".sftp-server-upload."))
            .map(|name| format!("root/{name}"))
            .collect()
    }

    /// Half an upload to `root/file`, and the name that it has until it is closed.
    fn begin(&mut self) -> (Vec<u8>, String) {
        let handle = self.server.open("file", UPLOAD);
        self.server.ok(&write(&handle, 0, "ours"));
        let hidden = self.hidden();
        assert_eq!(hidden.len(), 1);
        (handle, hidden[0].clone())
    }

    /// Takes away what has this name, and puts something else there; the device and inode of that.
    fn swap(&self, name: &str, swap: Swap) -> Option<(u64, u64)> {
        let tree = &self.tree;
        if tree.has(name) {
            fs::rename(tree.at(name), tree.at("taken")).unwrap();
        }
        match swap {
            Swap::Nothing => return None,
            Swap::File => drop(tree.file(name, BAIT)),
            Swap::Link => drop(tree.link(name, tree.path("outside"))),
            Swap::HardLink => fs::hard_link(tree.at("root/secret"), tree.at(name)).unwrap(),
            Swap::Dir => drop(tree.dir(name)),
            Swap::FullDir => {
                tree.dir(name);
                tree.file(format!("{name}/inner"), BAIT);
            }
            Swap::Fifo => drop(tree.fifo(name)),
        }
        Some(self.identity(name))
    }

    fn identity(&self, name: &str) -> (u64, u64) {
        let meta = self.tree.meta(name);
        (meta.dev(), meta.ino())
    }

    fn baits_are_untouched(&self) {
        assert_eq!(self.tree.read("root/secret"), BAIT.as_bytes());
        assert_eq!(self.tree.read("outside"), BAIT.as_bytes());
        assert_eq!(self.tree.meta("outside").nlink(), 1);
    }

    /// The session goes on, and the next upload is as good as any.
    fn goes_on(&mut self) {
        let handle = self.server.open("another", UPLOAD);
        self.server.ok(&write(&handle, 0, "another"));
        self.server.close(&handle);
        assert_eq!(self.tree.read("root/another"), b"another");
    }
}

/// Every view and rule, with an upload over what is there, if the rule lets that be, and to a free name.
fn everywhere(test: impl Fn(&mut Ground, bool, &str)) {
    for jailed in [false, true] {
        for flags in [
            &[][..],
            &["--no-overwrite"],
            &["--no-delete"],
            &["--deny", "secret"],
            &["--hide", "**/secret"],
            &["--drop-box"],
        ] {
            for over in [false, true] {
                if over
                    && ["--no-overwrite", "--drop-box"]
                        .iter()
                        .any(|flag| flags.contains(flag))
                {
                    continue;
                }
                let mut ground = Ground::new(jailed, flags);
                if over {
                    ground.tree.file("root/file", "what was there");
                }
                test(&mut ground, over, &format!("{jailed} {flags:?} {over}"));
            }
        }
    }
}

#[test]
fn what_is_put_in_the_place_of_an_upload_is_neither_published_nor_removed() {
    for swap in ALL {
        everywhere(|ground, over, what| {
            let what = format!("{what} {swap:?}");
            let (handle, hidden) = ground.begin();
            let there = ground.swap(&hidden, swap);
            let reply = ground.server.call(&close(&handle));
            let text = match swap {
                Swap::Nothing => "No such file",
                _ => "Failure: Stale file handle",
            };
            assert_eq!(reply.status().text, text, "{what}");
            if over {
                assert_eq!(ground.tree.read("root/file"), b"what was there", "{what}");
            } else {
                assert!(!ground.tree.has("root/file"), "{what}");
            }
            match there {
                Some(there) => assert_eq!(ground.identity(&hidden), there, "{what}"),
                None => assert!(!ground.tree.has(&hidden), "{what}"),
            }
            ground.baits_are_untouched();
            ground.goes_on();
        });
    }
}

#[test]
fn nor_is_it_removed_where_the_upload_is_given_up() {
    for swap in [Swap::File, Swap::Link, Swap::HardLink] {
        for end in 0..3 {
            let mut ground = Ground::new(true, &[]);
            let (_handle, hidden) = ground.begin();
            let there = ground.swap(&hidden, swap);
            match end {
                // For the client the upload is gone, and its name with it.
                0 => assert_eq!(ground.server.code(&remove("file")), 0),
                1 => {
                    ground.server.close_input();
                    ground.server.wait();
                }
                _ => {
                    let pid = nix::unistd::Pid::from_raw(ground.server.pid() as i32);
                    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
                    ground.server.wait();
                }
            }
            assert_eq!(Some(ground.identity(&hidden)), there, "{swap:?} {end}");
            ground.baits_are_untouched();
        }
    }
}

#[test]
fn nor_is_it_carried_along_where_the_upload_is_renamed() {
    for swap in [Swap::File, Swap::HardLink, Swap::Dir] {
        let mut ground = Ground::new(true, &[]);
        ground.tree.dir("root/dir");
        let (handle, hidden) = ground.begin();
        let there = ground.swap(&hidden, swap);
        let reply = ground.server.call(&rename("file", "dir/file"));
        assert_eq!(
            reply.status().text,
            "Failure: Stale file handle",
            "{swap:?}"
        );
        assert_eq!(Some(ground.identity(&hidden)), there, "{swap:?}");
        assert_eq!(ground.tree.names("root/dir").len(), 0, "{swap:?}");
        assert_ne!(ground.server.code(&close(&handle)), 0);
        ground.baits_are_untouched();
    }
}

#[test]
fn what_is_put_where_an_upload_goes_is_replaced_as_a_name_or_stays() {
    for swap in ALL {
        everywhere(|ground, over, what| {
            let what = format!("{what} {swap:?}");
            let (handle, hidden) = ground.begin();
            let there = ground.swap("root/file", swap);
            let reply = ground.server.call(&close(&handle));
            let refused = match swap {
                _ if what.contains("--no-overwrite") && there.is_some() => {
                    Some("Permission denied: --no-overwrite")
                }
                // To tell of it would be to tell of a foreign object.
                _ if what.contains("--drop-box") && there.is_some() => Some("No such file"),
                Swap::Dir | Swap::FullDir => Some("Failure: Is a directory"),
                _ => None,
            };
            match refused {
                Some(text) => {
                    assert_eq!(reply.status().text, text, "{what}");
                    assert_eq!(Some(ground.identity("root/file")), there, "{what}");
                }
                None => {
                    assert_eq!(reply.code(), 0, "{what}: {reply:?}");
                    assert!(ground.tree.meta("root/file").is_file(), "{what}");
                    assert_eq!(ground.tree.read("root/file"), b"ours", "{what}");
                }
            }
            if over {
                assert_eq!(ground.tree.read("taken"), b"what was there", "{what}");
            }
            assert!(!ground.tree.has(&hidden), "{what}");
            ground.baits_are_untouched();
            ground.goes_on();
        });
    }
}

#[test]
fn what_is_put_there_after_the_last_look_is_not_told_to_be_published() {
    for over in [false, true] {
        let tree = Tree::new();
        tree.file("bait", BAIT);
        if over {
            tree.file("file", "what was there");
        }
        // The session stands still between its look at the unlisted name and the rename, in microseconds.
        let rename = "renameat2,renameat,rename:delay_enter=400000";
        let mut server = Fault::traced(rename, under_test(), &tree)
            .args(["--root", ".", "--atomic-upload"])
            .connect();
        let handle = server.open("file", UPLOAD);
        server.ok(&write(&handle, 0, "ours"));
        let names = tree.names(".").into_iter().map(show);
        let mut names = names.filter(|name| name.starts_with(".sftp-server-upload."));
        let hidden: PathBuf = tree.at(names.next().unwrap());
        server.send(&close(&handle));
        thread::sleep(Duration::from_millis(200));
        fs::hard_link(tree.at("bait"), tree.at("draft")).unwrap();
        fs::rename(tree.at("draft"), &hidden).unwrap();
        let (_, reply) = server.receive();
        assert_eq!(reply.status().text, "Failure: Stale file handle", "{over}");
        assert_eq!(tree.read("bait"), BAIT.as_bytes());
        assert!(tree.has("bait"));
    }
}

#[test]
fn who_takes_a_file_away_as_soon_as_it_appears_does_no_harm() {
    let tree = Tree::new();
    let rename = "renameat2:delay_exit=400000";
    let mut server = Fault::traced(rename, under_test(), &tree)
        .args(["--root", ".", "--atomic-upload"])
        .connect();
    let handle = server.open("file", UPLOAD);
    server.ok(&write(&handle, 0, "ours"));
    server.send(&close(&handle));
    thread::sleep(Duration::from_millis(200));
    fs::rename(tree.at("file"), tree.at("collected")).unwrap();
    let (_, reply) = server.receive();
    assert_eq!(reply.code(), 0, "{reply:?}");
    assert_eq!(tree.read("collected"), b"ours");
}

#[test]
fn at_whatever_moment_it_is_put_there_no_answer_is_false() {
    const LONG: Duration = Duration::from_millis(1200);
    for flags in [
        &["--deny", "secret"][..],
        &["--hide", "secret", "--no-overwrite"],
    ] {
        let mut ground = Ground::new(true, flags);
        let root = ground.tree.at("root");
        let done = &AtomicBool::new(false);
        let swaps = thread::scope(|scope| {
            let neighbour = scope.spawn(move || {
                let mut swaps = 0;
                while !done.load(Ordering::Relaxed) {
                    for entry in fs::read_dir(&root).unwrap().flatten() {
                        let name = entry.file_name().into_string().unwrap();
                        if name.starts_with(".sftp-server-upload.") {
                            let _ = fs::hard_link(root.join("secret"), root.join("draft"));
                            let _ = fs::rename(root.join("draft"), entry.path());
                            swaps += 1;
                        }
                    }
                }
                swaps
            });
            // A test that fails must not leave the neighbour at work.
            struct End<'a>(&'a AtomicBool);
            impl Drop for End<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
            let end = End(done);
            let (started, mut published, mut refused) = (Instant::now(), 0, 0);
            let mut number = 0;
            while started.elapsed() < LONG || published == 0 || refused == 0 {
                assert!(started.elapsed() < 10 * LONG, "{published} and {refused}");
                number += 1;
                let name = format!("file{number}");
                if number % 2 == 0 && !flags.contains(&"--no-overwrite") {
                    ground.tree.file(format!("root/{name}"), "what was there");
                }
                let handle = ground.server.open(&name, UPLOAD);
                ground.server.ok(&write(&handle, 0, "ours"));
                let reply = ground.server.call(&close(&handle));
                match reply {
                    Reply::Status(status) if status.code == 0 => {
                        published += 1;
                        let content = ground.tree.read(format!("root/{name}"));
                        assert_eq!(show(content), "ours", "told to be published");
                    }
                    refusal => {
                        refused += 1;
                        let text = &refusal.status().text;
                        assert_eq!(text, "Failure: Stale file handle");
                    }
                }
                // What the neighbour has put there is the neighbour's to take away.
                for hidden in ground.hidden() {
                    let _ = fs::remove_file(ground.tree.at(hidden));
                }
            }
            println!("{flags:?}: {published} were published, {refused} refused");
            drop(end);
            neighbour.join().unwrap()
        });
        assert!(swaps > 0);
        ground.baits_are_untouched();
        ground.goes_on();
    }
}
