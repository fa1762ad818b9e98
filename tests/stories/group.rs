//! A group that gets SFTP and nothing else, by one block of the system manager's; and every account, by one line.

use std::fs;
use std::process::Command;

use crate::person::{SECRET, file, furnish, nothing_leaked, survey};
use crate::run::{Input, Ran, run};
use crate::support::Tree;
use crate::support::examples::{adapted, block, example};
use crate::support::sshd::{Account, HOST, Sshd};

fn client(program: &str, sshd: &Sshd, user: &Account) -> Command {
    let mut command = Command::new(program);
    command.arg("-F").arg(sshd.client_config());
    command.args(["-o", &format!("User={}", user.name)]);
    command
}

fn sftp(sshd: &Sshd, user: &Account, local: &Tree, commands: &str) -> Ran {
    let batch = local.file("batch", commands);
    let mut sftp = client("sftp", sshd, user);
    // The first value counts, and the configuration has the other user.
    sftp.current_dir(local).arg("-b").arg(batch).arg(HOST);
    run(&mut sftp, Input::Null)
}

#[test]
fn each_member_has_the_own_home_and_nobody_else_s() {
    for text in [example("forcecommand-root.conf"), block("--root %h")] {
        // The group of a throwaway account has its name.
        let config = adapted(&text).replace("Group sftponly", "Group sftp-t*");
        let sshd = Sshd::root("internal-sftp", &config, "");
        let other = Account::new(&sshd.place().path().join("other"), "/bin/sh");
        sshd.authorize(&other, "");
        for member in [sshd.account(), &other] {
            furnish(member);
            file(member, "own", &format!("{SECRET} of {}", member.name));
        }
        for (member, neighbour) in [(sshd.account(), &other), (&other, sshd.account())] {
            let before = survey(&[&neighbour.home]);
            let local = Tree::new();
            local.file("hello", "hello there");
            // The top is the member's own, which ChrootDirectory does not allow.
            let said = sftp(
                &sshd,
                member,
                &local,
                "pwd\nput hello\nmkdir dir\nput hello dir/hello\n",
            )
            .success();
            assert!(said.contains("Remote working directory: /\n"), "{said}");
            let arrived = member.home.join("dir/hello");
            assert_eq!(fs::read(&arrived).unwrap(), b"hello there");
            let theirs = neighbour.home.display();
            let name = neighbour.home.file_name().unwrap().to_str().unwrap();
            let commands = format!(
                "-get {theirs}/own\n-get ../{name}/own\n-ln -s {theirs}/own way\n-get way\n-put hello way\n-get /etc/passwd\n\
                 -mkdir .ssh\n-put hello .ssh/authorized_keys\n-put hello .profile\n"
            );
            sftp(&sshd, member, &local, &commands).success();
            nothing_leaked(&local);
            assert!(!local.has("passwd"));
            assert_eq!(survey(&[&neighbour.home]), before);
            assert!(!member.home.join(".ssh").exists());
            assert_ne!(
                fs::read(member.home.join(".profile")).unwrap(),
                b"hello there"
            );
            let ran = run(
                client("ssh", &sshd, member).args([HOST, "uptime"]),
                Input::Null,
            );
            ran.refused("'uptime'");
        }
    }
}

#[test]
fn the_subsystem_line_locks_sftp_and_leaves_the_shell() {
    let sshd = Sshd::ordinary_with("", &adapted(&example("subsystem-root.conf")), "");
    let user = sshd.account();
    assert!(user.home.starts_with(sshd.place().path()), "asks for root");
    furnish(user);
    let local = Tree::new();
    local.file("hello", "hello there");
    let said = sftp(
        &sshd,
        user,
        &local,
        "pwd\nput hello\n-get /etc/passwd\n-put hello .profile\n",
    )
    .success();
    assert!(said.contains("Remote working directory: /\n"), "{said}");
    assert!(!local.has("passwd"));
    assert_eq!(fs::read(user.home.join("hello")).unwrap(), b"hello there");
    assert_ne!(
        fs::read(user.home.join(".profile")).unwrap(),
        b"hello there"
    );
    let shell = run(
        client("ssh", &sshd, user).args([HOST, "echo shell"]),
        Input::Null,
    );
    assert_eq!(shell.success(), "shell\n");
}
