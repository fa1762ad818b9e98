//! What is own is judged, and only that is acted on: a neighbour, another process as far as the kernel can tell, exchanges it at full speed with what is
//! foreign, which is neither lost nor changed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::own_names::Small;
use crate::support::fault::Fault;
use crate::support::packet::Packet;
use crate::support::packet::pflags::{CREAT, EXCL, READ, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Reply, Server, Tree, under_test};

/// How often the neighbour exchanges the two, at least, beside each request: some 10^5 times in all.
const SWAPS: usize = 2_000;
/// So often at least a request is carried out, on what is own.
const DONE: usize = 20;
/// After so many attempts in vain the race begins anew.
const VAIN: usize = 2_000;
/// How long all of that may take, and how long the naive way may take to be caught.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the neighbour puts in the place of `root/x`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    File,
    Dir,
    FullDir,
}

/// A root, and a store beside it in which the victim stands at first.
struct Ground {
    tree: Tree,
    victim: Victim,
    before: (u64, u32, u32, i64, u64),
}

impl Ground {
    fn new(victim: Victim) -> Self {
        let tree = Tree::below("/dev/shm");
        tree.dir("root");
        tree.dir("store");
        match victim {
            Victim::File => drop(tree.file("store/v", "foreign")),
            Victim::Dir => drop(tree.dir("store/v")),
            Victim::FullDir => {
                tree.dir("store/v");
                tree.file("store/v/secret", "secret");
            }
        }
        // What is made at the same moment as an own directory is not told from it.
        thread::sleep(Duration::from_millis(150));
        let before = told(&tree.meta("store/v"));
        Self {
            tree,
            victim,
            before,
        }
    }

    fn exchange(&self) {
        let (one, two) = (self.tree.at("root/x"), self.tree.at("store/v"));
        let flags = RenameFlags::RENAME_EXCHANGE;
        let _ = renameat2(AT_FDCWD, &one, AT_FDCWD, &two, flags);
    }

    /// Where the victim is, and whether it is as it was.
    fn victim(&self) -> Option<PathBuf> {
        let entries = ["root", "store"].map(|dir| fs::read_dir(self.tree.at(dir)).unwrap());
        let mut entries = entries.into_iter().flatten().flatten();
        let found = entries.find(|entry| {
            let meta = fs::symlink_metadata(entry.path()).unwrap();
            told(&meta) == self.before
        })?;
        let whole = match self.victim {
            Victim::File => fs::read(found.path()).unwrap() == b"foreign",
            Victim::Dir => true,
            Victim::FullDir => found.path().join("secret").exists(),
        };
        whole.then(|| found.path())
    }

    /// Whether it is where the neighbour has put it.
    fn is_safe(&self) -> bool {
        let at = self.victim();
        at.is_some_and(|at| [self.tree.at("root/x"), self.tree.at("store/v")].contains(&at))
    }

    /// Has it back in the store, and nothing else anywhere.
    fn renew(&self) {
        if self.victim() == Some(self.tree.at("root/x")) {
            match self.tree.has("store/v") {
                true => self.exchange(),
                false => fs::rename(self.tree.at("root/x"), self.tree.at("store/v")).unwrap(),
            }
        }
        for entry in fs::read_dir(self.tree.at("root")).unwrap().flatten() {
            let gone = match entry.file_type().unwrap().is_dir() {
                true => fs::remove_dir(entry.path()),
                false => fs::remove_file(entry.path()),
            };
            gone.unwrap();
        }
    }

    /// Does `attempt` again and again beside the neighbour, until it has been carried out often enough, or has hit the victim. How often
    /// it was; none where it has hit it.
    fn race(&self, mut attempt: impl FnMut() -> bool) -> Option<usize> {
        let (done, swaps, turn) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(()));
        let turn = || turn.lock().unwrap_or_else(PoisonError::into_inner);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let ours = turn();
                    self.exchange();
                    drop(ours);
                    swaps.fetch_add(1, Ordering::Relaxed);
                    // At times long enough for a whole request, at times not.
                    for _ in 0..fastrand::u32(0..4000) {
                        std::hint::spin_loop();
                    }
                }
            });
            // A test that fails must not leave the neighbour at work.
            struct End<'a>(&'a AtomicBool);
            impl Drop for End<'_> {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::Relaxed);
                }
            }
            let _end = End(&done);
            let (begun, mut carried_out, mut vain) = (Instant::now(), 0, 0);
            while carried_out < DONE || swaps.load(Ordering::Relaxed) < SWAPS {
                assert!(begun.elapsed() < PATIENCE, "{carried_out} times");
                if attempt() {
                    carried_out += 1;
                    let _stands_still = turn();
                    if !self.is_safe() {
                        return None;
                    }
                    self.renew();
                    vain = 0;
                } else if vain == VAIN {
                    // What was exchanged at the moment of its making is not known as own, and would keep the name for ever.
                    let _stands_still = turn();
                    if !self.is_safe() {
                        return None;
                    }
                    self.renew();
                    vain = 0;
                } else {
                    vain += 1;
                }
            }
            let _stands_still = turn();
            self.is_safe().then_some(carried_out)
        })
    }
}

