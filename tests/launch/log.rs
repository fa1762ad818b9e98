//! The log, line by line beside OpenSSH's: the same packets to both servers, at every level, to stderr and to syslog.
//!
//! What is known to differ, and is taken out before lines are compared: ours has one line more at each close of a
//! file (`transfer …`), and OpenSSH's has one about its own memory (`process_read: allocate …`).

use std::path::{Path, PathBuf};

use crate::log_lines::{ADDRESS, LEVELS, Sink, record, session};
use crate::support::request;
use crate::support::server::user;
use crate::support::wire::{Attrs, pflags};
use crate::support::{OPENSSH, Packet, Server, openssh, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT | pflags::TRUNC;

/// Both servers log the same at every level on stderr, and on syslog with the same priorities: ours and the newest OpenSSH's; and that of
/// this machine, but for what changed since.
#[track_caller]
fn same_lines(flags: &[&str], play: fn(&mut Server)) {
    for program in [openssh::newest(), OPENSSH.into()] {
        for level in LEVELS {
            let flags = [&["-l", level], flags].concat();
            for sink in [Sink::Stderr, Sink::Syslog] {
                same_lines_at(&program, &flags, sink, play);
            }
        }
    }
}

#[track_caller]
fn same_lines_at(program: &Path, flags: &[&str], sink: Sink, play: fn(&mut Server)) {
    let release = openssh::release(program).unwrap();
    let theirs = session(program, flags, sink, play).comparable(release);
    let ours = session(under_test(), flags, sink, play).comparable(release);
    let first = ours
        .iter()
        .zip(&theirs)
        .position(|(ours, theirs)| ours != theirs);
    let first = first.unwrap_or(ours.len().min(theirs.len()));
    assert_eq!(
        ours.get(first),
        theirs.get(first),
        "{flags:?} to {sink:?}: ours and those of {release:?} differ at line {first}; before it:\n{}",
        ours[..first].join("\n")
    );
}

#[test]
fn files_opened_written_read_and_closed() {
    same_lines(&[], |server| {
        let handle = server.open("f", CREATE);
        for packet in [
            request::write(&handle, 0, b"hello"),
            request::write(&handle, 5, b""),
            request::fstat(&handle),
            request::fsync(&handle),
            request::fstatvfs(&handle),
            request::close(&handle),
        ] {
            server.call(&packet);
        }
        let both = server.open("f", pflags::READ | pflags::WRITE);
        for packet in [
            request::read(&both, 0, 10),
            request::read(&both, 5, 10),
            request::read(&both, 0, 300_000),
            request::read(&both, 0, 0),
            request::write(&both, 3, b"more"),
            request::close(&both),
        ] {
            server.call(&packet);
        }
    });
}

#[test]
fn opens_with_every_flag_and_mode() {
    same_lines(&[], |server| {
        for pflags in 0..64 {
            server.call(&request::open("missing/x", pflags, &Attrs::NONE));
        }
        server.call(&request::open("missing/x", 0x40, &Attrs::NONE));
        server.call(&request::open("missing/x", 0x8000_0001, &Attrs::NONE));
        for mode in [0, 0o7, 0o644, 0o7777, 0o100_644, u32::MAX] {
            server.call(&request::open(
                "missing/x",
                CREATE,
                &Attrs::NONE.permissions(mode),
            ));
        }
    });
}

#[test]
fn attributes_read_and_set() {
    same_lines(&[], |server| {
        let handle = server.open("f", CREATE);
        let all = Attrs::NONE
            .size(5)
            .owner(0, 0)
            .permissions(0o600)
            .times(1_000_000_000, 1_000_000_001);
        for packet in [
            request::stat("f"),
            request::stat("missing"),
            request::lstat("f"),
            request::lstat("missing"),
            request::fsetstat(&handle, &all),
            request::fsetstat(&handle, &Attrs::NONE),
            request::setstat("f", &all),
            request::setstat("f", &Attrs::NONE),
            request::setstat("f", &Attrs::NONE.permissions(0o100_640)),
            request::setstat("f", &Attrs::NONE.times(0, 0)),
            request::setstat("missing", &Attrs::NONE.permissions(0o17_777)),
            request::setstat("missing", &Attrs::NONE.size(1 << 62)),
            request::lsetstat("f", &Attrs::NONE.owner(0, 0).times(0, 4_000_000_000)),
            request::lsetstat("f", &Attrs::NONE.size(0)),
            request::lsetstat("missing", &Attrs::NONE.permissions(0o600)),
            request::close(&handle),
        ] {
            server.call(&packet);
        }
    });
}

#[test]
fn directories_listed_made_and_removed() {
    same_lines(&[], |server| {
        server.call(&request::mkdir("d", &Attrs::NONE));
        server.call(&request::mkdir("d", &Attrs::NONE.permissions(0o40_755)));
        let handle = server.opendir("d");
        for packet in [
            request::readdir(&handle),
            request::readdir(&handle),
            request::readdir(&handle),
            request::fstat(&handle),
            request::read(&handle, 0, 1),
            request::close(&handle),
            request::opendir("missing"),
            request::rmdir("d"),
            request::rmdir("missing"),
        ] {
            server.call(&packet);
        }
    });
}

#[test]
fn names_changed_linked_and_resolved() {
    same_lines(&[], |server| {
        let handle = server.open("f", CREATE);
        for packet in [
            request::close(&handle),
            request::rename("f", "g"),
            request::rename("missing", "g"),
            request::posix_rename("g", "f"),
            request::posix_rename("missing", "f"),
            request::hardlink("f", "k"),
            request::symlink("target", "s"),
            request::readlink("s"),
            request::readlink("missing"),
            request::realpath("."),
            request::realpath(""),
            request::realpath("missing"),
            request::realpath("missing/x"),
            request::remove("k"),
            request::remove("missing"),
        ] {
            server.call(&packet);
        }
    });
}

#[test]
fn extensions_read_as_in_openssh_s_log() {
    same_lines(&[], |server| {
        let from = server.open("from", CREATE | pflags::READ);
        let to = server.open("to", CREATE);
        for packet in [
            request::write(&from, 0, b"hello"),
            request::copy_data(&from, 0, 0, &to, 0),
            request::copy_data(&from, 3, 2, &to, 9),
            request::copy_data(&from, 0, 0, &from, 0),
            request::statvfs("/"),
            request::statvfs("missing"),
            request::limits(),
            request::expand_path("~"),
            request::expand_path("~/x"),
            request::expand_path("~no-such-user/x"),
            request::expand_path(""),
            request::expand_path("relative"),
            request::home_directory(user()),
            request::home_directory("no-such-user"),
            request::users_groups_by_id(&[0, 54_321], &[0, 54_321]),
            request::users_groups_by_id(&[], &[]),
            request::extended("no-such@example.org", b""),
            request::extended([b'y'; 200], b""),
        ] {
            server.call(&packet);
        }
    });
}

#[test]
fn handles_that_do_not_exist() {
    // CLOSE and fsync differ on purpose: theirs answer "No such file" there.
    same_lines(&[], |server| {
        let bad: &[u8] = b"zzzz";
        for packet in [
            request::read(bad, 0, 1),
            request::write(bad, 0, b"a"),
            request::fstat(bad),
            request::fsetstat(bad, &Attrs::NONE),
            request::readdir(bad),
            request::fstatvfs(bad),
        ] {
            server.call(&packet);
        }
    });
}

#[test]
fn read_only_and_the_lists() {
    for flags in [
        &["-R"][..],
        &["-P", "stat,limits,open"],
        &["-p", "open,stat"],
        &["-p", "stat", "-P", "stat"],
    ] {
        same_lines(flags, |server| {
            for packet in [
                request::open("f", CREATE, &Attrs::NONE),
                request::open("f", pflags::READ, &Attrs::NONE),
                request::remove("f"),
                request::stat("/"),
                request::limits(),
                request::posix_rename("a", "b"),
            ] {
                server.call(&packet);
            }
        });
    }
}

#[test]
fn handles_left_open_are_forced_to_close() {
    same_lines(&[], |server| {
        let first = server.open("first", CREATE);
        server.open("second", CREATE);
        server.opendir(".");
        server.ok(&request::write(&first, 0, b"hello"));
    });
}

#[test]
fn an_end_of_input_inside_a_packet() {
    same_lines(&[], |server| {
        server.send_raw(b"\0\0\0\x64\x11\0").unwrap();
    });
}

#[test]
fn a_packet_that_is_too_long() {
    let play = |server: &mut Server| {
        server.open("f", CREATE);
        server.send_raw(b"\0\x04\0\x01\x11").unwrap();
    };
    same_lines(&[], play);
    for program in [under_test(), OPENSSH.into()] {
        let recorded = session(program, &["-l", "ERROR"], Sink::Stderr, play);
        assert_eq!(recorded.status.code(), Some(11));
        assert_eq!(
            recorded.lines,
            [format!("bad message from {ADDRESS} local user {}", user())]
        );
    }
}

#[test]
fn a_second_init_and_other_versions() {
    same_lines(&[], |server| {
        for version in [0, 3, 6, u32::MAX] {
            server.init(version);
        }
    });
}

#[test]
fn an_unknown_message_is_logged_as_openssh_logs_it_and_answered_as_well() {
    for program in [under_test(), OPENSSH.into()] {
        let recorded = session(program, &["-l", "ERROR"], Sink::Syslog, |server| {
            server.send(&Packet::new(99, b""));
        });
        assert_eq!(recorded.status.code(), Some(0));
        assert_eq!(recorded.lines, ["<35> error: Unknown message 99"]);
    }
}

#[test]
fn a_request_before_init_is_an_error_and_not_done() {
    // Started by hand: behind sshd, what is no INIT is refused in words (`silence`).
    let play = |server: &mut Server| {
        server.send(&request::mkdir("made", &Attrs::NONE));
    };
    let text = "Received 14 request before init";
    // OpenSSH calls it fatal, has a severity of its own for that, and leaves with 255.
    for (program, line, code) in [
        (under_test(), format!("<35> error: {text}"), 1),
        (PathBuf::from(OPENSSH), format!("<34> fatal: {text}"), 255),
    ] {
        let syslog = record(&program, &["-l", "ERROR"], Sink::Syslog, None, play);
        assert_eq!(syslog.lines, [line]);
        assert_eq!(syslog.status.code(), Some(code));
        assert_eq!(syslog.names, [] as [Vec<u8>; 0]);
        let stderr = record(&program, &["-l", "INFO"], Sink::Stderr, None, play);
        assert_eq!(stderr.lines[1], text);
        assert_eq!(stderr.lines.len(), 3, "opened, the error, closed");
        let extended = record(&program, &["-l", "ERROR"], Sink::Stderr, None, |server| {
            server.send(&request::limits());
        });
        assert_eq!(extended.lines, ["Received extended request before init"]);
    }
}

#[test]
fn each_close_of_a_file_adds_one_line_of_ours_at_info_and_none_below() {
    let play = |server: &mut Server| {
        let up = server.open("up", CREATE);
        server.ok(&request::write(&up, 0, b"hello"));
        server.close(&up);
        let left = server.open("up", pflags::READ);
        server.call(&request::read(&left, 0, 2));
    };
    for (level, expected) in [
        ("QUIET", 0),
        ("ERROR", 0),
        ("INFO", 2),
        ("VERBOSE", 2),
        ("DEBUG3", 2),
    ] {
        let recorded = session(under_test(), &["-l", level], Sink::Stderr, play);
        assert_eq!(
            recorded.added().len(),
            expected,
            "{level}: {:#?}",
            recorded.lines
        );
    }
    let recorded = session(under_test(), &["-l", "INFO"], Sink::Syslog, play);
    let added = recorded.added();
    assert!(
        added[0].starts_with("<38> transfer \"up\" upload complete bytes 5 "),
        "{added:?}"
    );
    assert!(
        added[1].starts_with("<38> transfer \"up\" download aborted bytes 2 "),
        "{added:?}"
    );
    // Each behind the close that it belongs to.
    for (index, line) in recorded.lines.iter().enumerate() {
        if line.starts_with("<38> transfer ") {
            assert!(
                recorded.lines[index - 1].contains("close \"up\""),
                "{:#?}",
                recorded.lines
            );
        }
    }
}

#[test]
fn a_start_directory_that_is_missing_is_an_error_in_the_log() {
    same_lines(&["-d", "/no/such/directory"], |_| {});
}
