//! The account's shell stands between sshd and an external server: what a user sees with each, and what ours changes.

use std::fs;
use std::os::unix::fs::chown;

use crate::run::{Input, Ran, run, session_works};
use crate::support::sshd::{Account, HOST, Sshd};
use crate::support::{Tree, under_test};

/// An account with this shell on an sshd of root's.
fn account(shell: &str, subsystem: &str, config: &str) -> (Account, Sshd) {
    let sshd = Sshd::root(subsystem, config, "");
    let shell = match shell {
        "{server}" => sshd
            .place()
            .install(&under_test())
            .to_str()
            .unwrap()
            .to_owned(),
        shell => shell.to_owned(),
    };
    let account = Account::new(&sshd.place().path().join("shell-home"), &shell);
    sshd.authorize(&account, "");
    (account, sshd)
}

/// `sftp` with an empty batch.
fn sftp(account: &Account, sshd: &Sshd) -> Ran {
    let local = Tree::new();
    let batch = local.file("batch", "pwd\n");
    let mut sftp = sshd.sftp();
    sftp.args(["-o", &format!("User={}", account.name), "-b"])
        .arg(batch)
        .arg(HOST);
    run(&mut sftp, Input::Null)
}

#[track_caller]
fn works(account: &Account, sshd: &Sshd) {
    let user = format!("User={}", account.name);
    session_works(sshd, &["-o", &user], account.home.to_str().unwrap());
}

/// Both ways to run an external server: Subsystem, ForceCommand.
const EXTERNAL: [(&str, &str); 2] = [("{server}", ""), ("internal-sftp", "ForceCommand {server}")];
/// Both ways to run sshd's own.
const INTERNAL: [(&str, &str); 2] = [
    ("internal-sftp", ""),
    ("{server}", "ForceCommand internal-sftp"),
];

#[test]
fn sh_and_bash_run_the_server() {
    for shell in ["/bin/sh", "/bin/bash"] {
        for (subsystem, config) in EXTERNAL.iter().chain(&INTERNAL) {
            let (account, sshd) = account(shell, subsystem, config);
            works(&account, &sshd);
        }
    }
}

#[test]
fn with_false_the_connection_closes_before_any_server_runs() {
    for (subsystem, config) in EXTERNAL {
        let (account, sshd) = account("/bin/false", subsystem, config);
        let ran = sftp(&account, &sshd);
        assert_eq!(ran.status.code(), Some(255), "{ran:?}");
        assert!(ran.stderr.contains("Connection closed"), "{ran:?}");
    }
}

#[test]
fn with_nologin_its_text_is_taken_for_a_packet() {
    for (subsystem, config) in EXTERNAL {
        let (account, sshd) = account("/usr/sbin/nologin", subsystem, config);
        let ran = sftp(&account, &sshd);
        assert_eq!(ran.status.code(), Some(255), "{ran:?}");
        // "This" as a length.
        assert!(
            ran.stderr.contains("Received message too long 1416128883"),
            "{ran:?}"
        );
    }
}

#[test]
fn internal_sftp_needs_no_shell() {
    for shell in ["/bin/false", "/usr/sbin/nologin"] {
        for (subsystem, config) in INTERNAL {
            let (account, sshd) = account(shell, subsystem, config);
            works(&account, &sshd);
        }
    }
}

/// A .bashrc that prints, as many have.
fn talkative(account: &Account) {
    let path = account.home.join(".bashrc");
    fs::write(&path, "echo hello from bashrc\n").unwrap();
    chown(&path, Some(account.uid), Some(account.gid)).unwrap();
}

#[test]
fn with_bash_and_a_bashrc_that_prints_the_text_is_taken_for_a_packet() {
    let (account, sshd) = account("/bin/bash", "{server}", "");
    talkative(&account);
    let ran = sftp(&account, &sshd);
    assert_eq!(ran.status.code(), Some(255), "{ran:?}");
    // "hell" as a length.
    assert!(
        ran.stderr.contains("Received message too long 1751477356"),
        "{ran:?}"
    );
}

#[test]
fn with_our_server_as_the_shell_a_bashrc_that_prints_has_no_effect() {
    for (subsystem, config) in EXTERNAL.iter().chain(&INTERNAL) {
        let (account, sshd) = account("{server}", subsystem, config);
        talkative(&account);
        works(&account, &sshd);
    }
}
