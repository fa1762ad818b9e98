//! REALPATH: the canonical path, links resolved.

use crate::support::wire::{Attrs, code};
use crate::support::{Server, Tree, request, show};
use crate::{assert_status, ordinary, start};

#[track_caller]
fn resolve(server: &mut Server, path: impl AsRef<[u8]>) -> String {
    show(server.call(&request::realpath(path)).name())
}

#[test]
fn the_answer_is_one_name_with_itself_as_longname_and_no_attrs() {
    let (tree, mut server) = start();
    let reply = server.call(&request::realpath("."));
    let [name] = reply.names() else {
        panic!("{reply:?}")
    };
    assert_eq!(show(&name.filename), show(tree.path("")));
    assert_eq!(name.longname, name.filename);
    assert_eq!(name.attrs, Attrs::NONE);
}

/// rclone sends the empty path.
#[test]
fn the_empty_path_and_a_dot_are_the_start_directory() {
    let (tree, mut server) = start();
    for path in ["", ".", "./", "./.", ".//."] {
        assert_eq!(resolve(&mut server, path), show(tree.path("")), "{path:?}");
    }
}

#[test]
fn paths_become_absolute_without_dots_and_double_slashes() {
    let (tree, mut server) = start();
    tree.dir("dir/sub");
    tree.file("dir/file", "");
    let table = [
        ("dir", "dir"),
        ("dir/", "dir"),
        ("dir//sub///", "dir/sub"),
        ("./dir/./sub/.", "dir/sub"),
        ("dir/sub/..", "dir"),
        ("dir/sub/../..", ""),
        ("dir/sub/../file", "dir/file"),
    ];
    for (path, expected) in table {
        assert_eq!(
            resolve(&mut server, path),
            show(tree.path(expected)),
            "{path}"
        );
        let absolute = tree.path(path);
        assert_eq!(
            resolve(&mut server, absolute),
            show(tree.path(expected)),
            "absolute {path}"
        );
    }
    for path in ["/", "//", "/.", "/..", "/../..", "/../../.", "//..//"] {
        assert_eq!(resolve(&mut server, path), "/", "{path}");
    }
}

#[test]
fn links_are_followed_the_last_one_too() {
    let (tree, mut server) = start();
    tree.dir("dir/sub");
    tree.file("dir/file", "");
    tree.link("to-dir", "dir");
    tree.link("to-file", "to-dir/file");
    tree.link("absolute", tree.path("dir/sub"));
    tree.link("dir/up", "..");
    let table = [
        ("to-dir", "dir"),
        ("to-dir/", "dir"),
        ("to-file", "dir/file"),
        ("absolute", "dir/sub"),
        ("absolute/..", "dir"),
        ("to-dir/up/to-dir/up", ""),
    ];
    for (path, expected) in table {
        assert_eq!(
            resolve(&mut server, path),
            show(tree.path(expected)),
            "{path}"
        );
    }
}

#[test]
fn a_missing_last_component_is_tolerated() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.link("dangling", "dir/missing");
    tree.link("to-dir", "dir");
    let table = [
        ("missing", "missing"),
        ("dir/missing", "dir/missing"),
        ("to-dir/x", "dir/x"),
        ("dir/../y", "y"),
    ];
    for (path, expected) in table {
        assert_eq!(
            resolve(&mut server, path),
            show(tree.path(expected)),
            "{path}"
        );
    }
    assert_eq!(
        resolve(&mut server, "dangling"),
        show(tree.path("dir/missing")),
        "by way of a link"
    );
}

#[test]
fn a_missing_component_before_the_last_is_no_such_file() {
    let (tree, mut server) = start();
    tree.link("dangling", "missing");
    for path in [
        "missing/x",
        "missing/..",
        "missing/../x",
        "missing/.",
        "dangling/x",
        "dangling/..",
        "/nowhere/x",
    ] {
        assert_status(&server.call(&request::realpath(path)), code::NO_SUCH_FILE);
    }
}

/// Resolution is physical: only a directory has a parent, or can be asked for by a slash. OpenSSH drops dots, `..` and
/// slashes after a file by text alone.
#[test]
fn a_slash_after_a_file_is_no_such_file_where_openssh_drops_it() {
    let (tree, mut server) = start();
    tree.file("file", "");
    tree.link("to-file", "file");
    for (path, theirs) in [
        ("file/", "file"),
        ("file/..", ""),
        ("file/../x", "x"),
        ("file/.", "file"),
        ("to-file/", "file"),
    ] {
        let reply = server.call(&request::realpath(path));
        if server.is_openssh() {
            assert_eq!(show(reply.name()), show(tree.path(theirs)), "{path}");
        } else {
            assert_status(&reply, code::NO_SUCH_FILE);
        }
    }
}

#[test]
fn a_component_below_a_file_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "");
    for path in ["file/x", "file/x/y", "file/x/.."] {
        assert_status(&server.call(&request::realpath(path)), code::NO_SUCH_FILE);
    }
}

#[test]
fn a_loop_of_links_is_no_such_file() {
    let (tree, mut server) = start();
    tree.link("loop", "loop");
    tree.link("a", "b");
    tree.link("b", "a");
    for path in ["loop", "a", "loop/x"] {
        assert_status(&server.call(&request::realpath(path)), code::NO_SUCH_FILE);
    }
}

#[test]
fn a_chain_of_thirty_links_is_followed_and_one_of_forty_one_is_not() {
    let (tree, mut server) = start();
    tree.file("l0", "");
    for n in 1..=41 {
        tree.link(format!("l{n}"), format!("l{}", n - 1));
    }
    assert_eq!(resolve(&mut server, "l30"), show(tree.path("l0")));
    assert_status(&server.call(&request::realpath("l41")), code::NO_SUCH_FILE);
}

#[test]
fn names_of_bytes_that_are_no_utf8_come_back_as_they_are() {
    let (tree, mut server) = start();
    for name in [
        &b"\xff\xfe"[..],
        b"new\nline",
        b"caf\xe9",
        b" ",
        b"...",
        b"~",
    ] {
        tree.file(name, "");
        assert_eq!(resolve(&mut server, name), show(tree.path(name)));
    }
}

#[test]
fn search_permission_alone_is_needed_on_the_way() {
    let tree = Tree::new();
    tree.dir("dark/sub");
    tree.dir("closed/sub");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dark", 0o111);
    tree.chmod("closed", 0o666);
    assert_eq!(
        resolve(&mut server, "dark/sub"),
        show(tree.path("dark/sub"))
    );
    assert_status(
        &server.call(&request::realpath("closed/sub")),
        code::PERMISSION_DENIED,
    );
}

#[test]
fn a_start_directory_that_was_removed_is_no_such_file_and_absolute_paths_go_on() {
    let tree = Tree::new();
    tree.dir("gone");
    let mut server = Server::with(&tree, ["-d", "gone"]);
    std::fs::remove_dir(tree.at("gone")).unwrap();
    for (path, kept) in [("", "gone"), (".", "gone"), ("x", "gone/x")] {
        let reply = server.call(&request::realpath(path));
        if server.in_jail("it is known by the names that led to it", true, false) {
            assert_eq!(show(reply.name()), show(tree.path(kept)));
        } else {
            assert_status(&reply, code::NO_SUCH_FILE);
        }
        assert_status(&server.call(&request::stat("x")), code::NO_SUCH_FILE);
    }
    assert_eq!(resolve(&mut server, tree.path("")), show(tree.path("")));
}
