//! What a jail that cannot be set up says: the path, the step, why; one line on stderr and in the log, exit 1, no byte answered.

use std::process::Stdio;

use crate::ground::{Ground, Node, Plan};
use crate::home::Home;
use crate::sides::jail;
use crate::support::log::{Line, Syslog};
use crate::support::request;

fn ground() -> Ground {
    let mut plan: Plan = Vec::new();
    for dir in ["jail", "jail/d", "jail/inbox", "ext"] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    plan.push((b"locked".to_vec(), Node::Dir(0)));
    for file in ["jail/f", "file"] {
        plan.push((file.into(), Node::File(b"", 0o644)));
    }
    Ground::new(plan, &[b"jail", b"ext"])
}

/// What flags are refused, and what the line must hold; `BASE` stands for the ground's path.
const REFUSED: &[(&[&str], &[&str])] = &[
    (
        &["--root", "BASE/missing"],
        &["BASE/missing", "No such file or directory"],
    ),
    (
        &["--root", "BASE/missing/deeper"],
        &["BASE/missing", "No such file or directory"],
    ),
    (&["--root", "BASE/file"], &["BASE/file", "Not a directory"]),
    (
        &["--root", "BASE/file/x"],
        &["BASE/file", "Not a directory"],
    ),
    (
        &["--root", "BASE/jail", "--bind", "/b=BASE/missing"],
        &["BASE/missing", "No such file or directory"],
    ),
    (
        &["--root", "BASE/jail", "--bind", "/b=BASE/file"],
        &["BASE/file", "Not a directory"],
    ),
    (
        &["--root", "BASE/jail", "--bind", "/f=BASE/ext"],
        &["/f", "a file stands there"],
    ),
    (
        &["--root", "BASE/jail", "--bind", "/f/x=BASE/ext"],
        &["/f", "Not a directory"],
    ),
    (
        &["--root", "BASE/jail", "--bind", "/no/such=BASE/ext"],
        &["/no", "No such file or directory"],
    ),
    (&["--root", "BASE/jail", "--bind", "b=BASE/ext"], &["b"]),
    (
        &[
            "--root",
            "BASE/jail",
            "--bind",
            "/b=BASE/ext",
            "--bind",
            "/b=BASE/ext",
        ],
        &["/b"],
    ),
    (
        &[
            "--root",
            "BASE/jail",
            "--bind",
            "/b=BASE/ext",
            "--bind",
            "/b/=BASE/jail",
        ],
        &["/b"],
    ),
    (&["--root", "BASE/jail", "--bind", "/b"], &["/b"]),
    (&["--root", "BASE/jail", "--bind", "/b="], &["/b"]),
    (&["--bind", "/b=BASE/ext"], &["--bind", "--root"]),
];

#[test]
fn a_jail_that_cannot_be_set_up_says_why_on_stderr_and_serves_nobody() {
    let ground = ground();
    for (flags, words) in REFUSED {
        let ran = jail(&ground, flags).run(Stdio::null(), Stdio::piped());
        says(&ground, flags, words, ran.status.code(), &ran.stderr_text());
        assert_eq!(ran.stdout, b"", "{flags:?}");
    }
}

fn says(ground: &Ground, flags: &[&str], words: &[&str], exit: Option<i32>, said: &str) {
    assert_eq!(exit, Some(1), "{flags:?}: {said}");
    for word in words {
        let word = word.replace("BASE", ground.base.root().to_str().unwrap());
        assert!(said.contains(&word), "{flags:?} lacks {word:?}: {said}");
    }
}

#[test]
fn a_parent_that_the_user_may_not_enter_is_named() {
    let ground = ground();
    for flags in [
        &["--root", "BASE/locked/in"][..],
        &["--root", "BASE/jail", "--bind", "/b=BASE/locked/in"],
    ] {
        let ran = jail(&ground, flags).run(Stdio::null(), Stdio::piped());
        says(
            &ground,
            flags,
            &["BASE/locked", "Permission denied"],
            ran.status.code(),
            &ran.stderr_text(),
        );
    }
}

