//! Nothing hangs in silence: how long a first packet may take, and what ends the wait.

use std::time::{Duration, Instant};

use crate::log_lines::SSH_CONNECTION;
use crate::support::{Launch, Server, Tree, request};

const INIT: &[u8] = b"\0\0\0\x05\x01\0\0\0\x03";

/// The three seconds of the rule, less what clocks may differ.
const MOMENT: Duration = Duration::from_millis(2_900);

fn refused(what: &str) -> String {
    format!("This account is restricted to SFTP; {what} was refused.\n")
}

/// A server that was asked for `uptime`, by either way.
fn asked_for_uptime(tree: &Tree) -> [Launch; 2] {
    [
        Launch::new(tree).env("SSH_ORIGINAL_COMMAND", "uptime"),
        Launch::new(tree).args(["-c", "uptime"]),
    ]
}

#[test]
fn another_command_is_refused_after_three_seconds_of_silence() {
    let tree = Tree::new();
    let started = Instant::now();
    for mut server in asked_for_uptime(&tree).map(Launch::start) {
        assert_eq!(server.wait().code(), Some(1));
        assert!(started.elapsed() >= MOMENT, "after {:?}", started.elapsed());
        assert_eq!(server.stderr(), refused("'uptime'"));
    }
}

/// What fs.sshfs, rclone, yafc and people ask for, with words that make it hard to read.
const TOOLS: [&str; 6] = [
    "uname -s",
    "scp -t .",
    "/usr/bin/md5sum 'a;b'",
    "echo ${ShellId}%ComSpec%",
    "cd /srv && ls",
    "df -k",
];

#[test]
fn a_command_that_is_plainly_no_sftp_server_is_refused_at_once() {
    let tree = Tree::new();
    for command in TOOLS {
        for launch in [
            Launch::new(&tree).env("SSH_ORIGINAL_COMMAND", command),
            Launch::new(&tree).args(["-c", command]),
        ] {
            let started = Instant::now();
            let mut server = launch.start();
            assert_eq!(server.wait().code(), Some(1), "{command}");
            let took = started.elapsed();
            assert!(took < MOMENT, "{command}: at once, not after {took:?}");
            assert_eq!(server.stderr(), refused(&format!("'{command}'")));
        }
    }
}

#[test]
fn whatever_could_be_a_wrapper_of_a_server_has_its_three_seconds() {
    let tree = Tree::new();
    for command in [
        "sudo -n /usr/lib/openssh/sftp-server",
        "exec sftp-server",
        "/opt/wrapper-sftp",
        "cd /srv && ./wrapper",
        // PuTTY's, where there is no subsystem.
        "test -x /usr/lib/sftp-server && exec /usr/lib/sftp-server\nexec sftp-server",
    ] {
        let mut server = Launch::new(&tree)
            .env("SSH_ORIGINAL_COMMAND", command)
            .start();
        std::thread::sleep(Duration::from_millis(500));
        server.init(3);
        server.call(&request::stat("/")).attrs();
        assert_eq!(server.finish().stderr_text(), "", "{command}");
    }
}

#[test]
fn an_init_within_the_moment_is_served_whatever_was_asked_for() {
    let tree = Tree::new();
    let mut servers = asked_for_uptime(&tree).map(Launch::start);
    std::thread::sleep(Duration::from_millis(1_000));
    for server in &mut servers {
        server.init(3);
    }
    // And from then on without a limit.
    std::thread::sleep(MOMENT);
    for mut server in servers {
        server.call(&request::stat("/")).attrs();
        assert_eq!(server.finish().stderr_text(), "");
    }
}

