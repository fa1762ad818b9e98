//! `-p`, `-P`, `-u` and `-m`: what is allowed, and what new files may be.

use crate::support::server::is_openssh;
use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Launch, Packet, Reply, Server, Tree, request};
use crate::{assert_status, start};
use std::process::Stdio;

/// Every request that can be named, a well-formed one of each.
fn all() -> Vec<(&'static str, Packet)> {
    let (none, handle) = (&Attrs::NONE, b"\0\0\0\0");
    let mut all = vec![
        ("open", request::open("file", pflags::READ, none)),
        ("close", request::close(handle)),
        ("read", request::read(handle, 0, 1)),
        ("write", request::write(handle, 0, "x")),
        ("lstat", request::lstat("file")),
        ("fstat", request::fstat(handle)),
        ("setstat", request::setstat("file", none)),
        ("fsetstat", request::fsetstat(handle, none)),
        ("opendir", request::opendir(".")),
        ("readdir", request::readdir(handle)),
        ("remove", request::remove("missing")),
        ("mkdir", request::mkdir("file", none)),
        ("rmdir", request::rmdir("file")),
        ("realpath", request::realpath(".")),
        ("stat", request::stat("file")),
        ("rename", request::rename("missing", "x")),
        ("readlink", request::readlink("file")),
        ("symlink", request::symlink("x", "file")),
        ("posix-rename", request::posix_rename("missing", "x")),
        ("statvfs", request::statvfs(".")),
        ("fstatvfs", request::fstatvfs(handle)),
        ("hardlink", request::hardlink("missing", "x")),
        ("fsync", request::fsync(handle)),
        ("lsetstat", request::lsetstat("file", none)),
        ("limits", request::limits()),
        ("expand-path", request::expand_path("~")),
        ("copy-data", request::copy_data(handle, 0, 0, handle, 0)),
        ("home-directory", request::home_directory("root")),
        ("users-groups-by-id", request::users_groups_by_id(&[], &[])),
    ];
    // OpenSSH does not know these.
    if !is_openssh() {
        all.push(("copy-file", request::copy_file("missing", "x", 0)));
        all.push(("space-available", request::space_available(".")));
        all.push(("vendor-id", request::vendor_id([b"a", b"b", b"c"], 1)));
    }
    all
}

fn denied(server: &mut Server) -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, request) in all() {
        if matches!(server.call(&request), Reply::Status(status) if status.code == code::PERMISSION_DENIED)
        {
            names.push(name);
        }
    }
    names
}

fn denied_with(args: &[&str]) -> Vec<&'static str> {
    let tree = Tree::new();
    tree.file("file", "content");
    denied(&mut Server::with(&tree, args))
}

#[test]
fn the_names_are_those_that_q_requests_prints() {
    let tree = Tree::new();
    let finished = Launch::new(&tree)
        .args(["-Q", "requests"])
        .run(Stdio::null(), Stdio::piped());
    let expected: String = all().iter().map(|(name, _)| format!("{name}\n")).collect();
    assert_eq!(String::from_utf8(finished.stdout).unwrap(), expected);
}

#[test]
fn nothing_is_denied_without_a_list() {
    assert_eq!(denied_with(&[]), [""; 0]);
}

#[test]
fn each_name_on_the_denylist_denies_its_request_and_no_other() {
    for (name, _) in all() {
        let with_it: &[&str] = match name {
            // What copy-file is made of.
            "open" | "read" | "write" | "close" | "copy-data" if !is_openssh() => &["copy-file"],
            "statvfs" if !is_openssh() => &["space-available"],
            _ => &[],
        };
        assert_eq!(denied_with(&["-P", name]), [&[name], with_it].concat());
    }
}

#[test]
fn each_name_on_the_allowlist_allows_its_request_and_no_other() {
    for (name, _) in all() {
        let others: Vec<_> = all()
            .into_iter()
            .map(|(other, _)| other)
            .filter(|other| *other != name)
            .collect();
        if name == "copy-file" {
            assert_eq!(denied_with(&["-p", name]).len(), all().len());
            let parts = "open,read,write,close,copy-data";
            assert!(!denied_with(&["-p", &format!("copy-file,{parts}")]).contains(&name));
            continue;
        }
        if name == "space-available" {
            assert_eq!(denied_with(&["-p", name]).len(), all().len());
            assert!(!denied_with(&["-p", "space-available,statvfs"]).contains(&name));
            continue;
        }
        assert_eq!(denied_with(&["-p", name]), others);
    }
}

#[test]
fn the_denylist_beats_the_allowlist_and_read_only_beats_both() {
    let lists = ["-p", "stat,mkdir,open", "-P", "stat"];
    let allowed: Vec<_> = all()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !denied_with(&lists).contains(name))
        .collect();
    assert_eq!(allowed, ["open", "mkdir"]);
    assert!(denied_with(&["-R", "-p", "mkdir,stat"]).contains(&"mkdir"));
    assert!(!denied_with(&["-R", "-p", "mkdir,stat"]).contains(&"stat"));
}

#[test]
fn unknown_names_are_accepted_and_match_nothing() {
    assert_eq!(denied_with(&["-P", "nonsense,stat,,MKDIR"]), ["stat"]);
    assert_eq!(denied_with(&["-p", "nonsense"]).len(), all().len());
}

