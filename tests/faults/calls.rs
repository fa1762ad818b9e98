//! Single system calls that fail: each failure reaches the client in OpenSSH's status and in words, and the session goes on.

use nix::libc;

use crate::support::fault::Fault;
use crate::support::request;
use crate::support::wire::{Attrs, code, pflags};
use crate::support::{Launch, OPENSSH, Packet, Reply, Server, Tree};

const CREATE: u32 = pflags::WRITE | pflags::CREAT;

/// A server in `tree` in which these calls fail.
fn faulty(tree: &Tree, faults: &[Fault]) -> Server {
    Fault::around(faults, || Launch::new(tree).connect())
}

/// The request is answered by this status, and the session is as it was.
#[track_caller]
fn fails(server: &mut Server, packet: &Packet, code: u32, text: &str) {
    let reply = server.call(packet);
    let status = reply.status();
    assert_eq!(
        (status.code, status.text.as_str()),
        (code, text),
        "{packet:?}"
    );
    server.call(&request::realpath("/")).name();
}

const IO: &str = "Failure: Input/output error";

#[test]
fn what_fsync_reports_reaches_the_client() {
    let tree = Tree::new();
    for (errno, text) in [
        (libc::EIO, IO),
        (libc::ENOSPC, "Failure: No space left on device"),
        (libc::EDQUOT, "Failure: Disk quota exceeded"),
    ] {
        let faults = [libc::SYS_fsync, libc::SYS_fdatasync].map(|call| Fault::new(call, errno));
        let mut server = faulty(&tree, &faults);
        let handle = server.open("f", CREATE);
        server.ok(&request::write(&handle, 0, b"hello"));
        fails(&mut server, &request::fsync(&handle), code::FAILURE, text);
        server.close(&handle);
        assert_eq!(tree.read("f"), b"hello");
    }
}

#[test]
fn what_close_reports_reaches_the_client_and_the_handle_is_gone() {
    // As NFS does, where a write fails late.
    for (errno, text) in [
        (libc::EIO, IO),
        (libc::EDQUOT, "Failure: Disk quota exceeded"),
        (libc::ENOSPC, "Failure: No space left on device"),
    ] {
        let tree = Tree::new();
        tree.file("f", "");
        let faults = [Fault::new(libc::SYS_close, errno).on_descriptors()];
        let mut server = faulty(&tree, &faults);
        let handle = server.open("f", CREATE);
        fails(&mut server, &request::close(&handle), code::FAILURE, text);
        assert_eq!(server.code(&request::close(&handle)), code::FAILURE);
        assert_eq!(
            server.code(&request::write(&handle, 0, b"x")),
            code::FAILURE
        );
        assert_eq!(tree.read("f"), b"");
    }
}

#[test]
fn a_close_that_is_interrupted_is_done() {
    // Linux has given the descriptor back by then.
    let tree = Tree::new();
    tree.file("f", "");
    let faults = [Fault::new(libc::SYS_close, libc::EINTR).on_descriptors()];
    let mut server = faulty(&tree, &faults);
    let handle = server.open("f", CREATE);
    server.close(&handle);
}

#[test]
fn a_session_survives_that_every_close_fails() {
    let tree = Tree::new();
    let faults = [Fault::new(libc::SYS_close, libc::EIO).on_descriptors()];
    let mut server = faulty(&tree, &faults);
    let handle = server.open("f", CREATE);
    server.code(&request::close(&handle));
    let directory = server.opendir(".");
    server.call(&request::readdir(&directory)).names();
    server.code(&request::close(&directory));
    server.call(&request::stat("/")).attrs();
}

#[test]
fn what_write_reports_reaches_the_client() {
    let tree = Tree::new();
    tree.file("f", "before");
    for (errno, text) in [
        (libc::EIO, IO),
        (libc::EDQUOT, "Failure: Disk quota exceeded"),
        (libc::EROFS, "Failure: Read-only file system"),
        (libc::EFBIG, "Failure: File too large"),
    ] {
        let faults = [libc::SYS_pwrite64, libc::SYS_pwritev, libc::SYS_pwritev2]
            .map(|call| Fault::new(call, errno).on_descriptors());
        let mut server = faulty(&tree, &faults);
        let handle = server.open("f", pflags::WRITE);
        fails(
            &mut server,
            &request::write(&handle, 0, b"AFTER"),
            code::FAILURE,
            text,
        );
        server.close(&handle);
        assert_eq!(tree.read("f"), b"before");
    }
}

