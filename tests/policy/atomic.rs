//! `--atomic-upload`: a file takes its place when it is closed, and what stood there stays until then.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use crate::support::packet::pflags::{APPEND, CREAT, EXCL, READ, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Server, Tree};

/// A session in a jail, and one that sees the host's tree.
fn both(test: impl Fn(&Tree, Server)) {
    both_with(&[], test);
}

fn both_with(flags: &[&str], test: impl Fn(&Tree, Server)) {
    for root in [&[][..], &["--root", "."]] {
        let tree = Tree::new();
        let flags = [&["--atomic-upload"], root, flags].concat();
        let server = Server::with(&tree, &flags);
        test(&tree, server);
    }
}

/// The names on the disk that a client is not told.
fn unlisted(tree: &Tree) -> usize {
    let names = tree.names(".").into_iter();
    names
        .filter(|name| name.starts_with(b".sftp-server-upload."))
        .count()
}

const UPLOAD: u32 = WRITE | CREAT | TRUNC;

#[test]
fn what_was_there_stays_until_the_new_file_is_closed() {
    both(|tree, mut server| {
        tree.file("file", "what was there");
        let before = tree.meta("file").ino();
        let handle = server.open("file", UPLOAD);
        server.ok(&write(&handle, 0, "half"));
        assert_eq!(tree.read("file"), b"what was there");
        assert_eq!(unlisted(tree), 1);
        server.ok(&write(&handle, 4, " and half"));
        server.close(&handle);
        assert_eq!(tree.read("file"), b"half and half");
        assert_ne!(
            tree.meta("file").ino(),
            before,
            "it was replaced, not written"
        );
        assert_eq!(unlisted(tree), 0);
    });
}

#[test]
fn a_new_file_is_not_there_for_others_before_it_is_closed() {
    both(|tree, mut server| {
        let handle = server.open("new", UPLOAD);
        server.ok(&write(&handle, 0, "data"));
        assert!(!tree.has("new"));
        server.close(&handle);
        assert_eq!(tree.read("new"), b"data");
    });
}

#[test]
fn no_session_lists_what_is_not_finished() {
    both(|tree, mut server| {
        let handle = server.open("new", UPLOAD);
        let names = |server: &mut Server| {
            let listed = server.list(".").into_iter();
            let mut names: Vec<_> = listed.map(|name| name.filename).collect();
            names.sort();
            names
        };
        assert_eq!(names(&mut server), [&b"."[..], b".."]);
        assert_eq!(names(&mut Server::start(tree)), [&b"."[..], b".."]);
        server.close(&handle);
        assert_eq!(names(&mut server), [&b"."[..], b"..", b"new"]);
    });
}

#[test]
fn the_session_reaches_it_by_the_name_that_it_will_have() {
    both(|tree, mut server| {
        tree.file("old", "much longer than what comes");
        for name in ["old", "new"] {
            let handle = server.open(name, UPLOAD);
            server.ok(&write(&handle, 0, "12345"));
            assert_eq!(server.call(&stat(name)).attrs().size, Some(5));
            assert_eq!(server.call(&lstat(name)).attrs().size, Some(5));
            server.ok(&setstat(
                name,
                &Attrs::default().permissions(0o640).times(1, 2),
            ));
            let reading = server.open(name, READ);
            assert_eq!(server.call(&read(&reading, 0, 10)).data(), b"12345");
            server.close(&reading);
            server.ok(&setstat(name, &Attrs::default().size(3)));
            server.close(&handle);
            assert_eq!(tree.read(name), b"123");
            assert_eq!(tree.mode(name), 0o640);
        }
    });
}

#[test]
fn removed_by_its_name_it_never_appears() {
    both(|tree, mut server| {
        tree.file("old", "old");
        for name in ["old", "new"] {
            let handle = server.open(name, UPLOAD);
            server.ok(&write(&handle, 0, "data"));
            server.ok(&remove(name));
            assert_eq!(server.code(&stat(name)), 2);
            server.close(&handle);
            assert!(!tree.has(name), "{name}");
        }
        assert_eq!(unlisted(tree), 0);
    });
}

#[test]
fn it_gets_no_second_name_before_it_is_closed() {
    both(|tree, mut server| {
        tree.file("old", "what was there");
        for name in ["old", "new"] {
            let handle = server.open(name, UPLOAD);
            server.ok(&write(&handle, 0, "half"));
            let reply = server.call(&hardlink(name, "second"));
            assert_eq!(reply.status().text, "Failure: Device or resource busy");
            assert!(!tree.has("second"), "it would show half a file");
            server.ok(&write(&handle, 4, " and half"));
            server.close(&handle);
            server.ok(&hardlink(name, "second"));
            assert_eq!(tree.read("second"), b"half and half");
            server.ok(&remove("second"));
        }
    });
}

