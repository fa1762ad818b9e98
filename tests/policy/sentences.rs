//! Sentences of the manual that the matrix does not ask about: exact modes, limits beside what is there, the order of refusals.

use std::process::{Command, Stdio};

use crate::support::wire::code::{FAILURE, NO_SUCH_FILE, OK};
use crate::support::wire::pflags::{CREAT, READ, TRUNC, WRITE};
use crate::support::{Attrs, Launch, Reply, Server, Tree, request};

/// In a root, and without one.
fn both(flags: &[&str], test: impl Fn(&Tree, Server)) {
    for root in [&["--root", "."][..], &[]] {
        let tree = Tree::new();
        tree.file("file", "ten bytes.");
        let server = Launch::new(&tree).args(root).args(flags).connect();
        test(&tree, server);
    }
}

fn text(reply: &Reply) -> (u32, String) {
    let status = reply.status();
    (status.code, status.text.clone())
}

#[test]
fn the_exact_mode_beats_default_acl_umask_m_and_the_client() {
    let flags = [
        "--file-mode",
        "0646",
        "--dir-mode",
        "0751",
        "-m",
        "0600",
        "-u",
        "077",
    ];
    both(&flags, |tree, mut server| {
        tree.dir("acl");
        let acl = Command::new("setfacl")
            .args(["-d", "-m", "u::r,g::-,o::-,u:12345:rwx"])
            .arg(tree.at("acl"))
            .status();
        assert!(acl.unwrap().success(), "setfacl");
        for dir in ["", "acl/"] {
            let asked = Attrs::NONE.permissions(0o777);
            for (name, attrs) in [("asked", &asked), ("plain", &Attrs::NONE)] {
                let (file, made) = (format!("{dir}{name}"), format!("{dir}{name}-dir"));
                let open = request::open(&file, WRITE | CREAT, attrs);
                server.call(&open).handle();
                assert_eq!(tree.mode(&file), 0o646, "{file}");
                server.ok(&request::mkdir(&made, attrs));
                assert_eq!(tree.mode(&made), 0o751, "{made}");
            }
        }
        // What was there keeps its own, opened and truncated.
        tree.chmod("file", 0o604);
        for pflags in [READ, WRITE, WRITE | CREAT, WRITE | CREAT | TRUNC] {
            let perms = Attrs::NONE.permissions(0o777);
            server.call(&request::open("file", pflags, &perms)).handle();
            assert_eq!(tree.mode("file"), 0o604, "{pflags}");
        }
    });
}

#[test]
fn m_beats_the_umask_and_leaves_directories_alone() {
    both(&["-m", "0604", "-u", "077"], |tree, mut server| {
        let asked = Attrs::NONE.permissions(0o777);
        server
            .call(&request::open("new", WRITE | CREAT, &asked))
            .handle();
        server.ok(&request::mkdir("dir", &asked));
        assert_eq!((tree.mode("new"), tree.mode("dir")), (0o604, 0o700));
    });
}

#[test]
fn set_id_bits_need_their_flag_in_a_root_alone() {
    let tree = Tree::new();
    tree.file("file", "");
    let mut server = Launch::new(&tree).connect();
    server.ok(&request::setstat("file", &Attrs::NONE.permissions(0o6755)));
    assert_eq!(tree.mode("file"), 0o6755);
    for flag in ["--file-mode=2644", "--dir-mode=2755"] {
        let refused = Launch::new(&tree)
            .args([flag])
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(refused.status.code(), Some(1), "{flag}");
        Launch::new(&tree).args([flag, "--keep-setuid"]).connect();
    }
}

#[test]
fn what_is_left_out_of_setstat_is_neither_the_mode_at_creation_nor_an_absent_file() {
    both(
        &["--ignore-setstat", "perms,times,size,owner"],
        |tree, mut server| {
            let perms = Attrs::NONE.permissions(0o604);
            server
                .call(&request::open("new", WRITE | CREAT, &perms))
                .handle();
            assert_eq!(tree.mode("new"), 0o604);
            for attrs in [
                perms,
                Attrs::NONE.times(1, 1),
                Attrs::NONE.size(1),
                Attrs::NONE.owner(1, 1),
            ] {
                assert_eq!(
                    server.code(&request::setstat("absent", &attrs)),
                    NO_SUCH_FILE
                );
                assert_eq!(server.code(&request::setstat("file", &attrs)), OK);
            }
            let kept = tree.meta("file");
            assert_eq!((kept.len(), tree.mode("file")), (10, 0o644));
        },
    );
}

#[test]
fn what_is_longer_than_it_may_be_can_shrink_and_a_write_is_refused_whole() {
    both(&["--max-file-size", "4"], |tree, mut server| {
        let too_large = (
            FAILURE,
            "Failure: File too large (--max-file-size)".to_owned(),
        );
        for (size, code) in [(9, OK), (11, FAILURE), (8, OK), (4, OK), (5, FAILURE)] {
            let set = request::setstat("file", &Attrs::NONE.size(size));
            assert_eq!(server.code(&set), code, "{size}");
        }
        let handle = server.open("file", WRITE);
        assert_eq!(
            text(&server.call(&request::write(&handle, 2, "abc"))),
            too_large
        );
        assert_eq!(tree.read("file"), b"ten ");
        server.ok(&request::write(&handle, 2, "ab"));
        assert_eq!(tree.read("file"), b"teab");
    });
}

