//! READDIR: every entry once, with the facts of LSTAT.

use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;

use crate::stat::attrs_of;
use crate::support::wire::{code, frame};
use crate::support::{Reply, Server, Tree, request, show};
use crate::{assert_status, ordinary, start, start_with};

fn filenames(server: &mut Server, path: &str) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = server
        .list(path)
        .into_iter()
        .map(|name| name.filename)
        .collect();
    names.sort();
    names
}

#[test]
fn an_empty_directory_lists_itself_and_its_parent_and_then_ends() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let handle = server.opendir("dir");
    let reply = server.call(&request::readdir(&handle));
    let names: BTreeSet<_> = reply
        .names()
        .iter()
        .map(|name| show(&name.filename))
        .collect();
    assert_eq!(names, BTreeSet::from([".".to_owned(), "..".to_owned()]));
    for _ in 0..3 {
        assert_status(&server.call(&request::readdir(&handle)), code::EOF);
    }
}

#[test]
fn each_entry_has_the_attrs_of_lstat() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    tree.fifo("fifo");
    tree.link("link", "file");
    tree.link("dangling", "missing");
    tree.link("loop", "loop");
    let _listener = UnixListener::bind(tree.at("socket")).unwrap();
    tree.times("file", -5, 0x1_0000_0000);
    let names = server.list(".");
    assert_eq!(names.len(), 9);
    for name in names {
        let meta = match &name.filename[..] {
            b".." => tree.meta(server.in_jail("the root is above itself", "", "..")),
            name => tree.meta(name),
        };
        let mut expected = attrs_of(&meta);
        if server.is_openssh() && name.filename == b"file" {
            expected = expected.times(-5_i32 as u32, 0);
        }
        // Reading a directory changes its access time, and others write to the one above.
        match &name.filename[..] {
            b"." => expected.times = name.attrs.times,
            b".." => (expected.times, expected.size) = (name.attrs.times, name.attrs.size),
            _ => {}
        }
        assert_eq!(name.attrs, expected, "{}", show(&name.filename));
    }
}

/// OpenSSH sends at most 100 a reply, one round trip each; ours as many as fit what every client takes.
#[test]
fn five_thousand_entries_are_all_listed_once_and_in_few_replies() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let expected: BTreeSet<Vec<u8>> = (0..5000)
        .map(|n| format!("entry-{n:04}").into_bytes())
        .collect();
    for name in &expected {
        tree.file([b"dir/", &name[..]].concat(), "");
    }
    let handle = server.opendir("dir");
    let mut seen = BTreeSet::new();
    let mut replies = 0;
    while let Reply::Names(names) = server.call(&request::readdir(&handle)) {
        replies += 1;
        for name in names {
            assert!(
                seen.insert(name.filename.clone()),
                "{} came twice",
                show(&name.filename)
            );
        }
    }
    assert!(seen.remove(&b"."[..]) && seen.remove(&b".."[..]));
    assert!(seen == expected);
    let limit = server.differs("as many as fit 34 000 bytes", 24, 51);
    assert!(replies <= limit, "{replies} replies");
}

#[test]
fn names_of_255_bytes_by_the_thousand_never_overfill_a_packet() {
    let (tree, mut server) = start();
    tree.dir("dir");
    for n in 0..3000 {
        tree.file(format!("dir/{n:0>255}"), "");
    }
    let handle = server.opendir("dir");
    let mut count = 0;
    loop {
        server.send(&request::readdir(&handle));
        let content = server.receive_raw().unwrap();
        // OpenSSH counts entries alone.
        let most = server.differs("what old clients make room for", 34_000, 262_144 + 4);
        assert!(frame(&content).len() <= most);
        match crate::support::wire::parse(&content).1 {
            Reply::Names(names) => count += names.len(),
            reply => break assert_status(&reply, code::EOF),
        }
    }
    assert_eq!(count, 3002);
}

