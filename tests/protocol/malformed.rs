//! Packets whose fields do not parse. OpenSSH ends the session through fatal(), with status 255; ours answers
//! BAD_MESSAGE and goes on, because the frame is intact and other transfers run in the same session.

use crate::support::wire::{Attrs, code, frame, kind, pflags, string};
use crate::support::{Packet, Server, Tree, request};
use crate::{assert_status, start};

/// Ours answers BAD_MESSAGE with this id and lives; OpenSSH dies.
#[track_caller]
fn assert_malformed(server: &mut Server, content: &[u8], id: u32) {
    server.send_raw(&frame(content)).unwrap();
    if server.is_openssh() {
        // Complete the bytes that OpenSSH reads beyond the frame before it notices.
        let _ = server.send_raw(&[0; 4]);
        assert_eq!(server.wait().code(), Some(255));
        return;
    }
    let (answered, reply) = server.receive();
    assert_eq!(answered, id, "{}", content.escape_ascii());
    assert_status(&reply, code::BAD_MESSAGE);
    server.call(&request::stat(".")).attrs();
}

#[test]
fn a_packet_too_short_for_an_id_is_a_bad_message_with_id_0() {
    for kind in [kind::STAT, kind::OPEN, kind::EXTENDED, kind::READ] {
        for content in [&[kind][..], &[kind, 1], &[kind, 1, 2, 3]] {
            let (_tree, mut server) = start();
            assert_malformed(&mut server, content, 0);
        }
    }
}

#[test]
fn an_empty_packet_is_a_bad_message_with_id_0() {
    let (_tree, mut server) = start();
    assert_malformed(&mut server, b"", 0);
}

/// Every request, cut after every byte of its fields.
#[test]
fn a_request_cut_short_anywhere_is_a_bad_message_and_does_nothing() {
    let tree = Tree::new();
    tree.file("file", "content");
    let before = tree.snapshot();
    let attrs = Attrs::NONE
        .size(1)
        .owner(0, 0)
        .permissions(0o600)
        .times(1, 2)
        .extended(vec![(b"a".into(), b"b".into())]);
    let handle = [0; 8];
    let mut requests = vec![
        request::open("new", pflags::WRITE | pflags::CREAT, &attrs),
        request::close(&handle),
        request::read(&handle, 0, 3),
        request::write(&handle, 0, "con"),
        request::lstat("file"),
        request::fstat(&handle),
        request::setstat("file", &attrs),
        request::fsetstat(&handle, &attrs),
        request::opendir("."),
        request::readdir(&handle),
        request::remove("file"),
        request::mkdir("d", &attrs),
        request::rmdir("d"),
        request::realpath("."),
        request::stat("file"),
        request::rename("file", "file2"),
        request::readlink("link"),
        request::symlink("x", "link"),
        request::posix_rename("file", "file2"),
        request::statvfs("."),
        request::fstatvfs(&handle),
        request::hardlink("file", "file2"),
        request::fsync(&handle),
        request::lsetstat("file", &attrs),
        request::expand_path("~"),
        request::copy_data(&handle, 0, 0, &handle, 0),
        request::home_directory("root"),
        request::users_groups_by_id(&[0], &[0]),
    ];
    let mut server = Server::start(&tree);
    // OpenSSH does not know it.
    if !server.is_openssh() {
        requests.push(request::copy_file("file", "file2", 0));
    }
    for request in requests {
        for length in 0..request.body.len() {
            // OpenSSH dies each time, so for it a few cuts have to do.
            if server.is_openssh() && length != request.body.len() - 1 {
                continue;
            }
            if server.is_openssh() {
                server = Server::start(&tree);
            }
            let cut = Packet::new(request.kind, &request.body[..length]).frame(77);
            assert_malformed_frame(&mut server, &cut, &request, length);
        }
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[track_caller]
fn assert_malformed_frame(server: &mut Server, bytes: &[u8], request: &Packet, length: usize) {
    server.send_raw(bytes).unwrap();
    if server.is_openssh() {
        assert_eq!(
            server.wait().code(),
            Some(255),
            "{request:?} cut to {length}"
        );
        return;
    }
    let (id, reply) = server.receive();
    assert_eq!(
        (id, reply.code()),
        (77, code::BAD_MESSAGE),
        "{request:?} cut to {length}: {reply:?}"
    );
}

#[test]
fn a_string_longer_than_its_packet_is_a_bad_message() {
    for length in [2_u32, 100, 262_144, 0x7fff_ffff, u32::MAX] {
        let (_tree, mut server) = start();
        let content = [&[kind::STAT, 0, 0, 0, 5][..], &length.to_be_bytes(), b"x"].concat();
        assert_malformed(&mut server, &content, 5);
    }
}

#[test]
fn a_nul_inside_a_name_is_a_bad_message_and_never_cuts_it() {
    let requests: [fn(&[u8]) -> Packet; 8] = [
        |name| request::stat(name),
        |name| request::open(name, pflags::WRITE | pflags::CREAT, &Attrs::NONE),
        |name| request::mkdir(name, &Attrs::NONE),
        |name| request::symlink(name, "link"),
        |name| request::symlink("x", name),
        |name| request::rename("file", name),
        |name| request::remove(name),
        |name| request::setstat(name, &Attrs::NONE.permissions(0)),
    ];
    for request in requests {
        let (tree, mut server) = start();
        tree.file("file", "content");
        let before = tree.snapshot();
        let content = &request(b"file\0name").frame(6)[4..];
        assert_malformed(&mut server, content, 6);
        assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    }
}

/// OpenSSH lets one NUL pass as the last byte of a name, and drops it.
#[test]
fn a_nul_at_the_end_of_a_name_is_a_bad_message_where_openssh_drops_it() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let reply = server.call(&request::stat("file\0"));
    if server.is_openssh() {
        reply.attrs();
    } else {
        assert_status(&reply, code::BAD_MESSAGE);
    }
}

#[test]
fn extended_attrs_are_read_over_and_counted_honestly() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let pairs = vec![
        (b"acl@example.org".to_vec(), b"\0\xff".to_vec()),
        (Vec::new(), Vec::new()),
    ];
    server.ok(&request::setstat(
        "file",
        &Attrs::NONE.permissions(0o600).extended(pairs),
    ));
    assert_eq!(tree.mode("file"), 0o600);
    server.ok(&request::setstat("file", &Attrs::NONE.extended(Vec::new())));
    let lie = [
        &string("file")[..],
        &0x8000_0000_u32.to_be_bytes(),
        &u32::MAX.to_be_bytes(),
        &string("a"),
    ]
    .concat();
    let content = Packet::new(kind::SETSTAT, lie).frame(3)[4..].to_vec();
    assert_malformed(&mut server, &content, 3);
}

