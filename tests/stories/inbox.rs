//! One key, locked to `~/inbox` by its owner: it gets there by every client, and nowhere else.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::mount::Mount;
use crate::person::{Person, SECRET, nothing_leaked, survey};
use crate::run::{Input, LIMIT, run};
use crate::support::Tree;
use crate::support::examples::{block, example};
use crate::support::server::wait;
use crate::support::sshd::HOST;

/// Somebody with an inbox, in which links lead out, as anybody may have left there.
fn somebody(keys: &str) -> Person {
    let person = Person::new(keys);
    let inbox = person.dir("inbox");
    person.file("inbox/there", "what is there");
    symlink("../secret", inbox.join("out")).unwrap();
    symlink(person.home().join("secret"), inbox.join("absolute")).unwrap();
    symlink("..", inbox.join("up")).unwrap();
    symlink(person.home(), inbox.join("home")).unwrap();
    person
}

fn locked() -> Person {
    somebody(&example("authorized_keys.inbox"))
}

/// At the client's side: a file to send.
fn local() -> Tree {
    let local = Tree::new();
    local.file("hello", "hello there");
    local
}

#[test]
fn the_locked_key_works_by_sftp() {
    for keys in [
        example("authorized_keys.inbox"),
        block("command=\"~/bin/sftp-server --root ~/inbox\""),
    ] {
        let person = somebody(&keys);
        let local = local();
        let commands = "pwd\nls -la\nput hello\nmkdir dir\nrename hello dir/moved\nget dir/moved back\nget there\nrm there\n";
        let said = person.sftp(0, &local, commands).success();
        assert!(said.contains("Remote working directory: /\n"), "{said}");
        let home = person.home().to_str().unwrap();
        // `ls` shows what is stored in a link, which is its owner's business; nothing else names the host.
        let named = said
            .lines()
            .filter(|line| line.contains(home) && !line.contains(" -> "));
        assert_eq!(named.collect::<Vec<_>>(), [] as [&str; 0]);
        assert_eq!(local.read("back"), b"hello there");
        assert_eq!(local.read("there"), b"what is there");
        let inbox = person.home().join("inbox");
        assert_eq!(fs::read(inbox.join("dir/moved")).unwrap(), b"hello there");
        assert!(!inbox.join("there").exists());
    }
}

#[test]
fn the_locked_key_works_by_scp() {
    let person = locked();
    let local = local();
    let scp = || {
        let mut scp = person.client("scp", 0);
        scp.current_dir(&local).arg("-r");
        scp
    };
    run(scp().args(["hello", &format!("{HOST}:")]), Input::Null).success();
    run(scp().args([&format!("{HOST}:/there"), "back"]), Input::Null).success();
    assert_eq!(local.read("back"), b"what is there");
    let arrived = person.home().join("inbox/hello");
    assert_eq!(fs::read(arrived).unwrap(), b"hello there");
    for out in ["out", "absolute", "../secret", "home/secret"] {
        let ran = run(
            scp().args([&format!("{HOST}:{out}"), "leaked"]),
            Input::Null,
        );
        assert_eq!(ran.status.code(), Some(1), "{out}: {ran:?}");
    }
    nothing_leaked(&local);
}

#[test]
fn the_locked_key_works_by_rclone() {
    let person = locked();
    let local = local();
    let rclone = |arguments: &[&str]| {
        let sshd = &person.sshd;
        let mut rclone = Command::new("rclone");
        rclone
            .args([
                "--config",
                "/dev/null",
                "--retries",
                "1",
                "--low-level-retries",
                "1",
            ])
            .args([
                "--sftp-host",
                "127.0.0.1",
                "--sftp-port",
                &sshd.port.to_string(),
            ])
            .args([
                "--sftp-user",
                &sshd.account().name,
                "--sftp-disable-hashcheck",
            ])
            .arg("--sftp-key-file")
            .arg(person.key(0))
            .arg("--sftp-known-hosts-file")
            .arg(sshd.known_hosts())
            .current_dir(&local)
            .args(arguments);
        run(&mut rclone, Input::Null)
    };
    rclone(&["copy", "hello", ":sftp:new"]).success();
    rclone(&["copy", ":sftp:there", "back"]).success();
    assert_eq!(local.read("back/there"), b"what is there");
    let arrived = person.home().join("inbox/new/hello");
    assert_eq!(fs::read(arrived).unwrap(), b"hello there");
    for out in ["out", "absolute", "../secret", "home/secret"] {
        rclone(&["copy", &format!(":sftp:{out}"), "leaked"]);
    }
    rclone(&["copy", "--copy-links", ":sftp:", "leaked"]);
    nothing_leaked(&local);
}

