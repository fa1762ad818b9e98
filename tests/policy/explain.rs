//! `explain` beside a session: what it says of a request is what becomes of it, for every rule, request and object.

use std::process::Command;

use crate::support::packet::Reply;
use crate::support::packet::pflags::{APPEND, CREAT, READ, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, OURS, Packet, Server, Tree};

const RULES: &[&[&str]] = &[
    &[],
    &["--read-only"],
    &["--no-overwrite"],
    &["--no-delete"],
    &["--append-only"],
    &["--drop-box"],
    &["--hide", "file"],
    &["--hide", "/dir/*"],
    &["--deny", "file"],
    &["--deny", "/dir/**"],
    &["--deny", "link"],
    &["--no-overwrite", "--no-delete"],
    &["--atomic-upload", "--no-overwrite"],
    &["--file-mode", "640", "--ignore-setstat", "times,owner"],
    &["-m", "0640"],
    &["--umask", "0777"],
    &["--force-file-perms", "0400", "-u", "0222"],
    &["--file-mode", "0600", "--force-file-perms", "0"],
    &["-P", "rename,mkdir"],
    &["-p", "open,write,stat,opendir"],
    &["--bind", "/bound=.:ro"],
];

const PATHS: &[&str] = &[
    "file",
    "/file",
    "missing",
    "dir",
    "dir/inner",
    "dir/../file",
    "link",
    "dirlink/inner",
    "dangling",
    "missing/x",
    "file/x",
    "dir/missing",
];

/// Each by its name for `explain`, with the packet by which a client asks; `other` is a free name.
fn requests(path: &str) -> Vec<(&'static str, Vec<&str>, Packet)> {
    let attrs = Attrs::default();
    let open = |pflags| open(path, pflags, &Attrs::default());
    vec![
        ("get", vec![path], open(READ)),
        ("put", vec![path], open(WRITE | CREAT | TRUNC)),
        ("append", vec![path], open(WRITE | CREAT | APPEND)),
        ("write", vec![path], open(WRITE)),
        ("stat", vec![path], stat(path)),
        ("lstat", vec![path], lstat(path)),
        ("opendir", vec![path], opendir(path)),
        ("readlink", vec![path], readlink(path)),
        ("realpath", vec![path], realpath(path)),
        ("remove", vec![path], remove(path)),
        ("rmdir", vec![path], rmdir(path)),
        ("mkdir", vec![path], mkdir(path, &attrs)),
        (
            "setstat",
            vec![path],
            setstat(path, &attrs.clone().permissions(0o644)),
        ),
        ("rename", vec![path, "other"], rename(path, "other")),
        ("rename", vec!["dir/inner", path], rename("dir/inner", path)),
        (
            "posix-rename",
            vec![path, "other"],
            posix_rename(path, "other"),
        ),
        (
            "posix-rename",
            vec!["dir/inner", path],
            posix_rename("dir/inner", path),
        ),
        ("symlink", vec!["file", path], symlink("file", path)),
        ("hardlink", vec![path, "other"], hardlink(path, "other")),
        ("statvfs", vec![path], statvfs(path)),
    ]
}

fn furnished() -> Tree {
    let tree = Tree::new();
    tree.file("file", "content");
    tree.dir("dir");
    tree.file("dir/inner", "inner");
    tree.link("link", "file");
    tree.link("dirlink", "dir");
    tree.link("dangling", "nowhere");
    tree
}

/// What the kernel alone refuses, where no rule and no view has a say: `explain` is about the former.
fn is_the_kernel_s(request: &str, path: &str, text: &str) -> bool {
    let causes = [
        "Is a directory",
        "Not a directory",
        "Directory not empty",
        "Invalid argument",
        "Operation not permitted",
    ];
    causes.iter().any(|cause| text.ends_with(cause)) && !request.is_empty() && !path.is_empty()
}

#[test]
fn what_explain_says_is_what_a_session_does() {
    let mut wrong = Vec::new();
    let (mut cells, mut denied) = (0, 0);
    for rules in RULES {
        for path in PATHS {
            for (request, paths, packet) in requests(path) {
                let tree = furnished();
                let flags = [&["--root", "."], *rules].concat();
                let before = tree.snapshot();
                let told = Command::new(OURS)
                    .current_dir(tree.root())
                    .arg("explain")
                    .args(&flags)
                    .arg(request)
                    .args(&paths)
                    .output()
                    .unwrap();
                let words = String::from_utf8(told.stdout).unwrap();
                assert_eq!(
                    before.differences(&tree.snapshot()),
                    [""; 0],
                    "it changes nothing"
                );
                let mut server = Server::with(&tree, &flags);
                let reply = server.call(&packet);
                let refused = matches!(&reply, Reply::Status(status) if status.code != 0);
                let text = if refused {
                    reply.status().text.clone()
                } else {
                    String::new()
                };
                let says_denied = words.starts_with("deny");
                assert_eq!(told.status.code(), Some(i32::from(says_denied)), "{words}");
                cells += 1;
                denied += usize::from(refused);
                let agrees =
                    says_denied == refused || (refused && is_the_kernel_s(request, path, &text));
                if !agrees || (says_denied && refused && !words.contains(&text)) {
                    wrong.push(format!(
                        "{rules:?} {request} {paths:?}: {words:?}, but {text:?}"
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cells}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cells > 3000 && denied > 1000, "{denied} of {cells}");
}
