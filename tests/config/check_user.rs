//! `check` for one user: it looks with that user's eyes, and at what is that user's.

use std::fs;
use std::process::Stdio;

use crate::check::{check, finding, ground, text};
use crate::ground::Ground;
use crate::support::server::copy_of;
use crate::support::sshd::{Account, Place};
use crate::support::{Launch, Tree, under_test};

#[test]
fn a_file_that_this_user_may_not_read_is_found_although_root_may() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let ground = ground("read-only = true");
    ground.tree.chmod("config", 0o600);
    assert_eq!(check(&ground, &[]).status.code(), Some(0));
    let finished = check(&ground, &["--user", &account.name]);
    let said = text(&ground, &finished);
    let expected = "\nerror    {tree}/config: cannot open \"{tree}/config\": Permission denied; each user whose session reads it";
    assert!(said.contains(expected), "{said}");
    assert_eq!(finished.status.code(), Some(1));
}

#[test]
fn a_directory_that_this_user_may_enter_alone_is_found() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let user = ["--user", account.name.as_str()];
    let said = |file: &str, mode| {
        let ground = ground(file);
        ground.tree.chmod("root/dir", mode);
        let finished = check(&ground, &user);
        assert_eq!(finished.status.code(), Some(0), "{finished:?}");
        text(&ground, &finished)
    };
    let list = finding(
        "warning",
        "this user may not list \"{tree}/root/dir\", but enter it",
        "allow it (chmod or chgrp, +r), if clients are to list it",
    );
    let write = finding(
        "note",
        "this user may not write in \"{tree}/root/dir\": nothing can be put there",
        "allow it (chown, chgrp or chmod, +w), if it is to take uploads",
    );
    for (file, mode, lists, writes) in [
        ("root = \"{tree}/root/dir\"", 0o711, false, false),
        ("root = \"{tree}/root/dir\"", 0o755, true, false),
        ("root = \"{tree}/root/dir:ro\"", 0o755, true, true),
        (
            "root = \"{tree}/root/dir\"\nread-only = true",
            0o711,
            false,
            true,
        ),
        ("root = \"{tree}/root/dir\"", 0o777, true, true),
        (
            "root = \"{tree}/root:ro\"\nbind = \"/x={tree}/root/dir\"",
            0o711,
            false,
            false,
        ),
    ] {
        let said = said(file, mode);
        assert_eq!(said.contains(&list), !lists, "{file} {mode:o}: {said}");
        assert_eq!(said.contains(&write), !writes, "{file} {mode:o}: {said}");
    }
}

#[test]
fn a_relative_path_begins_where_sshd_starts_that_user() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    account.make_dir(&account.home.join("inbox"));
    let ground = ground("");
    let user = ["--user", account.name.as_str()];
    let root = |user: &[&str]| check(&ground, &[user, &["--root", "inbox"]].concat());
    assert_eq!(root(&user).status.code(), Some(0));
    assert_eq!(root(&[]).status.code(), Some(1));
    let dir = Tree::new();
    let explained = Launch::new(&dir).args(["explain", "--no-config", "put", "x"]);
    let explained = explained.args(user).run(Stdio::null(), Stdio::piped());
    let said = String::from_utf8(explained.stdout).unwrap();
    let path = account.home.join("x");
    assert!(
        said.contains(&format!("{}, nothing, is created", path.display())),
        "{said}"
    );
}

#[test]
fn it_looks_with_the_eyes_of_the_user() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let user = ["--user", account.name.as_str()];
    let ground = ground("root = \"{tree}/root/dir\"");
    let said = |ground: &Ground| text(ground, &check(ground, &user));
    assert!(!said(&ground).contains("error"), "{}", said(&ground));
    ground.tree.chmod("root", 0o700);
    let expected = "\nerror    cannot open the root \"{tree}/root/dir\": Permission denied\n         this user may not enter \"{tree}/root\"; allow it (chmod or chgrp, +x), or choose another directory\n";
    assert!(said(&ground).contains(expected), "{}", said(&ground));
    // Root itself may.
    assert_eq!(check(&ground, &[]).status.code(), Some(0));
}

#[test]
fn tables_for_that_user_and_that_user_s_groups_apply() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let name = &account.name;
    let ground = ground(&format!(
        "umask = \"001\"\n[[match]]\ngroup = \"{name}\"\numask = \"002\"\nroot = \"%h\"\n"
    ));
    let said = text(&ground, &check(&ground, &["--user", name]));
    assert!(said.contains("{tree}/config:4\n"), "{said}");
    let own = text(&ground, &check(&ground, &[]));
    assert!(own.contains("{tree}/config:1\n"), "{own}");
}