#[test]
fn the_locked_key_works_by_sshfs() {
    let person = locked();
    let local = Tree::new();
    let mount = Mount::new(&person.config_of(0), &local.at("mount"));
    fs::write(mount.join("hello"), "hello there").unwrap();
    let inbox = person.home().join("inbox");
    assert_eq!(fs::read(inbox.join("hello")).unwrap(), b"hello there");
    assert_eq!(fs::read(mount.join("there")).unwrap(), b"what is there");
    fs::rename(mount.join("hello"), mount.join("there")).unwrap();
    assert_eq!(fs::read(inbox.join("there")).unwrap(), b"hello there");
    // Links are followed at the server's side: one of them leads back to the top, the others nowhere.
    assert_eq!(fs::read(mount.join("up/there")).unwrap(), b"hello there");
    for out in ["out", "absolute", "up/secret", "home/secret"] {
        assert!(fs::read(mount.join(out)).is_err(), "{out}");
    }
}

#[test]
fn the_locked_key_reads_and_touches_nothing_outside() {
    let person = locked();
    let local = local();
    let inbox = person.home().join("inbox");
    let home = person.home().display().to_string();
    let outside = || {
        let mut found = survey(&[person.home()]);
        found.retain(|path, _| !path.starts_with(&inbox));
        found
    };
    let before = outside();
    let mut commands = String::new();
    let ways = [
        "../secret".to_owned(),
        "../../../../../../..".to_owned() + &home + "/secret",
        format!("{home}/secret"),
        "out".to_owned(),
        "absolute".to_owned(),
        "up/secret".to_owned(),
        "home/secret".to_owned(),
        "/proc/self/root/secret".to_owned(),
        format!("/{home}/secret"),
        format!("///{home}/secret"),
    ];
    for (number, way) in ways.iter().enumerate() {
        commands +=
            &format!("-get {way} leaked{number}\n-reget {way} leaked{number}\n-ls -la {way}\n");
        commands += &format!(
            "-put hello {way}\n-chmod 777 {way}\n-ln {way} hard{number}\n-get hard{number} leaked\n"
        );
        commands += &format!(
            "-rename {way} taken{number}\n-rename there {way}\n-rm {way}\n-mkdir {way}.d\n"
        );
    }
    commands += "-ln -s .. made\n-get made/secret leaked\n-put hello made/.ssh/authorized_keys\n-put hello made/.profile\n";
    commands += &format!(
        "-ln -s {home}/.ssh keys\n-put hello keys/authorized_keys\n-rm keys/authorized_keys\n"
    );
    person.sftp(0, &local, &commands).success();
    assert_eq!(outside(), before);
    nothing_leaked(&local);
    // What the batch did, it did in the inbox.
    assert_eq!(
        fs::read_link(inbox.join("made")).unwrap().to_str(),
        Some("..")
    );
    let inside = survey(&[&inbox]);
    assert!(inside.values().all(|facts| !facts.contains(SECRET)));
}

#[test]
fn a_command_and_a_login_are_refused_in_words() {
    let person = locked();
    for input in [Input::Null, Input::Open, Input::Text("echo hello\n")] {
        let ran = run(person.client("ssh", 0).args([HOST, "uptime"]), input);
        ran.refused("'uptime'");
    }
    let ran = run(person.client("ssh", 0).arg(HOST), Input::Text("uptime\n"));
    ran.refused("a login without a command");
    // Who types nothing is told what is waited for.
    let mut ssh = person.client("ssh", 0);
    ssh.arg(HOST).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut client = ssh.spawn().unwrap();
    let mut lines = BufReader::new(client.stderr.take().unwrap()).lines();
    let line = lines.next().expect("a line").unwrap();
    assert!(line.contains("SFTP"), "{line}");
    drop(client.stdin.take());
    wait(&mut client, LIMIT);
}

#[test]
fn the_locked_key_forwards_no_port_and_asks_for_no_other_subsystem() {
    let person = locked();
    let port = person.sshd.port;
    let through = format!("127.0.0.1:{port}");
    let ran = run(
        person.client("ssh", 0).args(["-W", &through, HOST]),
        Input::Null,
    );
    assert!(!ran.status.success(), "{ran:?}");
    assert_eq!(ran.stdout, "");
    let ran = run(
        person.client("ssh", 0).args(["-s", HOST, "foo"]),
        Input::Null,
    );
    assert!(!ran.status.success(), "{ran:?}");
}

#[test]
fn options_that_the_client_asks_for_do_not_widen_the_root() {
    let person = locked();
    let local = local();
    for server in [
        "/usr/lib/openssh/sftp-server --root /",
        "/opt/sftp-server --no-protect -d /",
        "/usr/libexec/sftp-server",
    ] {
        let batch = local.file(
            "batch",
            format!(
                "-get {}/secret leaked\nput hello\n",
                person.home().display()
            ),
        );
        let mut sftp = person.client("sftp", 0);
        sftp.current_dir(&local)
            .args(["-s", server, "-b"])
            .arg(batch)
            .arg(HOST);
        run(&mut sftp, Input::Null).success();
        let arrived = person.home().join("inbox/hello");
        assert_eq!(fs::read(&arrived).unwrap(), b"hello there");
        fs::remove_file(arrived).unwrap();
    }
    nothing_leaked(&local);
}
