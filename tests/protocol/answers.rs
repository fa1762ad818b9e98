//! How long answers are. Old clients make room for 34 000 bytes, sshfs for 128 KiB, GVfs and OpenSSH's for 256 KiB, and leave at more.

use crate::support::wire::{code, parse, pflags};
use crate::support::{Packet, Reply, Server, request};
use crate::{assert_status, start};

/// What the client did not ask for by a length fits every client.
const ALL: usize = 34_000;

/// How long the answer is on the wire, without its length.
fn length(server: &mut Server, packet: &Packet) -> usize {
    server.send(packet);
    server.receive_raw().unwrap().len()
}

#[test]
fn no_answer_that_tells_of_names_and_attributes_is_longer_than_every_client_takes() {
    let (tree, mut server) = start();
    // As long as a path can be, and as many names as a listing has answers for.
    let mut deep = String::new();
    while deep.len() + 251 < 3_800 - tree.root().as_os_str().len() {
        deep.push_str(&"d".repeat(250));
        deep.push('/');
    }
    tree.dir(&deep);
    let file = format!("{deep}file");
    tree.file(&file, "content");
    tree.link("link", "t".repeat(4_000));
    tree.dir("many");
    for number in 0..400 {
        tree.file(format!("many/{number:0>255}"), "");
    }
    let (handle, dir) = (server.open(&file, pflags::READ), server.opendir("many"));
    let missing = format!("{deep}{}", "m".repeat(200));
    let mut questions = vec![
        request::stat(&file),
        request::lstat(&file),
        request::fstat(&handle),
        request::realpath(&file),
        request::readlink("link"),
        request::statvfs(&file),
        request::fstatvfs(&handle),
        request::limits(),
        request::expand_path(format!("~/{file}")),
        request::expand_path("~"),
        request::home_directory("root"),
        request::home_directory("u".repeat(4_000)),
        request::users_groups_by_id(&[0; 1000], &[0; 1000]),
        request::open(&missing, pflags::READ, &crate::support::Attrs::NONE),
        request::remove(&missing),
        request::rename(&file, "x".repeat(5_000)),
        request::extended("n".repeat(5_000), "f".repeat(5_000)),
        request::close(&[0xff; 255]),
    ];
    // OpenSSH's fill 256 KiB.
    if !server.is_openssh() {
        questions.extend(std::iter::repeat_n(request::readdir(&dir), 8));
    }
    for question in questions {
        let length = length(&mut server, &question);
        assert!(length <= ALL, "{length} bytes: {question:?}");
    }
}

#[test]
fn no_piece_of_a_file_is_longer_than_was_asked_for_or_empty() {
    let (tree, mut server) = start();
    let size = 300_000;
    tree.file("file", vec![b'x'; size]);
    let handle = server.open("file", pflags::READ);
    for asked in [
        1,
        4_096,
        32_768,
        65_536,
        131_072,
        261_120,
        262_144,
        u32::MAX,
    ] {
        for offset in [0, size - 1, size - 4_096, size, size + 1] {
            server.send(&request::read(&handle, offset as u64, asked));
            let content = server.receive_raw().unwrap();
            match parse(&content).1 {
                Reply::Data(data) => {
                    assert!(!data.is_empty() && data.len() <= asked as usize);
                    assert!(content.len() <= 262_144, "{}", content.len());
                }
                reply => {
                    assert!(offset >= size, "{asked} bytes at {offset}: {reply:?}");
                    assert_status(&reply, code::EOF);
                }
            }
        }
    }
}
