//! Copies that are refused or fail, as the newest OpenSSH logs them: older ones log fewer.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::log_lines::{Sink, session, stderr_lines};
use crate::support::wire::pflags;
use crate::support::{Launch, Server, Tree, openssh, request, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT | pflags::TRUNC;

/// What is logged at ERROR, the same by both. The answers are not: theirs to a bad descriptor is that there is no such file.
#[track_caller]
fn errors(play: fn(&mut Server)) -> Vec<String> {
    for sink in [Sink::Stderr, Sink::Syslog] {
        let lines = |program: &Path| {
            let recorded = session(program, &["-l", "ERROR"], sink, play);
            recorded.comparable(openssh::release(&openssh::newest()).unwrap())
        };
        let theirs = lines(&openssh::newest());
        assert_eq!(lines(&under_test()), theirs, "{sink:?}");
        if sink == Sink::Syslog {
            return theirs;
        }
    }
    Vec::new()
}

/// `error: `, OpenSSH's function, and this text.
fn error(text: &str) -> String {
    format!("<35> error: process_extended_copy_data: {text}")
}

/// A source of so many bytes, open for both.
fn source(server: &mut Server, length: usize) -> Vec<u8> {
    let handle = server.open("from", CREATE | pflags::READ);
    server.ok(&request::write(&handle, 0, vec![b'x'; length]));
    handle
}

#[test]
fn a_file_onto_itself() {
    let lines = errors(|server| {
        let from = source(server, 5);
        server.ok(&request::hardlink("from", "hard"));
        server.ok(&request::symlink("from", "soft"));
        server.call(&request::copy_data(&from, 0, 5, &from, 0));
        for name in ["from", "./from", "hard", "soft"] {
            let to = server.open(name, pflags::WRITE);
            server.call(&request::copy_data(&from, 0, 5, &to, 9));
        }
    });
    let line = |to| {
        error(&format!(
            "refusing to read/write same file: read \"from\" dev N ino N, write \"{to}\" dev N ino N"
        ))
    };
    assert_eq!(lines, ["from", "from", "./from", "hard", "soft"].map(line));
}

#[test]
fn device_and_inode_are_those_of_the_file() {
    let tree = Tree::new();
    tree.file("file", "content");
    let meta = std::fs::metadata(tree.at("file")).unwrap();
    let launch = Launch::program(under_test(), &tree);
    let mut server = launch.args(["-e", "-l", "ERROR"]).connect();
    let handle = server.open("file", pflags::READ | pflags::WRITE);
    server.call(&request::copy_data(&handle, 0, 0, &handle, 0));
    let id = format!("dev {} ino {}", meta.dev(), meta.ino());
    assert_eq!(
        stderr_lines(&server.finish().stderr),
        [format!(
            "process_extended_copy_data: refusing to read/write same file: read \"file\" {id}, write \"file\" {id}"
        )]
    );
}

#[test]
fn handles_of_no_file() {
    let lines = errors(|server| {
        let from = source(server, 5);
        let dir = server.opendir(".");
        for (from, to) in [
            (&from[..], &b"nohandle"[..]),
            (b"nohandle", &from),
            (b"", b""),
            (&from, &dir),
            (&dir, &from),
        ] {
            server.call(&request::copy_data(from, 0, 2, to, 9));
        }
    });
    assert_eq!(lines, [0; 5].map(|_| error("bad read or write fd")));
}

#[test]
fn offsets_that_no_file_has() {
    let lines = errors(|server| {
        let from = source(server, 5);
        let to = server.open("to", CREATE);
        let unwritable = server.open("to", pflags::READ);
        server.call(&request::copy_data(&from, 1 << 63, 2, &to, u64::MAX));
        server.call(&request::copy_data(&from, 0, 2, &to, u64::MAX));
        server.call(&request::copy_data(&from, 0, 2, &unwritable, u64::MAX));
    });
    assert_eq!(
        lines,
        ["read_seek", "write_seek", "write_seek"].map(|what| error(&format!("{what} failed")))
    );
}

#[test]
fn handles_not_open_for_what_is_asked() {
    let lines = errors(|server| {
        let from = source(server, 200_000);
        server.open("to", CREATE);
        let unreadable = server.open("from", pflags::WRITE);
        let unwritable = server.open("to", pflags::READ);
        server.call(&request::copy_data(&unreadable, 0, 5, &unwritable, 0));
        for (offset, length) in [(0, 0), (0, 5), (0, 100_000), (199_990, 0), (199_990, 20)] {
            server.call(&request::copy_data(&from, offset, length, &unwritable, 0));
        }
    });
    let write = |length| error(&format!("write failed: 0 != {length}: Bad file descriptor"));
    let mut expected = vec![error("read failed: Bad file descriptor")];
    expected.extend([65_536, 5, 65_536, 10, 10].map(write));
    assert_eq!(lines, expected);
}

/// The piece that meets a limit on the size of files, though a part of it was written.
#[test]
fn a_piece_that_cannot_be_written() {
    let lines = |program: &Path| {
        let tree = Tree::new();
        tree.file("from", vec![b'x'; 200_000]);
        // Unheeded: the signal that ends OpenSSH's server there.
        let limited = ["env", "--ignore-signal=XFSZ", "prlimit", "--fsize=100000"];
        let launch = Launch::program(program, &tree).through(&limited);
        let mut server = launch.args(["-e", "-l", "ERROR"]).connect();
        let from = server.open("from", pflags::READ);
        let to = server.open("to", CREATE);
        for (offset, length, to_offset) in [(0, 0, 0), (150_000, 0, 150_000), (0, 70_000, 32_768)] {
            server.call(&request::copy_data(&from, offset, length, &to, to_offset));
        }
        (stderr_lines(&server.finish().stderr), tree.read("to").len())
    };
    let theirs = lines(&openssh::newest());
    assert_eq!(lines(&under_test()), theirs);
    let write =
        |length| format!("process_extended_copy_data: write failed: 0 != {length}: File too large");
    assert_eq!(
        theirs,
        ([65_536, 50_000, 4_464].map(write).to_vec(), 100_000)
    );
}
