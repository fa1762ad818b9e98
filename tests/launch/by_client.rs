//! Started by the client: `sftp -s PATH`, under sudo, and by hand with `sftp -D PATH`.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

use crate::run::{Input, run, session_works};
use crate::support::server::user;
use crate::support::sshd::{HOST, Sshd};
use crate::support::{Tree, under_test};

#[test]
fn sftp_s_path_works_without_any_subsystem_line() {
    let sshd = Sshd::ordinary("");
    let server = sshd.place().install(&under_test());
    let inbox = sshd.inbox();
    let options = ["-s", server.to_str().unwrap()];
    session_works(&sshd, &options, inbox.to_str().unwrap());
}

#[test]
fn sftp_s_path_takes_flags() {
    let sshd = Sshd::ordinary("");
    let server = sshd.place().install(&under_test());
    let local = Tree::new();
    let batch = local.file("batch", "pwd\nmkdir d\n");
    let mut sftp = sshd.sftp();
    sftp.arg("-s")
        .arg(format!("{} -R -d / -e -l INFO", server.display()))
        .arg("-b")
        .arg(batch)
        .arg(HOST);
    let ran = run(&mut sftp, Input::Null);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(
        ran.stdout.contains("Remote working directory: /\n"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("Permission denied"), "{ran:?}");
    // The log of -e reaches the user, as it does not behind a Subsystem line, whose stderr sshd drops.
    let opened = format!(
        "session opened for local user {} from [127.0.0.1]",
        sshd.account().name
    );
    assert!(ran.stderr.contains(&opened), "{ran:?}");
}

/// A file below /etc/sudoers.d, removed on drop.
struct Sudoers(PathBuf);

impl Sudoers {
    fn new(name: &str, line: &str) -> Self {
        let path = PathBuf::from("/etc/sudoers.d").join(name);
        fs::write(&path, line).expect("sudo is installed");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        Self(path)
    }
}

impl Drop for Sudoers {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn under_sudo_it_works_as_root_in_the_home_of_the_user() {
    let sshd = Sshd::root("", "", "");
    let server = sshd.place().install(&under_test());
    let account = sshd.account();
    let line = format!(
        "{} ALL=(root) NOPASSWD: {}\n",
        account.name,
        server.display()
    );
    let _sudoers = Sudoers::new(&account.name, &line);

    let local = Tree::new();
    let file = local.file("hello", "hello there");
    let batch = local.file(
        "batch",
        format!("pwd\nput {} up\nls -ln up\n", file.display()),
    );
    let mut sftp = sshd.sftp();
    sftp.arg("-s")
        .arg(format!("sudo -n {}", server.display()))
        .arg("-b")
        .arg(batch)
        .arg(HOST);
    let listing = run(&mut sftp, Input::Null).success();
    let expected = format!("Remote working directory: {}\n", account.home.display());
    assert!(listing.contains(&expected), "{listing}");
    let arrived = account.home.join("up");
    assert_eq!(fs::metadata(&arrived).unwrap().uid(), 0);
    assert_eq!(fs::read(&arrived).unwrap(), b"hello there");
}

#[test]
fn by_hand_on_one_socket() {
    let local = Tree::new();
    let file = local.file("hello", "hello there");
    let remote = Tree::new();
    let batch = local.file(
        "batch",
        format!(
            "cd {1}\nput {0} up\nls -l\nget up {2}/back\nrename up down\n",
            file.display(),
            remote.root().display(),
            local.root().display()
        ),
    );
    let mut sftp = Command::new("sftp");
    sftp.arg("-b").arg(batch).arg("-D").arg(under_test());
    let listing = run(&mut sftp, Input::Null).success();
    assert!(listing.contains(" up"), "{listing}");
    assert_eq!(local.read("back"), b"hello there");
    assert_eq!(remote.read("down"), b"hello there");
}

#[test]
fn by_hand_with_flags_and_the_log_on_the_terminal() {
    let local = Tree::new();
    let batch = local.file("batch", "pwd\n");
    let mut sftp = Command::new("sftp");
    sftp.arg("-b")
        .arg(batch)
        .arg("-D")
        .arg(format!("{} -e -l INFO -d /usr", under_test().display()));
    let ran = run(&mut sftp, Input::Null);
    let line = format!("session opened for local user {} from [UNKNOWN]", user());
    assert!(ran.stderr.contains(&line), "{ran:?}");
    assert!(ran.success().contains("Remote working directory: /usr\n"));
}
