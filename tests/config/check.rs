//! `check`: what it prints of the settings, and what it finds wrong, each with its remedy.

use std::fs;
use std::process::Stdio;

use crate::ground::Ground;
use crate::support::request;
use crate::support::server::copy_of;
use crate::support::sshd::{Account, Place};
use crate::support::{Finished, Launch, Tree, under_test};
use crate::wrong::WRONG;

/// What `check` says with this file and these flags; `{tree}` is where the file stands.
#[track_caller]
fn check(ground: &Ground, args: &[&str]) -> Finished {
    let tree = ground.tree.root().to_str().unwrap();
    let dir = Tree::new();
    Launch::new(&dir)
        .args(["check", "--config"])
        .arg(ground.config())
        .args(args.iter().map(|arg| arg.replace("{tree}", tree)))
        .run(Stdio::null(), Stdio::piped())
}

fn text(ground: &Ground, finished: &Finished) -> String {
    assert_eq!(finished.stderr, b"", "{finished:?}");
    let text = String::from_utf8(finished.stdout.clone()).unwrap();
    text.replace(ground.tree.root().to_str().unwrap(), "{tree}")
}

/// A file that says `text`, with `{tree}` for where it stands.
fn ground(text: &str) -> Ground {
    let ground = Ground::new("");
    let tree = ground.tree.root().to_str().unwrap().to_owned();
    ground.tree.file("config", text.replace("{tree}", &tree));
    ground.tree.dir("root/dir");
    ground.tree.file("root/file", "");
    ground.tree.link("circle", "circle");
    ground.tree.dir("open/root");
    ground.tree.chmod("open", 0o777);
    ground
}

/// As text; the word is as wide as the widest.
fn finding(weight: &str, what: &str, remedy: &str) -> String {
    format!("\n{weight:7}  {what}\n         {remedy}\n")
}

