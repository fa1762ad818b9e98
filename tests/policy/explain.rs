//! `explain` beside a session: what it says of a request is what becomes of it, for every rule, request and object.

use std::fs::File;
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
    &["-P", "copy-file"],
    &["-P", "read"],
    &["-R"],
    &["-p", "copy-file,stat"],
    &["-p", "copy-file,read"],
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
pub(crate) fn requests(path: &str) -> Vec<(&'static str, Vec<&str>, Packet)> {
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
        (
            "copy-file",
            vec![path, "other"],
            copy_file(path, "other", 0),
        ),
        (
            "copy-file",
            vec!["dir/inner", path],
            copy_file("dir/inner", path, 0),
        ),
        ("statvfs", vec![path], statvfs(path)),
    ]
}

/// What a client is told who asks for it; of a transfer, the first refusal of its requests.
pub(crate) fn whole(server: &mut Server, request: &str, packet: &Packet) -> Reply {
    let opened = server.call(packet);
    let Reply::Handle(handle) = &opened else {
        return opened;
    };
    let moved = match request {
        "get" => server.call(&read(handle, 0, 4)),
        "put" | "append" => server.call(&write(handle, 0, b"x")),
        _ => return opened,
    };
    let closed = server.call(&close(handle));
    match &moved {
        Reply::Status(status) if status.code != 0 => moved,
        _ => closed,
    }
}

