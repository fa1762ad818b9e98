//! Where the log goes: the form of a datagram, and loggers that are absent, stuck, or restarted under a session.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixListener;

use crate::log_lines::SSH_CONNECTION;
use crate::support::log::{Line, Syslog, is_about_locks};
use crate::support::request;
use crate::support::{Launch, OPENSSH, Server, Tree, under_test};

fn start(
    syslog: &Syslog,
    program: impl AsRef<std::path::Path>,
    flags: &[&str],
    tree: &Tree,
) -> Server {
    let launch: Launch = syslog.launch(program, tree).args(flags);
    launch.env("SSH_CONNECTION", SSH_CONNECTION).connect()
}

/// STATs of `/`, one after the other: at VERBOSE one line each.
fn stats(server: &mut Server, count: usize) {
    for _ in 0..count {
        server.call(&request::stat("/")).attrs();
    }
}

fn parsed(syslog: &Syslog) -> Vec<Line> {
    syslog
        .lines()
        .iter()
        .map(|line| Line::parse(line))
        .collect()
}

/// Seconds since midnight.
fn seconds(time: &str) -> i64 {
    let clock = time[7..]
        .split(':')
        .map(|part| part.parse::<i64>().unwrap());
    clock.fold(0, |sum, part| sum * 60 + part)
}

#[test]
fn a_datagram_has_priority_local_time_name_and_process() {
    let tree = Tree::new();
    let line = |program: &std::path::Path, zone: &str| {
        let syslog = Syslog::new();
        let server = syslog
            .launch(program, &tree)
            .args(["-l", "INFO"])
            .env("SSH_CONNECTION", SSH_CONNECTION)
            .env("TZ", zone)
            .connect();
        let pid = server.pid();
        server.finish();
        let line = parsed(&syslog).remove(0);
        assert_eq!((line.tag.as_str(), line.pid), ("sftp-server", pid));
        line
    };
    for zone in ["UTC", "ABC-5:30", "DEF+7"] {
        let (ours, theirs) = (line(&under_test(), zone), line(OPENSSH.as_ref(), zone));
        assert_eq!(ours.priority, theirs.priority);
        assert_eq!(ours.text, theirs.text);
        // The two were started one after the other, perhaps across midnight.
        let apart = (seconds(&theirs.time) - seconds(&ours.time)).rem_euclid(86_400);
        assert!(apart < 120, "{zone}: {} and {}", ours.time, theirs.time);
        if apart <= seconds(&theirs.time) {
            assert_eq!(
                ours.time[..7],
                theirs.time[..7],
                "the date, its day padded by a blank"
            );
        }
    }
}

#[test]
fn every_facility_has_its_priorities() {
    let tree = Tree::new();
    let facilities =
        "DAEMON USER AUTH AUTHPRIV LOCAL0 LOCAL1 LOCAL2 LOCAL3 LOCAL4 LOCAL5 LOCAL6 LOCAL7";
    for facility in facilities.split(' ') {
        let priorities = |program: &std::path::Path| {
            let syslog = Syslog::new();
            let mut server = start(&syslog, program, &["-l", "DEBUG1", "-f", facility], &tree);
            server.call(&request::extended("no-such@example.org", b""));
            server.finish();
            parsed(&syslog).iter().map(Line::masked).collect::<Vec<_>>()
        };
        assert_eq!(
            priorities(&under_test()),
            priorities(OPENSSH.as_ref()),
            "{facility}"
        );
    }
}

#[test]
fn a_logger_that_nobody_reads_never_blocks_the_session_and_the_loss_is_counted() {
    // OpenSSH's server hangs here after about ten lines.
    let tree = Tree::new();
    let mut syslog = Syslog::stuck();
    let mut server = start(&syslog, under_test(), &["-l", "VERBOSE"], &tree);
    stats(&mut server, 500);
    syslog.listen();
    // What the kernel had queued is on its way to the reader; from here on there is room again.
    syslog.lines();
    stats(&mut server, 1);
    server.finish();

    let texts: Vec<_> = parsed(&syslog)
        .into_iter()
        .map(|line| String::from_utf8(line.text).unwrap())
        .collect();
    let dropped: Vec<u64> = texts
        .iter()
        .filter(|text| text.contains("dropped"))
        .map(|text| number(text))
        .collect();
    let seen = texts
        .iter()
        .filter(|text| text.starts_with("stat name"))
        .count();
    assert_eq!(dropped.len(), 1, "{texts:#?}");
    assert_eq!(
        seen as u64 + dropped[0],
        501,
        "every line was seen or counted: {texts:#?}"
    );
    assert!(texts.last().unwrap().starts_with("session closed"));
}

