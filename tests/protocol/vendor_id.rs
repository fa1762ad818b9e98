//! `vendor-id`: a client says what it is. OpenSSH's server does not know it; WinSCP sends it where it is not announced, and waits for no answer.

use crate::support::wire::code;
use crate::support::{Launch, Tree, request, server};
use crate::{assert_status, start};

#[test]
fn a_client_that_says_what_it_is_hears_success() {
    let (_tree, mut server) = start();
    let known = !server.is_openssh();
    let expected = if known {
        code::OK
    } else {
        code::OP_UNSUPPORTED
    };
    for (names, build) in [
        ([&b"Vendor"[..], b"Product", b"1.0"], 7),
        ([b"", b"", b""], 0),
        ([b"\0\xff", b"\n", b"\"\x1b[2J"], u64::MAX),
    ] {
        let reply = server.call(&request::vendor_id(names, build));
        assert_status(&reply, expected);
    }
}

#[test]
fn it_may_come_between_others_unanswered() {
    let (tree, mut server) = start();
    tree.file("file", "x");
    let id = request::vendor_id([b"Vendor", b"Product", b"1.0"], 7);
    let replies = server.pipeline(&[request::stat("file"), id, request::stat("file")]);
    assert_eq!(replies.len(), 3);
    replies[0].attrs();
    replies[2].attrs();
}

#[test]
fn what_is_cut_short_is_a_bad_message() {
    let (_tree, mut server) = start();
    if server.is_openssh() {
        return;
    }
    for fields in [
        &b""[..],
        b"\0\0\0\x05abc",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01",
    ] {
        let reply = server.call(&request::extended("vendor-id", fields));
        assert_status(&reply, code::BAD_MESSAGE);
    }
}

#[test]
fn it_is_logged_at_verbose_on_one_line_with_what_is_no_letter_escaped() {
    if server::is_openssh() {
        return;
    }
    let tree = Tree::new();
    for (level, logged) in [("VERBOSE", true), ("INFO", false)] {
        let mut server = Launch::new(&tree).args(["-e", "-l", level]).connect();
        let names = [&b"Ven\ndor"[..], b"\x1b[2JPro\"duct", b"1.0"];
        server.ok(&request::vendor_id(names, 7));
        let finished = server.finish();
        let lines = finished.stderr_text();
        let lines: Vec<_> = lines.lines().filter(|line| line.contains("dor")).collect();
        let line = r#"vendor-id "Ven\ndor \033[2JPro"duct 1.0 7""#;
        match logged {
            true => assert_eq!(lines, [line]),
            false => assert_eq!(lines, [""; 0]),
        }
    }
}
