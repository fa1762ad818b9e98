//! As a forced command, by `command="…"` in authorized_keys and by `ForceCommand`: the same clients, the same refusals.

use crate::run::{Input, LIMIT, run, session_works};
use crate::support::Tree;
use crate::support::sshd::{HOST, Sshd};

/// Both ways to force a command, each with a Subsystem line, which sshd asks for before it lets a client have `sftp`.
fn both() -> [Sshd; 2] {
    [
        Sshd::ordinary_with("{server}", "", r#"command="{server}",restrict"#),
        Sshd::ordinary_with("internal-sftp", "ForceCommand {server}", ""),
    ]
}

/// The same run by root, who alone may hand a terminal over to a user.
fn both_with_terminals() -> [Sshd; 2] {
    [
        Sshd::root("{server}", "", r#"command="{server}",restrict,pty"#),
        Sshd::root("internal-sftp", "ForceCommand {server}", ""),
    ]
}

#[test]
fn sftp_works() {
    for sshd in both() {
        let inbox = sshd.inbox();
        session_works(&sshd, &[], inbox.to_str().unwrap());
    }
}

#[test]
fn sftp_works_with_a_match_block_of_root_s_sshd() {
    let sshd = Sshd::root(
        "internal-sftp",
        "Match User sftp-t*\n ForceCommand {server} -l INFO",
        "",
    );
    let inbox = sshd.inbox();
    session_works(&sshd, &[], inbox.to_str().unwrap());
}

#[test]
fn the_flags_of_the_forced_command_hold_whatever_the_client_asks_for() {
    let sshd = Sshd::ordinary_with("{server}", "", r#"command="{server} -R",restrict"#);
    let local = Tree::new();
    let file = local.file("hello", "hello there");
    let inbox = sshd.inbox();
    for options in [
        &[][..],
        &["-s", "/usr/lib/openssh/sftp-server"],
        &["-s", "/opt/sftp-server -u 0 -d /"],
    ] {
        let batch = local.file(
            "batch",
            format!("put {} {}/up\n", file.display(), inbox.display()),
        );
        let mut sftp = sshd.sftp();
        sftp.args(options).arg("-b").arg(batch).arg(HOST);
        let ran = run(&mut sftp, Input::Null);
        assert_eq!(ran.status.code(), Some(1), "{options:?}: {ran:?}");
        assert!(
            ran.stderr.contains("ermission denied"),
            "{options:?}: {ran:?}"
        );
        assert!(!inbox.join("up").exists());
    }
}

#[test]
fn scp_works_both_ways() {
    for sshd in both() {
        let local = Tree::new();
        let file = local.file("hello", "hello there");
        let remote = format!("{HOST}:{}/up", sshd.inbox().display());
        run(sshd.scp().arg(file).arg(&remote), Input::Null).success();
        let arrived = sshd.inbox().join("up");
        assert_eq!(std::fs::read(arrived).unwrap(), b"hello there");
        let back = local.at("back");
        run(sshd.scp().arg(&remote).arg(back), Input::Null).success();
        assert_eq!(local.read("back"), b"hello there");
    }
}

#[test]
fn another_command_is_refused_in_words() {
    for sshd in both() {
        // OpenSSH's server: hangs in silence; ends in silence; leaves with 11, in silence.
        for input in [Input::Open, Input::Null, Input::Text("some text\n")] {
            run(sshd.ssh().args([HOST, "uptime"]), input).refused("'uptime'");
        }
        let ran = run(sshd.ssh().args([HOST, "uptime; rm -rf x"]), Input::Null);
        ran.refused("'uptime; rm -rf x'");
    }
}

#[test]
fn the_refused_command_is_escaped_and_cut() {
    let [sshd, _] = both();
    let ran = run(sshd.ssh().args([HOST, "echo \x1b[2J\\x"]), Input::Null);
    ran.refused(r"'echo \033[2J\\x'");
    let ran = run(sshd.ssh().args([HOST, &"x".repeat(1000)]), Input::Null);
    ran.refused(&format!("'{}'", "x".repeat(200)));
}

#[test]
fn a_server_in_a_command_that_does_more_is_refused() {
    for command in [
        "sftp-server; id",
        "sftp-server && id",
        "sftp-server | id",
        "sftp-server $(id)",
        "sftp-server `id`",
        "sftp-server > x",
        "sftp-server\nid",
    ] {
        let [sshd, _] = both();
        let ran = run(sshd.ssh().args([HOST, command]), Input::Null);
        ran.refused(&format!("'{}'", command.replace('\n', r"\n")));
        assert!(!sshd.account().home.join("x").exists());
    }
}

#[test]
fn a_login_with_a_terminal_is_refused_at_once() {
    for sshd in both_with_terminals() {
        // The terminal mixes stderr into what ssh prints.
        let ran = run(sshd.ssh().args(["-tt", HOST]), Input::Open);
        assert_eq!(ran.status.code(), Some(1), "{ran:?}");
        assert!(
            ran.stdout.contains("This account is restricted to SFTP; "),
            "{ran:?}"
        );
    }
}

#[test]
fn a_command_with_a_terminal_is_refused_at_once() {
    for sshd in both_with_terminals() {
        let ran = run(sshd.ssh().args(["-tt", HOST, "uptime"]), Input::Open);
        assert_eq!(ran.status.code(), Some(1), "{ran:?}");
        assert!(
            ran.stdout
                .contains("restricted to SFTP; 'uptime' was refused."),
            "{ran:?}"
        );
        assert!(ran.took < std::time::Duration::from_secs(3), "{ran:?}");
    }
}

#[test]
fn a_login_without_a_terminal_is_told_what_is_waited_for() {
    use std::io::{BufRead, BufReader};
    for sshd in both() {
        let mut ssh = sshd.ssh();
        ssh.arg(HOST)
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut client = ssh.spawn().unwrap();
        let mut lines = BufReader::new(client.stderr.take().unwrap()).lines();
        let line = lines.next().expect("a line").unwrap();
        assert!(line.contains("SFTP"), "{line}");
        // It still waits: an end of input ends it.
        assert!(client.try_wait().unwrap().is_none());
        drop(client.stdin.take());
        crate::support::server::wait(&mut client, LIMIT);
    }
}

#[test]
fn a_login_without_a_terminal_that_says_something_else_is_refused() {
    for sshd in both() {
        let ran = run(sshd.ssh().arg(HOST), Input::Text("ls\n"));
        assert_eq!(ran.status.code(), Some(1), "{ran:?}");
        assert!(
            ran.stderr.starts_with("This account is restricted to SFTP"),
            "{ran:?}"
        );
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn legacy_scp_is_refused_both_ways() {
    for sshd in both() {
        let local = Tree::new();
        let file = local.file("hello", "hello there");
        let up = sshd.inbox().join("up");
        let remote = format!("{HOST}:{}", up.display());
        let put = run(sshd.scp().arg("-O").arg(file).arg(&remote), Input::Null);
        assert_eq!(put.status.code(), Some(1), "{put:?}");
        assert!(
            put.stderr
                .contains(&format!("'scp -t {}' was refused.", up.display())),
            "{put:?}"
        );
        assert!(!up.exists());
        let get = run(
            sshd.scp().arg("-O").arg(&remote).arg(local.at("back")),
            Input::Null,
        );
        assert_eq!(get.status.code(), Some(1), "{get:?}");
        assert!(
            get.stderr
                .contains(&format!("'scp -f {}' was refused.", up.display())),
            "{get:?}"
        );
        assert!(!local.has("back"));
    }
}

#[test]
fn another_subsystem_is_refused_by_sshd() {
    for sshd in both() {
        let ran = run(sshd.ssh().args(["-s", HOST, "foo"]), Input::Open);
        assert_eq!(ran.status.code(), Some(255), "{ran:?}");
        assert!(ran.stderr.contains("subsystem request failed"), "{ran:?}");
    }
}

#[test]
fn without_a_subsystem_line_sshd_refuses_sftp_and_a_client_s_own_server_path_works() {
    let sshd = Sshd::ordinary_with("", "", r#"command="{server}",restrict"#);
    let ran = run(sshd.ssh().args(["-s", HOST, "sftp"]), Input::Open);
    assert_eq!(ran.status.code(), Some(255), "{ran:?}");
    assert!(ran.stderr.contains("subsystem request failed"), "{ran:?}");
    let inbox = sshd.inbox();
    let options = ["-s", "/usr/lib/openssh/sftp-server"];
    session_works(&sshd, &options, inbox.to_str().unwrap());
}
