//! FIFOs, sockets and devices: never block the session, and are not opened in a jail.

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Server, request};
use crate::{assert_cause, assert_status, start, start_with};

/// True in a jail, having seen that `name` does not open there, whatever for.
#[track_caller]
fn is_refused(server: &mut Server, name: &str) -> bool {
    let refused = server.in_jail("a way out to whatever serves it", true, false);
    if refused {
        for bits in 1..64 {
            let reply = server.call(&request::open(name, bits, &Attrs::NONE));
            let exclusive = bits & (pflags::CREAT | pflags::EXCL) == pflags::CREAT | pflags::EXCL;
            let cause = if exclusive {
                "File exists"
            } else {
                "Operation not supported"
            };
            assert_cause(&reply, server, code::FAILURE, cause);
        }
        server.call(&request::stat(name)).attrs();
    }
    refused
}

/// OpenSSH's open(2) waits for the peer, and the whole session with it.
#[test]
fn a_fifo_without_a_peer_never_blocks_the_session_where_openssh_hangs() {
    let (tree, mut server) = start();
    tree.fifo("fifo");
    if is_refused(&mut server, "fifo") {
        return;
    }
    let reading = request::open("fifo", pflags::READ, &Attrs::NONE);
    if server.is_openssh() {
        server.send(&reading);
        assert_eq!(server.receive_within(Duration::from_millis(300)), None);
        return;
    }
    let handle = server.call(&reading).handle().to_vec();
    let reply = server.call(&request::open(
        "fifo",
        pflags::READ | pflags::WRITE,
        &Attrs::NONE,
    ));
    server.close(reply.handle());
    server.close(&handle);
    for bits in [pflags::WRITE, pflags::WRITE | pflags::CREAT | pflags::TRUNC] {
        let reply = server.call(&request::open("fifo", bits, &Attrs::NONE));
        assert_cause(&reply, &server, code::FAILURE, "No such device or address");
    }
    server.call(&request::stat(".")).attrs();
}

/// A FIFO has no offsets: lseek(2) fails with ESPIPE.
#[test]
fn reads_and_writes_on_a_fifo_with_a_peer_fail_at_once() {
    let (tree, mut server) = start();
    let path = tree.fifo("fifo");
    let peer = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
        .unwrap();
    if is_refused(&mut server, "fifo") {
        return;
    }
    let handle = server.open("fifo", pflags::READ | pflags::WRITE);
    assert_cause(
        &server.call(&request::read(&handle, 0, 10)),
        &server,
        code::FAILURE,
        "Illegal seek",
    );
    assert_cause(
        &server.call(&request::write(&handle, 0, "x")),
        &server,
        code::FAILURE,
        "Illegal seek",
    );
    assert_eq!(
        server.call(&request::fstat(&handle)).attrs().permissions,
        Some(0o010_644)
    );
    server.close(&handle);
    drop(peer);
}

/// A handle that appends has no offsets either. What finds no room fails, and the session does not wait for who reads.
#[test]
fn a_fifo_is_written_by_a_handle_that_appends_as_far_as_there_is_room() {
    let (tree, mut server) = start();
    let path = tree.fifo("fifo");
    let mut peer = std::fs::File::options()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NONBLOCK)
        .open(path)
        .unwrap();
    if is_refused(&mut server, "fifo") {
        return;
    }
    let handle = server.open("fifo", pflags::WRITE | pflags::APPEND);
    for (offset, piece) in [(0, "one "), (1 << 40, "two "), (0, "three")] {
        server.ok(&request::write(&handle, offset, piece));
    }
    let mut arrived = [0; 100];
    let count = peer.read(&mut arrived).unwrap();
    assert_eq!(&arrived[..count], b"one two three");
    if server.is_openssh() {
        // It opens without O_NONBLOCK, and the whole session waits.
        return;
    }
    let reply = server.call(&request::write(&handle, 0, vec![b'x'; 200_000]));
    assert_cause(
        &reply,
        &server,
        code::FAILURE,
        "Resource temporarily unavailable",
    );
    server.call(&request::stat(".")).attrs();
}

#[test]
fn a_socket_does_not_open() {
    let (tree, mut server) = start();
    let _listener = UnixListener::bind(tree.at("socket")).unwrap();
    if is_refused(&mut server, "socket") {
        return;
    }
    for bits in [pflags::READ, pflags::WRITE, pflags::READ | pflags::WRITE] {
        let reply = server.call(&request::open("socket", bits, &Attrs::NONE));
        assert_cause(&reply, &server, code::FAILURE, "No such device or address");
    }
    assert_eq!(
        server
            .call(&request::stat("socket"))
            .attrs()
            .permissions
            .unwrap()
            >> 12,
        0o14
    );
}

#[test]
fn devices_serve_as_files_do() {
    let (_tree, mut server) = start_with(&["/dev"]);
    if ["/dev/null", "/dev/zero", "/dev/full"].map(|name| is_refused(&mut server, name))
        == [true; 3]
    {
        return;
    }
    let null = server.open("/dev/null", pflags::READ | pflags::WRITE);
    server.ok(&request::write(&null, 0, "gone"));
    assert_status(&server.call(&request::read(&null, 0, 10)), code::EOF);
    let zero = server.open("/dev/zero", pflags::READ);
    assert_eq!(server.call(&request::read(&zero, 5, 10)).data(), [0; 10]);
    let full = server.open("/dev/full", pflags::WRITE);
    assert_cause(
        &server.call(&request::write(&full, 0, "x")),
        &server,
        code::FAILURE,
        "No space left on device",
    );
}

#[test]
fn names_of_special_files_are_handled_as_any_name() {
    let (tree, mut server) = start();
    tree.fifo("fifo");
    let _listener = UnixListener::bind(tree.at("socket")).unwrap();
    for name in ["fifo", "socket"] {
        server.ok(&request::setstat(
            name,
            &Attrs::NONE.permissions(0o600).times(1, 2),
        ));
        assert_eq!(
            (
                tree.mode(name),
                tree.snapshot().entries[name.as_bytes()].mtime
            ),
            (0o600, (2, 0))
        );
        server.ok(&request::rename(name, "moved"));
        server.ok(&request::hardlink("moved", name));
        server.ok(&request::posix_rename("moved", "again"));
        server.ok(&request::remove("again"));
        server.ok(&request::remove(name));
    }
    assert!(tree.names("").is_empty());
}

#[test]
fn the_size_of_a_special_file_cannot_be_set() {
    let (tree, mut server) = start();
    tree.fifo("fifo");
    assert_cause(
        &server.call(&request::setstat("fifo", &Attrs::NONE.size(5))),
        &server,
        code::BAD_MESSAGE,
        "Invalid argument",
    );
    assert_eq!(tree.names("").len(), 1);
}
