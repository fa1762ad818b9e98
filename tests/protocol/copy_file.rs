//! `copy-file`: a whole file copied by name. OpenSSH's server does not know it; clients that do ask where it is announced.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Launch, Reply, Server, Tree, request, server};
use crate::{assert_cause, assert_status, ordinary, start, start_with};

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 % 251) as u8).collect()
}

/// A tree and a server in it; none where that is OpenSSH's, which has said so.
fn known() -> Option<(Tree, Server)> {
    let (tree, mut server) = start();
    if server.is_openssh() {
        tree.file("from", "content");
        let reply = server.call(&request::copy_file("from", "to", 0));
        assert_status(&reply, code::OP_UNSUPPORTED);
        assert!(!tree.has("to"));
        return None;
    }
    Some((tree, server))
}

#[test]
fn a_copy_has_all_of_the_content_and_the_mode() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.dir("dir");
    for length in [0, 1, 4095, 4096, 65_537, 3_000_000, 40_000_000] {
        let from = tree.file(format!("from-{length}"), content(length));
        std::fs::set_permissions(from, PermissionsExt::from_mode(0o754)).unwrap();
        let to = format!("dir/to-{length}");
        server.ok(&request::copy_file(format!("from-{length}"), &to, 0));
        assert!(tree.read(&to) == content(length), "{length} bytes");
        assert_eq!(tree.mode(&to), 0o754 & !0o022, "less the umask");
        let (one, two) = (
            tree.meta(format!("from-{length}")).ino(),
            tree.meta(to).ino(),
        );
        assert_ne!(one, two);
    }
    assert_eq!(tree.names("dir").len(), 7, "and nothing beside them");
}

#[test]
fn set_id_bits_are_not_copied() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.file("from", "content");
    tree.chmod("from", 0o6755);
    server.ok(&request::copy_file("from", "to", 0));
    assert_eq!(tree.mode("to"), 0o755);
}

#[test]
fn the_exact_mode_and_the_umask_of_the_command_line_hold() {
    if server::is_openssh() {
        return;
    }
    for (args, mode) in [(["-m", "0640"], 0o640), (["-u", "0077"], 0o600)] {
        let tree = Tree::new();
        tree.file("from", "content");
        tree.chmod("from", 0o666);
        let mut server = Server::with(&tree, args);
        server.ok(&request::copy_file("from", "to", 0));
        assert_eq!(tree.mode("to"), mode, "{args:?}");
        // What is there keeps its own.
        tree.file("old", "old");
        tree.chmod("old", 0o604);
        server.ok(&request::copy_file("from", "old", 1));
        assert_eq!(tree.mode("old"), 0o604, "{args:?}");
    }
}

#[test]
fn holes_past_the_end_of_a_page_are_copied_as_zeros() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    let path = tree.file("sparse", "head");
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(5_000_000).unwrap();
    server.ok(&request::copy_file("sparse", "to", 0));
    assert!(tree.read("to") == tree.read("sparse"));
}

#[test]
fn what_stands_there_stays_unless_it_is_to_be_overwritten() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.file("from", "new");
    tree.file("to", "the old content");
    tree.dir("dir");
    tree.link("link", "to");
    tree.link("dangling", "missing");
    let before = tree.snapshot();
    for to in ["to", "from", "dir", "link", "dangling", "."] {
        let reply = server.call(&request::copy_file("from", to, 0));
        assert_cause(&reply, &server, code::FAILURE, "File exists");
    }
    for to in ["dir/", "/"] {
        let reply = server.call(&request::copy_file("from", to, 0));
        assert_eq!(reply.code(), code::FAILURE, "{to}");
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    // RFC 4251: whatever is not 0 is true.
    for truth in [1, 2, 255] {
        tree.file("to", "the old content");
        server.ok(&request::copy_file("from", "to", truth));
        assert_eq!(tree.read("to"), b"new");
    }
}

#[test]
fn what_is_overwritten_keeps_mode_and_owner() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.file("from", "new");
    tree.file("to", "the old content, which is longer");
    tree.chmod("from", 0o600);
    tree.chmod("to", 0o646);
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(tree.at("to"), Some(1234), Some(4321)).unwrap();
    }
    let before = tree.meta("to");
    server.ok(&request::copy_file("from", "to", 1));
    let after = tree.meta("to");
    assert_eq!(tree.read("to"), b"new");
    let owned = |meta: &std::fs::Metadata| (meta.mode(), meta.uid(), meta.gid());
    assert_eq!(owned(&after), owned(&before));
}

