//! The table of system calls beside what sessions make: nothing is missing in it, and nothing is in it for nothing.

use std::collections::BTreeSet;
use std::fs;

use nix::libc;
use sftp_server::sandbox::seccomp::{ATTACKS, ELSEWHERE, Row, SEEN};

use crate::support::packet::pflags::{APPEND, CREAT, READ, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Launch, OURS, Server, Tree};

fn traced(tree: &Tree, trace: &str, args: &[&str]) -> Server {
    Launch::program("strace", tree)
        .args(["-D", "-f", "-n", "-qqq", "-o", trace, "--", OURS])
        .args(args)
        .connect()
}

/// A session that makes every request, each in the ways that take other system calls; ended by SIGTERM.
fn all_requests(tree: &Tree, trace: &str, args: &[&str]) {
    tree.file("file", vec![b'x'; 300_000]);
    tree.link("link", "file");
    tree.link("dangling", "nowhere");
    let mut server = traced(tree, trace, args);
    let every = Attrs::default()
        .size(10)
        .permissions(0o640)
        .owner(0, 0)
        .times(1, 2);
    let unsized_ = Attrs::default().permissions(0o640).owner(0, 0).times(1, 2);
    let handle = server.open("new", READ | WRITE | CREAT);
    let appending = server.open("append", WRITE | CREAT | APPEND);
    let source = server.open("file", READ);
    server.ok(&write(&handle, 0, b"data"));
    server.ok(&write(&appending, 0, b"data"));
    server.call(&read(&handle, 0, 10)).data();
    server.call(&read(&handle, 10_000, 10)).code();
    server.call(&fstat(&handle)).attrs();
    server.ok(&fsetstat(&handle, &every));
    server.ok(&fsync(&handle));
    server.call(&fstatvfs(&handle)).extended();
    server.ok(&copy_data(&source, 0, 0, &handle, 0));
    for handle in [&handle, &appending, &source] {
        server.close(handle);
    }
    server.call(&stat("file")).attrs();
    server.call(&lstat("link")).attrs();
    server.ok(&setstat("file", &every));
    server.ok(&lsetstat("file", &unsized_));
    server.call(&readlink("link")).name();
    server.ok(&symlink("x", "made-link"));
    server.ok(&mkdir("dir", &Attrs::default()));
    server.ok(&rename("new", "dir/renamed"));
    server.ok(&posix_rename("dir/renamed", "dangling"));
    server.ok(&posix_rename("append", "dir/moved"));
    server.ok(&hardlink("file", "hard"));
    server.ok(&remove("hard"));
    server.ok(&remove("dir/moved"));
    for index in 0..3000 {
        tree.file(format!("dir/an entry of a long listing {index}"), "");
    }
    assert_eq!(server.list("dir").len(), 3002);
    server.call(&rmdir("dir")).code();
    for path in [".", "link", "dir/missing"] {
        server.call(&realpath(path)).name();
    }
    server.call(&statvfs(".")).extended();
    server.call(&limits()).extended();
    server.call(&expand_path("~/x")).name();
    server.call(&home_directory("root")).name();
    server
        .call(&users_groups_by_id(
            &[0, 1, 4_000_000_000],
            &[0, 1, 4_000_000_000],
        ))
        .extended();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(server.pid() as i32),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    server.wait();
}

/// One that says what it does on standard error, creates with an exact mode, and ends with its input.
fn another(tree: &Tree, trace: &str) {
    let mut server = traced(tree, trace, &["-e", "-l", "VERBOSE", "-m", "600"]);
    let handle = server.open("exact", WRITE | CREAT);
    server.close(&handle);
    server.list(".");
    server.finish();
}

/// One with rules: what an atomic upload takes over has an ACL.
fn judged(tree: &Tree, trace: &str) {
    tree.file("old", "old");
    let acl = ["-m", "user:daemon:r"];
    let mut set = std::process::Command::new("setfacl");
    let set = set.args(acl).arg(tree.at("old")).status();
    assert!(set.unwrap().success());
    let flags = ["--atomic-upload", "--file-mode", "640", "--dir-mode", "750"];
    let mut server = traced(tree, trace, &flags);
    for name in ["old", "new"] {
        let handle = server.open(name, WRITE | CREAT | TRUNC);
        server.ok(&write(&handle, 0, "data"));
        server.close(&handle);
    }
    server.ok(&mkdir("judged", &Attrs::default()));
    server.list(".");
    server.finish();
}

