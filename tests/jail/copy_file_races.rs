//! `copy-file` beside a neighbour, another process of the same user, who changes names while a copy goes on: what is the neighbour's is neither
//! written to nor removed, and the source is never lost.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::fault::Fault;
use crate::support::request::copy_file;
use crate::support::wire::PATIENCE;
use crate::support::{OURS, Reply, Server, Tree, show};

const BAIT: &str = "not for this session";
const CONTENT: &str = "the source";
const OLD: &str = "what was there";

/// What the neighbour puts there.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Swap {
    Nothing,
    File,
    Link,
    HardLink,
    /// A second name of the source.
    Source,
    LinkToSource,
    Dir,
    FullDir,
    Fifo,
}

const ALL: [Swap; 9] = [
    Swap::Nothing,
    Swap::File,
    Swap::Link,
    Swap::HardLink,
    Swap::Source,
    Swap::LinkToSource,
    Swap::Dir,
    Swap::FullDir,
    Swap::Fifo,
];

/// A root with a source and a secret, a bait beside it, and a session in which these calls take longer.
struct Ground {
    tree: Tree,
    server: Server,
}

impl Ground {
    fn new(jailed: bool, calls: &str) -> Self {
        Self::with(jailed, calls, &[])
    }

    fn with(jailed: bool, calls: &str, flags: &[&str]) -> Self {
        let tree = Tree::new();
        tree.dir("root/d");
        tree.file("root/source", CONTENT);
        tree.file("root/secret", BAIT);
        tree.file("outside", BAIT);
        let launch = Fault::traced(calls, OURS, tree.at("root")).args(flags);
        let server = match jailed {
            true => launch.arg("--root").arg(tree.at("root")).connect(),
            false => launch.connect(),
        };
        Self { tree, server }
    }