#[test]
fn a_session_that_ends_with_a_stuck_logger_ends_at_once() {
    let tree = Tree::new();
    let syslog = Syslog::stuck();
    let mut server = start(&syslog, under_test(), &["-l", "DEBUG3"], &tree);
    stats(&mut server, 100);
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn without_a_logger_the_session_is_as_any_other() {
    let tree = Tree::new();
    let syslog = Syslog::absent();
    let mut server = start(&syslog, under_test(), &["-l", "DEBUG3"], &tree);
    stats(&mut server, 100);
    let finished = server.finish();
    assert_eq!(finished.status.code(), Some(0));
    assert_eq!(finished.stderr_text(), "");
}

#[test]
fn a_logger_that_starts_after_the_session_gets_its_lines_from_then_on() {
    let tree = Tree::new();
    let mut syslog = Syslog::absent();
    let mut server = start(&syslog, under_test(), &["-l", "VERBOSE"], &tree);
    stats(&mut server, 3);
    syslog.listen();
    stats(&mut server, 2);
    server.finish();
    let lines = parsed(&syslog);
    let seen = lines
        .iter()
        .filter(|line| line.text.starts_with(b"stat name"));
    assert_eq!(seen.count(), 2, "{lines:#?}");
}

#[test]
fn a_logger_that_is_restarted_gets_the_lines_again() {
    let tree = Tree::new();
    let mut syslog = Syslog::new();
    let mut server = start(&syslog, under_test(), &["-l", "VERBOSE"], &tree);
    stats(&mut server, 2);
    syslog.lines();
    syslog.stop();
    stats(&mut server, 2);
    syslog.listen();
    stats(&mut server, 3);
    server.finish();
    let lines = parsed(&syslog);
    let seen = lines
        .iter()
        .filter(|line| line.text.starts_with(b"stat name"));
    assert_eq!(seen.count(), 2 + 3, "{lines:#?}");
    assert!(lines.last().unwrap().text.starts_with(b"session closed"));
}

#[test]
fn to_a_stream_socket_each_line_goes_ended_by_nul() {
    // syslog-ng can have /dev/log so.
    let tree = Tree::new();
    let lines = |program: &std::path::Path| {
        let syslog = Syslog::absent();
        let listener = UnixListener::bind(syslog.socket()).unwrap();
        let mut server = start(&syslog, program, &["-l", "VERBOSE"], &tree);
        stats(&mut server, 20);
        assert_eq!(server.finish().status.code(), Some(0));
        let bytes = streamed(&listener);
        let bytes = bytes.strip_suffix(b"\0").expect("a NUL at the end");
        let lines = bytes.split(|byte| *byte == 0);
        lines
            .filter(|line| !is_about_locks(line))
            .map(|line| Line::parse(line).masked())
            .collect::<Vec<_>>()
    };
    let (ours, theirs) = (lines(&under_test()), lines(OPENSSH.as_ref()));
    assert_eq!(ours, theirs);
    assert_eq!(
        ours.len(),
        20 + 3,
        "opened, version, each stat, closed: {ours:#?}"
    );
}

/// All that came by connections that are over, of which OpenSSH makes one a line.
fn streamed(listener: &UnixListener) -> Vec<u8> {
    listener.set_nonblocking(true).unwrap();
    let mut bytes = Vec::new();
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => stream.read_to_end(&mut bytes).unwrap(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return bytes,
            Err(error) => panic!("accepting a connection: {error}"),
        };
    }
}

#[test]
fn with_e_nothing_goes_to_syslog() {
    let tree = Tree::new();
    let syslog = Syslog::new();
    let mut server = start(&syslog, under_test(), &["-e", "-l", "DEBUG3"], &tree);
    stats(&mut server, 3);
    assert_ne!(server.finish().stderr, b"");
    assert_eq!(parsed(&syslog), []);
}

#[test]
fn a_start_that_fails_leaves_the_line_of_openssh_in_the_log_and_words_on_stderr() {
    let tree = Tree::new();
    for flags in [
        &["-u", "9"][..],
        &["-e", "-u", "9"],
        &["-f", "LOCAL0", "-u", "9"],
        &["-l", "bad"],
        &["-f", "bad"],
        &["-p", "open", "-p", "close"],
        &["-P", "open", "-P", "close"],
    ] {
        let outcome = |program: &std::path::Path| {
            let syslog = Syslog::new();
            let finished = syslog.launch(program, &tree).args(flags).start().finish();
            let lines: Vec<_> = parsed(&syslog).iter().map(Line::masked).collect();
            (finished.status.code(), lines, finished.stderr)
        };
        let (ours, theirs) = (outcome(&under_test()), outcome(OPENSSH.as_ref()));
        assert_eq!((&ours.0, &ours.1), (&theirs.0, &theirs.1), "{flags:?}");
        assert_ne!(ours.2, b"", "{flags:?}");
    }
}

#[test]
fn a_mistake_that_a_later_flag_makes_good_stands_in_the_log() {
    let tree = Tree::new();
    for flags in [
        &["-l", "bad", "-l", "ERROR"][..],
        &["-f", "bad", "-f", "AUTH"],
    ] {
        let lines = |program: &std::path::Path| {
            let syslog = Syslog::new();
            let server = syslog.launch(program, &tree).args(flags).start();
            assert_eq!(server.finish().status.code(), Some(0));
            parsed(&syslog).iter().map(Line::masked).collect::<Vec<_>>()
        };
        assert_eq!(lines(&under_test()), lines(OPENSSH.as_ref()), "{flags:?}");
    }
}

/// The first number in a text.
fn number(text: &str) -> u64 {
    let digits = text.split(|byte: char| !byte.is_ascii_digit());
    digits
        .filter(|part| !part.is_empty())
        .find_map(|part| part.parse().ok())
        .unwrap()
}