#[test]
fn names_are_listed_as_the_bytes_that_they_are() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let mut expected = vec![b".".to_vec(), b"..".to_vec()];
    for byte in (1..=255_u8).filter(|byte| *byte != b'/') {
        expected.push(vec![b'n', byte]);
        tree.file([b'd', b'i', b'r', b'/', b'n', byte], "");
    }
    expected.push(vec![0xff; 255]);
    tree.file([b"dir/", &[0xff; 255][..]].concat(), "");
    expected.sort();
    assert_eq!(filenames(&mut server, "dir"), expected);
}

#[test]
fn two_handles_list_the_same_directory_independently() {
    let (tree, mut server) = start();
    for n in 0..250 {
        tree.file(format!("f{n}"), "");
    }
    let (one, two) = (server.opendir("."), server.opendir("."));
    let mut counts = [0, 0];
    let mut open = [true, true];
    while open[0] || open[1] {
        for (index, handle) in [&one, &two].into_iter().enumerate() {
            match server.call(&request::readdir(handle)) {
                Reply::Names(names) => counts[index] += names.len(),
                _ => open[index] = false,
            }
        }
    }
    assert_eq!(counts, [252, 252]);
}

#[test]
fn a_directory_removed_while_it_is_open_comes_to_its_end() {
    let (tree, mut server) = start();
    tree.dir("dir");
    let handle = server.opendir("dir");
    server.ok(&request::rmdir("dir"));
    assert_status(&server.call(&request::readdir(&handle)), code::EOF);
    server.close(&handle);
}

/// Entries are looked at from the directory's descriptor; OpenSSH looks them up by the path given at OPENDIR.
#[test]
fn a_directory_renamed_while_it_is_open_is_listed_where_openssh_loses_its_entries() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.file("dir/file", "content");
    let handle = server.opendir("dir");
    server.ok(&request::rename("dir", "moved"));
    let reply = server.call(&request::readdir(&handle));
    if server.is_openssh() {
        assert_status(&reply, code::EOF);
    } else {
        assert_eq!(reply.names().len(), 3);
    }
}

/// OpenSSH builds each entry's path in a buffer of PATH_MAX bytes, and loses what does not fit.
#[test]
fn a_directory_named_by_a_path_close_to_path_max_is_listed_where_openssh_loses_entries() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.file("dir/a-file-with-a-name", "content");
    let path = ["./".repeat(2044), "dir".to_owned()].concat();
    assert_eq!(path.len(), 4091);
    let names = filenames(&mut server, &path);
    let expected = server.differs("by descriptor, not by path", 3, 2);
    assert_eq!(names.len(), expected);
}

#[test]
fn an_entry_that_vanishes_between_two_replies_spoils_nothing() {
    let (tree, mut server) = start();
    tree.dir("dir");
    for n in 0..2000 {
        tree.file(format!("dir/{n:0>200}"), "");
    }
    let handle = server.opendir("dir");
    let first = server.call(&request::readdir(&handle)).names().len();
    for n in 0..2000 {
        std::fs::remove_file(tree.at(format!("dir/{n:0>200}"))).unwrap();
    }
    let mut count = first;
    while let Reply::Names(names) = server.call(&request::readdir(&handle)) {
        count += names.len();
    }
    assert!((first..=2002).contains(&count));
}

/// Without execute permission no entry can be looked at: what has no attrs is left out, as by OpenSSH.
#[test]
fn a_directory_that_may_be_read_but_not_searched_ends_cleanly() {
    let tree = Tree::new();
    tree.dir("dir");
    tree.file("dir/file", "content");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir", 0o644);
    let handle = server.opendir("dir");
    if server.in_jail("the way there tells the attrs of `..`", true, false) {
        assert_eq!(server.call(&request::readdir(&handle)).name(), b"..");
    }
    assert_status(&server.call(&request::readdir(&handle)), code::EOF);
}

#[test]
fn devices_and_the_host_s_root_are_listed() {
    let (_tree, mut server) = start_with(&["/dev"]);
    let dev = server.list("/dev");
    let null = dev
        .iter()
        .find(|name| name.filename == b"null")
        .expect("/dev/null");
    assert_eq!(null.attrs.permissions.unwrap() & 0o170_000, 0o020_000);
    assert!(filenames(&mut server, "/").contains(&b"dev".to_vec()));
}
