//! Uploads through a real sshd whose client, server or sshd is killed, at several moments: what was there is untouched.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::Tree;
use crate::support::sshd::{HOST, Sshd};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Client,
    Server,
    Sshd,
}

/// What is being written so far, in bytes; none if nothing is.
fn written(dir: &Path) -> Option<u64> {
    let mut names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let hidden = names.find(|entry| {
        let name = entry.file_name();
        name.to_str().unwrap().starts_with(".sftp-server-upload.")
    })?;
    Some(hidden.metadata().map_or(0, |meta| meta.len()))
}

fn until(done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "it takes too long");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn kill_all(pids: &[u32]) {
    assert!(!pids.is_empty());
    for pid in pids {
        // Its parent may have taken it along.
        let _ = kill(Pid::from_raw(*pid as i32), Signal::SIGKILL);
    }
}

fn upload_and_kill(sshd: &Sshd, victim: Victim, moment: u64) {
    let local = Tree::new();
    let file = local.file("big", vec![b'n'; 2 << 20]);
    let inbox = sshd.inbox();
    let target = inbox.join("file");
    let batch = format!("put {} {}\n", file.display(), target.display());
    let batch = local.file("batch", batch);
    // So slow that it is met in the middle: kbit/s.
    let mut sftp: Command = sshd.sftp();
    let mut client = sftp
        .args(["-l", "4000", "-b"])
        .arg(batch)
        .arg(HOST)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(|| written(&inbox).is_some_and(|bytes| bytes >= moment));
    match victim {
        Victim::Client => client.kill().unwrap(),
        Victim::Server => kill_all(&sshd.processes("sftp-server")),
        // The one that serves the connection; the listener lives on.
        Victim::Sshd => {
            let listener = sshd.processes("sshd").into_iter().min().unwrap();
            let sessions = sshd.processes("sshd").into_iter();
            let sessions: Vec<u32> = sessions.filter(|pid| *pid != listener).collect();
            kill_all(&sessions);
        }
    }
    client.wait().unwrap();
    until(|| sshd.processes("sftp-server").is_empty());
    assert_eq!(fs::read(&target).unwrap(), b"what was there");
    let left = written(&inbox).is_some();
    assert_eq!(
        left,
        victim == Victim::Server,
        "{victim:?} at {moment}: only SIGKILL leaves a name"
    );
    for entry in fs::read_dir(&inbox).unwrap() {
        let path = entry.unwrap().path();
        if path != target {
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn whoever_is_killed_and_when_what_was_there_stays() {
    let sshd = Sshd::ordinary("{server} --atomic-upload");
    let (target, account) = (sshd.inbox().join("file"), sshd.account());
    fs::write(&target, "what was there").unwrap();
    std::os::unix::fs::chown(&target, Some(account.uid), Some(account.gid)).unwrap();
    for victim in [Victim::Client, Victim::Server, Victim::Sshd] {
        for moment in [0, 1, 300_000] {
            upload_and_kill(&sshd, victim, moment);
        }
    }
}
