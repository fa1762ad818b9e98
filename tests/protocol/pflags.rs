//! All 64 combinations of pflags, against what open(2) itself does with the flags that OpenSSH maps them to.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::support::server::is_openssh;
use crate::support::wire::{Reply, code, pflags};
use crate::support::{Attrs, Server, Tree, request};
use crate::{assert_status, start};

/// The flags of open(2): no READ and no WRITE is for reading; to append is to write, but for OpenSSH.
fn flags(bits: u32) -> OFlag {
    let appends = bits & APPEND_ALONE == pflags::APPEND && !is_openssh();
    let writes = bits & pflags::WRITE != 0 || appends;
    let mut flags = match (bits & pflags::READ != 0, writes) {
        (true, true) => OFlag::O_RDWR,
        (false, true) => OFlag::O_WRONLY,
        _ => OFlag::O_RDONLY,
    };
    let table = [
        (pflags::APPEND, OFlag::O_APPEND),
        (pflags::CREAT, OFlag::O_CREAT),
        (pflags::TRUNC, OFlag::O_TRUNC),
        (pflags::EXCL, OFlag::O_EXCL),
    ];
    for (bit, flag) in table {
        flags.set(flag, bits & bit != 0);
    }
    flags
}

/// The status for an errno that an open can meet.
fn status(errno: Errno) -> u32 {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP => code::NO_SUCH_FILE,
        Errno::EACCES | Errno::EPERM => code::PERMISSION_DENIED,
        Errno::EINVAL | Errno::ENAMETOOLONG => code::BAD_MESSAGE,
        _ => code::FAILURE,
    }
}

/// The targets: every kind of thing that a name can stand for, short of what could block.
fn fill(tree: &Tree) {
    tree.file("file", "content");
    tree.file("read-only", "content");
    tree.chmod("read-only", 0o444);
    tree.dir("dir");
    tree.link("to-file", "file");
    tree.link("to-dir", "dir");
    tree.link("dangling", "created-through-link");
    tree.link("loop", "loop");
}

const TARGETS: [&str; 13] = [
    "file",
    "missing",
    "dir",
    "dir/",
    "to-file",
    "to-dir",
    "dangling",
    "loop",
    "file/",
    "missing/",
    "file/x",
    "missing/x",
    "",
];

#[test]
fn each_of_the_64_pflags_opens_or_fails_on_each_target_as_open_2_does() {
    for bits in 0..64 {
        let (tree, mut server) = start();
        let model = Tree::new();
        fill(&tree);
        fill(&model);
        for target in TARGETS {
            let path = if target.is_empty() {
                Vec::new()
            } else {
                model.host_path(target)
            };
            let expected: Result<OwnedFd, Errno> =
                open(&path[..], flags(bits), Mode::from_bits_retain(0o640));
            let reply = server.call(&request::open(
                target,
                bits,
                &Attrs::NONE.permissions(0o640),
            ));
            match expected {
                Ok(_) => drop(reply.handle()),
                Err(errno) => {
                    assert_eq!(
                        reply.code(),
                        status(errno),
                        "pflags {bits:#x} of {target:?}: {errno}, {reply:?}"
                    );
                    assert_status(&reply, status(errno));
                }
            }
        }
        let (ours, theirs) = (
            tree.snapshot().without_times(),
            model.snapshot().without_times(),
        );
        assert_eq!(theirs.differences(&ours), [""; 0], "pflags {bits:#x}");
    }
}

/// Whether the bytes "new" were written, and where; whether a READ returned bytes.
fn use_handle(server: &mut Server, tree: &Tree, bits: u32) -> (u32, Vec<u8>, u32) {
    let handle = server.open("file", bits);
    let write = server.code(&request::write(&handle, 2, "new"));
    let content = tree.read("file");
    let read = match server.call(&request::read(&handle, 0, 100)) {
        Reply::Data(data) => {
            assert_eq!(data, content);
            code::OK
        }
        reply => reply.code(),
    };
    server.close(&handle);
    (write, content, read)
}

const APPEND_ALONE: u32 = pflags::APPEND | pflags::READ | pflags::WRITE;

#[test]
fn each_of_the_64_pflags_allows_reading_and_writing_as_it_says() {
    for bits in 0..64 {
        let (tree, mut server) = start();
        let excl = bits & (pflags::CREAT | pflags::EXCL) == pflags::CREAT | pflags::EXCL;
        if !excl {
            tree.file("file", "content");
        }
        let (write, content, read) = use_handle(&mut server, &tree, bits);
        let before: &[u8] = if excl || bits & pflags::TRUNC != 0 {
            b""
        } else {
            b"content"
        };
        let appends_alone = bits & APPEND_ALONE == pflags::APPEND;
        let theirs = bits & pflags::WRITE != 0;
        // OpenSSH's server opens it for reading, and Erlang's clients cannot append.
        let writes = server.differs("to append is to write", theirs || appends_alone, theirs);
        let reads = bits & pflags::READ != 0 || !writes;
        let expected = match (writes, bits & pflags::APPEND != 0) {
            (false, _) => before.to_vec(),
            (true, true) => [before, b"new"].concat(),
            (true, false) if before.is_empty() => b"\0\0new".to_vec(),
            (true, false) => b"conewnt".to_vec(),
        };
        assert_eq!(content, expected, "pflags {bits:#x}");
        let not_open = server.differs("the file is there", code::FAILURE, code::NO_SUCH_FILE);
        let expected = if writes { code::OK } else { not_open };
        assert_eq!(write, expected, "pflags {bits:#x}: EBADF");
        let at_the_end = content.is_empty() && reads;
        let expected = if at_the_end {
            code::EOF
        } else if reads {
            code::OK
        } else {
            not_open
        };
        assert_eq!(read, expected, "pflags {bits:#x}");
    }
}

#[test]
fn pflags_beyond_the_six_are_ignored() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    for bits in [0x40, 0x80, 0x0100, 0x8000_0000, 0xffff_ffc0] {
        let handle = server.open("file", pflags::READ | bits);
        assert_eq!(
            server.call(&request::read(&handle, 0, 7)).data(),
            b"content",
            "{bits:#x}"
        );
    }
    assert_eq!(tree.read("file"), b"content");
}