#[test]
fn the_log_says_the_same() {
    let ground = ground();
    let syslog = Syslog::new();
    for (flags, words) in REFUSED {
        let base = ground.base.root().to_str().unwrap();
        let flags_here: Vec<String> = flags
            .iter()
            .map(|flag| flag.replace("BASE", base))
            .collect();
        let launch = syslog
            .launch(crate::ground::ours(), &ground.base)
            .args(&flags_here);
        let ran = launch.run(Stdio::null(), Stdio::piped());
        let lines = syslog.lines();
        let mut texts = lines
            .iter()
            .map(|line| String::from_utf8(Line::parse(line).text).unwrap());
        let last = texts.next_back().unwrap_or_default();
        says(&ground, flags, words, ran.status.code(), &last);
    }
}

#[test]
fn nothing_is_answered_before_the_jail_stands() {
    let ground = ground();
    let mut server = jail(&ground, &["--root", "BASE/missing"]).start();
    let _ = server.send_raw(b"\0\0\0\x05\x01\0\0\0\x03");
    assert_eq!(server.receive_raw(), None);
    assert_eq!(server.wait().code(), Some(1));
}

#[test]
fn tokens_and_tilde_stand_for_home_and_user() {
    let (uid, _) = crate::ground::ordinary();
    let uid_dir = format!("jail/u{uid}");
    let mut plan: Plan = Vec::new();
    for dir in [
        "jail",
        "jail/inbox",
        "jail/tester",
        &uid_dir,
        "jail/100%",
        "ext",
    ] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    for dir in ["inbox", "tester", &uid_dir[5..], "100%"] {
        plan.push((format!("jail/{dir}/{dir}").into(), Node::File(b"", 0o644)));
    }
    for (root, wanted) in [
        ("~/inbox", "inbox"),
        ("%h/inbox", "inbox"),
        ("%d/inbox", "inbox"),
        ("BASE/jail/%u", "tester"),
        ("BASE/jail/u%U", &uid_dir[5..]),
        ("BASE/jail/100%%", "100%"),
    ] {
        let mut home = Home::new("jail", &["--root", root], &plan);
        home.server
            .call(&request::lstat(format!("/{wanted}")))
            .attrs();
    }
    let mut home = Home::new(
        "jail",
        &[
            "--root",
            "BASE/ext",
            "--bind",
            "/i=~/inbox",
            "--bind",
            "/u=%h/%u",
            "-d",
            "/%u",
        ],
        &plan,
    );
    home.server.call(&request::lstat("/i/inbox")).attrs();
    home.server.call(&request::lstat("/u/tester")).attrs();
}

#[test]
fn a_session_starts_at_home_where_it_lies_in_the_view_and_else_at_the_top() {
    let mut plan: Plan = Vec::new();
    for dir in [
        "jail",
        "jail/top",
        "jail/top/home",
        "jail/top/home/in",
        "ext",
    ] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    let home = "jail/top/home";
    for (flags, start) in [
        (&["--root", "BASE/jail"][..], "/top/home"),
        (&["--root", "~"], "/"),
        (&["--root", "~/in"], "/"),
        (&["--root", "BASE/ext"], "/"),
        (&["--root", "BASE/ext", "--bind", "/h=~"], "/h"),
        (
            &["--root", "BASE/ext", "--bind", "/t=BASE/jail/top"],
            "/t/home",
        ),
        (&["--root", "BASE/jail", "-d", "/top"], "/top"),
        (&["--root", "BASE/jail", "-d", "/missing"], "/"),
        (&["--root", "BASE/jail", "-d", "../.."], "/"),
    ] {
        let mut session = Home::new(home, flags, &plan);
        let answer = session.server.call(&request::realpath("."));
        assert_eq!(answer.name(), start.as_bytes(), "{flags:?}");
        let at_home = if start == "/top" || flags.contains(&"-d") {
            "/top/home"
        } else {
            start
        };
        let answer = session.server.call(&request::home_directory(""));
        assert_eq!(
            answer.name(),
            at_home.as_bytes(),
            "home-directory, {flags:?}"
        );
    }
}
