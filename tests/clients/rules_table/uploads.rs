//! One long upload by each client: in order, killed in the middle, after too long a pause. What takes its place and what is left.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::day::files;
use super::hands::Hand;
use super::row::Base;
use crate::ground::*;
use crate::script::{Client, Script};
use crate::sshfs::Mount;
use crate::{curl, lftp, psftp, rclone, scp, sftp};

/// Slow enough that every client is met in the middle.
const RULE: &str = "--atomic-upload --upload-rate 200K";
const LENGTH: usize = 3_000_000;

/// The client about to upload `big` to `name`.
fn upload(hand: Hand, ground: &Ground, name: &str) -> Command {
    let (big, there) = (ground.local.join("big"), ground.remote.join(name));
    let script = |client| {
        let script = Script::new().then("put", &[&big, &there]);
        script.command(ground, client)
    };
    match hand {
        Hand::Sftp => sftp::sftp(ground, &[sftp::line("put", &[&big, &there])]),
        Hand::Psftp => psftp::psftp(ground, &[psftp::line("put", &[&big, &there])]),
        Hand::Lftp => {
            let [big, there] = [&big, &there].map(|path| lftp::quoted(path));
            lftp::lftp(ground, &format!("put {big} -o {there}"))
        }
        Hand::Scp => {
            let mut scp = ground.sshd.scp();
            scp.arg(big).arg(scp::to(&there));
            scp
        }
        Hand::Rclone => {
            let mut rclone = rclone::rclone(ground);
            rclone.arg("copyto").arg(big).arg(rclone::there(&there));
            rclone
        }
        Hand::Curl => {
            let mut curl = curl::curl(ground);
            curl.arg("--upload-file").arg(big);
            curl.arg(curl::url(ground, &there));
            curl
        }
        Hand::Paramiko => script(Client::Paramiko),
        Hand::Asyncssh => script(Client::Asyncssh),
        Hand::Ssh2 => script(Client::Ssh2),
        Hand::Erlang => script(Client::Erlang),
        Hand::Perl => script(Client::Perl),
        Hand::Phpseclib => script(Client::Phpseclib),
        Hand::Sshfs => {
            let mut cp = Command::new("cp");
            cp.arg(big).arg(ground.local.join("mount").join(name));
            cp
        }
    }
}

#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within 30 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What of a file that is not there yet has been written, in the directory.
fn pending(dir: &Path) -> Option<u64> {
    files(dir).iter().find_map(|path| {
        let name = path.file_name()?.to_str()?;
        let pending = name.starts_with(".sftp-server-upload.");
        pending.then(|| fs::metadata(path).map_or(0, |meta| meta.len()))
    })
}

fn ground(base: &Base, hand: Hand) -> Ground {
    let ground = base.ground(hand);
    ground.keep("big", &data(210, LENGTH));
    ground.plant("there", b"what was there");
    ground
}

