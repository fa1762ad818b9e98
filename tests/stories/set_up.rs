//! A line in authorized_keys with a mistake in it: whoever tries the key reads which path, why, and what to do; so does the log.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::person::{Person, survey};
use crate::run::{Input, Ran, run};
use crate::support::Tree;
use crate::support::sshd::HOST;

/// With `-e` the log goes to the client as well.
fn line(flags: &str) -> String {
    format!(r#"command="/usr/lib/openssh/sftp-server -e {flags}",restrict ssh-ed25519 AAAA"#)
}

/// What `ssh` shows: of a subsystem, as `sftp` asks for it, sshd drops standard error, and the client reads of a closed connection alone.
fn tried(person: &Person) -> Ran {
    let local = Tree::new();
    local.file("hello", "hello there");
    let before = survey(&[person.home()]);
    let ran = person.sftp(0, &local, "put hello\n");
    assert_eq!(ran.status.code(), Some(255), "{ran:?}");
    let ran = run(person.client("ssh", 0).arg(HOST), Input::Open);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(ran.stdout, "");
    assert_eq!(survey(&[person.home()]), before);
    ran
}

#[track_caller]
fn explains(person: &Person, flags: &str, why: &str) {
    person.authorize(&line(flags));
    let why = person.sshd.place().expand(why);
    let ran = tried(person);
    // The line for the person, and behind it the log's, which has no name before it and ends as the log does.
    assert_eq!(ran.stderr, format!("sftp-server: {why}\n{why}\r\n"));
}

#[test]
fn a_missing_root_is_named() {
    let person = Person::new(&line("--root ~/inbox"));
    explains(
        &person,
        "--root ~/inbox",
        "cannot open the root \"{dir}/home/inbox\": No such file or directory; create it, or correct --root",
    );
    explains(
        &person,
        "--root %h/no/where",
        "cannot open the root \"{dir}/home/no/where\": No such file or directory; \"{dir}/home/no\" does not exist; create it, or correct --root",
    );
    // And once it is there, it serves.
    person.authorize(&line("--root ~/inbox"));
    person.dir("inbox");
    let local = Tree::new();
    local.file("hello", "hello there");
    person.sftp(0, &local, "put hello\n").success();
    assert!(person.home().join("inbox/hello").exists());
}

#[test]
fn a_directory_that_the_user_may_not_enter_is_named() {
    let person = Person::new(&line("--root ~"));
    let closed = person.place().join("closed");
    fs::create_dir_all(closed.join("inbox")).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    explains(
        &person,
        "--root {dir}/closed/inbox",
        "cannot open the root \"{dir}/closed/inbox\": Permission denied; this user may not enter \"{dir}/closed\"; allow it \
         (chmod or chgrp, +x), or choose another directory",
    );
    explains(
        &person,
        "--root ~ --bind /inbox={dir}/closed/inbox",
        "cannot bind \"/inbox\" to \"{dir}/closed/inbox\": Permission denied; this user may not enter \"{dir}/closed\"; allow it \
         (chmod or chgrp, +x), or choose another directory",
    );
}

#[test]
fn a_bind_that_cannot_be_is_explained() {
    let person = Person::new(&line("--root ~"));
    person.dir("projects");
    explains(
        &person,
        "--root ~ --bind /secret=~/projects",
        "cannot bind \"/secret\" to \"{dir}/home/projects\": a file stands there; remove it, or choose another place",
    );
    explains(
        &person,
        "--root ~ --bind /a/b=~/projects",
        "cannot bind \"/a/b\" into \"/a\": No such file or directory; this directory must exist in the view; create it, or choose another place",
    );
    explains(
        &person,
        "--root ~ --bind /here=~/secret",
        "cannot bind \"/here\" to \"{dir}/home/secret\": Not a directory; give a directory to --bind",
    );
    explains(
        &person,
        "--root ~ --bind /here=~/gone",
        "cannot bind \"/here\" to \"{dir}/home/gone\": No such file or directory; create it, or correct --bind",
    );
}

#[test]
fn a_line_that_makes_no_sense_is_explained_and_serves_nobody() {
    let person = Person::new(&line("--root ~"));
    for (flags, words) in [
        (
            "--bind /here=~/projects",
            "--bind needs --root: without it the client sees the whole host",
        ),
        (
            "--root ~ --bind /here",
            "Invalid --bind \"/here\": it is written VIRTUAL=DIR or VIRTUAL=DIR:ro",
        ),
        (
            "--root %x",
            "Invalid --root \"%x\": unknown token; %d, %h, %u, %U and %% are known",
        ),
    ] {
        person.authorize(&line(flags));
        let ran = tried(&person);
        assert!(ran.stderr.contains(words), "{flags}: {ran:?}");
    }
}