/// Inode, mode, owner, time and length.
fn told(meta: &fs::Metadata) -> (u64, u32, u32, i64, u64) {
    (
        meta.ino(),
        meta.mode(),
        meta.uid(),
        meta.mtime(),
        meta.size(),
    )
}

/// Makes an own object, if the name is free.
fn make(server: &mut Server, name: &str, directory: bool) {
    if directory {
        server.code(&mkdir(name, &Attrs::NONE));
        return;
    }
    let made = server.call(&open(name, WRITE | CREAT | EXCL, &Attrs::NONE));
    if let Reply::Handle(handle) = made {
        server.ok(&write(&handle, 0, "own"));
        server.ok(&close(&handle));
    }
}

/// A request about `x`, what else it needs, and the rule under which it is judged.
fn requests() -> Vec<(&'static str, Victim, Option<&'static str>, Packet)> {
    let attrs = [
        Attrs::NONE.permissions(0o600),
        Attrs::NONE.times(7, 7),
        Attrs::NONE.owner(7, 7),
    ];
    let mut all = vec![
        ("--no-delete", Victim::File, None, remove("x")),
        ("--append-only", Victim::File, None, remove("x")),
        ("--drop-box", Victim::File, None, remove("x")),
        ("--no-delete", Victim::Dir, None, rmdir("x")),
        ("--no-delete", Victim::File, None, rename("x", "gone")),
        (
            "--append-only",
            Victim::File,
            None,
            posix_rename("x", "gone"),
        ),
        ("--drop-box", Victim::File, None, rename("x", "gone")),
        ("--no-delete", Victim::FullDir, None, rename("x", "gone")),
        (
            "--no-delete",
            Victim::File,
            Some("y"),
            posix_rename("y", "x"),
        ),
        (
            "--no-delete",
            Victim::File,
            Some("y"),
            posix_rename("x", "y"),
        ),
        (
            "--no-delete",
            Victim::Dir,
            Some("y"),
            posix_rename("y", "x"),
        ),
        // Of a file it is no concern of the rule; of a directory it would take the secret along.
        (
            "--deny=/*/secret",
            Victim::FullDir,
            None,
            rename("x", "gone"),
        ),
        (
            "--hide=/x/secret",
            Victim::FullDir,
            None,
            posix_rename("x", "gone"),
        ),
    ];
    for attrs in &attrs {
        all.push(("--drop-box", Victim::File, None, setstat("x", attrs)));
        all.push(("--drop-box", Victim::Dir, None, lsetstat("x", attrs)));
    }
    all
}

#[test]
fn what_a_neighbour_swaps_in_is_neither_removed_nor_renamed_nor_changed() {
    for (flag, victim, other, request) in requests() {
        let ground = Ground::new(victim);
        let directory = victim == Victim::Dir;
        let root = ground.tree.at("root");
        // Patterns are of paths in the view.
        let views = if flag.contains('=') { 1 } else { 2 };
        for root in [&["--root", "."][..], &[]].into_iter().take(views) {
            let flags = [root, &[flag]].concat();
            let mut server = Server::with(ground.tree.at("root"), &flags);
            let done = ground.race(|| {
                make(&mut server, "x", directory);
                if let Some(other) = other {
                    make(&mut server, other, directory);
                }
                server.code(&request) == 0
            });
            assert!(
                done.is_some(),
                "{flags:?} {request:?} has hit what is foreign"
            );
            ground.renew();
        }
        let names = fs::read_dir(&root).unwrap().flatten();
        let left: Vec<_> = names.map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 0, "{flag} {request:?}: {left:?}");
    }
}