    /// Begins a copy to `d/to`, and waits until it is being written: the name that it has.
    fn begin(&mut self, overwrite: u8) -> String {
        self.server.send(&copy_file("source", "d/to", overwrite));
        let deadline = Instant::now() + PATIENCE;
        loop {
            let names = self.tree.names("root/d").into_iter().map(show);
            if let Some(name) = names.into_iter().find(|name| is_unlisted(name)) {
                return format!("root/d/{name}");
            }
            assert!(Instant::now() < deadline, "no copy is begun");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes away what has this name, and puts something else there; the device and inode of that.
    fn swap(&self, name: &str, swap: Swap) -> Option<(u64, u64)> {
        let tree = &self.tree;
        if tree.has(name) {
            fs::rename(tree.at(name), tree.at("taken")).unwrap();
        }
        let second = |of: &str| fs::hard_link(tree.at(of), tree.at(name)).unwrap();
        match swap {
            Swap::Nothing => return None,
            Swap::File => drop(tree.file(name, BAIT)),
            Swap::Link => drop(tree.link(name, tree.path("outside"))),
            Swap::HardLink => second("root/secret"),
            Swap::Source => second("root/source"),
            Swap::LinkToSource => drop(tree.link(name, "../source")),
            Swap::Dir => drop(tree.dir(name)),
            Swap::FullDir => {
                tree.dir(name);
                tree.file(format!("{name}/inner"), BAIT);
            }
            Swap::Fifo => {
                nix::unistd::mkfifo(&tree.at(name), nix::sys::stat::Mode::S_IRWXU).unwrap();
            }
        }
        Some(self.identity(name))
    }

    fn identity(&self, name: &str) -> (u64, u64) {
        let meta = self.tree.meta(name);
        (meta.dev(), meta.ino())
    }

    #[track_caller]
    fn all_is_well(&self) {
        assert_eq!(show(self.tree.read("root/source")), CONTENT);
        assert_eq!(show(self.tree.read("root/secret")), BAIT);
        assert_eq!(show(self.tree.read("outside")), BAIT);
        assert_eq!(self.tree.meta("outside").nlink(), 1);
    }

    #[track_caller]
    fn nothing_is_unlisted(&self) {
        let names = self.tree.names("root/d").into_iter().map(show);
        assert_eq!(names.filter(|name| is_unlisted(name)).count(), 0);
    }
}

fn is_unlisted(name: &str) -> bool {
    name.starts_with(".sftp-server-upload.")
}

fn text(reply: &Reply) -> &str {
    &reply.status().text
}

/// Between two pieces there is time for a neighbour, in microseconds.
const SLOW_CONTENT: &str = "copy_file_range:delay_enter=60000";

#[test]
fn what_appears_where_a_copy_goes_stays_unless_it_is_to_be_overwritten() {
    for jailed in [false, true] {
        for swap in &ALL[1..] {
            let mut ground = Ground::new(jailed, SLOW_CONTENT);
            ground.begin(0);
            let there = ground.swap("root/d/to", *swap);
            let (_, reply) = ground.server.receive();
            assert_eq!(text(&reply), "Failure: File exists", "{swap:?}");
            assert_eq!(Some(ground.identity("root/d/to")), there, "{swap:?}");
            ground.nothing_is_unlisted();
            ground.all_is_well();
        }
    }
}

#[test]
fn nor_is_it_lost_where_it_appears_after_the_last_look() {
    for jailed in [false, true] {
        for swap in [Swap::File, Swap::Source, Swap::Link, Swap::Dir] {
            // The session stands still between its look at the destination and the rename.
            let mut ground = Ground::new(jailed, "renameat2:delay_enter=400000");
            ground.begin(0);
            std::thread::sleep(Duration::from_millis(150));
            let there = ground.swap("root/d/to", swap);
            let (_, reply) = ground.server.receive();
            assert_eq!(text(&reply), "Failure: File exists", "{swap:?}");
            assert_eq!(Some(ground.identity("root/d/to")), there, "{swap:?}");
            ground.nothing_is_unlisted();
            ground.all_is_well();
        }
    }
}

#[test]
fn what_is_put_where_a_copy_goes_is_replaced_as_a_name_or_stays() {
    for jailed in [false, true] {
        for over in [false, true] {
            for swap in ALL {
                let what = format!("{jailed} {over} {swap:?}");
                let mut ground = Ground::new(jailed, SLOW_CONTENT);
                if over {
                    ground.tree.file("root/d/to", OLD);
                }
                ground.begin(1);
                let there = ground.swap("root/d/to", swap);
                let (_, reply) = ground.server.receive();
                if matches!(swap, Swap::Dir | Swap::FullDir) {
                    assert_eq!(text(&reply), "Failure: Is a directory", "{what}");
                    assert_eq!(Some(ground.identity("root/d/to")), there, "{what}");
                } else {
                    assert_eq!(reply.code(), 0, "{what}: {reply:?}");
                    assert!(ground.tree.meta("root/d/to").is_file(), "{what}");
                    assert_eq!(show(ground.tree.read("root/d/to")), CONTENT, "{what}");
                    assert_ne!(Some(ground.identity("root/d/to")), there, "{what}");
                }
                if over {
                    assert_eq!(show(ground.tree.read("taken")), OLD, "{what}");
                }
                ground.nothing_is_unlisted();
                ground.all_is_well();
            }
        }
    }
}

#[test]
fn what_is_put_in_the_place_of_a_copy_is_neither_published_nor_removed() {
    for jailed in [false, true] {
        for swap in ALL {
            let what = format!("{jailed} {swap:?}");
            let mut ground = Ground::new(jailed, SLOW_CONTENT);
            ground.tree.file("root/d/to", OLD);
            let unlisted = ground.begin(1);
            let there = ground.swap(&unlisted, swap);
            let (_, reply) = ground.server.receive();
            let said = match swap {
                Swap::Nothing => "No such file",
                _ => "Failure: Stale file handle",
            };
            assert_eq!(text(&reply), said, "{what}");
            assert_eq!(show(ground.tree.read("root/d/to")), OLD, "{what}");
            match there {
                Some(there) => assert_eq!(ground.identity(&unlisted), there, "{what}"),
                None => assert!(!ground.tree.has(&unlisted), "{what}"),
            }
            ground.all_is_well();
        }
    }
}

/// As the manual has it, a directory that the session holds stays what it is, wherever it goes; with the locks nothing is changed there any more,
/// nor removed. What has its path by then is not touched.
#[test]
fn a_directory_that_leaves_the_root_in_the_middle_takes_its_copy_along_or_has_none() {
    for (over, locked) in [(false, false), (true, false), (false, true), (true, true)] {
        let flags = ["--sandbox", "off"];
        let flags = if locked { &[][..] } else { &flags };
        let mut ground = Ground::with(true, SLOW_CONTENT, flags);
        let tree = &ground.tree;
        tree.dir("bait");
        tree.file("bait/to", BAIT);
        if over {
            tree.file("root/d/to", OLD);
        }
        ground.begin(u8::from(over));
        let tree = &ground.tree;
        fs::rename(tree.at("root/d"), tree.at("gone")).unwrap();
        tree.link("root/d", "../bait");
        let (_, reply) = ground.server.receive();
        let tree = &ground.tree;
        if locked {
            assert_eq!(text(&reply), "Permission denied", "{over}");
            assert_eq!(tree.has("gone/to"), over);
            if over {
                assert_eq!(show(tree.read("gone/to")), OLD);
            }
        } else {
            assert_eq!(reply.code(), 0, "{reply:?}");
            assert_eq!(tree.names("gone"), [b"to"]);
            assert_eq!(show(tree.read("gone/to")), CONTENT);
        }
        assert_eq!(tree.names("bait"), [b"to"]);
        assert_eq!(show(tree.read("bait/to")), BAIT);
        ground.all_is_well();
    }
}

/// The steps of a neighbour, each at whatever moment of a copy; `draft` is another name for what comes to stand there.
fn step(root: &Path, number: usize) {
    let [source, to, draft] = ["source", "d/to", "draft"].map(|name| root.join(name));
    let _ = fs::remove_file(&draft);
    let made = match number % 7 {
        0 => fs::hard_link(&source, &draft),
        1 => std::os::unix::fs::symlink("../source", &draft),
        2 => fs::write(&draft, OLD),
        3 => {
            // A file of two names is written as it stands.
            let _ = fs::write(&draft, OLD);
            let _ = fs::remove_file(root.join("second"));
            fs::hard_link(&draft, root.join("second"))
        }
        4 => std::os::unix::fs::symlink("nowhere", &draft),
        5 => {
            let _ = fs::remove_file(&to);
            return;
        }
        _ => {
            // The source itself, which then has both names, unless a copy has come in between: that is as good.
            let _ = fs::rename(&source, &to);
            // The kernel links nothing that loses its last name just then.
            for _ in 0..1000 {
                if fs::hard_link(&to, &source).is_ok() {
                    break;
                }
            }
            return;
        }
    };
    if made.is_ok() {
        let _ = fs::rename(&draft, &to);
    }
}

#[test]
fn whatever_becomes_of_the_destination_the_source_is_not_lost() {
    const LONG: Duration = Duration::from_millis(2500);
    let content = "0123456789".repeat(20_000);
    for args in [&[][..], &["--root", "."]] {
        let tree = Tree::new();
        tree.dir("d");
        tree.file("source", &content);
        let mut server = Server::with(&tree, args);
        let (root, done) = (tree.root(), &AtomicBool::new(false));
        let (mut copied, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            let neighbour = scope.spawn(move || {
                let mut number = 0;
                while !done.load(Ordering::Relaxed) {
                    step(root, number);
                    number += 1;
                }
                number
            });
            // A test that fails must not leave the neighbour at work.
            let end = End(done);
            let started = Instant::now();
            while started.elapsed() < LONG || copied == 0 || refused == 0 {
                assert!(started.elapsed() < 10 * LONG, "{copied} and {refused}");
                match server.call(&copy_file("source", "d/to", 1)).code() {
                    0 => copied += 1,
                    _ => refused += 1,
                }
                // For a moment it has only its other name.
                if let Ok(source) = fs::read(tree.at("source")) {
                    assert!(source == content.as_bytes(), "it is lost");
                }
            }
            drop(end);
            assert!(neighbour.join().unwrap() > 100);
        });
        println!("{args:?}: {copied} were copied, {refused} refused");
        assert!(tree.read("source") == content.as_bytes(), "it is lost");
        let names = tree.names("d").into_iter().map(show);
        assert_eq!(names.filter(|name| is_unlisted(name)).count(), 0);
    }
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