/// OpenSSH stops reading at it.
#[test]
fn an_empty_item_ends_no_list() {
    let denied = denied_with(&["-P", "stat,,mkdir"]);
    let expected: &[&str] = if is_openssh() {
        &["stat"]
    } else {
        &["mkdir", "stat"]
    };
    assert_eq!(denied, expected);
    let allowed = all().len() - denied_with(&["-p", "stat,,mkdir"]).len();
    assert_eq!(allowed, expected.len());
}

#[test]
fn a_denied_request_is_denied_before_its_fields_are_looked_at() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["-P", "stat,statvfs"]);
    let reply = server.call(&Packet::new(crate::support::wire::kind::STAT, *b"\0\0"));
    assert_status(&reply, code::PERMISSION_DENIED);
    assert_status(
        &server.call(&request::extended("statvfs@openssh.com", b"")),
        code::PERMISSION_DENIED,
    );
}

#[test]
fn a_denied_request_does_nothing() {
    let tree = Tree::new();
    tree.file("file", "content");
    let before = tree.snapshot();
    let mut server = Server::with(&tree, ["-P", "mkdir,remove,rename,open,setstat"]);
    for request in [
        request::mkdir("d", &Attrs::NONE),
        request::remove("file"),
        request::rename("file", "x"),
        request::open("new", pflags::WRITE | pflags::CREAT, &Attrs::NONE),
        request::setstat("file", &Attrs::NONE.size(0)),
    ] {
        let reply = server.call(&request);
        assert_status(&reply, code::PERMISSION_DENIED);
        let text = server.differs(
            "a refusal names the flag",
            "Permission denied: --deny-requests",
            "Permission denied",
        );
        assert_eq!(reply.status().text, text);
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    server.ok(&request::posix_rename("file", "renamed"));
}

#[test]
fn the_umask_of_u_is_read_as_octal_and_holds_for_files_and_directories() {
    for (umask, file, dir) in [
        ("0", 0o666, 0o777),
        ("27", 0o640, 0o750),
        ("0077", 0o600, 0o700),
        ("777", 0, 0),
    ] {
        let tree = Tree::new();
        let mut server = Server::with(&tree, ["-u", umask]);
        server.open("file", pflags::WRITE | pflags::CREAT);
        server.ok(&request::mkdir("dir", &Attrs::NONE));
        assert_eq!(
            (tree.mode("file"), tree.mode("dir")),
            (file, dir),
            "umask {umask}"
        );
    }
}

#[test]
fn without_u_the_umask_is_the_one_inherited() {
    let (tree, mut server) = start();
    server.open("file", pflags::WRITE | pflags::CREAT);
    let model = Tree::new();
    std::fs::write(model.at("file"), "").unwrap();
    assert_eq!(tree.mode("file"), model.mode("file"));
}

/// Red Hat's flag, which Debian's OpenSSH does not know.
#[test]
fn m_forces_the_mode_of_new_files_over_umask_and_client_and_leaves_directories_alone() {
    let tree = Tree::new();
    tree.file("old", "content");
    if crate::server::is_openssh() {
        let finished = Launch::new(&tree)
            .args(["-m", "0640"])
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1));
        return;
    }
    let mut server = Server::with(&tree, ["-m", "0662", "-u", "077"]);
    for (name, attrs) in [
        ("plain", Attrs::NONE),
        ("asked", Attrs::NONE.permissions(0o400)),
        ("suid", Attrs::NONE.permissions(0o4755)),
    ] {
        server
            .call(&request::open(name, pflags::WRITE | pflags::CREAT, &attrs))
            .handle();
        assert_eq!(tree.mode(name), 0o662, "{name}");
    }
    server.open("old", pflags::WRITE | pflags::CREAT);
    assert_eq!(tree.mode("old"), 0o644, "an existing file keeps its own");
    server.ok(&request::mkdir("dir", &Attrs::NONE.permissions(0o777)));
    assert_eq!(tree.mode("dir"), 0o700);
    server.ok(&request::setstat("plain", &Attrs::NONE.permissions(0o600)));
    assert_eq!(tree.mode("plain"), 0o600);
}

#[test]
fn d_is_where_relative_paths_start() {
    let tree = Tree::new();
    tree.dir("start");
    let mut server = Server::with(&tree, ["-d", "start"]);
    server.ok(&request::mkdir("made", &Attrs::NONE));
    assert!(tree.has("start/made"));
}

#[test]
fn a_refusal_names_the_long_flag_whatever_was_typed() {
    for (flags, flag) in [
        (["-R"].as_slice(), "--read-only"),
        (&["-P", "mkdir"], "--deny-requests"),
        (&["-p", "stat"], "--allow-requests"),
    ] {
        let tree = Tree::new();
        let mut server = Server::with(&tree, flags);
        let reply = server.call(&request::mkdir("d", &Attrs::NONE));
        let ours = format!("Permission denied: {flag}");
        let text = server.differs("a client hears why", ours, "Permission denied".to_owned());
        assert_eq!(reply.status().text, text);
        assert!(!tree.has("d"));
    }
}