/// What `explain` prints.
fn told(tree: &Tree, words: &[&str]) -> String {
    let told = Command::new(OURS)
        .current_dir(tree.root())
        .args(["explain", "--no-config", "--root", "."])
        .args(words)
        .output()
        .unwrap();
    assert_eq!(told.stderr, b"", "{words:?}");
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn the_rule_is_named_to_the_manager_where_the_client_is_told_of_none() {
    let tree = furnished();
    for (words, expected) in [
        (
            &["--hide", "file", "get", "file"][..],
            "deny   get file\n       No such file\n       --hide decides, and the client is told of no rule\n",
        ),
        (
            &["--drop-box", "get", "file"],
            "deny   get file\n       No such file\n       --drop-box decides, and the client is told of no rule\n",
        ),
        // What is absent by itself.
        (
            &["--drop-box", "--hide", "dir", "get", "missing"],
            "deny   get missing\n       No such file\n",
        ),
        (
            &[
                "--file-mode",
                "640",
                "--ignore-setstat",
                "owner",
                "setstat",
                "file",
            ],
            "allow  setstat file\n       /file, file, gets another mode: answered with success and not done (--file-mode)\n       /file, file, gets other times\n       /file, file, gets another owner: answered with success and not done (--ignore-setstat)\n",
        ),
        (
            &["-P", "write", "put", "new"],
            "deny   put new\n       Permission denied: --deny-requests\n       /new, nothing, is created\n",
        ),
        (
            &["-p", "open,close", "get", "file"],
            "deny   get file\n       Permission denied: --allow-requests\n       /file, file, is read\n",
        ),
    ] {
        assert_eq!(told(&tree, words), expected, "{words:?}");
    }
}

#[test]
fn every_request_of_the_query_can_be_asked_about() {
    let tree = furnished();
    let names = Command::new(OURS)
        .args(["-Q", "requests"])
        .output()
        .unwrap();
    let names = String::from_utf8(names.stdout).unwrap();
    assert!(names.lines().count() > 25, "{names}");
    for name in names.lines() {
        let asked = |flags: &[&str], paths: &[&str]| {
            let asked = Command::new(OURS)
                .current_dir(tree.root())
                .args(["explain", "--no-config", "--root", "."])
                .args(flags)
                .arg(name)
                .args(paths)
                .output()
                .unwrap();
            String::from_utf8(asked.stdout).unwrap()
        };
        let some = [&[][..], &["file"], &["file", "other"]];
        let mut right = some.iter().filter(|paths| !asked(&[], paths).is_empty());
        let paths = right
            .next()
            .unwrap_or_else(|| panic!("{name} is no question"));
        assert_eq!(right.next(), None, "{name}");
        let first = asked(&[], paths);
        assert!(
            first.starts_with("allow ") || first.starts_with("deny "),
            "{first}"
        );
        let denied = asked(&["-P", name], paths);
        assert!(denied.starts_with("deny "), "{denied}");
        assert!(
            denied.contains("Permission denied: --deny-requests"),
            "{denied}"
        );
    }
}

#[test]
fn a_question_that_makes_no_sense_says_which_would() {
    let known = "get, put and append are known, and what -Q requests prints";
    let request = |name: &str| format!("there is no request \"{name}\"; {known}");
    let tree = furnished();
    for (words, why) in [
        (
            &["GET", "file"][..],
            format!("{}; is get meant?", request("GET")),
        ),
        (
            &["opendri", "dir"],
            format!("{}; is opendir meant?", request("opendri")),
        ),
        (&["xyzzy", "dir"], request("xyzzy")),
        (&["put"], "put takes one path".to_owned()),
        (&["rename", "file"], "rename takes two paths".to_owned()),
        (&["limits", "file"], "limits takes no path".to_owned()),
        (
            &[],
            "which request? for example: explain put /upload/file".to_owned(),
        ),
        (
            &["--user", "nobody-has-this-name", "get", "file"],
            "there is no user \"nobody-has-this-name\"; create the user, or correct --user"
                .to_owned(),
        ),
    ] {
        let told = Command::new(OURS)
            .current_dir(tree.root())
            .args(["explain", "--no-config"])
            .args(words)
            .output()
            .unwrap();
        assert_eq!(told.status.code(), Some(1), "{words:?}");
        assert_eq!(told.stdout, b"", "{words:?}");
        let said = String::from_utf8(told.stderr).unwrap();
        assert_eq!(said, format!("explain: {why}\n"), "{words:?}");
    }
}

#[test]
fn as_json_it_says_the_same() {
    let tree = furnished();
    tree.file("a\"b\\\u{1b}", "");
    let said = told(
        &tree,
        &[
            "--json",
            "--hide",
            "dir",
            "--no-delete",
            "remove",
            "a\"b\\\u{1b}",
        ],
    ) + &told(&tree, &["--json", "--hide", "dir", "get", "dir/inner"])
        + &told(
            &tree,
            &["--json", "--ignore-setstat", "perms", "setstat", "file"],
        )
        + &told(&tree, &["--json", "get", "file"]);
    let script = r#"
import json, sys
removed, hidden, left, got = [json.loads(line) for line in sys.stdin]
assert removed['paths'] == ['a"b\\\x1b'] and removed['verdict'] == 'deny', removed
assert removed['rule'] == '--no-delete' and removed['status'] == 3, removed
assert removed['objects'][0]['path'] == '/a"b\\\x1b', removed
assert removed['objects'][0]['effect'] == 'is removed', removed
assert hidden['rule'] == '--hide' and hidden['message'] == 'No such file', hidden
assert left['verdict'] == 'allow' and left['done'] is False and left['rule'] is None, left
assert left['objects'][0]['left'] == '--ignore-setstat', left
assert left['objects'][1]['left'] is None, left
assert got == {'verdict': 'allow', 'request': 'get', 'paths': ['file'], 'status': 0, 'message': None,
  'rule': None, 'done': True,
  'objects': [{'path': '/file', 'is': 'file', 'effect': 'is read', 'left': None}]}, got
"#;
    let answers = File::open(tree.file("answers", said)).unwrap();
    let read = Command::new("python3")
        .args(["-c", script])
        .stdin(answers)
        .output();
    let read = read.unwrap();
    assert!(
        read.status.success(),
        "{}",
        String::from_utf8_lossy(&read.stderr)
    );
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
fn of_a_copy_it_is_known_how_long_it_would_be() {
    for (limit, words) in [
        (["--max-file-size", "6"], "File too large (--max-file-size)"),
        (
            ["--reserve-free", "900T"],
            "No space left on device (--reserve-free)",
        ),
    ] {
        let tree = furnished();
        let asked = |paths: [&str; 2]| {
            let words = [&limit[..], &["copy-file"], &paths].concat();
            told(&tree, &words)
        };
        let said = asked(["file", "other"]);
        let expected = format!(
            "deny   copy-file file other\n       Failure: {words}\n       /file, file, is read\n       /other, nothing, is created\n"
        );
        assert_eq!(said, expected);
        let mut server = Server::with(&tree, [&["--root", "."][..], &limit].concat());
        for (from, to) in [
            ("file", "other"),
            ("file", "dir/inner"),
            ("dir/inner", "other"),
            ("link", "dir"),
        ] {
            let said = asked([from, to]);
            let reply = server.call(&copy_file(from, to, 0));
            let status = reply.status();
            assert_eq!(said.starts_with("deny"), status.code != 0, "{said}");
            assert!(status.code == 0 || said.contains(&status.text), "{said}");
        }
    }
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
                let reply = whole(&mut server, request, &packet);
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
                let same = words.contains(&text) || is_the_kernel_s(request, path, &text);
                if !agrees || (says_denied && refused && !same) {
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
