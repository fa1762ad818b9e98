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

/// What no client of SFTP would have to say twice.
const INIT: &str = "\0\0\0\x05\x01\0\0\0\x03";

/// A forced command with these options serves nothing, whatever a client asks for, and says why wherever that can be heard.
#[track_caller]
fn refused_for(sshd: &Sshd, account: &Account, options: &str, named: &str) {
    let named = sshd.place().expand(named);
    // A client can have the forced command run by asking for a shell, too, and speak SFTP then.
    let words = [&[HOST][..], &[HOST, "sftp-server"], &[HOST, "uptime"]];
    // What is said to a subsystem's standard error sshd drops.
    let subsystem = ["-s", HOST, "sftp"];
    for ask in words.iter().copied().chain([&subsystem[..]]) {
        let mut ssh = sshd.ssh();
        ssh.args(["-o", &user(account)]).args(ask);
        let ran = run(&mut ssh, Input::Text(INIT));
        assert_eq!(ran.status.code(), Some(1), "{options} {ask:?}: {ran:?}");
        assert_eq!(ran.stdout, "", "{options} {ask:?}: nothing is served");
        if ask != subsystem {
            let begin = format!("sftp-server: cannot apply \"{named}\" from a command ");
            assert!(ran.stderr.starts_with(&begin), "{options} {ask:?}: {ran:?}");
            let remedy = "set it in /etc/ssh/sftp_server.toml, or give the account another";
            assert!(ran.stderr.contains(remedy), "{ran:?}");
        }
    }
}

