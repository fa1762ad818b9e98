//! Status texts: OpenSSH's words first, since clients match them, then from ours the cause, where they say too little.

use crate::support::wire::{Status, code, pflags};
use crate::support::{Attrs, Packet, Tree, program, request};
use crate::{assert_cause, start, start_with, words};

#[test]
fn the_words_that_need_no_cause_stand_alone() {
    let (tree, mut server) = start();
    tree.file("file", "");
    let file = server.open("file", pflags::READ);
    let table = [
        (request::setstat("file", &Attrs::NONE), code::OK),
        (request::read(&file, 0, 1), code::EOF),
        (request::stat("missing"), code::NO_SUCH_FILE),
        (request::extended("unknown", b""), code::OP_UNSUPPORTED),
    ];
    for (request, code) in table {
        let expected = Status {
            code,
            text: words(code).to_owned(),
            language: Vec::new(),
        };
        assert_eq!(server.call(&request).status(), &expected);
    }
}

#[test]
fn each_cause_follows_openssh_s_words() {
    let (tree, mut server) = start();
    tree.file("file", "");
    tree.dir("dir/sub");
    tree.link("loop", "loop");
    let table: [(Packet, u32, &str); 11] = [
        (
            request::mkdir("dir", &Attrs::NONE),
            code::FAILURE,
            "File exists",
        ),
        (request::rmdir("dir"), code::FAILURE, "Directory not empty"),
        (request::remove("dir"), code::FAILURE, "Is a directory"),
        (
            request::rmdir("/"),
            code::FAILURE,
            "Device or resource busy",
        ),
        (
            request::setstat("file", &Attrs::NONE.size(i64::MAX as u64)),
            code::FAILURE,
            "File too large",
        ),
        (
            request::stat("file/x"),
            code::NO_SUCH_FILE,
            "Not a directory",
        ),
        (
            request::stat("loop"),
            code::NO_SUCH_FILE,
            "Too many levels of symbolic links",
        ),
        (
            request::readlink("file"),
            code::BAD_MESSAGE,
            "Invalid argument",
        ),
        (
            request::stat("n".repeat(256)),
            code::BAD_MESSAGE,
            "File name too long",
        ),
        (
            request::rename("dir", "dir/sub/x"),
            code::BAD_MESSAGE,
            "Invalid argument",
        ),
        (
            request::hardlink("dir", "x"),
            code::PERMISSION_DENIED,
            "Operation not permitted",
        ),
    ];
    for (request, code, cause) in table {
        assert_cause(&server.call(&request), &server, code, cause);
    }
}

#[test]
fn a_full_device_says_so() {
    let (_tree, mut server) = start_with(&["/dev"]);
    if server.in_jail("devices are not opened: see special_files.rs", true, false) {
        return;
    }
    let full = server.open("/dev/full", pflags::WRITE);
    assert_cause(
        &server.call(&request::write(&full, 0, "x")),
        &server,
        code::FAILURE,
        "No space left on device",
    );
}

#[test]
fn a_program_that_runs_says_that_it_is_busy() {
    let (tree, mut server) = start();
    program::install("/bin/sleep", tree.at("sleep"));
    let mut child = std::process::Command::new(tree.at("sleep"))
        .arg("60")
        .spawn()
        .unwrap();
    let reply = server.call(&request::open("sleep", pflags::WRITE, &Attrs::NONE));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_cause(&reply, &server, code::FAILURE, "Text file busy");
}

#[test]
fn no_text_ever_holds_a_path() {
    let tree = Tree::new();
    tree.file("file", "");
    tree.dir("dir/sub");
    let mut server = crate::Server::start(&tree);
    for request in [
        request::stat(tree.path("missing")),
        request::open(tree.path("dir"), pflags::WRITE, &Attrs::NONE),
        request::rmdir(tree.path("dir")),
        request::mkdir(tree.path("file"), &Attrs::NONE),
        request::remove(tree.path("dir")),
        request::opendir(tree.path("file")),
    ] {
        let reply = server.call(&request);
        let text = &reply.status().text;
        assert!(
            !text.contains(['/', '"']) && !text.contains("sftp-tree"),
            "{text}"
        );
    }
}
