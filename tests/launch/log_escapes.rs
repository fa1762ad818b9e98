//! No name can forge a line of the log: how bytes read in it, and how long lines are.

use crate::log_lines::SSH_CONNECTION;
use crate::support::log::{Line, Syslog};
use crate::support::request;
use crate::support::server::user;
use crate::support::{Launch, OPENSSH, Server, Tree, under_test};

/// The lines about STATs of these names, as they stand in syslog's datagrams.
fn in_syslog(program: impl AsRef<std::path::Path>, names: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let tree = Tree::new();
    let syslog = Syslog::new();
    let mut server = syslog
        .launch(program, &tree)
        .args(["-l", "VERBOSE"])
        .env("SSH_CONNECTION", SSH_CONNECTION)
        .connect();
    stat_all(&mut server, names);
    server.finish();
    let lines = syslog.lines();
    let texts = lines.iter().map(|line| Line::parse(line).text);
    let about = texts.filter(|text| text.starts_with(b"stat name"));
    about.collect()
}

/// The same as they stand on stderr, each with its line end.
fn on_stderr(program: impl AsRef<std::path::Path>, names: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let tree = Tree::new();
    let mut server = Launch::program(program.as_ref(), &tree)
        .args(["-e", "-l", "VERBOSE"])
        .connect();
    stat_all(&mut server, names);
    let stderr = server.finish().stderr;
    let lines = stderr
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec);
    lines
        .filter(|line| line.starts_with(b"stat name"))
        .collect()
}

fn stat_all(server: &mut Server, names: &[Vec<u8>]) {
    for name in names {
        server.call(&request::stat(name));
    }
}

/// Every byte that a name can hold, between brackets, and pairs that could be taken for something else.
fn every_byte() -> Vec<Vec<u8>> {
    let mut names: Vec<_> = (1..=255_u8).map(|byte| vec![b'[', byte, b']']).collect();
    let pairs: [&[u8]; 12] = [
        b"a b",
        b" lead",
        b"trail ",
        b"a\\nb",
        b"a\"b",
        b"a'b",
        b"\xc3\xa9",
        b"%s%d%%",
        b"\n1",
        b"\x011",
        b"\\",
        b"",
    ];
    names.extend(pairs.map(<[u8]>::to_vec));
    names.push(
        b"x\nNov 21 00:00:00 sftp-server[1]: session opened for local user root from [192.0.2.1]"
            .to_vec(),
    );
    names
}

