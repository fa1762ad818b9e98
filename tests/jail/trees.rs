//! What the kernel holds a session to that has a root: the tree, with just the rights that it needs, and no code.

use std::fs::{self, File, OpenOptions, read_dir};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::thread;

use nix::fcntl::OFlag;
use nix::libc;
use sftp_server::sandbox::Tree as Reachable;
use sftp_server::sandbox::landlock::{Held, restrict};

use crate::inside::Outcome::{Done, Failed, Killed};
use crate::inside::{ABSENT, Inside};
use crate::support::fault::Fault;
use crate::support::{Launch, Server, Tree, program};

#[test]
fn with_a_root_what_lies_outside_is_neither_read_nor_written_by_the_servers_own_code() {
    for what in ["read", "write"] {
        let denied = Inside::rooted("").attempt(what);
        assert_eq!(denied, Failed(libc::EACCES), "{what}");
        assert_eq!(Inside::rooted("landlock").attempt(what), Done, "{what}");
        // Without a root it is the user's own.
        assert_eq!(Inside::with("").attempt(what), Done, "{what}");
    }
}

#[test]
fn with_a_root_no_memory_becomes_code() {
    assert_eq!(Inside::rooted("").attempt("code"), ABSENT);
    assert_eq!(Inside::rooted("seccomp").attempt("code"), Done);
    assert_eq!(Inside::rooted("").attempt("module"), ABSENT);
    // Without one the name service may have modules to load.
    assert_eq!(Inside::with("").attempt("module"), Done);
}

#[test]
fn with_a_root_the_other_locks_hold_as_well() {
    for what in ["exec", "mount", "io-uring"] {
        assert_eq!(Inside::rooted("").attempt(what), Killed, "{what}");
    }
    for what in ["udp", "ioctl", "truncate", "device"] {
        assert_eq!(Inside::rooted("").attempt(what), ABSENT, "{what}");
    }
}

#[test]
fn with_a_root_users_are_named_who_were_not_asked_for_before() {
    let tree = Tree::new();
    std::os::unix::fs::chown(tree.file("file", ""), Some(1), Some(2)).unwrap();
    let mut server = Server::with(&tree, ["--root".as_ref(), tree.root()]);
    let names = server.list(".");
    let file = names.iter().find(|name| name.filename == b"file").unwrap();
    let longname = String::from_utf8_lossy(&file.longname);
    let words: Vec<&str> = longname.split_whitespace().collect();
    assert_eq!(words[2..4], ["daemon", "bin"], "{longname}");
}

#[test]
fn require_refuses_a_root_that_the_kernel_cannot_lock() {
    let tree = Tree::new();
    let root = tree.root().to_str().unwrap();
    let no_landlock = Fault::new(libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP);
    let run = |args: &[&str]| {
        Fault::around(std::slice::from_ref(&no_landlock), || {
            Launch::new(&tree)
                .args(args)
                .run(Stdio::null(), Stdio::piped())
        })
    };
    let refused = run(&["--sandbox", "require", "--root", root]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        refused.stderr_text(),
        "sftp-server: cannot lock the session (--sandbox require): this kernel has no Landlock, needed is ABI 2; \
         boot Linux 5.19 or later with landlock in lsm=, or take --sandbox auto\n"
    );
    // Without a root it rests on seccomp; and auto takes what there is.
    let served = run(&["--sandbox", "require"]);
    assert_eq!(served.status.code(), Some(0), "{served:?}");
    let served = run(&["--root", root]);
    assert_eq!(served.status.code(), Some(0), "{served:?}");
}

/// A tree beside which lies bait: `in` and `outside`.
fn two_trees() -> Tree {
    let tree = Tree::new();
    for side in ["in", "outside"] {
        tree.dir(side);
        tree.dir(format!("{side}/dir"));
        tree.file(format!("{side}/file"), "bait");
    }
    tree.link("in/out", "../outside/file");
    tree
}

