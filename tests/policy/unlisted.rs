//! Names such as uploads have until they are closed: no session lists what another is writing, and every session lists all else that is called so.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::fault::Fault;
use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::wire::PATIENCE;
use crate::support::{Attrs, Launch, Server, Tree, show, under_test};

const UPLOAD: u32 = WRITE | CREAT | TRUNC;
const USER: u32 = 12_345;

fn name(digit: char) -> String {
    format!(".sftp-server-upload.{}", digit.to_string().repeat(16))
}

/// What a session lists, but the directory itself and the one above.
fn listed(server: &mut Server, dir: &str) -> Vec<String> {
    let names = server
        .list(dir)
        .into_iter()
        .map(|name| show(&name.filename));
    let mut names: Vec<_> = names.filter(|name| name != "." && name != "..").collect();
    names.sort();
    names
}

#[test]
fn what_a_client_calls_so_is_listed_and_removed_as_any_other_file() {
    for flags in [
        &["--root", "."][..],
        &[],
        &["--atomic-upload"],
        &["--root", ".", "--drop-box"],
        &["--no-delete", "--hide", "x"],
    ] {
        let tree = Tree::new();
        tree.give_to(USER, USER);
        chown(tree.root(), Some(USER), Some(USER)).unwrap();
        let launch = |flags: &[&str]| Launch::new(&tree).user(USER, USER).args(flags).connect();
        let mut server = launch(flags);
        server.ok(&mkdir("dir", &Attrs::NONE));
        let mut expected = Vec::new();
        // To be read by nobody, only to be written, and for all.
        for (digit, mode) in [('0', 0), ('1', 0o200), ('2', 0o644)] {
            let path = format!("dir/{}", name(digit));
            let handle = server.open(&path, UPLOAD);
            server.ok(&write(&handle, 0, "data"));
            server.close(&handle);
            server.ok(&setstat(&path, &Attrs::NONE.permissions(mode)));
            expected.push(name(digit));
        }
        server.ok(&mkdir(format!("dir/{}", name('a')), &Attrs::NONE));
        expected.push(name('a'));
        assert_eq!(listed(&mut server, "dir"), expected, "{flags:?}");
        assert_eq!(listed(&mut launch(&[]), "dir"), expected, "{flags:?}");
        for name in listed(&mut server, "dir") {
            let path = format!("dir/{name}");
            match tree.meta(&path).is_dir() {
                true => server.ok(&rmdir(&path)),
                false => server.ok(&remove(&path)),
            }
        }
        server.ok(&rmdir("dir"));
        assert!(!tree.has("dir"));
    }
}

#[test]
fn what_another_session_is_writing_is_listed_by_none() {
    for mode in [0o644, 0o600, 0o200] {
        let tree = Tree::new();
        chown(tree.root(), Some(USER), Some(USER)).unwrap();
        let launch = |flags: &[&str]| Launch::new(&tree).user(USER, USER).args(flags).connect();
        let mut writer = launch(&["--atomic-upload"]);
        let asked = Attrs::NONE.permissions(mode);
        let handle = writer.call(&open("new", UPLOAD, &asked)).handle().to_vec();
        writer.ok(&write(&handle, 0, "half"));
        assert_eq!(tree.names(".").len(), 1, "it is there");
        for flags in [&[][..], &["--root", "."], &["--atomic-upload"]] {
            assert_eq!(listed(&mut launch(flags), "."), [""; 0], "{flags:?}");
        }
        assert_eq!(listed(&mut writer, "."), [""; 0]);
        writer.close(&handle);
        assert_eq!(listed(&mut launch(&[]), "."), ["new"]);
    }
}

#[test]
fn what_a_killed_session_leaves_is_listed_and_can_be_removed() {
    let tree = Tree::new();
    tree.dir("dir");
    let mut server = Server::with(&tree, ["--atomic-upload"]);
    let handle = server.open("dir/new", UPLOAD);
    server.ok(&write(&handle, 0, "half"));
    let mut next = Server::with(&tree, ["--root", "."]);
    assert_eq!(listed(&mut next, "dir"), [""; 0]);
    kill(Pid::from_raw(server.pid() as i32), Signal::SIGKILL).unwrap();
    server.wait();
    let left = listed(&mut next, "dir");
    assert_eq!(left.len(), 1);
    assert!(left[0].starts_with(".sftp-server-upload."), "{left:?}");
    next.ok(&remove(format!("dir/{}", left[0])));
    next.ok(&rmdir("dir"));
}

#[test]
fn who_waits_for_an_upload_can_lock_all_of_it_as_soon_as_it_is_there() {
    let tree = Tree::new();
    // The session stands still before it closes the file, in microseconds.
    let mut server = Fault::traced("close:delay_enter=150000", under_test(), &tree)
        .args(["--root", ".", "--atomic-upload"])
        .connect();
    let handle = server.open("new", UPLOAD);
    server.ok(&write(&handle, 0, "whole"));
    server.send(&close(&handle));
    let deadline = Instant::now() + PATIENCE;
    while !tree.has("new") {
        assert!(Instant::now() < deadline, "it never appears");
    }
    sleep(Duration::from_millis(20));
    assert!(
        is_open(server.pid(), &tree.at("new")),
        "it is closed already"
    );
    let file = OpenOptions::new().write(true).open(tree.at("new")).unwrap();
    let all = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_SETLK(&all)).expect("nobody locks it");
    assert_eq!(server.receive().1.code(), 0);
    assert_eq!(tree.read("new"), b"whole");
    assert_eq!(tree.meta("new").permissions().mode() & 0o111, 0);
}

/// Whether a process has this file open.
fn is_open(pid: u32, file: &Path) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let mut open = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    open.any(|path| path == file)
}