/// Kills the client, all that it started, when it has begun.
fn kill_in_the_middle(hand: Hand, ground: &Ground, begun: impl Fn() -> bool) {
    let mut command = upload(hand, ground, "there");
    installed(command.get_program());
    command.process_group(0).stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until(&format!("{hand:?} begins"), begun);
    kill(Pid::from_raw(-(child.id() as i32)), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
}

#[test]
fn a_long_upload_grows_at_its_end_with_every_client() {
    let base = Base::new("--append-only", false);
    for hand in Hand::ALL {
        let ground = ground(&base, hand);
        let mount = (hand == Hand::Sshfs).then(|| Mount::new(&ground));
        succeed(&mut upload(hand, &ground, "long"));
        drop(mount);
        assert_bytes(&ground.remote.join("long"), &data(210, LENGTH));
    }
    // A client that sends pieces in any order is refused, and what it leaves is the beginning.
    let base = Base::new("--append-only", false);
    let ground = ground(&base, Hand::Ssh2);
    let there = ground.remote.join("fast");
    let fast = Script::new().then("fast-put", &[&ground.local.join("big"), &there]);
    let output = run(&fast.command(&ground, Client::Ssh2), Stdio::null());
    let (found, whole) = (fs::read(&there).unwrap(), data(210, LENGTH));
    assert!(whole.starts_with(&found), "{}", found.len());
    assert_eq!(output.status.success(), found == whole, "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(found == whole || said.contains("--append-only"), "{said}");
}

#[test]
fn an_atomic_upload_whose_client_is_killed_leaves_what_was_there_and_nothing_else() {
    let base = Base::new(RULE, false);
    std::thread::scope(|scope| {
        for hand in Hand::ALL {
            if matches!(hand, Hand::Scp | Hand::Sshfs) {
                continue;
            }
            let ground = ground(&base, hand);
            scope.spawn(move || {
                let remote = &ground.remote;
                kill_in_the_middle(hand, &ground, || {
                    pending(remote).is_some_and(|size| size > 0)
                });
                until(&format!("{hand:?} leaves nothing"), || {
                    pending(remote).is_none()
                });
                assert_bytes(&remote.join("there"), b"what was there");
                assert_eq!(files(remote).len(), 1, "{hand:?}");
            });
        }
    });
}

#[test]
fn scp_writes_in_the_place_of_an_existing_file_and_leaves_a_mixture_when_killed() {
    let base = Base::new(RULE, false);
    let ground = ground(&base, Hand::Scp);
    let there = ground.remote.join("there");
    let length = || fs::metadata(&there).unwrap().len();
    kill_in_the_middle(Hand::Scp, &ground, || length() > 1000);
    assert!(pending(&ground.remote).is_none());
    let found = fs::read(&there).unwrap();
    assert!(data(210, LENGTH).starts_with(&found) && found.len() < LENGTH);
    // To a new name it is atomic, as with everyone.
    fs::remove_file(&there).unwrap();
    kill_in_the_middle(Hand::Scp, &ground, || pending(&ground.remote).is_some());
    until("nothing is left", || files(&ground.remote).is_empty());
}

#[test]
fn a_mount_of_sshfs_closes_what_a_killed_program_wrote_but_not_what_it_wrote_itself() {
    let base = Base::new(RULE, false);
    let ground = ground(&base, Hand::Sshfs);
    let remote = &ground.remote;
    let mount = Mount::new(&ground);
    let begun = || pending(remote).is_some_and(|size| size > 0);
    // It is killed, and the program with it: nothing is closed.
    let sshfs = Pid::from_raw(mount.pid() as i32);
    let mut cp = upload(Hand::Sshfs, &ground, "there")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("cp begins", begun);
    kill(sshfs, Signal::SIGKILL).unwrap();
    assert!(!cp.wait().unwrap().success());
    drop(mount);
    until("nothing is left", || pending(remote).is_none());
    assert_bytes(&remote.join("there"), b"what was there");
    // The program alone: its beginning takes the place.
    fs::remove_dir(ground.local.join("mount")).unwrap();
    let mount = Mount::new(&ground);
    kill_in_the_middle(Hand::Sshfs, &ground, begun);
    drop(mount);
    until("nothing is left", || pending(remote).is_none());
    let found = fs::read(remote.join("there")).unwrap();
    assert!(data(210, LENGTH).starts_with(&found), "{}", found.len());
    assert!(found.len() < LENGTH, "{}", found.len());
}

#[test]
fn after_an_idle_time_lftp_and_a_mount_that_reconnects_go_on_and_others_do_not() {
    let base = Base::new("--idle-timeout 3s", false);
    let waits = |hand: Hand| {
        let ground = base.ground(hand);
        let (one, two) = (ground.keep("one", b"1"), ground.keep("two", b"2"));
        (one, two, ground)
    };
    let (one, two, ground) = waits(Hand::Lftp);
    let there = |name: &str| ground.remote.join(name);
    let [a, b] = [(&one, there("one")), (&two, there("two"))]
        .map(|(from, to)| format!("put {} -o {}", lftp::quoted(from), lftp::quoted(&to)));
    let mut lftp = lftp::lftp(&ground, &format!("{a}; shell sleep 6; {b}"));
    let (one, two, second) = waits(Hand::Sftp);
    let target = |name: &str| second.remote.join(name);
    let sleep = b"!sleep 6".to_vec();
    let batch = [
        sftp::line("put", &[&one, &target("one")]),
        sleep,
        sftp::line("put", &[&two, &target("two")]),
    ];
    let mut sftp = sftp::sftp(&second, &batch);
    let mounted = base.ground(Hand::Sshfs);
    let plain = base.ground(Hand::Rclone);
    let mounts = (
        Mount::with(&mounted, &["-o", "reconnect"]),
        Mount::new(&plain),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| succeed(&mut lftp));
        scope.spawn(|| {
            // It writes into what is closed, or reads its end.
            let said = fail(&mut sftp);
            assert!(
                said.contains("SIGPIPE") || said.contains("onnection closed"),
                "{said}"
            );
        });
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(6));
            fs::write(mounts.0.join("file"), b"goes on").unwrap();
            // It is not mounted any more: the file goes into the directory beneath.
            fs::write(mounts.1.join("file"), b"stays here").unwrap();
        });
    });
    for name in ["one", "two"] {
        assert!(there(name).exists(), "{name}");
    }
    assert!(target("one").exists() && !target("two").exists());
    assert_bytes(&mounted.remote.join("file"), b"goes on");
    assert!(!plain.remote.join("file").exists());
}
