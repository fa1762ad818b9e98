//! As the login shell in passwd: an account that can do SFTP and nothing else, whatever the client asks for.

use std::process::Stdio;

use crate::run::{Input, run, session_works};
use crate::support::request;
use crate::support::sshd::{Account, HOST, Sshd};
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Tree, under_test};

/// An account with our server as its shell, on an sshd of root's with this Subsystem line.
fn account(subsystem: &str) -> (Account, Sshd) {
    let sshd = Sshd::root(subsystem, "", "");
    let shell = sshd.place().install(&under_test());
    let account = Account::new(
        &sshd.place().path().join("shell-home"),
        shell.to_str().unwrap(),
    );
    sshd.authorize(&account, "");
    (account, sshd)
}

fn user(account: &Account) -> String {
    format!("User={}", account.name)
}

#[test]
fn sftp_works_behind_an_external_subsystem() {
    let (account, sshd) = account("{server} -l INFO");
    session_works(
        &sshd,
        &["-o", &user(&account)],
        account.home.to_str().unwrap(),
    );
}

#[test]
fn sftp_works_where_the_subsystem_names_openssh_s_server() {
    // sshd runs `shell -c /usr/lib/openssh/sftp-server`: the shell is the server.
    let (account, sshd) = account("/usr/lib/openssh/sftp-server");
    session_works(
        &sshd,
        &["-o", &user(&account)],
        account.home.to_str().unwrap(),
    );
}

#[test]
fn internal_sftp_works_as_ever() {
    let (account, sshd) = account("internal-sftp");
    session_works(
        &sshd,
        &["-o", &user(&account)],
        account.home.to_str().unwrap(),
    );
}

#[test]
fn scp_works() {
    let (account, sshd) = account("{server}");
    let local = Tree::new();
    let file = local.file("hello", "hello there");
    let mut scp = sshd.scp();
    scp.args(["-o", &user(&account)])
        .arg(file)
        .arg(format!("{HOST}:up"));
    run(&mut scp, Input::Null).success();
    assert_eq!(
        std::fs::read(account.home.join("up")).unwrap(),
        b"hello there"
    );
}

#[test]
fn a_command_is_refused_in_words() {
    let (account, sshd) = account("{server}");
    for input in [Input::Open, Input::Null, Input::Text("text\n")] {
        let mut ssh = sshd.ssh();
        ssh.args(["-o", &user(&account), HOST, "uptime"]);
        run(&mut ssh, input).refused("'uptime'");
    }
    let mut scp = sshd.scp();
    scp.args([
        "-O",
        "-o",
        &user(&account),
        &format!("{HOST}:x"),
        "/dev/null",
    ]);
    let ran = run(&mut scp, Input::Null);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(
        ran.stderr
            .contains("restricted to SFTP; 'scp -f x' was refused."),
        "{ran:?}"
    );
}

#[test]
fn an_interactive_login_is_refused() {
    let (account, sshd) = account("{server}");
    let mut ssh = sshd.ssh();
    ssh.args(["-tt", "-o", &user(&account), HOST]);
    let ran = run(&mut ssh, Input::Open);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(
        ran.stdout.contains("This account is restricted to SFTP; "),
        "{ran:?}"
    );
}

#[test]
fn a_login_without_command_and_terminal_is_refused_after_a_moment() {
    let (account, sshd) = account("{server}");
    let mut ssh = sshd.ssh();
    ssh.args(["-o", &user(&account), HOST]);
    let ran = run(&mut ssh, Input::Open);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(
        ran.stderr
            .starts_with("This account is restricted to SFTP; "),
        "{ran:?}"
    );
    assert!(ran.took >= std::time::Duration::from_secs(3), "{ran:?}");
}

#[test]
fn the_client_s_words_are_never_flags() {
    // A client asks by `ssh host "sftp-server -R -d /"`: the shell gets it as one word behind -c.
    for words in [
        &["-c", "sftp-server -R -u 0777 -d /"][..],
        &["-c", "sftp-server", "-R", "-d", "/"],
        &["-c", "/usr/lib/openssh/sftp-server -P open"],
        &["-c", "internal-sftp -R"],
        &["-c", "'/opt/sftp-server' \"-R\""],
        &["-c", "sftp-server --read-only --no-such-flag"],
        &["-c", "sftp-server -h"],
    ] {
        let tree = Tree::new();
        let mut server = Launch::new(&tree).args(words).connect();
        let create = pflags::WRITE | pflags::CREAT;
        let reply = server.call(&request::open("f", create, &Attrs::NONE));
        assert!(
            matches!(reply, crate::support::Reply::Handle(_)),
            "{words:?}: {reply:?}"
        );
        assert!(tree.has("f"), "{words:?}");
        assert_eq!(tree.mode("f") & 0o600, 0o600, "{words:?}");
    }
}

#[test]
fn the_name_under_which_it_is_the_shell_is_sftp_too() {
    let tree = Tree::new();
    for (argv0, command) in [
        ("our-sftp", "our-sftp"),
        ("our-sftp", "/opt/our-sftp -R"),
        ("-our-sftp", "our-sftp"),
    ] {
        let mut server = Launch::new(&tree)
            .arg0(argv0)
            .args(["-c", command])
            .connect();
        server.call(&request::stat("/")).attrs();
    }
    let finished = Launch::new(&tree)
        .arg0("our-sftp")
        .args(["-c", "their-sftp"])
        .run(Stdio::null(), Stdio::piped());
    assert_eq!(finished.status.code(), Some(1));
}

#[test]
fn nothing_is_ever_passed_to_a_shell() {
    let tree = Tree::new();
    for command in [
        "touch made",
        "sftp-server; touch made",
        "$(touch made)",
        "`touch made`",
        "'sftp-server' & touch made",
    ] {
        let finished = Launch::new(&tree)
            .args(["-c", command])
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1), "{command}");
        let words = finished.stderr_text();
        let expected = format!("This account is restricted to SFTP; '{command}' was refused.\n");
        assert_eq!(words, expected);
        assert_eq!(tree.names(""), [] as [Vec<u8>; 0], "{command}");
    }
}
