//! restic: a backup into a repository on the server, read back, checked and pruned. It writes each file once (CREAT and EXCL), never
//! resumes or appends, and has names of its own making; the odd ones are inside its packs.

use std::fs;
use std::process::{Command, Output};

use crate::ground::*;
use crate::support::sshd::HOST;

pub(crate) fn restic(ground: &Ground, arguments: &[&str]) -> Command {
    let mut restic = Command::new("restic");
    restic
        .arg("-o")
        .arg(format!(
            "sftp.command=ssh -F {} {HOST} -s sftp",
            ground.sshd.client_config().display()
        ))
        .arg("--repo")
        .arg(format!(
            "sftp:{HOST}:{}",
            seen(ground.remote.join("repository")).display()
        ))
        .arg("--no-cache")
        .args(arguments)
        .current_dir(&ground.local)
        .env("RESTIC_PASSWORD", "throwaway")
        .env("HOME", &ground.local);
    restic
}

pub(crate) fn play(ground: &Ground, arguments: &[&str]) -> Output {
    succeed(&mut restic(ground, arguments))
}

#[test]
fn a_backup_is_made_checked_restored_and_pruned() {
    let ground = Ground::new();
    let tree = ground.local.join("tree");
    grow_tree(&tree, &odd_names());
    grow_links(&tree);
    fs::hard_link(tree.join("a/program"), tree.join("hard")).unwrap();
    fs::write(tree.join("big"), data(60, 20_000_000)).unwrap();
    play(&ground, &["init"]);
    assert_eq!(
        fs::read_dir(ground.remote.join("repository/data"))
            .unwrap()
            .count(),
        256
    );
    play(&ground, &["backup", "tree"]);
    play(&ground, &["restore", "latest", "--target", "back"]);
    assert_same_tree(&ground.local.join("back/tree"), &tree, MODES_AND_TIMES);

    fs::write(tree.join("big"), data(61, 5_000_000)).unwrap();
    play(&ground, &["backup", "tree"]);
    play(&ground, &["forget", "--keep-last", "1", "--prune"]);
    play(&ground, &["check", "--read-data"]);
    play(&ground, &["restore", "latest", "--target", "again"]);
    assert_same_tree(&ground.local.join("again/tree"), &tree, MODES_AND_TIMES);
    // Temporary names are renamed away, and the lock is gone.
    for entry in fs::read_dir(ground.remote.join("repository")).unwrap() {
        let entry = entry.unwrap();
        assert!(
            !entry.file_name().to_string_lossy().contains("tmp"),
            "{:?}",
            entry.file_name()
        );
    }
    assert_eq!(
        fs::read_dir(ground.remote.join("repository/locks"))
            .unwrap()
            .count(),
        0
    );
    let snapshots = fs::read_dir(ground.remote.join("repository/snapshots"))
        .unwrap()
        .count();
    assert_eq!(snapshots, 1);
}

#[test]
fn a_second_init_finds_the_first() {
    let ground = Ground::new();
    play(&ground, &["init"]);
    let said = fail(&mut restic(&ground, &["init"]));
    assert!(said.contains("config file already exists"), "{said}");
}
