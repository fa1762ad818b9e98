//! The examples for sshd, in `packaging/sshd` and in the README, each behind a real sshd: none of them can rot.

use std::fs;
use std::process::Command;

use crate::run::{Input, Ran, run, session_works};
use crate::support::Tree;
use crate::support::examples::{adapted, block, example, names};
use crate::support::sshd::{HOST, Sshd};

/// `sftp` with these commands; a file `hello` is at hand.
fn sftp(sshd: &Sshd, commands: &str) -> Ran {
    let local = Tree::new();
    local.file("hello", "hello there");
    let batch = local.file("batch", commands);
    let mut sftp = sshd.sftp();
    sftp.current_dir(&local).arg("-b").arg(batch).arg(HOST);
    run(&mut sftp, Input::Null)
}

#[test]
fn every_example_is_used_here_or_in_the_stories() {
    let without_a_root = names()
        .into_iter()
        .filter(|name| !example(name).contains("--root"));
    // Those with a root are listed in stories/main.rs, and the guests' is used there, too.
    assert_eq!(
        without_a_root.collect::<Vec<_>>(),
        [
            "authorized_keys",
            "forcecommand.conf",
            "sftp_server.toml.guests",
            "subsystem.conf",
        ]
    );
}

#[test]
fn the_subsystem_line_serves() {
    for text in [example("subsystem.conf"), block("Subsystem sftp ")] {
        let sshd = Sshd::ordinary_with("", &adapted(&text), "");
        let inbox = sshd.inbox();
        session_works(&sshd, &[], inbox.to_str().unwrap());
    }
}

#[test]
fn the_forced_command_reads_and_does_not_write() {
    for text in [example("forcecommand.conf"), block("--read-only")] {
        // The group of a throwaway account has its name.
        let config = adapted(&text).replace("Group sftponly", "Group sftp-t*");
        let sshd = Sshd::root("internal-sftp", &config, "");
        fs::write(sshd.account().home.join("there"), "content").unwrap();
        sftp(&sshd, "get there\n").success();
        let put = sftp(&sshd, "put hello up\n");
        assert_eq!(put.status.code(), Some(1), "{put:?}");
        assert!(!sshd.account().home.join("up").exists());
        run(sshd.ssh().args([HOST, "uptime"]), Input::Null).refused("'uptime'");
    }
}

#[test]
fn the_key_s_line_uploads_into_its_inbox_and_does_not_remove() {
    for text in [example("authorized_keys"), block("--start-directory")] {
        let text = adapted(&text);
        let line = text
            .lines()
            .find(|line| line.starts_with("command="))
            .unwrap();
        // The home of one who runs the tests is not for their files.
        let options = line.split(" ssh-ed25519 ").next().unwrap();
        let options = options.replace("~/inbox", "{dir}/inbox");
        let sshd = Sshd::ordinary_with("internal-sftp", "", &options);
        let inbox = sshd.inbox();
        sftp(&sshd, "put hello up\nget up back\n").success();
        assert_eq!(fs::read(inbox.join("up")).unwrap(), b"hello there");
        for forbidden in ["rm up\n", "rename up down\n", "rmdir .\n"] {
            let ran = sftp(&sshd, forbidden);
            assert_eq!(ran.status.code(), Some(1), "{forbidden}: {ran:?}");
        }
        assert!(inbox.join("up").exists());
    }
}

#[test]
fn where_forwarding_is_disabled_that_holds_for_sshd_before_10_0_too() {
    let readme = std::iter::once(block("--read-only"));
    let all = names().into_iter().map(|name| example(&name)).chain(readme);
    let disabling = all.filter(|text| text.contains("DisableForwarding yes"));
    let mut seen = 0;
    for text in disabling {
        seen += 1;
        for line in ["X11Forwarding no", "AllowAgentForwarding no"] {
            assert!(text.contains(&format!("    {line}\n")), "{line}: {text}");
        }
    }
    assert_eq!(seen, 3, "two examples and the README's");
}

#[test]
fn the_trial_shows_what_it_builds() {
    // A cargo that says what one says, and builds nothing.
    let dir = Tree::new();
    let cargo = dir.file(
        "cargo",
        "#!/bin/sh\ncase \" $* \" in\n*' --version '*) echo 'cargo 99.0.0' ;;\n*' --quiet '* | *' -q '*) exit 1 ;;\n\
         *) echo '   Compiling one v0.1.0' >&2; exit 1 ;;\nesac\n",
    );
    dir.chmod("cargo", 0o755);
    let path = std::env::var("PATH").unwrap();
    let mut script = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/try"));
    let beside = cargo.parent().unwrap().display();
    script
        .arg("--batch")
        .env("PATH", format!("{beside}:{path}"));
    let ran = run(&mut script, Input::Null);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let said = ran.stderr.find("Building ").unwrap();
    assert!(
        ran.stderr[said..].contains("   Compiling one v0.1.0\n"),
        "{ran:?}"
    );
}
