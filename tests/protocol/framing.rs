//! Packets as frames: lengths, limits, types, ids, and the end of input.

use crate::support::wire::{code, frame, kind, pflags, string};
use crate::support::{Attrs, Launch, Packet, Reply, Server, Tree, request, show};
use crate::{assert_status, start};
use std::io::{Seek, Write};
use std::process::Stdio;
use std::time::Duration;

const LARGEST: usize = 262_144;

/// A REALPATH of "." with trailing bytes, so that the frame's content is `length` bytes long.
fn padded(length: usize) -> Vec<u8> {
    let mut content = vec![kind::REALPATH, 0, 0, 0, 9, 0, 0, 0, 1, b'.'];
    content.resize(length, 0xaa);
    frame(&content)
}

#[test]
fn a_packet_of_exactly_the_largest_length_is_served() {
    let (tree, mut server) = start();
    server.send_raw(&padded(LARGEST)).unwrap();
    let (id, reply) = server.receive();
    assert_eq!((id, show(reply.name())), (9, show(tree.path(""))));
    assert!(server.finish().status.success());
}

#[test]
fn a_packet_longer_than_the_largest_ends_the_session_with_status_11() {
    for length in [LARGEST + 1, 1 << 24, u32::MAX as usize] {
        let (_tree, mut server) = start();
        let head = [
            &u32::try_from(length).unwrap().to_be_bytes()[..],
            &[kind::STAT],
        ]
        .concat();
        server.send_raw(&head).unwrap();
        assert_eq!(server.wait().code(), Some(11), "length {length}");
        assert_eq!(server.receive_raw(), None);
    }
}

#[test]
fn replies_to_what_came_before_an_oversized_packet_are_sent() {
    let (tree, mut server) = start();
    server.ok(&request::mkdir("d", &Attrs::NONE));
    server.send_raw(&[0xff; 5]).unwrap();
    assert_eq!(server.wait().code(), Some(11));
    assert!(tree.has("d"));
}

#[test]
fn packets_may_arrive_byte_by_byte() {
    let (tree, mut server) = start();
    for byte in [
        request::mkdir("one", &Attrs::NONE).frame(1),
        request::mkdir("two", &Attrs::NONE).frame(2),
    ]
    .concat()
    {
        server.send_raw(&[byte]).unwrap();
        std::thread::sleep(Duration::from_micros(300));
    }
    for id in 1..=2 {
        assert_eq!(server.receive(), (id, server_ok()));
    }
    assert_eq!(tree.names("").len(), 2);
}

fn server_ok() -> Reply {
    Reply::Status(crate::support::Status {
        code: 0,
        text: "Success".to_owned(),
        language: Vec::new(),
    })
}

#[test]
fn bytes_after_the_last_field_are_ignored_in_every_request() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.link("link", "file");
    let file = server.open("file", pflags::READ | pflags::WRITE);
    let other = server.open("other", pflags::READ | pflags::WRITE | pflags::CREAT);
    let dir = server.opendir(".");
    let none = &Attrs::NONE;
    let mut requests = vec![
        request::open("file", pflags::READ, none),
        request::read(&file, 0, 3),
        request::write(&file, 0, "con"),
        request::lstat("file"),
        request::stat("file"),
        request::fstat(&file),
        request::setstat("file", none),
        request::fsetstat(&file, none),
        request::opendir("."),
        request::readdir(&dir),
        request::mkdir("d", none),
        request::rmdir("d"),
        request::realpath("."),
        request::rename("link", "link2"),
        request::readlink("link2"),
        request::symlink("x", "link3"),
        request::remove("link3"),
        request::posix_rename("link2", "link4"),
        request::statvfs("."),
        request::fstatvfs(&file),
        request::hardlink("file", "file2"),
        request::fsync(&file),
        request::lsetstat("file", none),
        request::limits(),
        request::expand_path("~"),
        request::copy_data(&file, 0, 0, &other, 0),
        request::home_directory("root"),
        request::users_groups_by_id(&[0], &[0]),
        request::close(&file),
    ];
    // OpenSSH does not know it.
    if !server.is_openssh() {
        requests.push(request::copy_file("file", "file3", 0));
    }
    for request in requests {
        let longer = Packet::new(
            request.kind,
            [&request.body[..], b"\0\xfftrailing"].concat(),
        );
        let reply = server.call(&longer);
        assert!(
            !matches!(&reply, Reply::Status(status) if status.code != code::OK),
            "{request:?}: {reply:?}"
        );
    }
}

#[test]
fn the_id_is_echoed_whatever_it_is() {
    let (_tree, mut server) = start();
    for id in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, 7, 7] {
        server.send_raw(&request::stat(".").frame(id)).unwrap();
        assert_eq!(server.receive().0, id);
    }
}