#[test]
fn a_name_with_a_slash_behind_it_is_none_of_a_file() {
    both(|tree, mut server| {
        let handle = server.open("new", UPLOAD);
        for request in [
            rename("new", "other/"),
            posix_rename("new", "other/"),
            rename("new/", "other"),
            remove("new/"),
        ] {
            assert_eq!(server.code(&request), 2, "{request:?}");
        }
        server.close(&handle);
        assert_eq!(tree.names("."), [b"new".to_vec()]);
    });
}

#[test]
fn renamed_before_it_is_closed_it_appears_by_the_new_name() {
    both(|tree, mut server| {
        tree.dir("dir");
        let handle = server.open("new.part", UPLOAD);
        server.ok(&write(&handle, 0, "data"));
        server.ok(&rename("new.part", "dir/new"));
        assert_eq!(server.code(&stat("new.part")), 2);
        assert_eq!(server.call(&stat("dir/new")).attrs().size, Some(4));
        assert!(!tree.has("dir/new"));
        server.close(&handle);
        assert_eq!(tree.read("dir/new"), b"data");
        assert_eq!(unlisted(tree), 0);
    });
}

#[test]
fn renamed_onto_what_is_there_it_waits_for_the_close_and_replaces_only_where_it_may() {
    both(|tree, mut server| {
        tree.file("there", "there");
        let handle = server.open("new.part", UPLOAD);
        server.ok(&write(&handle, 0, "data"));
        assert_eq!(server.code(&rename("new.part", "there")), 4);
        server.ok(&posix_rename("new.part", "there"));
        assert_eq!(tree.read("there"), b"there");
        server.close(&handle);
        assert_eq!(tree.read("there"), b"data");
        // What is to take the place of one file cannot leave it for another one.
        let handle = server.open("there", UPLOAD);
        assert_eq!(server.code(&rename("there", "elsewhere")), 4);
        server.close(&handle);
    });
}

#[test]
fn an_exclusive_open_never_replaces_what_appeared_meanwhile() {
    both(|tree, mut server| {
        let handle = server.open("new", WRITE | CREAT | EXCL);
        server.ok(&write(&handle, 0, "ours"));
        tree.file("new", "theirs");
        assert_eq!(server.code(&close(&handle)), 4);
        assert_eq!(tree.read("new"), b"theirs");
        assert_eq!(unlisted(tree), 0);
    });
}

#[test]
fn no_overwrite_is_judged_again_at_the_end() {
    both_with(&["--no-overwrite"], |tree, mut server| {
        let handle = server.open("new", UPLOAD);
        server.ok(&write(&handle, 0, "ours"));
        tree.file("new", "theirs");
        let reply = server.call(&close(&handle));
        assert_eq!(reply.status().text, "Permission denied: --no-overwrite");
        assert_eq!(tree.read("new"), b"theirs");
        assert_eq!(unlisted(tree), 0);
        let handle = server.open("other", UPLOAD);
        server.close(&handle);
        assert!(tree.has("other"));
    });
}

#[test]
fn under_no_delete_an_upload_is_an_overwrite_and_makes_nobody_its_owner() {
    both_with(&["--no-delete"], |tree, mut server| {
        tree.file("file", "old");
        let handle = server.open("file", UPLOAD);
        server.ok(&write(&handle, 0, "new"));
        server.close(&handle);
        assert_eq!(tree.read("file"), b"new");
        assert_eq!(server.code(&remove("file")), 3);
        // Nor does one that has taken the place of what appeared meanwhile.
        let handle = server.open("other", UPLOAD);
        tree.file("other", "theirs");
        server.close(&handle);
        assert_eq!(server.code(&remove("other")), 3);
        let handle = server.open("third", UPLOAD);
        server.close(&handle);
        server.ok(&remove("third"));
    });
}

#[test]
fn of_two_handles_of_one_name_the_last_close_wins() {
    both(|tree, mut server| {
        let first = server.open("new", UPLOAD);
        let second = server.open("new", UPLOAD);
        server.ok(&write(&first, 0, "first"));
        server.ok(&write(&second, 0, "second"));
        server.close(&second);
        assert_eq!(tree.read("new"), b"second");
        server.close(&first);
        assert_eq!(tree.read("new"), b"first");
    });
}