#[test]
fn a_shell_by_which_sshd_starts_nothing_is_found() {
    let place = Place::new();
    let no_shell = place.path().join("no-such-shell");
    let strange = place.path().join("strange");
    fs::copy("/bin/sh", &strange).unwrap();
    for (number, (shell, weight, what)) in [
        (
            "/usr/sbin/nologin",
            "error",
            "the shell is /usr/sbin/nologin: sshd starts a subsystem through it, in vain",
        ),
        (
            "/bin/false",
            "error",
            "the shell is /bin/false: sshd starts a subsystem through it, in vain",
        ),
        (
            no_shell.to_str().unwrap(),
            "error",
            &format!(
                "the shell {} cannot be run: sshd lets nobody in with it",
                no_shell.display()
            ),
        ),
        (
            strange.to_str().unwrap(),
            "warning",
            &format!(
                "the shell {} is not in /etc/shells: pam_shells refuses it",
                strange.display()
            ),
        ),
        (
            "/nowhere/sftp-server",
            "error",
            "the shell /nowhere/sftp-server cannot be run: sshd lets nobody in with it",
        ),
        (
            "/usr/lib/openssh/sftp-server",
            "note",
            "the shell is /usr/lib/openssh/sftp-server: SFTP alone",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let account = Account::new(&place.path().join(format!("home{number}")), shell);
        let ground = ground("");
        let finished = check(&ground, &["--user", &account.name]);
        let said = text(&ground, &finished);
        assert!(said.contains(&format!("\n{weight:7}  {what}\n")), "{said}");
        assert_eq!(
            finished.status.code(),
            Some(i32::from(weight == "error")),
            "{said}"
        );
        if weight == "error" {
            assert!(
                said.contains(&format!("usermod -s /bin/sh {}", account.name)),
                "{said}"
            );
        }
    }
}

#[test]
fn keys_within_the_root_are_found_unless_they_are_hidden() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    account.make_dir(&account.home.join(".ssh"));
    let said = |file: &str| {
        let ground = ground(file);
        text(&ground, &check(&ground, &["--user", &account.name]))
    };
    let read = "lies within the root and can be read";
    let written = "no-protect: the client can write .ssh";
    let open = said("root = \"%h\"");
    assert!(open.contains(read) && !open.contains(written), "{open}");
    assert!(open.contains("hide it (hide = [\".ssh\"])"), "{open}");
    let lifted = said("root = \"%h\"\nno-protect = true");
    assert!(
        lifted.contains(read) && lifted.contains(written),
        "{lifted}"
    );
    let hidden = said("root = \"%h\"\nhide = [\".ssh\"]");
    assert!(!hidden.contains(read), "{hidden}");
    let boxed = said("root = \"%h\"\ndrop-box = true");
    assert!(!boxed.contains(read), "{boxed}");
    let elsewhere = said("root = \"{tree}/root\"");
    assert!(!elsewhere.contains(read), "{elsewhere}");
}

#[test]
fn only_root_looks_with_the_eyes_of_another() {
    let ground = ground("");
    let dir = Tree::new();
    let copy = copy_of(under_test(), &ground.tree);
    let launch = || Launch::program(&copy, &dir).user(65_534, 65_534);
    let run = |launch: Launch| launch.run(Stdio::null(), Stdio::piped());
    let finished = run(launch().args(["check", "--user", "root"]));
    assert_eq!(finished.status.code(), Some(1));
    let said = text(&ground, &finished);
    let expected = finding(
        "error",
        "only root can look with the eyes of another user",
        "run it with sudo",
    );
    assert!(said.contains(&expected), "{said}");
    let explained = run(launch().args(["explain", "--user", "root", "get", "/etc/shadow"]));
    assert_eq!(explained.status.code(), Some(1));
    assert_eq!(explained.stdout, b"");
    assert_eq!(
        explained.stderr_text(),
        "explain: only root can look with the eyes of another user; run it with sudo\n"
    );
    // Oneself, by name: whatever else is found, it is looked for.
    let own = text(&ground, &run(launch().args(["check", "--user", "nobody"])));
    assert!(own.contains("\nsandbox "), "{own}");
}
