//! `explain` for who is not root: what the permissions of the file system refuse, it refuses as a session does.

use std::os::unix::fs::chown;
use std::process::Stdio;

use crate::explain::{requests, whole};
use crate::support::server::copy_of;
use crate::support::{Launch, Reply, Tree, under_test};

/// The uid and gid of `nobody` and `nogroup` on Debian.
const NOBODY: u32 = 65534;

const PATHS: &[&str] = &[
    "foreign",
    "foreign/file",
    "foreign/secret",
    "foreign/link",
    "foreign/missing",
    "own",
    "own/file",
    "own/foreign",
    "own/missing",
    "sticky/foreign",
    "sticky/file",
    "closed/file",
];

fn furnished() -> Tree {
    let tree = Tree::new();
    for (dir, mode) in [
        ("foreign", 0o755),
        ("own", 0o755),
        ("sticky", 0o1777),
        ("closed", 0o700),
        // Whence another request moves something.
        ("dir", 0o777),
    ] {
        tree.dir(dir);
        tree.chmod(dir, mode);
    }
    for (file, mode, own) in [
        ("foreign/file", 0o644, false),
        ("foreign/secret", 0o600, false),
        ("own/file", 0o600, true),
        ("own/foreign", 0o644, false),
        ("sticky/foreign", 0o666, false),
        ("sticky/file", 0o644, true),
        ("closed/file", 0o644, true),
        ("dir/inner", 0o644, true),
    ] {
        tree.file(file, "content");
        tree.chmod(file, mode);
        if own {
            chown(tree.at(file), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    chown(tree.at("own"), Some(NOBODY), Some(NOBODY)).unwrap();
    tree.link("foreign/link", "secret");
    tree.chmod("", 0o777);
    tree
}

#[test]
fn what_the_file_system_refuses_an_ordinary_user_explain_refuses() {
    let home = Tree::new();
    home.chmod("", 0o755);
    let program = copy_of(under_test(), &home);
    let launch = |tree: &Tree| {
        Launch::program(&program, tree)
            .user(NOBODY, NOBODY)
            .env("HOME", "/nonexistent")
    };
    let (mut wrong, mut refusals) = (Vec::new(), 0);
    for path in PATHS {
        for (request, paths, packet) in requests(path) {
            let tree = furnished();
            let told = launch(&tree)
                .args(["explain", "--no-config", "--root", ".", request])
                .args(&paths)
                .run(Stdio::null(), Stdio::piped());
            let words = String::from_utf8(told.stdout).unwrap();
            let mut server = launch(&tree).args(["--no-config", "--root", "."]).connect();
            let reply = whole(&mut server, request, &packet);
            let text = match &reply {
                Reply::Status(status) if status.code != 0 => status.text.clone(),
                _ => String::new(),
            };
            let refused = text.starts_with("Permission denied");
            let denies = words.starts_with("deny");
            refusals += usize::from(refused);
            // What else the kernel says when it is done, of directories that are not empty for one, is not known before.
            let same = if text.is_empty() {
                !denies
            } else {
                denies || !refused
            };
            if !same || words.is_empty() {
                wrong.push(format!("{request} {paths:?}: {words:?}, but {text:?}"));
            }
        }
    }
    assert!(refusals > 60, "{refusals}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