#[test]
fn through_a_link_its_target_is_replaced_and_the_link_stays() {
    both(|tree, mut server| {
        tree.dir("dir");
        tree.file("dir/target", "old");
        tree.link("link", "dir/target");
        tree.link("dangling", "dir/new");
        for (link, target) in [("link", "dir/target"), ("dangling", "dir/new")] {
            let handle = server.open(link, UPLOAD);
            server.ok(&write(&handle, 0, "new"));
            assert!(
                tree.names("dir")
                    .iter()
                    .any(|name| name.starts_with(b".sftp"))
            );
            server.close(&handle);
            assert_eq!(tree.target(link), target.as_bytes());
            assert_eq!(tree.read(target), b"new");
        }
    });
}

#[test]
fn mode_owner_and_acl_of_what_is_replaced_are_kept() {
    both(|tree, mut server| {
        let path = tree.file("file", "old");
        tree.chmod("file", 0o604);
        std::os::unix::fs::chown(&path, Some(1), Some(2)).unwrap();
        let acl = |path: &std::path::Path| {
            let told = Command::new("getfacl").arg("-cp").arg(path).output();
            String::from_utf8(told.unwrap().stdout).unwrap()
        };
        let set = Command::new("setfacl")
            .args(["-m", "u:daemon:r"])
            .arg(&path)
            .status();
        assert!(set.unwrap().success());
        let before = acl(&path);
        let handle = server.open("file", UPLOAD);
        server.close(&handle);
        assert_eq!(acl(&path), before);
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (1, 2));
        assert_eq!(meta.len(), 0);
    });
}

#[test]
fn without_truncating_what_is_there_is_written_in_place() {
    both(|tree, mut server| {
        tree.file("file", "0123456789");
        let before = tree.meta("file").ino();
        for pflags in [WRITE, WRITE | CREAT, WRITE | APPEND] {
            let handle = server.open("file", pflags);
            server.ok(&write(&handle, 8, "xy"));
            assert!(tree.read("file").ends_with(b"xy"));
            server.close(&handle);
        }
        assert_eq!(tree.meta("file").ino(), before);
    });
}

#[test]
fn a_file_of_several_names_is_written_in_place() {
    both(|tree, mut server| {
        let path = tree.file("one", "old");
        fs::hard_link(path, tree.at("two")).unwrap();
        let handle = server.open("one", UPLOAD);
        server.ok(&write(&handle, 0, "new"));
        assert_eq!(tree.read("two"), b"new");
        server.close(&handle);
        assert_eq!(tree.meta("one").ino(), tree.meta("two").ino());
    });
}

#[test]
fn where_files_only_grow_they_are_written_in_place() {
    both_with(&["--append-only"], |tree, mut server| {
        let handle = server.open("new", UPLOAD);
        server.ok(&write(&handle, 0, "data"));
        assert_eq!(tree.read("new"), b"data");
        server.close(&handle);
    });
}

#[test]
fn a_write_that_failed_discards_the_upload_and_the_close_says_so() {
    both_with(&["--max-file-size", "4"], |tree, mut server| {
        tree.file("file", "old");
        for name in ["file", "new"] {
            let handle = server.open(name, UPLOAD);
            server.ok(&write(&handle, 0, "1234"));
            let reply = server.call(&write(&handle, 4, "5"));
            assert_eq!(
                reply.status().text,
                "Failure: File too large (--max-file-size)"
            );
            let reply = server.call(&close(&handle));
            assert_eq!(
                reply.status().text,
                "Failure: a write failed, the upload was discarded (--atomic-upload)"
            );
        }
        assert_eq!(tree.read("file"), b"old");
        assert!(!tree.has("new"));
        assert_eq!(unlisted(tree), 0);
    });
}

#[test]
fn the_exact_mode_is_had_at_once() {
    both_with(&["--file-mode", "0664"], |tree, mut server| {
        let handle = server.open("new", UPLOAD);
        server.close(&handle);
        assert_eq!(tree.mode("new"), 0o664);
        tree.file("old", "old");
        tree.chmod("old", 0o600);
        let handle = server.open("old", UPLOAD);
        server.close(&handle);
        assert_eq!(tree.mode("old"), 0o600, "what exists keeps its mode");
    });
    both_with(&["-m", "0666", "-u", "077"], |tree, mut server| {
        let handle = server.open("new", UPLOAD);
        server.close(&handle);
        assert_eq!(tree.mode("new"), 0o666);
    });
}

#[test]
fn as_many_uploads_as_limits_tells_can_be_under_way() {
    both(|tree, mut server| {
        let told = server.call(&limits()).extended()[24..32].to_vec();
        let most = u64::from_be_bytes(told.try_into().unwrap());
        assert!(most > 100, "{most}");
        let handles: Vec<_> = (0..most)
            .map(|n| server.open(format!("f{n}"), UPLOAD))
            .collect();
        for handle in &handles {
            server.close(handle);
        }
        assert_eq!(tree.names(".").len() as u64, most);
    });
}
