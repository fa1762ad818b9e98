//! `expand-path@openssh.com`: `~` and `~user`, then as REALPATH.

use nix::unistd::User;

use crate::support::wire::{Attrs, code};
use crate::support::{Server, Tree, request, show};
use crate::{assert_status, start};

#[track_caller]
fn expand(server: &mut Server, path: impl AsRef<[u8]>) -> String {
    show(server.call(&request::expand_path(path)).name())
}

/// sftp-server starts in the home directory, so OpenSSH takes the current one for it, and `-d` with it.
#[test]
fn a_tilde_is_the_start_directory() {
    let (tree, mut server) = start();
    tree.dir("dir");
    for (path, expected) in [
        ("~", ""),
        ("~/", ""),
        ("~/dir", "dir"),
        ("~/missing", "missing"),
        ("~/dir/..", ""),
    ] {
        assert_eq!(
            expand(&mut server, path),
            show(tree.path(expected)),
            "{path}"
        );
    }
}

#[test]
fn a_tilde_and_a_user_is_the_home_of_that_user() {
    let (_tree, mut server) = start();
    // An ordinary user may not look into root's home.
    let root = nix::unistd::geteuid().is_root().then_some("root");
    for name in ["daemon", "sync"].into_iter().chain(root) {
        let home = User::from_name(name)
            .unwrap()
            .expect("a user of every Debian")
            .dir;
        let home = home.canonicalize().unwrap();
        let home = server.in_jail("no home is in the view", "/".into(), home);
        assert_eq!(
            expand(&mut server, format!("~{name}")),
            home.to_str().unwrap()
        );
        assert_eq!(
            expand(&mut server, format!("~{name}/")),
            home.to_str().unwrap()
        );
        assert_eq!(
            expand(&mut server, format!("~{name}/no-such-name")),
            home.join("no-such-name").to_str().unwrap()
        );
    }
}

#[test]
fn an_unknown_user_is_no_such_file_in_openssh_s_words() {
    let (tree, mut server) = start();
    tree.dir("~nobody-of-this-name");
    for path in [
        "~nobody-of-this-name",
        "~nobody-of-this-name/x",
        "~\u{fc}\u{fc}",
        "~~",
    ] {
        let reply = server.call(&request::expand_path(path));
        assert_eq!(reply.code(), code::NO_SUCH_FILE);
        assert!(reply.status().text.starts_with("no such user"), "{reply:?}");
    }
}

#[test]
fn anything_else_is_resolved_as_by_realpath() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.link("link", "dir");
    tree.dir("a~b");
    let table = [
        ("", ""),
        (".", ""),
        ("dir", "dir"),
        ("link/x", "dir/x"),
        ("dir/../a~b", "a~b"),
        ("missing", "missing"),
    ];
    for (path, expected) in table {
        assert_eq!(
            expand(&mut server, path),
            show(tree.path(expected)),
            "{path:?}"
        );
    }
    assert_eq!(expand(&mut server, "/"), "/");
    assert_eq!(
        expand(&mut server, tree.path("link")),
        show(tree.path("dir"))
    );
    for path in ["missing/x", "~/missing/x"] {
        assert_status(
            &server.call(&request::expand_path(path)),
            code::NO_SUCH_FILE,
        );
    }
}

#[test]
fn the_answer_is_one_name_with_itself_as_longname_and_no_attrs() {
    let (tree, mut server) = start();
    let reply = server.call(&request::expand_path("~"));
    let [name] = reply.names() else {
        panic!("{reply:?}")
    };
    assert_eq!(show(&name.filename), show(tree.path("")));
    assert_eq!(
        (&name.longname, &name.attrs),
        (&name.filename, &Attrs::NONE)
    );
}

#[test]
fn the_start_directory_of_d_is_the_tilde() {
    let tree = Tree::new();
    tree.dir("start");
    let mut server = Server::with(&tree, ["-d", "start"]);
    assert_eq!(expand(&mut server, "~/x"), show(tree.path("start/x")));
}
