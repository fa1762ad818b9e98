//! `--max-handles`: files and directories together, in words, and never more than the kernel gives.

use std::process::Stdio;

use crate::support::request;
use crate::support::wire::{Attrs, Fields, code, pflags};
use crate::support::{Launch, Packet, Server, Tree, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT | pflags::TRUNC;
/// How many requests sftp has under way; of OpenSSH 8.6 to 10.2 no more than limits tells of handles.
const WINDOW: u64 = 64;
const REFUSED: &str = "Failure: Too many open files (--max-handles)";

/// The fourth number that `limits@openssh.com` tells.
fn promised(server: &mut Server) -> u64 {
    let reply = server.call(&request::limits());
    let mut fields = Fields(reply.extended());
    (0..4).map(|_| fields.uint64()).last().unwrap()
}

fn create(name: &str) -> Packet {
    request::open(name, CREATE, &Attrs::NONE.permissions(0o644))
}

#[track_caller]
fn refused(server: &mut Server, packet: &Packet) {
    let reply = server.call(packet);
    let status = reply.status();
    assert_eq!(
        (status.code, status.text.as_str()),
        (code::FAILURE, REFUSED)
    );
}

#[test]
fn files_and_directories_count_together_and_what_is_refused_is_not_done() {
    let tree = Tree::new();
    tree.file("there", "content");
    let mut server = Server::with(&tree, ["--max-handles", "3"]);
    assert_eq!(promised(&mut server), WINDOW, "sftp takes it for more");
    let first = server.open("a", CREATE);
    let second = server.opendir(".");
    server.open("b", CREATE);
    refused(&mut server, &create("c"));
    refused(&mut server, &create("there"));
    refused(&mut server, &request::opendir("."));
    assert!(!tree.at("c").exists());
    assert_eq!(tree.read("there"), b"content", "not truncated");

    // What is open works on, and so does what needs no handle.
    server.ok(&request::write(&first, 0, "data"));
    server.call(&request::stat("there")).attrs();
    server.close(&second);
    let third = server.open("c", CREATE);
    refused(&mut server, &request::opendir("."));
    server.close(&third);
    server.close(&first);
    server.opendir(".");
    assert_eq!(promised(&mut server), WINDOW, "whatever is open");
    assert_eq!(tree.read("a"), b"data");
}

#[test]
fn opens_that_fail_take_nothing_of_it() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["--max-handles=1"]);
    for _ in 0..20 {
        server.code(&request::open("missing", pflags::READ, &Attrs::NONE));
        server.code(&request::opendir("missing"));
    }
    server.open("f", CREATE);
    refused(&mut server, &create("g"));
}

#[test]
fn the_kernel_s_limit_stays_and_keeps_its_own_words() {
    let tree = Tree::new();
    let mut server = Launch::new(&tree)
        .through(&["prlimit", "--nofile=128:128"])
        .args(["--max-handles", "1000"])
        .connect();
    let promised = promised(&mut server);
    assert!((80..128).contains(&promised), "{promised}");
    for _ in 0..promised {
        server.open("f", CREATE);
    }
    let reply = server.call(&create("f"));
    assert_eq!(reply.status().text, "Failure: Too many open files");
}

#[test]
fn limits_tells_the_number_where_it_is_no_less_than_sftp_has_requests_under_way() {
    let tree = Tree::new();
    for (most, told) in [(1, WINDOW), (2, WINDOW), (64, 64), (65, 65), (100, 100)] {
        let mut server = Server::with(&tree, ["--max-handles", &most.to_string()]);
        assert_eq!(promised(&mut server), told, "of {most}");
    }
}

#[test]
fn nothing_and_none_are_off() {
    let tree = Tree::new();
    let without = promised(&mut Server::start(&tree));
    for value in ["0", "none"] {
        let mut server = Server::with(&tree, ["--max-handles", value]);
        assert_eq!(promised(&mut server), without);
    }
    for value in ["-1", "", "many", "1K"] {
        let finished = Launch::new(&tree)
            .args(["--max-handles", value])
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1), "{value}");
        assert!(
            finished.stderr_text().contains("Invalid --max-handles"),
            "{finished:?}"
        );
    }
}

#[test]
fn opens_that_overlap_on_slow_storage_are_counted_as_if_one_came_after_another() {
    let tree = Tree::new();
    let strace = ["strace", "-D", "-f", "-qqq", "-o", "/dev/null"];
    let delay = [
        "-e",
        "trace=openat,open",
        "-e",
        "inject=openat,open:delay_enter=5000",
    ];
    let mut server = Launch::program(under_test(), &tree)
        .through(&[&strace[..], &delay].concat())
        .args(["--max-handles", "10"])
        .connect();
    // Enough to teach that it is slow, and to be within the number.
    for _ in 0..3 {
        let handle = server.open("lesson", CREATE);
        server.close(&handle);
    }
    for round in 0..3 {
        let names = |n| format!("{round}-{n}");
        let opens: Vec<Packet> = (0..25).map(|n| create(&names(n))).collect();
        let replies = server.pipeline(&opens);
        for (n, reply) in replies.iter().enumerate() {
            if n < 10 {
                reply.handle();
            } else {
                assert_eq!(reply.status().text, REFUSED, "the {n}th");
            }
            assert_eq!(tree.at(names(n)).exists(), n < 10, "the {n}th");
        }
        // In one burst with what makes room.
        let handles = replies[..10].iter().map(|reply| reply.handle());
        let mut burst: Vec<Packet> = handles.map(request::close).collect();
        burst.extend((0..10).map(|_| request::opendir(".")));
        let replies = server.pipeline(&burst);
        for reply in &replies[..10] {
            assert_eq!(reply.code(), code::OK);
        }
        let dirs: Vec<Packet> = replies[10..]
            .iter()
            .map(|reply| request::close(reply.handle()))
            .collect();
        server.pipeline(&dirs);
    }
}