#[test]
fn where_nothing_is_free_files_and_directories_are_made_and_stay_empty() {
    both(&["--reserve-free", "900T"], |tree, mut server| {
        let full = "Failure: No space left on device (--reserve-free)";
        let handle = server.open("new", WRITE | CREAT);
        server.ok(&request::mkdir("dir", &Attrs::NONE));
        assert_eq!(
            text(&server.call(&request::write(&handle, 0, "x"))),
            (FAILURE, full.to_owned())
        );
        server.ok(&request::setstat("file", &Attrs::NONE.size(3)));
        assert_eq!(
            (tree.read("new"), tree.read("file")),
            (b"".to_vec(), b"ten".to_vec())
        );
    });
}

#[test]
fn of_several_rules_the_first_of_the_table_is_told_however_they_are_given() {
    let all = [
        "--read-only",
        "--no-overwrite",
        "--no-delete",
        "--append-only",
        "--deny=file",
        "--max-file-size=1",
    ];
    for (first, told) in all.iter().enumerate() {
        let mut flags: Vec<&str> = all[first..].to_vec();
        flags.reverse();
        both(&flags, |tree, mut server| {
            let replace = request::posix_rename("file", "other");
            tree.file("other", "x");
            let reply = match *told {
                "--max-file-size=1" => {
                    server.call(&request::setstat("file", &Attrs::NONE.size(11)))
                }
                _ => server.call(&replace),
            };
            let rule = told.split('=').next().unwrap();
            assert!(text(&reply).1.contains(rule), "{flags:?}: {reply:?}");
            assert_eq!(tree.read("file"), b"ten bytes.");
        });
    }
}

#[test]
fn an_upload_that_is_half_done_when_the_time_is_over_is_discarded() {
    for flags in [["--idle-timeout", "0.5s"], ["--session-timeout", "0.5s"]] {
        both(
            &[&["--atomic-upload"], &flags[..]].concat(),
            |tree, mut server| {
                for name in ["file", "new"] {
                    let handle = server.open(name, WRITE | CREAT | TRUNC);
                    server.ok(&request::write(&handle, 0, "half"));
                }
                assert_eq!(server.wait().code(), Some(0));
                assert_eq!(tree.names("."), [b"file".to_vec()]);
                assert_eq!(tree.read("file"), b"ten bytes.");
            },
        );
    }
}

#[test]
fn what_was_made_very_long_ago_counts_as_another_s() {
    let tree = Tree::below("/dev/shm");
    let mut server = Server::with(&tree, ["--root", ".", "--no-delete"]);
    server.ok(&request::mkdir("first", &Attrs::NONE));
    server.ok(&request::mkdir("second", &Attrs::NONE));
    // What the session itself removes makes none of them older.
    let turn = [
        request::mkdir("again", &Attrs::NONE),
        request::rmdir("again"),
    ];
    let turns: Vec<_> = turn.iter().cycle().take(2 * 1000).cloned().collect();
    assert!(
        server
            .pipeline(&turns)
            .iter()
            .all(|reply| reply.code() == OK)
    );
    // Each is another object, if by the same name; another process takes it away.
    let names: Vec<_> = (0..1000).map(|number| format!("again{number}")).collect();
    let turns = names.iter().map(|name| request::mkdir(name, &Attrs::NONE));
    let turns: Vec<_> = turns.collect();
    for turn in 0..100 {
        let replies = server.pipeline(&turns);
        assert!(replies.iter().all(|reply| reply.code() == OK), "{turn}");
        for name in &names {
            std::fs::remove_dir(tree.at(name)).unwrap();
        }
        if turn == 98 {
            server.ok(&request::rmdir("second"));
        }
    }
    let reply = server.call(&request::rmdir("first"));
    assert_eq!(text(&reply).1, "Permission denied: --no-delete");
    assert!(tree.has("first"));
}

#[test]
fn a_pattern_that_can_match_nothing_starts_no_session() {
    let tree = Tree::new();
    for flag in ["--hide", "--deny"] {
        for (glob, why) in [
            ("", "the pattern is empty"),
            ("a/b", "a pattern with a slash begins with / or **/"),
            ("[a", "a [ without its ]"),
            ("a\\", "a single \\ at its end"),
            ("/a//b", "an empty component matches nothing"),
            ("/a/../b", "canonical paths have no . and no .."),
            ("[z-a]", "a range that ends before it begins"),
        ] {
            let launch = Launch::new(&tree).args([flag, glob]);
            let refused = launch.run(Stdio::null(), Stdio::piped());
            assert_eq!(refused.status.code(), Some(1), "{glob}");
            assert_eq!(refused.stdout, b"");
            let expected = format!("Invalid {flag} \"{glob}\": {why}\n");
            assert_eq!(refused.stderr_text(), expected);
        }
    }
}