/// OpenSSH logs it and answers nothing, so a client that waits for the answer hangs. What arrived together with it is
/// left lying too, until something else arrives.
#[test]
fn an_unknown_packet_type_is_answered_by_op_unsupported_where_openssh_is_silent() {
    let (_tree, mut server) = start();
    let known =
        |kind: &u8| (3..=20).contains(kind) || *kind == kind::INIT || *kind == kind::EXTENDED;
    for kind in (0..=255).filter(|kind| !known(kind)) {
        let unknown = server.send(&Packet::new(kind, *b"whatever follows"));
        if server.is_openssh() {
            let mut outstanding = vec![server.send(&request::stat("."))];
            while !outstanding.is_empty() {
                match server.receive_within(Duration::from_millis(20)) {
                    Some((id, _)) => assert_eq!(id, outstanding.remove(0), "no reply to {kind}"),
                    None => outstanding.push(server.send(&request::stat("."))),
                }
            }
        } else {
            let (id, reply) = server.receive();
            assert_eq!(id, unknown);
            assert_status(&reply, code::OP_UNSUPPORTED);
            server.call(&request::stat(".")).attrs();
        }
    }
}

#[test]
fn an_unknown_extension_is_answered_by_op_unsupported() {
    let (_tree, mut server) = start();
    for name in [
        "",
        "x",
        "posix-rename",
        "posix-rename@openssh.com2",
        "POSIX-RENAME@openssh.com",
        "\u{e9}@\u{fc}.org",
    ] {
        assert_status(
            &server.call(&request::extended(name, b"\0\0\0\x01a")),
            code::OP_UNSUPPORTED,
        );
    }
    let long = vec![b'n'; 200_000];
    assert_status(
        &server.call(&request::extended(long, b"")),
        code::OP_UNSUPPORTED,
    );
}

/// OpenSSH ends through fatal(), whose status is 255.
#[test]
fn a_request_before_init_ends_the_session_and_does_nothing() {
    for request in [
        request::mkdir("d", &Attrs::NONE),
        request::extended("hardlink@openssh.com", string("x")),
    ] {
        let tree = Tree::new();
        let mut server = Launch::new(&tree).start();
        server.send_raw(&request.frame(1)).unwrap();
        let status = server.wait();
        assert_eq!(
            status.code(),
            Some(server.differs("a plain refusal", 1, 255))
        );
        assert_eq!(server.receive_raw(), None, "nothing was answered");
        assert!(tree.names("").is_empty());
    }
}

#[test]
fn the_end_of_input_ends_the_session_with_status_0() {
    let tree = Tree::new();
    let mut silent = Launch::new(&tree).start();
    silent.close_input();
    assert_eq!(silent.wait().code(), Some(0), "before INIT");
    assert_eq!(
        Server::start(&tree).finish().status.code(),
        Some(0),
        "after INIT"
    );
}

#[test]
fn the_end_of_input_inside_a_packet_ends_the_session_with_status_0() {
    let whole = request::mkdir("d", &Attrs::NONE).frame(1);
    for cut in [1, 3, 4, 5, 8, 9, 12, whole.len() - 1] {
        let (tree, mut server) = start();
        server.send_raw(&whole[..cut]).unwrap();
        assert_eq!(server.finish().status.code(), Some(0), "after {cut} bytes");
        assert!(tree.names("").is_empty(), "half a request does nothing");
    }
}

/// OpenSSH exits as soon as read(2) says 0, and drops what it has queued.
#[test]
fn requests_that_arrived_whole_before_the_end_of_input_are_all_carried_out() {
    let (tree, mut server) = start();
    let requests: Vec<u8> = (0..500)
        .flat_map(|n| request::mkdir(format!("d{n}"), &Attrs::NONE).frame(n))
        .collect();
    server.send_raw(&requests).unwrap();
    server
        .send_raw(&request::mkdir("half", &Attrs::NONE).frame(500)[..20])
        .unwrap();
    server.close_input();
    let replies = server.drain();
    assert_eq!(server.wait().code(), Some(0));
    if !server.is_openssh() {
        assert_eq!(replies.len(), 500);
        assert_eq!(tree.names("").len(), 500);
    }
}

/// Files never say "would block", and epoll refuses them.
#[test]
fn regular_files_serve_as_stdin_and_stdout() {
    let tree = Tree::new();
    let io = Tree::new();
    let mut input = std::fs::File::create_new(io.at("in")).unwrap();
    input.write_all(&frame(&[kind::INIT, 0, 0, 0, 3])).unwrap();
    input
        .write_all(&request::mkdir("d", &Attrs::NONE).frame(1))
        .unwrap();
    input.rewind().ok();
    let input = std::fs::File::open(io.at("in")).unwrap();
    let output = std::fs::File::create_new(io.at("out")).unwrap();
    let launch = Launch::new(&tree);
    let finished = launch.run(input, output);
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    if !crate::server::is_openssh() {
        let written = io.read("out");
        assert_eq!(written[4], kind::VERSION);
        assert!(
            written.ends_with(b"\0\0\0\x07Success\0\0\0\0"),
            "{}",
            show(&written)
        );
        assert!(tree.has("d"));
    }
}

#[test]
fn one_socket_serves_as_stdin_and_stdout() {
    let tree = Tree::new();
    let mut server = Launch::new(&tree).socket().connect();
    assert_eq!(
        show(server.call(&request::realpath("")).name()),
        show(tree.path(""))
    );
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn standard_input_that_is_dev_null_is_the_end_of_input() {
    let tree = Tree::new();
    let finished = Launch::new(&tree).run(Stdio::null(), Stdio::piped());
    assert_eq!(
        (finished.status.code(), finished.stdout),
        (Some(0), Vec::new())
    );
}