/// What `attempt` comes to in a thread to which `in` alone is reachable; each is let through where nothing is locked.
#[track_caller]
fn locked_in<T: Send>(tree: &Tree, writable: bool, attempt: impl Fn() -> T + Sync) -> T {
    thread::scope(|scope| {
        let locked = scope.spawn(|| {
            let top = File::open(tree.at("in")).unwrap();
            let held = restrict(Some(&[Reachable {
                top: top.as_fd(),
                writable,
            }]));
            let Held { files, .. } = held;
            assert!(files, "this kernel cannot hold us: {held}");
            attempt()
        });
        locked
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[track_caller]
fn denied(writable: bool, attempt: impl Fn(&Tree) -> std::io::Result<()> + Sync) {
    let tree = two_trees();
    let before = tree.snapshot();
    let error = locked_in(&tree, writable, || attempt(&tree)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let differences = before.differences(&tree.snapshot());
    assert!(differences.is_empty(), "{differences:?}");
    thread::scope(|scope| scope.spawn(|| attempt(&tree)).join().unwrap())
        .expect("with the lock open it is let through");
}

#[test]
fn what_lies_outside_the_tree_is_not_read() {
    denied(true, |tree| fs::read(tree.at("outside/file")).map(drop));
    denied(true, |tree| read_dir(tree.at("outside")).map(drop));
    // However it is reached.
    denied(true, |tree| fs::read(tree.at("in/out")).map(drop));
}

#[test]
fn what_lies_outside_the_tree_is_not_changed() {
    denied(true, |tree| {
        let file = OpenOptions::new()
            .append(true)
            .open(tree.at("outside/file"));
        file?.write_all(b"more")
    });
    denied(true, |tree| fs::write(tree.at("outside/new"), ""));
    denied(true, |tree| fs::create_dir(tree.at("outside/new")));
    denied(true, |tree| symlink("x", tree.at("outside/new")));
    denied(true, |tree| fs::remove_file(tree.at("outside/file")));
    denied(true, |tree| fs::remove_dir(tree.at("outside/dir")));
}

#[test]
fn what_lies_outside_the_tree_is_not_truncated() {
    denied(true, |tree| {
        Ok(nix::unistd::truncate(&tree.at("outside/file"), 0)?)
    });
    denied(true, |tree| {
        let flags = OFlag::O_RDONLY | OFlag::O_TRUNC;
        let mode = nix::sys::stat::Mode::empty();
        Ok(nix::fcntl::open(&tree.at("outside/file"), flags, mode).map(drop)?)
    });
}

#[test]
fn a_program_in_the_tree_is_not_executed() {
    let tree = two_trees();
    program::install("/bin/true", tree.at("in/true"));
    let run = || Command::new(tree.at("in/true")).status();
    let error = locked_in(&tree, true, run).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(run().unwrap().success());
}

#[test]
fn a_read_only_tree_stays_read_only_in_the_kernel() {
    denied(false, |tree| fs::write(tree.at("in/new"), ""));
    denied(false, |tree| fs::remove_file(tree.at("in/file")));
    denied(false, |tree| {
        fs::rename(tree.at("in/file"), tree.at("in/new"))
    });
    denied(false, |tree| {
        Ok(nix::unistd::truncate(&tree.at("in/file"), 0)?)
    });
    let tree = two_trees();
    let read = || fs::read(tree.at("in/file"));
    assert_eq!(locked_in(&tree, false, read).unwrap(), b"bait");
}

#[test]
fn within_the_tree_everything_goes_on() {
    let tree = two_trees();
    tree.fifo("in/fifo");
    let work = || -> std::io::Result<()> {
        fs::write(tree.at("in/new"), "new")?;
        fs::rename(tree.at("in/new"), tree.at("in/dir/moved"))?;
        fs::hard_link(tree.at("in/dir/moved"), tree.at("in/linked"))?;
        fs::rename(tree.at("in/fifo"), tree.at("in/dir/fifo"))?;
        symlink("dir", tree.at("in/link"))?;
        File::options()
            .write(true)
            .open(tree.at("in/linked"))?
            .set_len(1)?;
        fs::create_dir(tree.at("in/made"))?;
        fs::remove_dir(tree.at("in/made"))?;
        fs::remove_file(tree.at("in/link"))
    };
    locked_in(&tree, true, work).unwrap();
    assert_eq!(tree.names("in"), [&b"dir"[..], b"file", b"linked", b"out"]);
    assert_eq!(tree.names("in/dir"), [&b"fifo"[..], b"moved"]);
    assert_eq!(tree.read("in/dir/moved"), b"n");
}

#[test]
fn users_are_still_named_beside_a_tree_and_their_passwords_are_not_read() {
    let tree = two_trees();
    let (user, shadow) = locked_in(&tree, true, || {
        let user = nix::unistd::User::from_name("daemon").unwrap();
        (user.map(|user| user.uid.as_raw()), fs::read("/etc/shadow"))
    });
    assert_eq!(user, Some(1));
    assert_eq!(shadow.unwrap_err().kind(), ErrorKind::PermissionDenied);
}