#[test]
fn what_a_key_s_options_ask_for_and_a_login_shell_cannot_do_is_refused_in_words() {
    let (account, sshd) = account("internal-sftp");
    for (options, named) in [
        ("--root {dir}", "--root"),
        ("-l INFO --root={dir} -e", "--root"),
        ("-f AUTH -P remove", "-P"),
        ("--no-such-flag", "--no-such-flag"),
        ("{dir}", "{dir}"),
    ] {
        let key = format!(r#"command="{{server}} {options}",restrict"#);
        sshd.authorize(&account, &key);
        refused_for(&sshd, &account, options, named);
    }
}

#[test]
fn nor_is_it_served_where_a_shell_would_have_called_the_server() {
    let (account, sshd) = account("internal-sftp");
    for (command, named) in [
        ("exec {server} --root {dir}", "--root"),
        ("LANG=C {server} -R 2>&1", "-R"),
        ("env A=b {server} -l INFO --root={dir}", "--root={dir}"),
        ("{server} $OPTIONS", "$OPTIONS"),
        ("{server}$IFS--root$IFS{dir}", "{server}$IFS--root$IFS{dir}"),
    ] {
        sshd.authorize(&account, &format!(r#"command="{command}",restrict"#));
        // A client that asks for a shell: the forced command is run without a word of what it wanted.
        let named = sshd.place().expand(named);
        let mut ssh = sshd.ssh();
        ssh.args(["-o", &user(&account), HOST]);
        let ran = run(&mut ssh, Input::Text(INIT));
        assert_eq!(ran.status.code(), Some(1), "{command}: {ran:?}");
        assert_eq!(ran.stdout, "", "{command}: nothing is served");
        let begin = format!("sftp-server: cannot apply \"{named}\" from a command ");
        assert!(ran.stderr.starts_with(&begin), "{command}: {ran:?}");
    }
}

#[test]
fn nor_where_another_program_says_what_stands_behind_its_name() {
    let (account, sshd) = account("internal-sftp");
    let command = "{server} $(cat {dir}/options)";
    sshd.authorize(&account, &format!(r#"command="{command}",restrict"#));
    let mut ssh = sshd.ssh();
    ssh.args(["-o", &user(&account), HOST]);
    let ran = run(&mut ssh, Input::Text(INIT));
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert_eq!(ran.stdout, "", "nothing is served");
    let said = sshd.place().expand(&format!("'{command}' was refused."));
    assert!(ran.stderr.contains(&said), "{ran:?}");
}

#[test]
fn what_a_force_command_asks_for_is_refused_as_well() {
    let options = "-l INFO -R";
    let sshd = Sshd::root(
        "internal-sftp",
        &format!("ForceCommand {{server}} {options}"),
        "",
    );
    let shell = sshd.place().install(&under_test());
    let home = sshd.place().path().join("shell-home");
    let account = Account::new(&home, shell.to_str().unwrap());
    sshd.authorize(&account, "");
    refused_for(&sshd, &account, options, "-R");
}

#[test]
fn a_forced_command_that_is_another_program_serves_nothing() {
    let (account, sshd) = account("{server}");
    for command in ["uptime", "nice {server} --root {dir}", "{server} -R; true"] {
        sshd.authorize(&account, &format!(r#"command="{command}",restrict"#));
        for ask in [&["-s", HOST, "sftp"][..], &[HOST, "sftp-server"]] {
            let mut ssh = sshd.ssh();
            ssh.args(["-o", &user(&account)]).args(ask);
            let ran = run(&mut ssh, Input::Text(INIT));
            assert_eq!(ran.status.code(), Some(1), "{command} {ask:?}: {ran:?}");
            assert_eq!(ran.stdout, "", "{command} {ask:?}");
        }
    }
}

#[test]
fn what_concerns_the_log_alone_is_dropped_wherever_it_stands() {
    let (account, sshd) = account("{server} -f AUTHPRIV -l VERBOSE");
    for key in [
        "",
        r#"command="{server} -l INFO -e --log-facility=LOCAL0",restrict"#,
    ] {
        sshd.authorize(&account, key);
        session_works(
            &sshd,
            &["-o", &user(&account)],
            account.home.to_str().unwrap(),
        );
    }
}

#[test]
fn the_client_s_words_are_never_flags() {
    // A client asks by `ssh host "sftp-server -l DEBUG3"`: the shell gets it as one word behind -c.
    for words in [
        &["-c", "sftp-server -e -l DEBUG3"][..],
        &["-c", "sftp-server", "-R", "-d", "/"],
        &["-c", "/usr/lib/openssh/sftp-server -f no-such-facility"],
        &["-c", "internal-sftp --log-stderr --log-level=DEBUG3"],
        &["-c", "'/opt/sftp-server' \"-el\" DEBUG3"],
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
        assert_eq!(server.finish().stderr_text(), "", "{words:?}");
    }
}

#[test]
fn a_client_s_own_options_are_refused_as_those_of_a_forced_command_are() {
    // They look the same, and who sends them loses nothing.
    let tree = Tree::new();
    for (command, named) in [
        ("sftp-server -R -u 0777 -d /", "-R"),
        ("/usr/lib/openssh/sftp-server -P open", "-P"),
        ("internal-sftp -R", "-R"),
        ("'/opt/sftp-server' \"-R\"", "-R"),
        ("sftp-server --read-only --no-such-flag", "--read-only"),
        ("sftp-server -h", "-h"),
        ("sftp-server -u 077", "-u"),
        ("sftp-server -d /", "-d"),
        ("sftp-server --drop-box", "--drop-box"),
        ("sftp-server --sandbox=off", "--sandbox"),
        ("sftp-server --config /etc/hosts", "--config"),
        ("sftp-server check", "check"),
        ("sftp-server -l --root /x", "--root"),
        ("sftp-server '--a\nb'", r"--a\nb"),
    ] {
        let launch = Launch::new(&tree).args(["-e", "-c", command]);
        let finished = launch.run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1), "{command}");
        assert_eq!(finished.stdout, b"", "{command}");
        let words = finished.stderr_text();
        let begin = format!("cannot apply \"{named}\" from a command ");
        let lines: Vec<&str> = words.lines().collect();
        // To who started it, and to the log.
        assert_eq!(lines.len(), 2, "{words}");
        let said = lines[0].strip_prefix("sftp-server: ").unwrap();
        assert!(said.starts_with(&begin), "{command}: {words}");
        let logged = lines[1].replace(r"\\", r"\");
        assert_eq!(logged, said);
    }
    // In the environment they are the client's for certain, and dropped.
    let launch = Launch::new(&tree).env("SSH_ORIGINAL_COMMAND", "sftp-server -R");
    launch.connect().call(&request::stat("/")).attrs();
}

#[test]
fn the_name_under_which_it_is_the_shell_is_sftp_too() {
    let tree = Tree::new();
    for (argv0, command) in [
        ("our-sftp", "our-sftp"),
        ("our-sftp", "/opt/our-sftp -l INFO"),
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