#[test]
fn each_wrong_set_up_is_found_and_comes_with_a_remedy() {
    let mut missing = Vec::new();
    let (dir, mut as_json) = (Tree::new(), Vec::new());
    for (file, args, weight, what, remedy) in WRONG {
        let ground = ground(file);
        let finished = check(&ground, args);
        // For programs the same: an object a line, and what it has to hold.
        let answer = check(&ground, &[&["--json"], *args].concat());
        assert_eq!(answer.status, finished.status, "{file:?}");
        let answer = text(&ground, &answer);
        let [weight_, what_, remedy_] = [weight, what, remedy].map(|text| format!("{text:?}"));
        as_json.push(format!("{answer}[{weight_},{what_},{remedy_}]\n"));
        let said = text(&ground, &finished);
        let status = i32::from(*weight == "error");
        let expected = finding(weight, what, remedy);
        if finished.status.code() != Some(status) || !said.contains(&expected) {
            missing.push(format!(
                "{file:?} {args:?}: {:?}{expected}is not in\n{said}",
                finished.status
            ));
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
    let script = "import json, sys
for answer in sys.stdin:
    answer, row = json.loads(answer), json.loads(next(sys.stdin))
    found = [[one['level'], one['text'], one['remedy']] for one in answer['findings']]
    assert row in found, (row, found)
    assert answer['exit'] == (1 if 'error' in [one[0] for one in found] else 0), answer";
    let answers = dir.file("answers", as_json.concat());
    let read = Launch::program("python3", &dir).args(["-c", script]);
    let read = read.run(fs::File::open(answers).unwrap(), Stdio::piped());
    assert!(read.status.success(), "{}", read.stderr_text());
}

#[test]
fn names_that_are_nobody_s_are_found_wherever_they_stand_and_others_are_not() {
    // A user's name is no group's, and the reverse: each is looked up as what it is.
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let name = &account.name;
    let ground = ground(&format!(
        "[[match]]\nuser = [\"{name}\", \"root\"]\ngroup = \"{name},adm , shadow\"\n\
         [[match]]\nuser = [\"shadow\", \"??\", \"!nobody-1\",\n \"nobody-2\"]\n\
         [[match]]\ngroup = [\"nobody\", \"!nobody-3\", \"nobody-*\", \"nobody-4\", \"wh\\u0021el\"]\n"
    ));
    let expected = [
        "{tree}/config:5: user: there is no user \"shadow\"",
        "{tree}/config:6: user: there is no user \"nobody-2\"",
        "{tree}/config:8: group: there is no group \"nobody\"",
        "{tree}/config:8: group: there is no group \"nobody-4\"",
        "{tree}/config:8: group: there is no group \"wh!el\"",
    ];
    let said = text(&ground, &check(&ground, &[]));
    let found: Vec<_> = said
        .lines()
        .filter(|line| line.contains("there is no"))
        .collect();
    let lines = expected.map(|what| format!("warning  {what}"));
    assert_eq!(found, lines, "{said}");
    let finished = check(&ground, &["--json"]);
    assert_eq!(finished.status.code(), Some(0));
    let json = text(&ground, &finished);
    for what in expected {
        let what = what.replace('"', "\\\"");
        let finding = format!(
            "{{\"level\":\"warning\",\"text\":\"{what}\",\"remedy\":\"correct the name; as it is, it holds for nobody\"}}"
        );
        assert!(json.contains(&finding), "{finding} is not in\n{json}");
    }
    assert_eq!(json.matches("there is no").count(), expected.len());
}

#[test]
fn what_is_right_has_no_finding_but_the_locks() {
    let ground = ground("root = \"{tree}/root\"\nno-overwrite = true\nno-delete = true");
    for user in [&[][..], &["--user", "root"]] {
        let finished = check(&ground, user);
        let said = text(&ground, &finished);
        assert_eq!(finished.status.code(), Some(0), "{said}");
        let findings = said.rsplit("\n\n").next().unwrap();
        assert_eq!(findings.lines().count(), 1, "{findings}");
        assert!(
            findings.starts_with("note     sandbox: no_new_privs, "),
            "{findings}"
        );
        assert!(findings.trim_end().ends_with("seccomp"), "{findings}");
    }
}

#[test]
fn the_settings_are_those_of_that_session_and_say_who_set_them() {
    let ground = ground(
        "umask = \"022\"\nhide = [\"a\", \"b\"]\nread-only = true\n[[match]]\naddress = \"192.0.2.0/24\"\numask = 0o27\nread-only = false\n",
    );
    let finished = check(&ground, &["--address", "192.0.2.7", "-l", "INFO"]);
    let said = text(&ground, &finished);
    let line = |key: &str| {
        let mut lines = said.lines().filter(|line| line.starts_with(key));
        let words: Vec<_> = lines.next().unwrap().split_whitespace().collect();
        words.join(" ")
    };
    assert!(
        said.starts_with("user      root\naddress   192.0.2.7\nfile      {tree}/config\n\n"),
        "{said}"
    );
    assert_eq!(line("umask "), "umask 027 {tree}/config:6");
    assert_eq!(line("read-only "), "read-only false {tree}/config:7");
    assert_eq!(line("hide "), "hide a, b {tree}/config:2");
    assert_eq!(line("log-level "), "log-level INFO flag");
    assert_eq!(line("sandbox "), "sandbox auto default");
    assert_eq!(line("no-delete "), "no-delete false default");
    // The columns are straight.
    let settings = said.split("\n\n").nth(1).unwrap();
    let column = settings.lines().next().unwrap().find("  -").unwrap() + 2;
    for line in settings.lines() {
        assert_eq!(line.as_bytes()[column - 1], b' ', "{settings}");
        assert_ne!(line.as_bytes()[column], b' ', "{settings}");
    }
    let other = text(&ground, &check(&ground, &["--address", "192.0.3.7"]));
    assert!(other.contains("\numask "), "{other}");
    assert!(other.contains("{tree}/config:1\n"), "{other}");
}

#[test]
fn json_is_one_object_that_says_the_same() {
    let ground = ground("hide = [\"a\\\"b\\\\\\\\\", \"\\u001b\"]\nroot = \"{tree}/missing\"");
    let finished = check(&ground, &["--json", "-R"]);
    assert_eq!(finished.status.code(), Some(1));
    let script = "import json, sys
said = json.load(sys.stdin)
settings = said['settings']
assert said['user'] == 'root' and said['address'] is None, said
assert said['file'].endswith('/config') and said['exit'] == 1, said
assert settings['hide'] == {'value': ['a\"b\\\\\\\\', '\\x1b'], 'from': 'file', 'line': 1}, settings
assert settings['read-only'] == {'value': True, 'from': 'flag'}, settings
assert settings['umask'] == {'value': None, 'from': 'default'}, settings
assert settings['sandbox'] == {'value': 'auto', 'from': 'default'}, settings
finding = said['findings'][-1]
assert finding['level'] == 'error' and finding['text'].startswith('cannot open the root'), said
assert finding['remedy'] == 'create it, or correct --root', said";
    let dir = Tree::new();
    let answer = dir.file("answer", &finished.stdout);
    let read = Launch::program("python3", &dir).args(["-c", script]);
    let read = read.run(fs::File::open(answer).unwrap(), Stdio::piped());
    assert!(read.status.success(), "{}", read.stderr_text());
    let lines = finished.stdout.iter().filter(|byte| **byte == b'\n');
    assert_eq!(lines.count(), 1);
}

#[test]
fn what_another_rule_covers_is_no_finding() {
    for file in [
        "root = \"{tree}/root\"\nno-overwrite = true\nread-only = true",
        "root = \"{tree}/root\"\nno-overwrite = true\ndrop-box = true",
        // Who repeats the patterns has lost none.
        "root = \"{tree}/root\"\nhide = \"a,b\"\n[[match]]\nhide = [\"b\", \"c\", \"a\"]",
        "root = \"{tree}/root\"\ndeny = []\n[[match]]\ndeny = [\"b\"]",
    ] {
        let ground = ground(file);
        let said = text(&ground, &check(&ground, &[]));
        assert!(!said.contains("warning"), "{file}: {said}");
    }
}

#[test]
fn a_file_that_this_user_may_not_read_is_found_although_root_may() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let ground = ground("read-only = true");
    ground.tree.chmod("config", 0o600);
    assert_eq!(check(&ground, &[]).status.code(), Some(0));
    let finished = check(&ground, &["--user", &account.name]);
    let said = text(&ground, &finished);
    let expected = "\nerror    {tree}/config: cannot open \"{tree}/config\": Permission denied; each user whose session reads it";
    assert!(said.contains(expected), "{said}");
    assert_eq!(finished.status.code(), Some(1));
}

#[test]
fn a_directory_that_this_user_may_enter_alone_is_found() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let user = ["--user", account.name.as_str()];
    let said = |file: &str, mode| {
        let ground = ground(file);
        ground.tree.chmod("root/dir", mode);
        let finished = check(&ground, &user);
        assert_eq!(finished.status.code(), Some(0), "{finished:?}");
        text(&ground, &finished)
    };
    let list = finding(
        "warning",
        "this user may not list \"{tree}/root/dir\", but enter it",
        "allow it (chmod or chgrp, +r), if clients are to list it",
    );
    let write = finding(
        "note",
        "this user may not write in \"{tree}/root/dir\": nothing can be put there",
        "allow it (chown, chgrp or chmod, +w), if it is to take uploads",
    );
    for (file, mode, lists, writes) in [
        ("root = \"{tree}/root/dir\"", 0o711, false, false),
        ("root = \"{tree}/root/dir\"", 0o755, true, false),
        ("root = \"{tree}/root/dir:ro\"", 0o755, true, true),
        (
            "root = \"{tree}/root/dir\"\nread-only = true",
            0o711,
            false,
            true,
        ),
        ("root = \"{tree}/root/dir\"", 0o777, true, true),
        (
            "root = \"{tree}/root:ro\"\nbind = \"/x={tree}/root/dir\"",
            0o711,
            false,
            false,
        ),
    ] {
        let said = said(file, mode);
        assert_eq!(said.contains(&list), !lists, "{file} {mode:o}: {said}");
        assert_eq!(said.contains(&write), !writes, "{file} {mode:o}: {said}");
    }
}

