//! restic under every rule: a backup into a repository that is there, and what was backed up earlier restored.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::hands::Hand;
use super::row::Base;
use crate::ground::*;
use crate::restic::restic;

/// A rule, what of it forbids a backup, in restic's words, and what forbids to restore.
const ROWS: [(&str, &str, &str); 14] = [
    ("--read-only", "permission denied", ""),
    ("--no-overwrite --no-delete", "", ""),
    ("--no-delete", "", ""),
    ("--append-only", "", ""),
    ("--drop-box", "does not exist", "does not exist"),
    ("--hide config", "does not exist", "does not exist"),
    ("--deny config", "permission denied", "permission denied"),
    ("--file-mode 0640 --dir-mode 0750 --umask 077", "", ""),
    ("--ignore-setstat size,perms,times,owner", "", ""),
    ("--atomic-upload", "", ""),
    ("--atomic-upload --no-overwrite --no-delete", "", ""),
    ("--max-file-size 20K", "max-file-size", ""),
    ("--reserve-free 8000T --atomic-upload", "reserve-free", ""),
    (
        "--max-handles 2 --upload-rate 1M --download-rate 1M",
        "",
        "",
    ),
];

/// restic on a repository of this machine's, not by SFTP.
fn at(ground: &Ground, repository: &Path, arguments: &[&str]) -> Command {
    let mut restic = Command::new("restic");
    restic
        .arg("--repo")
        .arg(repository)
        .arg("--no-cache")
        .args(arguments)
        .current_dir(&ground.local)
        .env("RESTIC_PASSWORD", "throwaway")
        .env("HOME", &ground.local);
    restic
}

/// Runs it by SFTP to its good end, or until it tells of what is refused: it would try again for a quarter of an hour. Whether it ended well.
fn tried(ground: &Ground, arguments: &[&str], words: &str) -> bool {
    let mut restic = restic(ground, arguments);
    if words.is_empty() {
        succeed(&mut restic);
        return true;
    }
    let log = ground.local.join("restic.log");
    let file = File::create(&log).unwrap();
    restic.stdout(file.try_clone().unwrap()).stderr(file);
    let mut child = restic.stdin(Stdio::null()).spawn().unwrap();
    let said = || fs::read_to_string(&log).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !said().contains(words) {
        let ended = child.try_wait().unwrap().is_some() && !said().contains(words);
        assert!(
            !ended && Instant::now() < deadline,
            "{arguments:?}: {}",
            said()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    // Interrupted, it clears up.
    if child.try_wait().unwrap().is_none() {
        kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "{arguments:?}: {}", said());
    false
}

fn snapshots(ground: &Ground) -> usize {
    let dir = ground.remote.join("repository/snapshots");
    fs::read_dir(dir).unwrap().count()
}

/// Copies a repository, and makes it the served user's own.
fn plant(ground: &Ground, from: &Path) {
    let mut cp = Command::new("cp");
    succeed(cp.arg("-r").arg(from).arg(ground.remote.join("repository")));
    ground.give(&ground.remote);
}

fn play(from: &Ground, (rule, no_backup, no_restore): (&str, &str, &str)) {
    println!("--- {rule}");
    let base = Base::new(rule, false);
    // One of the two halves of a jail.
    let ground = base.ground(if rule.len() % 2 == 0 {
        Hand::Sftp
    } else {
        Hand::Scp
    });
    plant(&ground, &from.local.join("repository"));
    let (tree, repository) = (from.local.join("tree"), ground.remote.join("repository"));
    let config = fs::read(repository.join("config")).unwrap();
    let more = from.local.join("more");
    let target = ground.local.join("back");
    let restore = [
        "restore",
        "latest",
        "--no-lock",
        "--target",
        target.to_str().unwrap(),
    ];
    if tried(&ground, &restore, no_restore) {
        let restored = target.join(tree.strip_prefix("/").unwrap());
        assert_same_tree(&restored, &tree, MODES_AND_TIMES);
    }
    let backed = tried(&ground, &["backup", more.to_str().unwrap()], no_backup);
    assert_eq!(snapshots(&ground), 1 + usize::from(backed), "{rule}");
    // Nothing half made is taken for a part of the repository, and what was there is there.
    succeed(&mut at(
        &ground,
        &repository,
        &["check", "--no-lock", "--read-data"],
    ));
    assert_bytes(&repository.join("config"), &config);
    for path in super::day::files(&repository) {
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(!name.starts_with(".sftp-server-upload."), "{rule}: {name}");
    }
}

#[test]
fn restic_backs_up_and_restores_under_every_rule_that_does_not_forbid_it() {
    let from = Ground::new();
    let tree = from.local.join("tree");
    grow_tree(&tree, &odd_names());
    from.keep("more", &data(220, 400_000));
    let repository = from.local.join("repository");
    for arguments in [&["init"][..], &["backup", tree.to_str().unwrap()]] {
        succeed(&mut at(&from, &repository, arguments));
    }
    let queue = Mutex::new(ROWS.iter());
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                loop {
                    let Some(row) = queue.lock().unwrap().next() else {
                        return;
                    };
                    play(&from, *row);
                }
            });
        }
    });
}