/// One that is not slowed down by being traced: what is read there is long enough to be spliced, and what changes the file afterwards
/// waits until that has been read. Over pipes, or over one socket.
fn unhindered(tree: &Tree, trace: &str, socket: bool) {
    tree.file("long", [b'x'; 65_536]);
    let calls = "trace=seccomp,splice,pipe2,ioctl,getsockname,getsockopt,setsockopt,poll";
    let launch = Launch::program("strace", tree)
        .args(["-D", "-f", "-n", "--seccomp-bpf", "-e", calls])
        .args(["-qqq", "-o", trace, "--", OURS]);
    let launch = if socket { launch.socket() } else { launch };
    let mut server = launch.connect();
    let long = server.open("long", READ | WRITE);
    for _ in 0..2 {
        assert_eq!(server.call(&read(&long, 0, 65_536)).data().len(), 65_536);
    }
    server.ok(&write(&long, 0, "y"));
    server.close(&long);
    server.finish();
}

/// The numbers of the calls that were made behind the locks and not refused, with a line for each.
fn made(trace: &str) -> Vec<(i64, String)> {
    let text = fs::read_to_string(trace).unwrap();
    let inside = text.lines().skip_while(|line| !line.contains(" seccomp("));
    inside
        .skip(1)
        // The second half of a line that another thread's cut.
        .filter(|line| !line.contains(" resumed>"))
        // Refused: the constructor of a library of the name service counts the capabilities that the kernel has; a thread is
        // started by clone(2) after that.
        .filter(|line| !line.contains(" prctl(PR_CAPBSET_READ") && !line.contains(" clone3"))
        .filter_map(|line| {
            let number = line.split_once('[')?.1.split_once(']')?.0;
            Some((number.trim().parse().ok()?, line.to_owned()))
        })
        .collect()
}

fn numbers(rows: &[Row]) -> BTreeSet<i64> {
    rows.iter().map(|(call, ..)| *call).collect()
}

#[test]
fn what_sessions_make_is_in_the_table_and_the_table_holds_nothing_else() {
    let traces = Tree::new();
    let names = ["first", "second", "third", "fourth", "fifth", "sixth"];
    let [first, second, third, fourth, fifth, sixth] =
        names.map(|name| traces.at(name).display().to_string());
    let (tree, root) = (Tree::new(), Tree::new());
    all_requests(&tree, &first, &["-l", "DEBUG3"]);
    another(&tree, &second);
    all_requests(&root, &third, &["--root", root.root().to_str().unwrap()]);
    unhindered(&tree, &fourth, false);
    judged(&tree, &fifth);
    unhindered(&tree, &sixth, true);
    let made = [&first, &second, &third, &fourth, &fifth, &sixth].map(|trace| made(trace));
    let made = made.concat();
    assert!(
        made.len() > 1000,
        "the trace begins behind the locks: {made:?}"
    );
    let (seen, elsewhere) = (numbers(SEEN), numbers(ELSEWHERE));
    for (call, line) in &made {
        let known = seen.contains(call) || elsewhere.contains(call);
        assert!(known, "no row has {line}");
    }
    let made: BTreeSet<i64> = made.into_iter().map(|(call, _)| call).collect();
    let unused: Vec<_> = seen.difference(&made).collect();
    assert!(unused.is_empty(), "rows that no session needs: {unused:?}");
}

#[test]
fn a_call_stands_in_one_row_and_says_why() {
    let attacks = ATTACKS.iter().map(|(call, reason)| (*call, *reason));
    let rows = SEEN.iter().chain(ELSEWHERE);
    let rows = rows.map(|(call, _, reason)| (*call, *reason));
    let mut known = BTreeSet::new();
    for (call, reason) in rows.chain(attacks) {
        assert!(known.insert(call), "two rows for {call}");
        assert!(!reason.is_empty(), "no reason for {call}");
    }
    assert!(!known.contains(&libc::SYS_socketpair));
}