#[test]
fn a_relative_path_begins_where_sshd_starts_that_user() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    account.make_dir(&account.home.join("inbox"));
    let ground = ground("");
    let user = ["--user", account.name.as_str()];
    let root = |user: &[&str]| check(&ground, &[user, &["--root", "inbox"]].concat());
    assert_eq!(root(&user).status.code(), Some(0));
    assert_eq!(root(&[]).status.code(), Some(1));
    let dir = Tree::new();
    let explained = Launch::new(&dir).args(["explain", "--no-config", "put", "x"]);
    let explained = explained.args(user).run(Stdio::null(), Stdio::piped());
    let said = String::from_utf8(explained.stdout).unwrap();
    let path = account.home.join("x");
    assert!(
        said.contains(&format!("{}, nothing, is created", path.display())),
        "{said}"
    );
}

#[test]
fn it_looks_with_the_eyes_of_the_user() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let user = ["--user", account.name.as_str()];
    let ground = ground("root = \"{tree}/root/dir\"");
    let said = |ground: &Ground| text(ground, &check(ground, &user));
    assert!(!said(&ground).contains("error"), "{}", said(&ground));
    ground.tree.chmod("root", 0o700);
    let expected = "\nerror    cannot open the root \"{tree}/root/dir\": Permission denied\n         this user may not enter \"{tree}/root\"; allow it (chmod or chgrp, +x), or choose another directory\n";
    assert!(said(&ground).contains(expected), "{}", said(&ground));
    // Root itself may.
    assert_eq!(check(&ground, &[]).status.code(), Some(0));
}