#[test]
fn unknown_flags_in_attrs_are_ignored() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let flags = 0x7fff_fff0_u32 | 4;
    let body = [
        &string("file")[..],
        &flags.to_be_bytes(),
        &0o600_u32.to_be_bytes(),
    ]
    .concat();
    server.ok(&Packet::new(kind::SETSTAT, body));
    assert_eq!(tree.mode("file"), 0o600);
}

#[test]
fn lists_of_ids_that_are_not_whole_are_a_bad_message() {
    let (_tree, mut server) = start();
    let body = [string(b"\0\0\0\0\0"), string(b"")].concat();
    let content = request::extended("users-groups-by-id@openssh.com", body).frame(4)[4..].to_vec();
    assert_malformed(&mut server, &content, 4);
}

#[test]
fn a_malformed_packet_among_many_spoils_none_of_them() {
    let (tree, mut server) = start();
    let mut bytes = Vec::new();
    for id in 0..100 {
        bytes.extend(match id % 3 {
            0 => Packet::new(kind::MKDIR, *b"\0\0").frame(id),
            _ => request::mkdir(format!("d{id}"), &Attrs::NONE).frame(id),
        });
    }
    let _ = server.send_raw(&bytes);
    if server.is_openssh() {
        assert_eq!(server.wait().code(), Some(255));
        assert!(tree.names("").is_empty());
        return;
    }
    for id in 0..100 {
        let (answered, reply) = server.receive();
        assert_eq!(
            (answered, reply.code()),
            (
                id,
                if id % 3 == 0 {
                    code::BAD_MESSAGE
                } else {
                    code::OK
                }
            )
        );
    }
    assert_eq!(tree.names("").len(), 66);
}
