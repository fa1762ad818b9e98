//! In a ChrootDirectory that holds the static server and nothing else, as the login shell.
//!
//! With OpenSSH's server this needs a shell, its libraries, /dev/null and /etc/passwd in every chroot.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::run::{Input, run, session_works};
use crate::support::sshd::{Account, HOST, Sshd};
use crate::support::{Launch, Tree, request};

/// The static build, made once a run, in a target folder of its own.
static STATIC_BUILD: LazyLock<PathBuf> = LazyLock::new(|| {
    let host = host_triple();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static");
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--bin",
            "sftp-server",
            "-j1",
            "--target",
            &host,
        ])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the static build: {words}");
    folder.join(host).join("release/sftp-server")
});

fn host_triple() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let host = words.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc tells its host").to_owned()
}

/// An account whose shell is the server inside its chroot, and whose home is `/in`, the one place where it may write.
fn account() -> (Account, Sshd) {
    let sshd = Sshd::root(
        "/sftp-server -l DEBUG3",
        "Match User *,!sftp-none\n ChrootDirectory {dir}/root\n",
        "",
    );
    let root = sshd.place().path().join("root");
    fs::create_dir(&root).unwrap();
    fs::copy(&*STATIC_BUILD, root.join("sftp-server")).unwrap();
    // The home is a path inside the chroot, so Account cannot make it.
    let outside = sshd.place().path().join("unused");
    let account = Account::new(&outside, "/sftp-server");
    let status = Command::new("usermod")
        .args(["--home", "/in", &account.name])
        .status();
    assert!(status.unwrap().success());
    fs::create_dir(root.join("in")).unwrap();
    chown(root.join("in"), Some(account.uid), Some(account.gid)).unwrap();
    sshd.authorize(&account, "");
    (account, sshd)
}

#[test]
fn the_static_build_needs_no_library() {
    let file = fs::read(&*STATIC_BUILD).unwrap();
    let interpreter = file.windows(8).any(|bytes| bytes == b"/ld-linu");
    assert!(!interpreter, "it names a dynamic loader");
    let ldd = Command::new("ldd").arg(&*STATIC_BUILD).output().unwrap();
    let words = [ldd.stdout, ldd.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    assert!(
        words.contains("statically linked") || words.contains("not a dynamic executable"),
        "{words}"
    );
}

#[test]
fn put_list_and_get_work_in_a_bare_chroot() {
    let (account, sshd) = account();
    let user = format!("User={}", account.name);
    session_works(&sshd, &["-o", &user], "/in");

    let local = Tree::new();
    let batch = local.file("batch", "pwd\nls -ln /\ncd ..\npwd\nls /etc\n");
    let mut sftp = sshd.sftp();
    sftp.args(["-o", &user]).arg("-b").arg(batch).arg(HOST);
    let ran = run(&mut sftp, Input::Null);
    assert!(
        ran.stdout.contains("Remote working directory: /in\n"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("Remote working directory: /\n"),
        "{ran:?}"
    );
    assert!(ran.stdout.contains("sftp-server"), "{ran:?}");
    assert!(
        ran.stderr.contains("\"/etc\" not found"),
        "the host is not to be seen: {ran:?}"
    );
}

#[test]
fn a_command_is_refused_in_words_in_a_bare_chroot() {
    let (account, sshd) = account();
    let user = format!("User={}", account.name);
    run(sshd.ssh().args(["-o", &user, HOST, "uptime"]), Input::Null).refused("'uptime'");
}

#[test]
fn the_static_build_finds_users_and_groups_where_there_are_some() {
    let tree = Tree::new();
    tree.file("f", "");
    let mut server = Launch::program(&*STATIC_BUILD, &tree).connect();
    let listed = server.list(".");
    let file = listed.iter().find(|name| name.filename == b"f").unwrap();
    let longname = String::from_utf8_lossy(&file.longname).into_owned();
    assert!(longname.contains(" root "), "{longname}");
    let home = server.call(&request::home_directory("root"));
    assert_eq!(home.name(), b"/root");
}