#[test]
fn a_partial_init_is_waited_for_until_then_and_served_if_it_is_completed() {
    let tree = Tree::new();
    for launch in asked_for_uptime(&tree) {
        let mut server = launch.start();
        for byte in INIT {
            server.send_raw(&[*byte]).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
        let version = server.receive_raw().expect("VERSION");
        assert_eq!(version[0], 2);
        server.call(&request::stat("/")).attrs();
    }
}

#[test]
fn a_partial_init_that_stays_partial_is_refused() {
    let tree = Tree::new();
    let started = Instant::now();
    let mut servers = asked_for_uptime(&tree).map(Launch::start);
    for server in &mut servers {
        server.send_raw(&INIT[..5]).unwrap();
    }
    for mut server in servers {
        assert_eq!(server.wait().code(), Some(1));
        assert!(started.elapsed() >= MOMENT);
        assert_eq!(server.stderr(), refused("'uptime'"));
    }
}

#[test]
fn an_impossible_first_byte_is_refused_at_once() {
    let tree = Tree::new();
    for (index, first) in [&b"ls\n"[..], b"\x01", b"\xff", b"SSH-2.0-x\r\n"]
        .iter()
        .enumerate()
    {
        for launch in asked_for_uptime(&tree) {
            let started = Instant::now();
            let mut server = launch.start();
            server.send_raw(first).unwrap();
            assert_eq!(server.wait().code(), Some(1), "{index}");
            assert!(
                started.elapsed() < MOMENT,
                "at once, not after {:?}",
                started.elapsed()
            );
            assert_eq!(server.stderr(), refused("'uptime'"));
        }
    }
}

#[test]
fn a_first_packet_that_is_no_init_is_refused() {
    let tree = Tree::new();
    for launch in asked_for_uptime(&tree) {
        let mut server = launch.start();
        server
            .send_raw(&request::mkdir("made", &crate::support::Attrs::NONE).frame(1))
            .unwrap();
        assert_eq!(server.wait().code(), Some(1));
        assert!(!tree.has("made"));
        assert_eq!(server.stderr(), refused("'uptime'"));
    }
}

#[test]
fn the_end_of_input_is_refused_at_once() {
    let tree = Tree::new();
    for launch in asked_for_uptime(&tree) {
        let started = Instant::now();
        let finished = launch.start().finish();
        assert!(started.elapsed() < MOMENT);
        assert_eq!(finished.status.code(), Some(1));
        assert_eq!(finished.stderr_text(), refused("'uptime'"));
    }
}

#[test]
fn a_login_shell_without_a_command_is_refused_after_three_seconds_of_silence() {
    let tree = Tree::new();
    let started = Instant::now();
    let mut server = Launch::new(&tree).arg0("-sftp-server").start();
    assert_eq!(server.wait().code(), Some(1));
    assert!(started.elapsed() >= MOMENT);
    assert!(
        server
            .stderr()
            .starts_with("This account is restricted to SFTP; ")
    );

    let mut server = Launch::new(&tree).arg0("-sftp-server").connect();
    server.call(&request::stat("/")).attrs();
}

#[test]
fn sftp_that_was_asked_for_may_take_its_time() {
    let tree = Tree::new();
    for command in [
        "/usr/lib/openssh/sftp-server",
        "internal-sftp",
        "sftp-server -R",
    ] {
        let mut server = Launch::new(&tree)
            .env("SSH_CONNECTION", SSH_CONNECTION)
            .env("SSH_ORIGINAL_COMMAND", command)
            .start();
        std::thread::sleep(MOMENT + Duration::from_secs(1));
        server.init(3);
        assert_eq!(server.finish().stderr_text(), "", "{command}");
    }
}

#[test]
fn without_sshd_there_is_no_limit_and_no_word() {
    let tree = Tree::new();
    let mut server = Launch::new(&tree).start();
    std::thread::sleep(MOMENT + Duration::from_secs(1));
    server.init(3);
    assert_eq!(server.finish().stderr_text(), "");
}

/// A Subsystem line, or `ssh host` on a forced key: there is an address, and no command.
fn behind_sshd(tree: &Tree) -> Launch {
    Launch::new(tree).env("SSH_CONNECTION", SSH_CONNECTION)
}

#[test]
fn behind_sshd_a_slow_client_is_served_and_told_what_is_waited_for() {
    let tree = Tree::new();
    let mut server = behind_sshd(&tree).start();
    std::thread::sleep(MOMENT + Duration::from_secs(3));
    server.init(3);
    server.call(&request::stat("/")).attrs();
    let words = server.finish().stderr_text();
    assert_eq!(words.lines().count(), 1, "{words}");
    assert!(words.contains("SFTP"), "{words}");
}

#[test]
fn behind_sshd_a_quick_client_is_told_nothing() {
    let tree = Tree::new();
    let mut server = behind_sshd(&tree).connect();
    std::thread::sleep(MOMENT + Duration::from_secs(1));
    server.call(&request::stat("/")).attrs();
    let finished = server.finish();
    assert_eq!(finished.stderr_text(), "");
    assert_eq!(finished.status.code(), Some(0));
}

#[test]
fn behind_sshd_an_impossible_first_byte_is_refused_at_once() {
    let tree = Tree::new();
    let started = Instant::now();
    let mut server = behind_sshd(&tree).start();
    server.send_raw(b"ls\n").unwrap();
    assert_eq!(server.wait().code(), Some(1));
    assert!(started.elapsed() < MOMENT);
    assert!(
        server
            .stderr()
            .starts_with("This account is restricted to SFTP; ")
    );
}

#[test]
fn behind_sshd_an_end_of_input_without_a_word_is_the_end_of_a_session() {
    let tree = Tree::new();
    let finished = behind_sshd(&tree).start().finish();
    assert_eq!(finished.status.code(), Some(0));
    assert_eq!(finished.stderr_text(), "");
}

#[test]
fn behind_sshd_two_minutes_of_silence_are_the_end() {
    let tree = Tree::new();
    let started = Instant::now();
    let mut server = behind_sshd(&tree).start();
    while server.is_running() {
        assert!(
            started.elapsed() < Duration::from_secs(180),
            "still waiting"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(
        started.elapsed() >= Duration::from_secs(119),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(server.wait().code(), Some(1));
    assert_ne!(server.stderr(), "");
}

#[test]
fn a_terminal_is_refused_at_once_with_a_command_or_without() {
    for (command, what) in [
        (None, "a login without a command"),
        (Some("uptime"), "'uptime'"),
        // A terminal changes bytes, so that no SFTP is possible by it.
        (Some("sftp-server"), "'sftp-server'"),
    ] {
        for by_shell in [false, true] {
            // script(1) gives it a terminal; its exit status is the command's by -e.
            let mut script = std::process::Command::new("script");
            let mut program = crate::support::under_test().display().to_string();
            match command {
                Some(command) if by_shell => program.push_str(&format!(" -c {command}")),
                Some(command) => drop(script.env("SSH_ORIGINAL_COMMAND", command)),
                None => {}
            }
            script.args(["-q", "-e", "-c", &program, "/dev/null"]);
            let ran = crate::run::run(&mut script, crate::run::Input::Open);
            assert!(ran.took < MOMENT, "{command:?}: {ran:?}");
            assert_eq!(ran.status.code(), Some(1), "{command:?}: {ran:?}");
            let said = ran.stdout.replace('\r', "");
            assert!(said.contains(&refused(what)), "{command:?}: {ran:?}");
        }
    }
}

#[test]
fn a_refusal_stands_in_the_log_too() {
    let tree = Tree::new();
    let mut server: Server = Launch::new(&tree)
        .args(["-e", "-l", "INFO"])
        .env("SSH_ORIGINAL_COMMAND", "uptime")
        .start();
    server.close_input();
    server.wait();
    let words = server.stderr();
    // One line is the client's, the other the log's.
    for line in ["'uptime' was refused.", "not an SFTP session: \"uptime\""] {
        assert_eq!(words.matches(line).count(), 1, "{line}: {words}");
    }
}
