//! Behind `Subsystem sftp …`: what a system manager changes is one path.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use crate::run::{Input, run, session_works};
use crate::support::Tree;
use crate::support::sshd::{HOST, Sshd};

#[test]
fn the_line_with_nothing_but_the_path_serves() {
    let sshd = Sshd::ordinary("{server}");
    let inbox = sshd.inbox();
    session_works(&sshd, &[], inbox.to_str().unwrap());
}

#[test]
fn the_line_with_every_flag_serves() {
    let sshd = Sshd::ordinary(
        "{server} -e -f LOCAL3 -l DEBUG3 -u 027 -d / -P remove,rmdir -p open,close,read,write,stat,lstat,fstat,opendir,readdir,realpath",
    );
    let local = Tree::new();
    let file = local.file("hello", "hello there");
    let inbox = sshd.inbox();
    let batch = local.file(
        "batch",
        format!("pwd\nput {} {}/up\n", file.display(), inbox.display()),
    );
    let mut sftp = sshd.sftp();
    sftp.arg("-b").arg(batch).arg(HOST);
    let ran = run(&mut sftp, Input::Null);
    assert!(
        ran.stdout.contains("Remote working directory: /\n"),
        "{ran:?}"
    );
    assert_eq!(std::fs::read(inbox.join("up")).unwrap(), b"hello there");
    let refused = local.file("refused", format!("rm {}/up\n", inbox.display()));
    let mut sftp = sshd.sftp();
    sftp.arg("-b").arg(refused).arg(HOST);
    assert_eq!(run(&mut sftp, Input::Null).status.code(), Some(1));
    assert!(inbox.join("up").exists());
}

#[test]
fn a_root_run_sshd_serves_an_ordinary_user() {
    let sshd = Sshd::root("{server} -l INFO", "", "");
    let inbox = sshd.inbox();
    session_works(&sshd, &[], inbox.to_str().unwrap());
}

#[test]
fn a_session_starts_in_the_home_of_the_user() {
    let sshd = Sshd::ordinary("{server}");
    let local = Tree::new();
    let batch = local.file("batch", "pwd\n");
    let mut sftp = sshd.sftp();
    sftp.arg("-b").arg(batch).arg(HOST);
    let listing = run(&mut sftp, Input::Null).success();
    let expected = format!(
        "Remote working directory: {}\n",
        sshd.account().home.display()
    );
    assert!(listing.contains(&expected), "{listing}");
}

#[test]
fn a_client_that_is_killed_takes_its_server_along() {
    let sshd = Sshd::ordinary("{server}");
    let mut ssh = sshd.ssh();
    ssh.args(["-s", HOST, "sftp"]);
    ssh.stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut client = ssh.spawn().unwrap();
    let mut input = client.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"\0\0\0\x05\x01\0\0\0\x03").unwrap();
    let mut version = [0; 9];
    std::io::Read::read_exact(client.stdout.as_mut().unwrap(), &mut version).unwrap();
    assert_eq!(version[4], 2, "VERSION");
    let server = sshd.place().path().join("sftp-server");
    let running = || processes_of(&server);
    assert_eq!(running(), 1);
    client.kill().unwrap();
    client.wait().unwrap();
    let deadline = std::time::Instant::now() + crate::run::LIMIT;
    while running() > 0 {
        assert!(
            std::time::Instant::now() < deadline,
            "the server is still there"
        );
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// How many processes were started by this path: what they execute is hidden from an ordinary user.
fn processes_of(program: &std::path::Path) -> usize {
    let name = [program.as_os_str().as_encoded_bytes(), b"\0"].concat();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let words = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    words.filter(|words| words.starts_with(&name)).count()
}

#[test]
fn another_subsystem_is_refused_by_sshd() {
    let sshd = Sshd::ordinary("{server}");
    let ran = run(sshd.ssh().args(["-s", HOST, "foo"]), Input::Open);
    assert_eq!(ran.status.code(), Some(255), "{ran:?}");
    assert!(ran.stderr.contains("subsystem request failed"), "{ran:?}");
}

#[test]
fn the_line_alone_is_no_lock_and_a_forced_command_is() {
    let line = Sshd::ordinary("{server} --read-only");
    let forced = Sshd::ordinary_with("internal-sftp", "ForceCommand {server} --read-only", "");
    for (sshd, replaced) in [(line, true), (forced, false)] {
        let local = Tree::new();
        let file = local.file("hello", "hello there");
        let there = sshd.inbox().join("there");
        std::fs::write(&there, "as it was").unwrap();
        // Both are the account's to write.
        std::fs::set_permissions(&there, Permissions::from_mode(0o666)).unwrap();
        let remote = format!("{HOST}:{}", there.display());
        // By the command scp, as yafc does without being asked.
        let by_command = run(sshd.scp().arg("-O").arg(&file).arg(&remote), Input::Null);
        let is_replaced = std::fs::read(&there).unwrap() != b"as it was";
        assert_eq!(is_replaced, replaced, "{by_command:?}");
        std::fs::write(&there, "as it was").unwrap();
        let by_sftp = run(sshd.scp().arg(&file).arg(&remote), Input::Null);
        assert!(!by_sftp.status.success(), "{by_sftp:?}");
        assert_eq!(std::fs::read(&there).unwrap(), b"as it was");
    }
}