/// Another's file, or one with more names, is written as it stands.
#[test]
fn a_file_with_two_names_has_the_copy_by_both() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.file("from", "new");
    tree.file("to", "the old content");
    std::fs::hard_link(tree.at("to"), tree.at("second")).unwrap();
    server.ok(&request::copy_file("from", "to", 1));
    assert_eq!(tree.read("to"), b"new");
    assert_eq!(tree.read("second"), b"new");
    assert_eq!(tree.meta("to").nlink(), 2);
}

#[test]
fn a_directory_that_cannot_be_written_leaves_the_file_to_be_written_as_it_stands() {
    if server::is_openssh() {
        return;
    }
    let tree = Tree::new();
    tree.dir("dir");
    tree.file("from", "new");
    tree.file("dir/to", "the old content");
    tree.file("dir/shut", "shut");
    tree.chmod("dir/shut", 0o444);
    tree.chmod("dir", 0o555);
    let mut server = ordinary(&tree, &[]);
    server.ok(&request::copy_file("from", "dir/to", 1));
    assert_eq!(tree.read("dir/to"), b"new");
    for (to, overwrite) in [("dir/new", 0), ("dir/new", 1), ("dir/shut", 1)] {
        let reply = server.call(&request::copy_file("from", to, overwrite));
        assert_eq!(reply.code(), code::PERMISSION_DENIED, "{to}: {reply:?}");
    }
    assert_eq!(tree.read("dir/shut"), b"shut");
    tree.chmod("dir", 0o755);
    assert_eq!(tree.names("dir").len(), 2);
}

/// A file that its owner may not write is not replaced by way of the directory.
#[test]
fn a_file_that_may_not_be_written_is_not_overwritten() {
    if server::is_openssh() {
        return;
    }
    let tree = Tree::new();
    tree.file("from", "new");
    tree.file("to", "old");
    tree.chmod("to", 0o444);
    tree.file("secret", "secret");
    tree.chmod("secret", 0o200);
    let mut server = ordinary(&tree, &[]);
    for (from, to) in [("from", "to"), ("secret", "new")] {
        let reply = server.call(&request::copy_file(from, to, 1));
        assert_status(&reply, code::PERMISSION_DENIED);
    }
    assert_eq!(tree.read("to"), b"old");
    assert!(!tree.has("new"));
}

#[test]
fn links_are_followed_on_both_sides() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.dir("dir");
    tree.file("dir/from", "new");
    tree.file("dir/to", "old");
    tree.link("from", "dir/from");
    tree.link("to", "dir/to");
    tree.link("dangling", "dir/made");
    tree.link("loop", "loop");
    server.ok(&request::copy_file("from", "to", 1));
    assert_eq!(tree.read("dir/to"), b"new");
    assert_eq!(tree.target("to"), b"dir/to");
    // As OPEN creates what a link leads to.
    server.ok(&request::copy_file("from", "dangling", 1));
    assert_eq!(tree.read("dir/made"), b"new");
    for (from, to) in [("loop", "new"), ("from", "loop")] {
        let reply = server.call(&request::copy_file(from, to, 1));
        assert_status(&reply, code::NO_SUCH_FILE);
    }
}

#[test]
fn a_file_is_not_copied_onto_itself_by_any_name() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.dir("dir");
    tree.file("file", "content");
    tree.link("link", "file");
    std::fs::hard_link(tree.at("file"), tree.at("second")).unwrap();
    for to in ["file", "./file", "dir/../file", "link", "second"] {
        let reply = server.call(&request::copy_file("file", to, 1));
        let cause = "both names are of the same file";
        assert_cause(&reply, &server, code::FAILURE, cause);
        assert_eq!(tree.read("file"), b"content", "{to}");
    }
}