#[test]
fn what_read_reports_reaches_the_client_and_is_no_end_of_file() {
    let tree = Tree::new();
    tree.file("f", "content");
    let faults = [
        libc::SYS_pread64,
        libc::SYS_preadv,
        libc::SYS_preadv2,
        libc::SYS_splice,
        libc::SYS_sendfile,
    ]
    .map(|call| Fault::new(call, libc::EIO).on_descriptors());
    let mut server = faulty(&tree, &faults);
    let handle = server.open("f", pflags::READ);
    fails(
        &mut server,
        &request::read(&handle, 0, 100),
        code::FAILURE,
        IO,
    );
    server.close(&handle);
}

#[test]
fn what_getdents_reports_reaches_the_client_and_is_no_end_of_the_listing() {
    let tree = Tree::new();
    tree.file("f", "");
    let mut server = faulty(&tree, &[Fault::new(libc::SYS_getdents64, libc::EIO)]);
    let handle = server.opendir(".");
    fails(&mut server, &request::readdir(&handle), code::FAILURE, IO);
    server.close(&handle);
}

#[test]
fn entries_that_cannot_be_stated_do_not_spoil_a_listing() {
    let tree = Tree::new();
    tree.file("f", "");
    let nofollow = libc::AT_SYMLINK_NOFOLLOW;
    let faults = [
        Fault::new(libc::SYS_newfstatat, libc::EIO).on_bits(3, nofollow),
        Fault::new(libc::SYS_statx, libc::EIO).on_bits(2, nofollow),
    ];
    let mut server = faulty(&tree, &faults);
    let handle = server.opendir(".");
    match server.call(&request::readdir(&handle)) {
        // Names without attributes, or, as OpenSSH does, none of them.
        Reply::Names(names) => {
            assert!(names.iter().any(|name| name.filename == b"f"), "{names:?}");
            assert_eq!(server.code(&request::readdir(&handle)), code::EOF);
        }
        reply => assert_eq!(reply.code(), code::EOF),
    }
    server.close(&handle);
    fails(&mut server, &request::lstat("f"), code::FAILURE, IO);
}

#[test]
fn what_stat_reports_reaches_the_client() {
    let tree = Tree::new();
    tree.file("f", "");
    // The path of a client is relative to AT_FDCWD, which has all of these bits; a descriptor of the loader has not.
    let faults = [libc::SYS_newfstatat, libc::SYS_statx]
        .map(|call| Fault::new(call, libc::EIO).on_bits(0, 0x7fff_ff00));
    let mut server = faulty(&tree, &faults);
    fails(&mut server, &request::stat("f"), code::FAILURE, IO);
    fails(&mut server, &request::lstat("f"), code::FAILURE, IO);
    let handle = server.open("f", pflags::READ);
    server.call(&request::fstat(&handle)).attrs();
}

#[test]
fn what_open_reports_reaches_the_client() {
    let tree = Tree::new();
    tree.file("f", "");
    for (errno, text) in [
        (libc::EIO, IO),
        (libc::ENFILE, "Failure: Too many open files in system"),
        (libc::ENOMEM, "Failure: Cannot allocate memory"),
        (libc::ETXTBSY, "Failure: Text file busy"),
        (libc::ENXIO, "Failure: No such device or address"),
    ] {
        // The client's files are opened so that they never block; the loader's are not.
        let faults = [Fault::new(libc::SYS_openat, errno).on_bits(2, libc::O_NONBLOCK)];
        let mut server = faulty(&tree, &faults);
        for packet in [
            request::open("f", pflags::READ, &Attrs::NONE),
            request::open("new", CREATE, &Attrs::NONE),
            request::opendir("."),
        ] {
            fails(&mut server, &packet, code::FAILURE, text);
        }
        assert!(!tree.has("new"));
    }
}

