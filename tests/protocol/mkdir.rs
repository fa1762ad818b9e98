//! MKDIR.

use crate::support::wire::code;
use crate::support::{Attrs, Server, Tree, request};
use crate::{assert_cause, assert_status, ordinary, start};

#[test]
fn a_new_directory_has_mode_0777_less_the_umask_where_the_client_names_none() {
    let tree = Tree::new();
    for (umask, mode) in [("022", 0o755), ("077", 0o700), ("0", 0o777)] {
        Server::with(&tree, ["-u", umask]).ok(&request::mkdir(umask, &Attrs::NONE));
        assert_eq!(
            (tree.mode(umask), tree.meta(umask).is_dir()),
            (mode, true),
            "umask {umask}"
        );
    }
}

/// mkdir(2) takes the nine bits and sticky; setuid and setgid it drops.
#[test]
fn a_new_directory_has_the_mode_that_the_client_names_less_the_umask() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["-u", "027"]);
    for asked in [
        0, 0o700, 0o755, 0o777, 0o1777, 0o2775, 0o4755, 0o040_750, 0o100_640,
    ] {
        let name = format!("{asked:o}");
        server.ok(&request::mkdir(&name, &Attrs::NONE.permissions(asked)));
        assert_eq!(tree.mode(&name), asked & 0o1777 & !0o027, "{asked:o}");
    }
}

#[test]
fn attrs_other_than_permissions_are_ignored() {
    let (tree, mut server) = start();
    server.ok(&request::mkdir(
        "dir",
        &Attrs::NONE.size(9).owner(7, 7).times(1, 2),
    ));
    let entry = &tree.snapshot().entries[&b"dir"[..]];
    assert_eq!(
        entry.owner,
        (
            nix::unistd::geteuid().as_raw(),
            nix::unistd::getegid().as_raw()
        )
    );
    assert!(entry.mtime.0 > 2);
}

#[test]
fn a_name_that_exists_is_refused_whatever_it_is() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    tree.dir("dir");
    tree.link("dangling", "missing");
    tree.link("to-dir", "dir");
    let before = tree.snapshot();
    for path in [
        "file", "dir", "dir/", "dangling", "to-dir", ".", "..", "/", "dir/.",
    ] {
        let reply = server.call(&request::mkdir(path, &Attrs::NONE));
        assert_cause(&reply, &server, code::FAILURE, "File exists");
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
}

#[test]
fn a_directory_is_made_where_its_parent_exists_and_nowhere_else() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.file("file", "");
    tree.link("link", "dir");
    for path in ["dir/one", "dir/two/", "link/three", "./four", "dir/../five"] {
        server.ok(&request::mkdir(path, &Attrs::NONE));
    }
    assert_eq!(tree.names("dir").len(), 3);
    for path in ["missing/x", "", "missing/../x"] {
        assert_status(
            &server.call(&request::mkdir(path, &Attrs::NONE)),
            code::NO_SUCH_FILE,
        );
    }
    assert_cause(
        &server.call(&request::mkdir("file/x", &Attrs::NONE)),
        &server,
        code::NO_SUCH_FILE,
        "Not a directory",
    );
}

#[test]
fn a_parent_without_write_permission_is_denied() {
    let tree = Tree::new();
    tree.dir("dir");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir", 0o555);
    let reply = server.call(&request::mkdir("dir/x", &Attrs::NONE));
    assert_status(&reply, code::PERMISSION_DENIED);
    assert_eq!(reply.status().text, "Permission denied");
    assert!(tree.names("dir").is_empty());
}

#[test]
fn a_setgid_parent_passes_its_group_on() {
    let tree = Tree::new();
    tree.dir("dir");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("dir", 0o2777);
    server.ok(&request::mkdir("dir/x", &Attrs::NONE.permissions(0o755)));
    assert_eq!(tree.mode("dir/x"), 0o2755);
}
