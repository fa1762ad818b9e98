//! What a client may not know, and a copy: compared with a tree where it does not stand.

use std::fs;

use crate::copies::make;
use crate::support::request::*;
use crate::support::{Reply, Server, Tree};

#[test]
fn a_copy_tells_nothing_of_what_is_hidden() {
    let ask = |hidden: bool, flags: &[&str]| -> Vec<Reply> {
        let tree = Tree::new();
        tree.file("file", "known");
        tree.dir("dir");
        tree.dir("sub");
        tree.link("link", "secret");
        tree.link("way", "sub/secret");
        if hidden {
            tree.file("secret", "unknown");
            tree.file("sub/secret", "unknown");
            tree.file("a.key", "unknown, and longer than what may be written");
            tree.dir("b.key");
            tree.file("b.key/inner", "unknown");
            tree.fifo("c.key");
            tree.link("d.key", "file");
            tree.link("e.key", "e.key");
        }
        let before = tree.snapshot();
        let all = [flags, &["--hide", "secret", "--hide", "*.key"]].concat();
        let mut server = Server::with(&tree, all);
        let hidden = [
            "secret",
            "sub/secret",
            "link",
            "way",
            "a.key",
            "b.key",
            "b.key/inner",
            "b.key/none",
            "c.key",
            "d.key",
            "e.key",
            "a.key/",
            "b.key/..",
            "d.key/x",
        ];
        let known = ["file", "dir", "missing", "missing/x", "file/x", "", "/"];
        let mut replies = Vec::new();
        for name in hidden {
            for other in hidden.iter().chain(&known) {
                for over in [0, 1] {
                    replies.push(server.call(&copy_file(name, other, over)));
                    replies.push(server.call(&copy_file(other, name, over)));
                }
            }
            for to in ["new", "dir/new"] {
                replies.push(server.call(&copy_file(name, to, 0)));
                replies.push(server.call(&copy_file(name, to, 1)));
            }
        }
        assert_eq!(before.differences(&tree.snapshot()), [""; 0], "{flags:?}");
        replies
    };
    for root in [&["--root", "."][..], &[]] {
        for more in [
            &[][..],
            &["--no-overwrite"],
            &["--append-only"],
            &["--atomic-upload"],
            &["--max-file-size", "3"],
            &["--reserve-free", "900T"],
            &["--drop-box"],
        ] {
            let flags = [root, more].concat();
            let (with, without) = (ask(true, &flags), ask(false, &flags));
            assert!(with.iter().all(|reply| reply.code() != 0));
            for (number, pair) in with.iter().zip(&without).enumerate() {
                assert_eq!(pair.0, pair.1, "{flags:?} {number}");
            }
        }
    }
}

#[test]
fn in_a_drop_box_a_copy_tells_nothing_of_another_s_file_whatever_it_is() {
    let kinds: [&dyn Fn(&Tree); 5] = [
        &|tree| drop(tree.file("foreign", "data")),
        &|tree| drop(tree.file("foreign", "more than may be written")),
        &|tree| drop(tree.fifo("foreign")),
        &|tree| drop(tree.link("foreign", "other")),
        &|tree| fs::hard_link(tree.at("other"), tree.at("foreign")).unwrap(),
    ];
    let ask = |make_foreign: Option<&dyn Fn(&Tree)>, flags: &[&str]| -> [Vec<Reply>; 2] {
        let tree = Tree::new();
        tree.file("other", "other");
        tree.dir("dir");
        if let Some(make_foreign) = make_foreign {
            make_foreign(&tree);
        }
        let mut server = Server::with(&tree, [flags, &["--drop-box"]].concat());
        make(&mut server, "mine", "mine");
        let before = tree.snapshot();
        let (mut of, mut onto) = (Vec::new(), Vec::new());
        for over in [0, 1] {
            for from in ["foreign", "foreign/", "foreign/x", "dir/../foreign"] {
                for to in ["new", "mine", "other", "dir", "foreign", "missing/new", ""] {
                    of.push(server.call(&copy_file(from, to, over)));
                }
            }
            for to in ["foreign/x", "foreign/.."] {
                of.push(server.call(&copy_file("mine", to, over)));
            }
            for from in ["missing", "other", "foreign"] {
                of.push(server.call(&copy_file(from, "foreign", over)));
            }
            if make_foreign.is_some() {
                onto.push(server.call(&copy_file("mine", "foreign", over)));
            }
        }
        assert_eq!(before.differences(&tree.snapshot()), [""; 0], "{flags:?}");
        [of, onto]
    };
    for root in [&["--root", "."][..], &[]] {
        for more in [
            &[][..],
            &["--atomic-upload"],
            &["--no-delete"],
            &["--max-file-size", "10"],
        ] {
            let flags = [root, more].concat();
            let [without, _] = ask(None, &flags);
            for (number, kind) in kinds.iter().enumerate() {
                let [of, onto] = ask(Some(kind), &flags);
                for (at, pair) in of.iter().zip(&without).enumerate() {
                    assert_eq!(pair.0, pair.1, "{flags:?} {number} {at}");
                }
                for reply in onto {
                    let refused = "Permission denied: --drop-box";
                    assert_eq!(reply.status().text, refused, "{flags:?} {number}");
                }
            }
        }
    }
}