#[test]
fn what_reports_a_change_of_names_or_attributes_reaches_the_client() {
    let tree = Tree::new();
    tree.file("f", "content");
    tree.dir("d");
    tree.link("s", "f");
    let attrs = |attrs: Attrs| request::setstat("f", &attrs);
    let cases: [(&[libc::c_long], Packet); 11] = [
        (&[libc::SYS_mkdirat], request::mkdir("new", &Attrs::NONE)),
        (&[libc::SYS_unlinkat], request::remove("f")),
        (&[libc::SYS_unlinkat], request::rmdir("d")),
        (&[libc::SYS_symlinkat], request::symlink("x", "new")),
        (&[libc::SYS_linkat], request::hardlink("f", "new")),
        (&[libc::SYS_readlinkat], request::readlink("s")),
        (
            &[libc::SYS_renameat, libc::SYS_renameat2],
            request::posix_rename("f", "g"),
        ),
        (
            &[libc::SYS_fchmodat, libc::SYS_fchmodat2],
            attrs(Attrs::NONE.permissions(0o600)),
        ),
        (&[libc::SYS_utimensat], attrs(Attrs::NONE.times(1, 1))),
        (&[libc::SYS_fchownat], attrs(Attrs::NONE.owner(1, 1))),
        (
            &[libc::SYS_truncate, libc::SYS_ftruncate],
            attrs(Attrs::NONE.size(3)),
        ),
    ];
    let before = tree.snapshot();
    for (errno, code, text) in [
        (libc::EIO, code::FAILURE, IO),
        (libc::EROFS, code::FAILURE, "Failure: Read-only file system"),
        (
            libc::EPERM,
            code::PERMISSION_DENIED,
            "Permission denied: Operation not permitted",
        ),
        (
            libc::ENOSYS,
            code::OP_UNSUPPORTED,
            "Operation unsupported: Function not implemented",
        ),
    ] {
        for (calls, packet) in &cases {
            let faults: Vec<_> = calls.iter().map(|call| Fault::new(*call, errno)).collect();
            let mut server = faulty(&tree, &faults);
            let reply = server.call(packet);
            let status = reply.status();
            assert_eq!(status.code, code, "{packet:?}: {status:?}");
            let first = text.split(": ").next().unwrap();
            assert!(
                status.text == text || (errno != libc::EIO && status.text.starts_with(first)),
                "{status:?}"
            );
            assert_eq!(
                before.differences(&tree.snapshot()),
                [] as [String; 0],
                "{packet:?}"
            );
        }
    }
}

#[test]
fn every_errno_becomes_the_status_that_openssh_gives_it() {
    let tree = Tree::new();
    let packet = request::remove("f");
    let calls: &[libc::c_long] = &[
        #[cfg(target_arch = "x86_64")]
        libc::SYS_unlink,
        libc::SYS_unlinkat,
    ];
    // All of Linux's, but for two numbers that are none, and what means "try again".
    let errnos = (1..=133).filter(|errno| ![41, 58, libc::EINTR, libc::EAGAIN].contains(errno));
    for errno in errnos {
        let faults: Vec<_> = calls.iter().map(|call| Fault::new(*call, errno)).collect();
        let answer = |launch: Launch| {
            let mut server = Fault::around(&faults, || launch.connect());
            server.call(&packet).status().clone()
        };
        let ours = answer(Launch::new(&tree));
        let theirs = answer(Launch::program(OPENSSH, &tree));
        assert_eq!(
            ours.code, theirs.code,
            "errno {errno}: {ours:?}, {theirs:?}"
        );
        assert!(
            ours.text.starts_with(&theirs.text),
            "errno {errno}: {ours:?}, {theirs:?}"
        );
    }
}

#[test]
fn a_kernel_without_copy_file_range_copies_all_the_same() {
    let tree = Tree::new();
    tree.file("from", vec![b'x'; 300_000]);
    for errno in [
        libc::ENOSYS,
        libc::EXDEV,
        libc::EINVAL,
        libc::EOPNOTSUPP,
        libc::EPERM,
    ] {
        let mut server = faulty(&tree, &[Fault::new(libc::SYS_copy_file_range, errno)]);
        let (from, to) = (
            server.open("from", pflags::READ),
            server.open("to", CREATE | pflags::TRUNC),
        );
        server.ok(&request::copy_data(&from, 0, 0, &to, 0));
        server.close(&to);
        assert_eq!(tree.read("to"), tree.read("from"), "errno {errno}");
    }
}

#[test]
fn a_kernel_without_openat2_or_statx_serves_all_the_same() {
    let tree = Tree::new();
    tree.file("f", "content");
    let calls = [
        libc::SYS_openat2,
        libc::SYS_statx,
        libc::SYS_preadv2,
        libc::SYS_close_range,
        libc::SYS_faccessat2,
    ];
    let faults = calls.map(|call| Fault::new(call, libc::ENOSYS));
    let mut server = faulty(&tree, &faults);
    let handle = server.open("f", pflags::READ);
    assert_eq!(
        server.call(&request::read(&handle, 0, 100)).data(),
        b"content"
    );
    server.call(&request::stat("f")).attrs();
    assert!(server.list(".").iter().any(|name| name.filename == b"f"));
}