#[test]
fn tables_for_that_user_and_that_user_s_groups_apply() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    let name = &account.name;
    let ground = ground(&format!(
        "umask = \"001\"\n[[match]]\ngroup = \"{name}\"\numask = \"002\"\nroot = \"%h\"\n"
    ));
    let said = text(&ground, &check(&ground, &["--user", name]));
    assert!(said.contains("{tree}/config:4\n"), "{said}");
    let own = text(&ground, &check(&ground, &[]));
    assert!(own.contains("{tree}/config:1\n"), "{own}");
}

#[test]
fn a_shell_by_which_sshd_starts_nothing_is_found() {
    let place = Place::new();
    let no_shell = place.path().join("no-such-shell");
    let strange = place.path().join("strange");
    fs::copy("/bin/sh", &strange).unwrap();
    for (number, (shell, weight, what)) in [
        (
            "/usr/sbin/nologin",
            "error",
            "the shell is /usr/sbin/nologin: sshd starts a subsystem through it, in vain",
        ),
        (
            "/bin/false",
            "error",
            "the shell is /bin/false: sshd starts a subsystem through it, in vain",
        ),
        (
            no_shell.to_str().unwrap(),
            "error",
            &format!(
                "the shell {} cannot be run: sshd lets nobody in with it",
                no_shell.display()
            ),
        ),
        (
            strange.to_str().unwrap(),
            "warning",
            &format!(
                "the shell {} is not in /etc/shells: pam_shells refuses it",
                strange.display()
            ),
        ),
        (
            "/nowhere/sftp-server",
            "error",
            "the shell /nowhere/sftp-server cannot be run: sshd lets nobody in with it",
        ),
        (
            "/usr/lib/openssh/sftp-server",
            "note",
            "the shell is /usr/lib/openssh/sftp-server: SFTP alone",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let account = Account::new(&place.path().join(format!("home{number}")), shell);
        let ground = ground("");
        let finished = check(&ground, &["--user", &account.name]);
        let said = text(&ground, &finished);
        assert!(said.contains(&format!("\n{weight:7}  {what}\n")), "{said}");
        assert_eq!(
            finished.status.code(),
            Some(i32::from(weight == "error")),
            "{said}"
        );
        if weight == "error" {
            assert!(
                said.contains(&format!("usermod -s /bin/sh {}", account.name)),
                "{said}"
            );
        }
    }
}

#[test]
fn keys_within_the_root_are_found_unless_they_are_hidden() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    account.make_dir(&account.home.join(".ssh"));
    let said = |file: &str| {
        let ground = ground(file);
        text(&ground, &check(&ground, &["--user", &account.name]))
    };
    let read = "lies within the root and can be read";
    let written = "no-protect: the client can write .ssh";
    let open = said("root = \"%h\"");
    assert!(open.contains(read) && !open.contains(written), "{open}");
    assert!(open.contains("hide it (hide = [\".ssh\"])"), "{open}");
    let lifted = said("root = \"%h\"\nno-protect = true");
    assert!(
        lifted.contains(read) && lifted.contains(written),
        "{lifted}"
    );
    let hidden = said("root = \"%h\"\nhide = [\".ssh\"]");
    assert!(!hidden.contains(read), "{hidden}");
    let boxed = said("root = \"%h\"\ndrop-box = true");
    assert!(!boxed.contains(read), "{boxed}");
    let elsewhere = said("root = \"{tree}/root\"");
    assert!(!elsewhere.contains(read), "{elsewhere}");
}

