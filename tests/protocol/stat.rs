//! STAT: the facts of what a name leads to, links followed.

use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;

use crate::support::wire::code;
use crate::support::{Attrs, Reply, Tree, request, show};
use crate::{assert_cause, assert_status, ordinary, start, start_with};

/// The attrs of stat(2): size, owner, full st_mode, times; times clamped into 32 bits.
pub(crate) fn attrs_of(meta: &std::fs::Metadata) -> Attrs {
    let time = |seconds: i64| u32::try_from(seconds.clamp(0, i64::from(u32::MAX))).unwrap();
    let times = (time(meta.atime()), time(meta.mtime()));
    Attrs::NONE
        .size(meta.size())
        .owner(meta.uid(), meta.gid())
        .permissions(meta.mode())
        .times(times.0, times.1)
}

#[test]
fn every_kind_of_thing_is_described_as_it_stands_on_the_disk() {
    let (tree, mut server) = start_with(&["/dev", "/proc"]);
    tree.file("file", "content");
    tree.dir("dir");
    tree.fifo("fifo");
    tree.link("to-file", "file");
    tree.link("to-dir", "dir");
    let _listener = UnixListener::bind(tree.at("socket")).unwrap();
    tree.times("file", 1_000_000_000, 1_234_567_890);
    for path in [
        "file",
        "dir",
        "fifo",
        "socket",
        "to-file",
        "to-dir",
        ".",
        "dir/../file",
    ] {
        let expected = attrs_of(&std::fs::metadata(tree.at(path)).unwrap());
        let reply = server.call(&request::stat(path));
        assert_eq!(reply, Reply::Attrs(expected), "{path}");
    }
    // Others write there meanwhile: only what stays is compared.
    for path in ["/dev/null", "/", "..", "/proc/self/.."] {
        let host = match path {
            "/" | ".." => tree.at(server.in_jail("the tree is the root", "", path)),
            path => tree.at(path),
        };
        let expected = attrs_of(&std::fs::metadata(host).unwrap());
        let reply = server.call(&request::stat(path));
        assert_eq!(reply.attrs().permissions, expected.permissions, "{path}");
        assert_eq!(reply.attrs().owner, expected.owner, "{path}");
    }
}

#[test]
fn all_modes_are_told_with_setuid_setgid_and_sticky() {
    let (tree, mut server) = start();
    tree.file("file", "");
    for mode in [0, 0o1, 0o777, 0o644, 0o1000, 0o2000, 0o4000, 0o7777] {
        tree.chmod("file", mode);
        assert_eq!(
            server.call(&request::stat("file")).attrs().permissions,
            Some(0o100_000 | mode)
        );
    }
}

#[test]
fn sizes_beyond_32_bits_are_told_whole() {
    let (tree, mut server) = start();
    let path = tree.file("file", "");
    std::fs::File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(5_000_000_000_123)
        .unwrap();
    assert_eq!(
        server.call(&request::stat("file")).attrs().size,
        Some(5_000_000_000_123)
    );
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "");
    tree.link("dangling", "missing");
    for path in ["missing", "missing/x", "dangling", ""] {
        let reply = server.call(&request::stat(path));
        assert_status(&reply, code::NO_SUCH_FILE);
        assert_eq!(
            reply.status().text,
            "No such file",
            "{path:?}: paramiko matches the text"
        );
    }
    for path in ["file/", "file/x", "file/.", "file/.."] {
        assert_cause(
            &server.call(&request::stat(path)),
            &server,
            code::NO_SUCH_FILE,
            "Not a directory",
        );
    }
}

#[test]
fn a_loop_of_links_is_no_such_file() {
    let (tree, mut server) = start();
    tree.link("loop", "loop");
    tree.link("a", "b");
    tree.link("b", "a");
    for path in ["loop", "a", "b/x"] {
        let reply = server.call(&request::stat(path));
        assert_cause(
            &reply,
            &server,
            code::NO_SUCH_FILE,
            "Too many levels of symbolic links",
        );
    }
}

#[test]
fn forty_links_are_followed_and_one_more_is_not() {
    let (tree, mut server) = start();
    tree.file("l0", "content");
    for n in 1..=41 {
        tree.link(format!("l{n}"), format!("l{}", n - 1));
    }
    assert_eq!(server.call(&request::stat("l40")).attrs().size, Some(7));
    assert_status(&server.call(&request::stat("l41")), code::NO_SUCH_FILE);
}

/// Version 3 has 32 bits, unsigned; OpenSSH cuts what does not fit, so that 1969 reads as 2106.
#[test]
fn times_before_1970_and_after_2106_are_clamped_where_openssh_wraps() {
    let (tree, mut server) = start();
    tree.file("file", "");
    for (seconds, clamped) in [
        (-1, 0),
        (-86_400, 0),
        (0, 0),
        (0x8000_0000, 0x8000_0000),
        (0xffff_ffff, u32::MAX),
        (0x1_0000_0005, u32::MAX),
    ] {
        tree.times("file", seconds, seconds);
        assert_eq!(
            tree.meta("file").mtime(),
            seconds,
            "this file system keeps such times"
        );
        let told = server.call(&request::stat("file")).attrs().times.unwrap();
        let expected = server.differs("times are clamped, not wrapped", clamped, seconds as u32);
        assert_eq!(told, (expected, expected), "{seconds}");
    }
}

#[test]
fn execute_permission_on_the_way_is_enough() {
    let tree = Tree::new();
    tree.dir("dir");
    tree.file("dir/file", "content");
    tree.dir("closed");
    tree.file("closed/file", "content");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir/file", 0);
    tree.chmod("dir", 0o111);
    tree.chmod("closed", 0o666);
    assert_eq!(
        server.call(&request::stat("dir/file")).attrs().size,
        Some(7)
    );
    let reply = server.call(&request::stat("closed/file"));
    assert_status(&reply, code::PERMISSION_DENIED);
    assert_eq!(reply.status().text, "Permission denied");
}

#[test]
fn names_of_bytes_that_are_no_utf8_are_found() {
    let (tree, mut server) = start();
    for name in [
        &b"\xff"[..],
        b"caf\xe9",
        b"a\nb",
        b"\x01\x7f",
        b" ",
        b"-rf",
        b"~",
        b"*?[",
        b"\"'\\",
        b"...",
        b"%s%d",
    ] {
        tree.file(name, name);
        assert_eq!(
            server.call(&request::stat(name)).attrs().size,
            Some(name.len() as u64),
            "{}",
            show(name)
        );
    }
}
