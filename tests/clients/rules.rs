//! Honest clients under rules with which they should work. Others are in `stories/recipes.rs`.

use std::fs;
use std::time::{Duration, Instant};

use crate::ground::*;
use crate::restic::{play, restic};
use crate::script::{Client::Paramiko, Script};
use crate::sshfs::Mount;

#[test]
fn restic_backs_up_and_restores_where_files_only_grow() {
    let (ground, _) = Ground::under("--append-only");
    let tree = ground.local.join("tree");
    grow_tree(&tree, &odd_names());
    play(&ground, &["init"]);
    play(&ground, &["backup", "tree"]);
    fs::write(tree.join("more"), data(62, 3_000_000)).unwrap();
    play(&ground, &["backup", "tree"]);
    play(&ground, &["check", "--read-data"]);
    play(&ground, &["restore", "latest", "--target", "back"]);
    assert_same_tree(&ground.local.join("back/tree"), &tree, MODES_AND_TIMES);
    // Its own locks went away; what earlier sessions left does not.
    let locks = ground.remote.join("repository/locks");
    assert_eq!(fs::read_dir(locks).unwrap().count(), 0);
    let snapshots = ground.remote.join("repository/snapshots");
    let before = fs::read_dir(&snapshots).unwrap().count();
    assert_eq!(before, 2);
    // It would try for a quarter of an hour.
    let mut forget = std::process::Command::new("timeout");
    let tried = restic(&ground, &["forget", "--keep-last", "1"]);
    forget
        .arg("8")
        .arg(tried.get_program())
        .args(tried.get_args());
    for (name, value) in tried.get_envs() {
        forget.env(name, value.unwrap());
    }
    assert!(!forget.output().unwrap().status.success());
    assert_eq!(fs::read_dir(&snapshots).unwrap().count(), before);
}

#[test]
fn paramiko_appends_where_files_only_grow() {
    let (ground, _) = Ground::under("--append-only");
    let more = ground.keep("more", b" and more");
    let log = ground.plant("log", b"what was logged");
    let new = ground.remote.join("new");
    Script::new()
        .then("append", &[&more, &log])
        .then("put", &[&more, &new])
        .play(&ground, Paramiko);
    assert_bytes(&log, b"what was logged and more");
    assert_bytes(&new, b" and more");
    for script in [
        Script::new().then("put", &[&more, &log]),
        Script::new().then("remove", &[&log]),
    ] {
        let said = script.refused(&ground, Paramiko);
        assert!(
            said.contains("--append-only") || said.contains("Permission"),
            "{said}"
        );
    }
    assert_bytes(&log, b"what was logged and more");
}

#[test]
fn a_mount_of_sshfs_takes_new_files_and_keeps_the_old_ones() {
    let (ground, _) = Ground::under("--no-overwrite --no-delete");
    let there = ground.plant("there", b"what is there");
    let mount = Mount::new(&ground);
    let bytes = data(63, 700_000);
    let source = ground.keep("new", &bytes);
    succeed(
        std::process::Command::new("cp")
            .arg(&source)
            .arg(mount.join("new")),
    );
    assert_bytes(&ground.remote.join("new"), &bytes);
    assert_bytes(&mount.join("there"), b"what is there");
    for attempt in [
        "echo x > there",
        "echo x >> there",
        "rm there",
        "mv there gone",
        "mv new there",
    ] {
        fail(
            std::process::Command::new("sh")
                .args(["-c", attempt])
                .current_dir(mount.join("")),
        );
    }
    assert_bytes(&there, b"what is there");
}

#[test]
fn a_mount_of_sshfs_uploads_atomically() {
    let (ground, _) = Ground::under("--atomic-upload");
    let mount = Mount::new(&ground);
    let there = ground.remote.join("new");
    for number in [64, 65] {
        let bytes = data(number, 700_000);
        let source = ground.keep("new", &bytes);
        succeed(
            std::process::Command::new("cp")
                .arg(&source)
                .arg(mount.join("new")),
        );
        // sshfs closes a file some time after the program has.
        let deadline = Instant::now() + Duration::from_secs(10);
        while fs::read(&there).ok() != Some(bytes.clone()) {
            assert!(Instant::now() < deadline, "it never took its place");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let script = "mkdir d; echo one > d/a; cat d/a; tar cf t.tar d; tar tf t.tar; mv t.tar u.tar";
    let mut shell = std::process::Command::new("sh");
    succeed(shell.args(["-euc", script]).current_dir(mount.join("")));
    assert_bytes(&mount.join("d/a"), b"one\n");
    drop(mount);
    let left = fs::read_dir(&ground.remote).unwrap();
    let mut names: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["d", "new", "u.tar"]);
}
