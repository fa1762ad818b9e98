//! Where a session starts: the directory it inherits, or that of `-d` with its tokens; and what it needs to start: nothing.

use std::process::Stdio;

use nix::unistd::{Uid, User};

use crate::run::install_with_libraries;
use crate::support::request;
use crate::support::server::copy_of;
use crate::support::{Launch, OPENSSH, Server, Tree, under_test};

/// The directory in which a session with these flags starts; the process itself is started in `tree`.
#[track_caller]
fn starts_in(program: impl AsRef<std::path::Path>, tree: &Tree, flags: &[&str]) -> String {
    let mut server = Launch::program(program.as_ref(), tree)
        .args(flags)
        .connect();
    path_of(&mut server)
}

#[track_caller]
fn path_of(server: &mut Server) -> String {
    String::from_utf8(server.call(&request::realpath(".")).name().to_vec()).unwrap()
}

/// Both servers start in the same directory.
#[track_caller]
fn both_start_in(flags: &[&str], expected: &str) {
    let tree = Tree::new();
    for program in [under_test(), OPENSSH.into()] {
        assert_eq!(
            starts_in(&program, &tree, flags),
            expected,
            "{}: {flags:?}",
            program.display()
        );
    }
}

#[test]
fn without_d_it_starts_in_the_directory_it_inherits() {
    let tree = Tree::new();
    let root = tree.root().to_str().unwrap();
    for program in [under_test(), OPENSSH.into()] {
        assert_eq!(starts_in(program, &tree, &[]), root);
    }
}

#[test]
fn d_takes_a_path_absolute_or_relative() {
    both_start_in(&["-d", "/usr"], "/usr");
    both_start_in(&["-d", "/usr/../usr/."], "/usr");
    let tree = Tree::new();
    tree.dir("sub/er");
    let expected = format!("{}/sub/er", tree.root().display());
    for program in [under_test(), OPENSSH.into()] {
        assert_eq!(starts_in(program, &tree, &["-d", "sub/er"]), expected);
    }
}

#[test]
fn the_tokens_of_d_are_home_user_uid_and_percent() {
    let user = User::from_uid(Uid::effective()).unwrap().unwrap();
    let home = user.dir.to_str().unwrap();
    both_start_in(&["-d", "%d"], home);
    let tree = Tree::new();
    for name in [user.name.as_str(), &user.uid.to_string(), "%", "%d", "100%"] {
        tree.dir(name);
    }
    for (argument, name) in [
        ("%u", user.name.as_str()),
        ("%U", &user.uid.to_string()),
        ("%%", "%"),
        ("%%d", "%d"),
        ("100%%", "100%"),
    ] {
        let expected = format!("{}/{name}", tree.root().display());
        for program in [under_test(), OPENSSH.into()] {
            assert_eq!(
                starts_in(&program, &tree, &["-d", argument]),
                expected,
                "{argument}"
            );
        }
    }
    // OpenSSH does not know it and leaves with 255.
    assert_eq!(starts_in(under_test(), &tree, &["-d", "%h"]), home);
}

#[test]
fn a_tilde_is_the_home_of_the_user_or_of_the_one_named() {
    let home = User::from_uid(Uid::effective()).unwrap().unwrap().dir;
    let home = home.to_str().unwrap();
    both_start_in(&["-d", "~"], home);
    both_start_in(&["-d", "~/"], home);
    // Not root's, which an ordinary user may not enter.
    let daemon = User::from_name("daemon").unwrap().unwrap().dir;
    let daemon = daemon.to_str().unwrap();
    both_start_in(&["-d", "~daemon"], daemon);
    both_start_in(&["-d", "~daemon/"], daemon);
    let tree = Tree::new();
    tree.dir("~");
    // Only at the front.
    let expected = format!("{}/~", tree.root().display());
    for program in [under_test(), OPENSSH.into()] {
        assert_eq!(starts_in(program, &tree, &["-d", "./~"]), expected);
    }
}