/// A device or a FIFO might never end.
#[test]
fn only_files_are_copied_and_overwritten() {
    if server::is_openssh() {
        return;
    }
    let (tree, mut server) = start_with(&["/dev"]);
    tree.dir("dir");
    tree.file("file", "content");
    tree.fifo("fifo");
    for (from, to, cause) in [
        ("dir", "new", "Is a directory"),
        ("file", "dir", "Is a directory"),
        ("fifo", "new", "Operation not supported"),
        ("file", "fifo", "Operation not supported"),
        ("/dev/zero", "new", "Operation not supported"),
    ] {
        let reply = server.call(&request::copy_file(from, to, 1));
        assert_eq!(reply.code(), code::FAILURE, "{from} {to}: {reply:?}");
        assert!(
            reply.status().text.contains(cause),
            "{from} {to}: {reply:?}"
        );
    }
    assert!(!tree.has("new"));
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.file("file", "content");
    for (from, to) in [
        ("missing", "new"),
        ("", "new"),
        ("file", ""),
        ("file", "missing/new"),
        ("file/x", "new"),
        ("file", "file/x"),
    ] {
        for overwrite in [0, 1] {
            let reply = server.call(&request::copy_file(from, to, overwrite));
            assert_status(&reply, code::NO_SUCH_FILE);
        }
    }
    let reply = server.call(&request::copy_file("file", "new/", 1));
    assert_eq!(reply.code(), code::FAILURE);
    let reply = server.call(&request::copy_file("file", [b'n'; 256], 0));
    assert_status(&reply, code::BAD_MESSAGE);
    assert_eq!(tree.names(""), [b"file"]);
}

/// Everything that a READ sees, a copy has: also what is still open and what was written just before.
#[test]
fn it_takes_its_turn_among_reads_and_writes() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.file("from", content(2_000_000));
    let writing = server.open("from", pflags::READ | pflags::WRITE);
    let packets = [
        request::write(&writing, 1_000_000, vec![b'-'; 1000]),
        request::copy_file("from", "first", 0),
        request::read(&writing, 999_990, 20),
        request::write(&writing, 1_000_000, vec![b'+'; 1000]),
        request::copy_file("from", "second", 0),
        request::stat("second"),
        request::fsetstat(&writing, &Attrs::NONE.size(10)),
        request::copy_file("from", "second", 1),
    ];
    let frames = packets
        .iter()
        .zip(0..)
        .flat_map(|(packet, id)| packet.frame(id));
    server.send_raw(&frames.collect::<Vec<u8>>()).unwrap();
    let mut replies = Vec::new();
    for id in 0..packets.len() {
        let (answered, reply) = crate::support::wire::parse(&server.receive_raw().unwrap());
        assert_eq!(answered as usize, id);
        replies.push(reply);
    }
    let mut expected = content(2_000_000);
    expected[1_000_000..1_001_000].fill(b'-');
    assert!(tree.read("first") == expected);
    assert_eq!(
        replies[2],
        Reply::Data(expected[999_990..1_000_010].to_vec())
    );
    assert!(matches!(&replies[5], Reply::Attrs(attrs) if attrs.size == Some(2_000_000)));
    assert_eq!(replies[7].code(), code::OK);
    assert_eq!(tree.read("second"), content(10));
}

/// What an open handle reads is the file that it opened.
#[test]
fn a_handle_on_what_is_replaced_keeps_the_old_content() {
    let Some((tree, mut server)) = known() else {
        return;
    };
    tree.file("from", "new");
    tree.file("to", content(100_000));
    let handle = server.open("to", pflags::READ);
    server.ok(&request::copy_file("from", "to", 1));
    assert_eq!(tree.read("to"), b"new");
    let reply = server.call(&request::read(&handle, 0, 100_000));
    assert_eq!(reply, Reply::Data(content(100_000)));
}

/// Its log line is like those of the other requests with two paths.
#[test]
fn the_log_names_both_paths() {
    if server::is_openssh() {
        return;
    }
    let tree = Tree::new();
    tree.file("from", "content");
    let mut server = Launch::new(&tree).args(["-e", "-l", "INFO"]).connect();
    server.ok(&request::copy_file("from", "to", 0));
    let end = server.finish();
    let line = "copy-file old \"from\" new \"to\"\r\n";
    let said = String::from_utf8(end.stderr).unwrap();
    assert!(said.contains(line), "{said}");
}
