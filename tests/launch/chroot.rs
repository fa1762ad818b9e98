//! In a ChrootDirectory that holds the static server and nothing else, as the login shell.
//!
//! With OpenSSH's server this needs a shell, its libraries, /dev/null and /etc/passwd in every chroot.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use crate::run::{Input, install_with_libraries, run, session_works};
use crate::support::server::user;
use crate::support::sshd::{Account, HOST, Sshd};
use crate::support::static_build::STATIC;
use crate::support::{Launch, Tree, program, request, under_test};

/// An account whose shell is the server inside its chroot, and whose home is `/in`, the one place where it may write.
fn account() -> (Account, Sshd) {
    let sshd = Sshd::root(
        "/sftp-server -l DEBUG3",
        "Match User *,!sftp-none\n ChrootDirectory {dir}/root\n",
        "",
    );
    let root = sshd.place().path().join("root");
    fs::create_dir(&root).unwrap();
    program::install(&*STATIC, root.join("sftp-server"));
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
    let file = fs::read(&*STATIC).unwrap();
    let interpreter = file.windows(8).any(|bytes| bytes == b"/ld-linu");
    assert!(!interpreter, "it names a dynamic loader");
    let ldd = Command::new("ldd").arg(&*STATIC).output().unwrap();
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

/// An account with the shell /bin/sh, in a chroot that `fill` has filled; it may write to `/in`.
fn with_shell(subsystem: &str, fill: impl FnOnce(&Path)) -> Sshd {
    let config = "Match User *,!sftp-none\n ChrootDirectory {dir}/root\n";
    let sshd = Sshd::root(subsystem, config, "");
    let root = sshd.place().path().join("root");
    fs::create_dir(&root).unwrap();
    sshd.account().make_dir(&root.join("in"));
    fill(&root);
    sshd
}

fn closed(sshd: &Sshd) {
    let mut sftp = sshd.sftp();
    sftp.args(["-b", "/dev/null", HOST]);
    let ran = run(&mut sftp, Input::Null);
    assert_eq!(ran.status.code(), Some(255), "{ran:?}");
    assert!(ran.stderr.contains("Connection closed"), "{ran:?}");
}

#[test]
fn without_a_shell_inside_sshd_cannot_start_an_external_server() {
    closed(&with_shell("/sftp-server", |_| {}));
    closed(&with_shell("/sftp-server", |root| {
        program::install(&*STATIC, root.join("sftp-server"));
    }));
}

#[test]
fn with_a_shell_and_libraries_inside_nothing_else_is_needed() {
    // OpenSSH's server asks for /dev/null and /etc/passwd as well.
    let filled = |server: std::path::PathBuf| {
        with_shell("/sftp-server", move |root| {
            install_with_libraries(Path::new("/bin/sh"), root);
            fs::create_dir(root.join("bin")).unwrap();
            fs::rename(root.join("sh"), root.join("bin/sh")).unwrap();
            install_with_libraries(&server, root);
        })
    };
    session_works(&filled(under_test()), &[], "/in");
    closed(&filled(crate::support::OPENSSH.into()));
}

#[test]
fn internal_sftp_needs_nothing_inside() {
    session_works(&with_shell("internal-sftp", |_| {}), &[], "/in");
}

#[test]
fn a_chroot_below_a_directory_that_others_may_write_is_refused_by_sshd() {
    let tree = Tree::new();
    let config = format!(
        "Match User *,!sftp-none\n ChrootDirectory {}\n",
        tree.root().display()
    );
    let sshd = Sshd::root("internal-sftp", &config, "");
    let mut sftp = sshd.sftp();
    sftp.args(["-b", "/dev/null", HOST]);
    let ran = run(&mut sftp, Input::Null);
    assert_eq!(ran.status.code(), Some(255), "{ran:?}");
    let log = sshd.log();
    assert!(
        log.contains("bad ownership or modes for chroot directory component"),
        "{log}"
    );
}

#[test]
fn the_static_build_finds_users_and_groups_where_there_are_some() {
    let tree = Tree::new();
    tree.file("f", "");
    let mut server = Launch::program(&*STATIC, &tree).connect();
    let listed = server.list(".");
    let file = listed.iter().find(|name| name.filename == b"f").unwrap();
    let longname = String::from_utf8_lossy(&file.longname).into_owned();
    assert!(longname.contains(&format!(" {} ", user())), "{longname}");
    let home = server.call(&request::home_directory("root"));
    assert_eq!(home.name(), b"/root");
}