#[test]
fn a_token_or_a_user_that_does_not_exist_is_a_usage_error() {
    let tree = Tree::new();
    for argument in ["%x", "%", "a%", "~no-such-user", "~no-such-user/x"] {
        let run = |program| {
            Launch::program(program, &tree)
                .args(["-d", argument])
                .run(Stdio::null(), Stdio::piped())
        };
        let (ours, theirs) = (run(under_test()), run(OPENSSH.into()));
        // Theirs is silent but for the system's log.
        assert_eq!(theirs.status.code(), Some(255), "{argument}");
        assert_eq!(ours.status.code(), Some(255), "{argument}");
        assert_ne!(ours.stderr_text().trim(), "", "{argument}");
    }
}

#[test]
fn a_directory_that_is_missing_leaves_the_session_where_it_was() {
    let tree = Tree::new();
    tree.file("file", "");
    let root = tree.root().to_str().unwrap();
    for argument in ["/no/such/directory", "missing", "", "file"] {
        for program in [under_test(), OPENSSH.into()] {
            assert_eq!(
                starts_in(program, &tree, &["-d", argument]),
                root,
                "{argument:?}"
            );
        }
    }
}

#[test]
fn a_directory_that_the_user_may_not_enter_leaves_the_session_where_it_was() {
    let tree = Tree::new();
    tree.dir("closed");
    tree.chmod("closed", 0);
    let root = tree.root().to_str().unwrap();
    for program in [under_test(), OPENSSH.into()] {
        let mut launch = Launch::program(copy_of(program, &tree), &tree).args(["-d", "closed"]);
        if Uid::effective().is_root() {
            launch = launch.user(65_534, 65_534);
        }
        let mut server = launch.connect();
        assert_eq!(path_of(&mut server), root);
    }
}

#[test]
fn a_working_directory_that_is_gone_is_no_reason_to_fail() {
    let outer = Tree::new();
    let script = r#"mkdir gone && cd gone && rmdir ../gone && exec "$0""#;
    let mut server = Launch::program("sh", &outer)
        .args(["-c", script])
        .args([under_test()])
        .connect();
    server.call(&request::stat("/")).attrs();
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn descriptors_that_are_closed_are_no_reason_to_fail() {
    let tree = Tree::new();
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        for program in [under_test(), OPENSSH.into()] {
            let script = format!(r#""$0" -e -l INFO {closed}"#);
            let finished = Launch::program("sh", &tree)
                .args(["-c", &script])
                .args([&program])
                .run(Stdio::null(), Stdio::piped());
            assert_eq!(
                finished.status.code(),
                Some(0),
                "{}: {closed}",
                program.display()
            );
        }
    }
}

#[test]
fn a_file_that_the_client_opens_never_takes_the_place_of_a_closed_descriptor() {
    let tree = Tree::new();
    let mut server = Launch::program("sh", &tree)
        .args(["-c", r#"exec "$0" -e -l DEBUG3 2>&-"#])
        .args([under_test()])
        .connect();
    let handle = server.open(
        "f",
        crate::support::wire::pflags::WRITE | crate::support::wire::pflags::CREAT,
    );
    server.ok(&request::write(&handle, 0, b"hello"));
    server.ok(&request::close(&handle));
    server.finish();
    assert_eq!(tree.read("f"), b"hello");
}

#[test]
fn it_starts_in_a_tree_that_holds_nothing_but_the_server_and_its_libraries() {
    // No /dev, no /etc/passwd, no /proc.
    let tree = Tree::new();
    install_with_libraries(&under_test(), tree.root());
    let launch = if Uid::effective().is_root() {
        Launch::program("chroot", &tree)
    } else {
        // Root of a user namespace may do it, too.
        Launch::program("unshare", &tree).args(["-r", "chroot"])
    };
    let mut server = launch
        .args([tree.root()])
        .args(["/sftp-server"])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .connect();
    assert_eq!(path_of(&mut server), "/");
    let names: Vec<_> = server
        .list("/")
        .into_iter()
        .map(|name| name.filename)
        .collect();
    assert!(names.contains(&b"sftp-server".to_vec()), "{names:?}");
    assert_eq!(server.finish().status.code(), Some(0));
}
