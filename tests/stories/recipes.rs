//! Rules put together for a purpose, as the manual's recipes have them, and what the common clients make of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::person::{Person, survey};
use crate::run::{Input, Ran, run};
use crate::support::Tree;
use crate::support::examples::example;
use crate::support::sshd::HOST;

/// At the client's side: two files to send.
fn local() -> Tree {
    let local = Tree::new();
    local.file("hello", "hello there");
    local.file("other", "another one");
    local
}

fn read(person: &Person, path: &str) -> String {
    fs::read_to_string(person.home().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn mode(person: &Person, path: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    let meta = fs::symlink_metadata(person.home().join(path)).unwrap();
    meta.permissions().mode() & 0o7777
}

/// A batch in which one command fails, and why.
#[track_caller]
fn refused(person: &Person, local: &Tree, command: &str, why: &str) {
    let ran = person.sftp(0, local, &format!("{command}\n"));
    assert_eq!(ran.status.code(), Some(1), "{command}: {ran:?}");
    assert!(ran.stderr.contains(why), "{command}: {ran:?}");
}

fn lftp(person: &Person, local: &Tree, commands: &str) -> Ran {
    let settings = format!(
        "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set xfer:clobber yes; \
         set sftp:connect-program \"ssh -a -x -F {}\"; open sftp://{HOST}; ",
        person.config_of(0).display()
    );
    let mut lftp = Command::new("lftp");
    lftp.args(["--norc", "-c"])
        .arg(settings + commands)
        .env("HOME", local.root())
        .current_dir(local);
    run(&mut lftp, Input::Null)
}

fn rclone(person: &Person, local: &Tree, arguments: &[&str]) -> Ran {
    let mut rclone = Command::new("rclone");
    let sshd = &person.sshd;
    rclone
        .args(["--config", "/dev/null", "--retries", "1"])
        .args(["--low-level-retries", "1", "--sftp-disable-hashcheck"])
        // Another connection is another session, to which the first one's files are foreign.
        .args(["--transfers", "1", "--checkers", "1"])
        .args([
            "--sftp-host",
            "127.0.0.1",
            "--sftp-port",
            &sshd.port.to_string(),
        ])
        .args(["--sftp-user", &sshd.account().name, "--sftp-key-file"])
        .arg(person.key(0))
        .arg("--sftp-known-hosts-file")
        .arg(sshd.known_hosts())
        .args(arguments)
        .env("HOME", local.root())
        .current_dir(local);
    run(&mut rclone, Input::Null)
}

fn restic(person: &Person, local: &Tree, arguments: &[&str]) -> Ran {
    let ssh = format!("ssh -F {} {HOST} -s sftp", person.config_of(0).display());
    // What is refused it tries again for most of a minute, once a file.
    let mut restic = Command::new("timeout");
    restic
        .args(["8", "restic"])
        .args(["-o", &format!("sftp.command={ssh}")])
        .args(["--repo", &format!("sftp:{HOST}:/repository"), "--no-cache"])
        .args(arguments)
        .env("RESTIC_PASSWORD", "throwaway")
        .env("HOME", local.root())
        .current_dir(local);
    run(&mut restic, Input::Null)
}

fn line(flags: &str) -> String {
    format!(r#"command="/usr/lib/openssh/sftp-server {flags}",restrict ssh-ed25519 AAAA"#)
}

/// A box in which somebody else's work lies already.
fn drop_box() -> Person {
    let person = Person::new(&example("authorized_keys.drop-box"));
    person.dir("box");
    person.file("box/anna.txt", "the work of anna");
    person.dir("box/anna");
    person.file("box/anna/essay", "the essay of anna");
    person
}

#[test]
fn a_class_hands_in_work_and_sees_nothing_of_each_other() {
    let person = drop_box();
    let local = local();
    let said = person
        .sftp(
            0,
            &local,
            "put hello\nmkdir ben\nput other ben/essay\nrename hello ben.txt\nls -1\nls -1 anna\nls -1 ben\n",
        )
        .success();
    let listed: Vec<_> = said
        .lines()
        .filter(|line| !line.starts_with("sftp>"))
        .collect();
    // Directories are on the way to what is one's own; their names are listed only where they are own too.
    assert_eq!(listed, ["ben", "ben.txt", "ben/essay"], "{said}");
    assert_eq!(read(&person, "box/ben.txt"), "hello there");
    assert_eq!(read(&person, "box/ben/essay"), "another one");
    assert_eq!(mode(&person, "box/ben.txt"), 0o640);
    assert_eq!(mode(&person, "box/ben"), 0o750);

    // Another session: what the first one made is foreign.
    let before = survey(&[&person.home().join("box")]);
    for name in ["anna.txt", "ben.txt", "anna/essay"] {
        refused(&person, &local, &format!("get {name}"), "not found");
        refused(&person, &local, &format!("rm {name}"), "No such file");
        refused(
            &person,
            &local,
            &format!("put hello {name}"),
            "ermission denied",
        );
        refused(
            &person,
            &local,
            &format!("rename {name} mine"),
            "No such file",
        );
    }
    refused(&person, &local, "ln -s anna.txt link", "ermission denied");
    refused(&person, &local, "rmdir anna", "No such file");
    assert_eq!(survey(&[&person.home().join("box")]), before);
}

#[test]
fn a_drop_box_takes_what_scp_lftp_and_rclone_send() {
    let person = drop_box();
    let local = local();
    let mut scp = person.client("scp", 0);
    scp.current_dir(&local).args(["-p", "hello"]);
    run(scp.arg(format!("{HOST}:by-scp")), Input::Null).success();
    lftp(&person, &local, "put hello -o by-lftp").success();
    rclone(&person, &local, &["copyto", "hello", ":sftp:by-rclone"]).success();
    for name in ["by-scp", "by-lftp", "by-rclone"] {
        assert_eq!(
            read(&person, &format!("box/{name}")),
            "hello there",
            "{name}"
        );
        assert_eq!(mode(&person, &format!("box/{name}")), 0o640, "{name}");
    }
    // The same again finds the names taken, and nothing of what is there changes.
    let mut scp = person.client("scp", 0);
    scp.current_dir(&local).arg("other");
    let ran = run(scp.arg(format!("{HOST}:by-scp")), Input::Null);
    assert!(!ran.status.success(), "{ran:?}");
    let ran = lftp(&person, &local, "put other -o by-lftp");
    assert!(!ran.status.success(), "{ran:?}");
    let ran = rclone(&person, &local, &["copyto", "other", ":sftp:by-rclone"]);
    assert!(!ran.status.success(), "{ran:?}");
    for name in ["by-scp", "by-lftp", "by-rclone"] {
        assert_eq!(
            read(&person, &format!("box/{name}")),
            "hello there",
            "{name}"
        );
    }
}

#[test]
fn backups_cannot_be_rewritten_by_who_has_the_key() {
    let person = Person::new(&example("authorized_keys.backup"));
    person.dir("backup");
    let local = local();
    local.dir("tree");
    local.file("tree/file", "what matters");
    restic(&person, &local, &["init"]).success();
    restic(&person, &local, &["backup", "tree"]).success();
    local.file("tree/file", "what matters today");
    restic(&person, &local, &["backup", "tree"]).success();
    person.sftp(0, &local, "put hello\nls -l\n").success();
    let before = survey(&[&person.home().join("backup")]);

    // What ransomware would try: write over, cut, remove, rename away or over, put a link in the place.
    refused(&person, &local, "put other hello", "ermission denied");
    refused(&person, &local, "reput other hello", "");
    refused(&person, &local, "rm hello", "ermission denied");
    refused(&person, &local, "rename hello gone", "ermission denied");
    refused(
        &person,
        &local,
        "rename repository gone",
        "ermission denied",
    );
    refused(&person, &local, "rm repository/config", "ermission denied");
    assert_eq!(survey(&[&person.home().join("backup")]), before);
    let ran = restic(&person, &local, &["forget", "--keep-last", "1", "--prune"]);
    assert!(!ran.status.success(), "{ran:?}");
    // It gives up only after long; what it tried to remove is all there.
    let after = survey(&[&person.home().join("backup")]);
    for (path, what) in before.iter().filter(|(path, _)| path.is_file()) {
        assert_eq!(after.get(path), Some(what), "{}", path.display());
    }
    // Killed, it has left its lock there: with this key nobody takes that away.
    let locked = restic(&person, &local, &["backup", "tree"]);
    assert!(locked.stderr.contains("already locked"), "{locked:?}");
    assert!(!restic(&person, &local, &["unlock"]).status.success());
    let mut unlock = Command::new("restic");
    unlock
        .args(["--no-cache", "unlock", "--repo"])
        .arg(person.home().join("backup/repository"))
        .env("RESTIC_PASSWORD", "throwaway")
        .env("HOME", local.root());
    run(&mut unlock, Input::Null).success();
    restic(&person, &local, &["backup", "tree"]).success();
    let restore = ["restore", "latest", "--no-lock", "--target", "back"];
    restic(&person, &local, &restore).success();
    assert_eq!(local.read("back/tree/file"), b"what matters today");
    restic(&person, &local, &["check", "--no-lock", "--read-data"]).success();
}

#[test]
fn a_web_site_stays_writable_for_its_group() {
    let person = Person::new(&example("authorized_keys.web"));
    let www = person.dir("www");
    let run_tool = |program: &str, arguments: &[&str], path: &Path| {
        run(Command::new(program).args(arguments).arg(path), Input::Null).success()
    };
    run_tool("setfacl", &["-d", "-m", "g:12345:rwx"], &www);
    let local = local();
    local.chmod("hello", 0o600);
    let said = person.sftp(
        0,
        &local,
        "mkdir new\nput -p hello new/page\nput hello top\nchmod 600 top\nchmod 700 new\nmkdir new/deep\n",
    );
    said.success();
    for file in ["www/new/page", "www/top"] {
        assert_eq!(mode(&person, file), 0o664, "{file}");
        let acl = run_tool("getfacl", &["-n", "-p", "-c"], &person.home().join(file));
        assert!(acl.contains("group:12345:rw"), "{file}: {acl}");
        assert!(acl.contains("mask::rw-"), "{file}: {acl}");
    }
    for dir in ["www/new", "www/new/deep"] {
        assert_eq!(mode(&person, dir), 0o2775, "{dir}");
        let acl = run_tool("getfacl", &["-n", "-p", "-c"], &person.home().join(dir));
        assert!(acl.contains("default:group:12345:rwx"), "{dir}: {acl}");
    }
}

#[test]
fn a_mirror_is_fetched_and_one_directory_takes_what_is_sent() {
    let person = Person::new(&example("authorized_keys.mirror"));
    let mirror = person.dir("mirror");
    person.dir("in");
    person.file("mirror/page", "what is mirrored");
    let before = survey(&[&mirror]);
    let local = local();
    let said = person
        .sftp(
            0,
            &local,
            "ls -1\nget page\nput hello in/hello\nls -1 in\nrm in/hello\nput other in\n",
        )
        .success();
    assert!(said.contains("\nin\npage\n"), "{said}");
    assert_eq!(local.read("page"), b"what is mirrored");
    assert_eq!(read(&person, "in/other"), "another one");
    refused(&person, &local, "put hello", "Failure");
    refused(&person, &local, "put hello page", "Failure");
    refused(&person, &local, "rm page", "Failure");
    refused(&person, &local, "rename page in/page", "");
    refused(&person, &local, "ln page in/page", "");
    assert_eq!(survey(&[&mirror]), before);
    assert!(!person.home().join("in/page").exists());
}

#[test]
fn an_upload_that_broke_is_resumed_where_files_only_grow() {
    let person = Person::new(&line("--root ~/logs --append-only"));
    person.dir("logs");
    let local = local();
    let whole: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    local.file("big", &whole);
    for name in ["sftp", "lftp"] {
        person.file(&format!("logs/{name}"), &whole[..123_457]);
    }
    person.sftp(0, &local, "reput big sftp\n").success();
    assert!(read(&person, "logs/sftp") == whole, "what reput completed");
    refused(&person, &local, "put big sftp", "ermission denied");
    refused(&person, &local, "rm sftp", "ermission denied");
    lftp(&person, &local, "put -c big -o lftp").success();
    assert!(read(&person, "logs/lftp") == whole, "what put -c completed");
}