#[test]
fn only_root_looks_with_the_eyes_of_another() {
    let ground = ground("");
    let dir = Tree::new();
    let copy = copy_of(under_test(), &ground.tree);
    let launch = || Launch::program(&copy, &dir).user(65_534, 65_534);
    let run = |launch: Launch| launch.run(Stdio::null(), Stdio::piped());
    let finished = run(launch().args(["check", "--user", "root"]));
    assert_eq!(finished.status.code(), Some(1));
    let said = text(&ground, &finished);
    let expected = finding(
        "error",
        "only root can look with the eyes of another user",
        "run it with sudo",
    );
    assert!(said.contains(&expected), "{said}");
    let explained = run(launch().args(["explain", "--user", "root", "get", "/etc/shadow"]));
    assert_eq!(explained.status.code(), Some(1));
    assert_eq!(explained.stdout, b"");
    assert_eq!(
        explained.stderr_text(),
        "explain: only root can look with the eyes of another user; run it with sudo\n"
    );
    // Oneself, by name: whatever else is found, it is looked for.
    let own = text(&ground, &run(launch().args(["check", "--user", "nobody"])));
    assert!(own.contains("\nsandbox "), "{own}");
}

#[test]
fn it_is_the_first_word_of_the_command_line_and_nothing_else() {
    let dir = Tree::new();
    let ground = Ground::new("");
    let serves = |launch: Launch| {
        let mut server = launch.connect();
        server.call(&request::realpath(".")).name();
    };
    serves(ground.launch(&dir).args(["-c", "check"]));
    serves(ground.launch(&dir).args(["-c", "sftp-server check --json"]));
    serves(ground.launch(&dir).args(["--command=check"]));
    serves(
        ground
            .launch(&dir)
            .env("SSH_ORIGINAL_COMMAND", "sftp-server check"),
    );
    // Behind a flag it is an operand, which OpenSSH drops.
    serves(ground.launch(&dir).args(["-R", "check"]));
    serves(ground.launch(&dir).args(["--", "check"]));
}

#[test]
fn a_flag_that_does_not_exist_is_a_usage_error_and_help_helps() {
    let ground = Ground::new("");
    let finished = check(&ground, &["--roott", "/x"]);
    assert_eq!(finished.status.code(), Some(1));
    assert_eq!(finished.stdout, b"");
    assert!(
        finished.stderr_text().contains("is --root meant?"),
        "{finished:?}"
    );
    let help = check(&ground, &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert_ne!(help.stdout, b"");
}

#[test]
fn colour_is_for_a_terminal_alone() {
    let ground = ground("no-overwrite = true");
    let plain = text(&ground, &check(&ground, &[]));
    assert!(!plain.contains('\x1b'), "{plain}");
    let command = format!(
        "{} check --config {}",
        under_test().display(),
        ground.path()
    );
    let dir = Tree::new();
    let launch = Launch::program("script", &dir).args(["-qec", &command, "/dev/null"]);
    let shown = launch.run(Stdio::null(), Stdio::piped());
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("\x1b[33mwarning\x1b[0m  no-overwrite"),
        "{shown}"
    );
    let command = format!("{} explain --no-config -R put x", under_test().display());
    let launch = Launch::program("script", &dir).args(["-qec", &command, "/dev/null"]);
    let shown = launch.run(Stdio::null(), Stdio::piped()).stdout;
    assert!(
        shown.starts_with(b"\x1b[31mdeny \x1b[0m  put x"),
        "{shown:?}"
    );
    let plain = Launch::new(&dir).args(["explain", "--no-config", "-R", "put", "x"]);
    let plain = plain.run(Stdio::null(), Stdio::piped()).stdout;
    assert!(plain.starts_with(b"deny   put x"), "{plain:?}");
}