#[test]
fn every_byte_reads_in_syslog_as_openssh_writes_it() {
    let names = every_byte();
    let (ours, theirs) = (in_syslog(under_test(), &names), in_syslog(OPENSSH, &names));
    assert_eq!(theirs.len(), names.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(
            ours.escape_ascii().to_string(),
            theirs.escape_ascii().to_string()
        );
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn on_stderr_names_are_escaped_as_in_syslog() {
    // OpenSSH leaves a newline or a tab raw there: a name could be a line of its own.
    let names = every_byte();
    let on_stderr = on_stderr(under_test(), &names);
    assert_eq!(on_stderr.len(), names.len(), "one line a name");
    for (line, text) in on_stderr.iter().zip(in_syslog(OPENSSH, &names)) {
        let line = line.strip_suffix(b"\r\n").expect("CR LF");
        assert_eq!(
            line.escape_ascii().to_string(),
            text.escape_ascii().to_string()
        );
    }
}

#[test]
fn lines_that_fit_are_openssh_s_to_the_last_byte() {
    // What fits behind `stat name "` and before the last quotation mark: of 500 bytes in syslog, and of 1021 on stderr.
    let fitting = |limit: usize, width: usize| {
        let most = (limit - 12) / width;
        [1, most / 2, most - 1, most]
    };
    for (byte, width) in [(b'a', 1), (b'\n', 2), (b'\\', 2), (0xff, 4)] {
        let names = fitting(500, width).map(|length| vec![byte; length]);
        let (ours, theirs) = (in_syslog(under_test(), &names), in_syslog(OPENSSH, &names));
        assert_eq!(ours.len(), names.len());
        assert_eq!(ours, theirs, "{byte:#x}");
    }
    // Of plain names and of those whose escapes are the same on stderr and in syslog.
    for (byte, width) in [(b'a', 1), (b'\\', 2)] {
        let names = fitting(1021, width).map(|length| vec![byte; length]);
        let (ours, theirs) = (on_stderr(under_test(), &names), on_stderr(OPENSSH, &names));
        assert_eq!(ours.len(), names.len());
        assert_eq!(ours, theirs, "{byte:#x}");
    }
}

#[test]
fn lines_that_do_not_fit_are_as_long_as_openssh_s_and_end_whole() {
    // OpenSSH's end in the midst of the name: who pads a path is not told by it.
    for byte in [b'a', b'\n', b'\\', 0xff] {
        let names = [1100, 2000, 4000, 200_000].map(|length| vec![byte; length]);
        let check = |lines: Vec<Vec<u8>>, limit: usize, end: &[u8]| {
            assert_eq!(lines.len(), names.len());
            for line in lines {
                let text = line.escape_ascii().to_string();
                assert!((limit - 20..=limit).contains(&line.len()), "{text}");
                assert!(line.ends_with(end), "{text}");
            }
        };
        check(in_syslog(under_test(), &names), 500, b"\"");
        check(on_stderr(under_test(), &names), 1023, b"\"\r\n");
    }
}

#[test]
fn the_address_is_what_stands_before_the_first_blank_and_escaped_too() {
    for (connection, address) in [
        ("192.0.2.7 1 2 3", "192.0.2.7"),
        ("::1 5 ::1 22", "::1"),
        ("192.0.2.7 ", "192.0.2.7"),
        (" 5 6", ""),
        ("a\nb\\ 1 2 3", "a\\nb\\\\"),
        ("%s%d 1 2", "%s%d"),
    ] {
        let tree = Tree::new();
        for program in [under_test(), OPENSSH.into()] {
            let syslog = Syslog::new();
            let server = syslog
                .launch(&program, &tree)
                .args(["-l", "INFO"])
                .env("SSH_CONNECTION", connection)
                .start();
            assert_eq!(server.finish().status.code(), Some(0), "{connection:?}");
            let lines: Vec<_> = syslog
                .lines()
                .iter()
                .map(|line| Line::parse(line).masked())
                .collect();
            let expected = ["opened", "closed"].map(|what| {
                format!(
                    "<38> session {what} for local user {} from [{address}]",
                    user()
                )
            });
            assert_eq!(lines, expected, "{}: {connection:?}", program.display());
        }
    }
}

#[test]
fn a_connection_without_a_blank_is_malformed_and_the_end() {
    for connection in ["", "192.0.2.7", "x\ny"] {
        let tree = Tree::new();
        let outcome = |program: &std::path::Path| {
            let syslog = Syslog::new();
            let server = syslog
                .launch(program, &tree)
                .args(["-l", "INFO"])
                .env("SSH_CONNECTION", connection)
                .start();
            let status = server.finish().status;
            let lines = syslog.lines();
            (
                status.code(),
                lines
                    .iter()
                    .map(|line| Line::parse(line).masked())
                    .collect::<Vec<_>>(),
            )
        };
        let ours = outcome(&under_test());
        assert_eq!(ours, outcome(OPENSSH.as_ref()), "{connection:?}");
        assert_eq!(ours.0, Some(255));
    }
}

#[test]
fn a_refused_command_stands_in_the_log_as_it_was_sent_escaped_once() {
    let command = "up\ttime\x1b[2J\n\\x";
    let escaped = r"up\ttime\033[2J\n\\x";
    let tree = Tree::new();
    let lines = |level: &str, args: &[&str], sent: &str| {
        let syslog = Syslog::new();
        let server = syslog
            .launch(under_test(), &tree)
            .args(["-l", level])
            .args(args)
            .env("SSH_ORIGINAL_COMMAND", sent)
            .start();
        let finished = server.finish();
        assert_eq!(finished.status.code(), Some(1));
        assert_eq!(
            finished.stderr_text(),
            format!("This account is restricted to SFTP; '{escaped}' was refused.\n")
        );
        let lines = syslog.lines();
        let lines = lines.iter().map(|line| Line::parse(line).masked());
        lines
            .filter(|line| line.contains("SFTP"))
            .collect::<Vec<_>>()
    };
    let expected = [format!("<38> not an SFTP session: \"{escaped}\"")];
    assert_eq!(lines("INFO", &[], command), expected);
    assert_eq!(lines("INFO", &["-c", command], "sftp"), expected);
    assert_eq!(lines("ERROR", &[], command), [] as [String; 0]);
}