#[test]
fn a_look_at_the_name_and_then_the_name_is_caught_by_the_same_neighbour() {
    type Act = fn(&Tree) -> std::io::Result<()>;
    let ways: [(&str, Act); 4] = [
        ("remove", |tree| fs::remove_file(tree.at("root/x"))),
        ("rename away", |tree| {
            fs::rename(tree.at("root/x"), tree.at("root/gone"))
        }),
        ("rename over", |tree| {
            tree.file("root/y", "own");
            fs::rename(tree.at("root/y"), tree.at("root/x"))
        }),
        ("chmod", |tree| {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(tree.at("root/x"), fs::Permissions::from_mode(0o600))
        }),
    ];
    for (what, act) in ways {
        let ground = Ground::new(Victim::File);
        let foreign = ground.before.0;
        let mut attempts = 0;
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let hit = ground.race(|| {
                attempts += 1;
                let path = ground.tree.at("root/x");
                let _ = fs::File::create_new(&path);
                let own = fs::symlink_metadata(&path).is_ok_and(|meta| meta.ino() != foreign);
                own && act(&ground.tree).is_ok()
            });
            if hit.is_none() {
                break;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "no race for {what}");
        println!("{what}: what is foreign is hit at attempt {attempts}");
    }
}

#[test]
fn the_exact_mode_of_a_new_directory_is_set_on_no_other_that_has_its_name() {
    for victim in [Victim::Dir, Victim::FullDir] {
        for root in [&["--root", "."][..], &[]] {
            let ground = Ground::new(victim);
            let flags = [root, &["--dir-mode", "711"]].concat();
            let mut server = Server::with(ground.tree.at("root"), &flags);
            let mut exact = 0;
            let done = ground.race(|| {
                // What has lost its name to another one is made, and no success.
                let code = server.code(&mkdir("x", &Attrs::NONE));
                assert!(code == 0 || code == 4, "{code}");
                exact += usize::from(code == 0);
                true
            });
            assert!(done.is_some(), "{flags:?} {victim:?} has hit another one");
            assert!(exact > 0, "{flags:?} {victim:?}");
            ground.renew();
            server.ok(&mkdir("x", &Attrs::NONE));
            assert_eq!(ground.tree.mode("root/x"), 0o711);
        }
    }
}

#[test]
fn what_gets_the_inode_between_verdict_and_open_is_not_opened() {
    let small = Small::new();
    let root = small.0.at("mounted");
    // The session stands still when it has asked whose the file is, in microseconds.
    let mut server = Fault::traced("statx:delay_exit=1000000", under_test(), &root)
        .args(["--root", ".", "--drop-box"])
        .connect();
    make(&mut server, "own", false);
    let own = root.join("own");
    let inode = own.metadata().unwrap().ino();
    server.send(&open("own", READ, &Attrs::NONE));
    // That is asked twice: on the way, and of the file.
    thread::sleep(Duration::from_millis(1500));
    fs::remove_file(&own).unwrap();
    let foreign = |number| {
        let path = root.join(format!("foreign{number}"));
        fs::write(&path, "foreign").unwrap();
        (path.metadata().unwrap().ino() == inode).then_some(path)
    };
    // While it is held its inode is not free.
    let last = (0..50).find_map(foreign);
    fs::rename(last.unwrap_or(root.join("foreign49")), &own).unwrap();
    let (_, reply) = server.receive();
    let Reply::Status(status) = &reply else {
        panic!("{reply:?}");
    };
    assert_ne!(status.code, 0);
    assert_eq!(fs::read(&own).unwrap(), b"foreign");
}

#[test]
fn an_own_directory_takes_along_what_others_have_put_into_it_and_that_stays() {
    for flag in ["--no-delete", "--drop-box", "--append-only"] {
        let tree = Tree::new();
        let flags = ["--root", ".", flag];
        let mut server = Server::with(&tree, flags);
        server.ok(&mkdir("own", &Attrs::NONE));
        let mut other = Server::with(&tree, flags);
        let handle = other.open("own/foreign", WRITE | CREAT | EXCL);
        other.ok(&write(&handle, 0, "content"));
        other.close(&handle);
        server.ok(&rename("own", "moved"));
        assert_eq!(tree.read("moved/foreign"), b"content", "{flag}");
        for packet in [
            remove("moved/foreign"),
            rename("moved/foreign", "x"),
            rmdir("moved"),
        ] {
            assert_ne!(server.code(&packet), 0, "{flag}: {packet:?}");
        }
        assert_eq!(tree.read("moved/foreign"), b"content", "{flag}");
    }
}
