//! `check`: what it prints of the settings, and what it finds wrong, each with its remedy.

use std::fs;
use std::process::Stdio;

use crate::ground::Ground;
use crate::support::request;
use crate::support::sshd::{Account, Place};
use crate::support::{Finished, Launch, Tree, under_test};
use crate::wrong::WRONG;

/// What `check` says with this file and these flags; `{tree}` is where the file stands.
#[track_caller]
pub(crate) fn check(ground: &Ground, args: &[&str]) -> Finished {
    let tree = ground.tree.root().to_str().unwrap();
    let dir = Tree::new();
    Launch::new(&dir)
        .args(["check", "--config"])
        .arg(ground.config())
        .args(args.iter().map(|arg| arg.replace("{tree}", tree)))
        .run(Stdio::null(), Stdio::piped())
}

pub(crate) fn text(ground: &Ground, finished: &Finished) -> String {
    assert_eq!(finished.stderr, b"", "{finished:?}");
    let text = String::from_utf8(finished.stdout.clone()).unwrap();
    text.replace(ground.tree.root().to_str().unwrap(), "{tree}")
}

/// A file that says `text`, with `{tree}` for where it stands.
pub(crate) fn ground(text: &str) -> Ground {
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
pub(crate) fn finding(weight: &str, what: &str, remedy: &str) -> String {
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
    // What holds where nobody says anything.
    assert_eq!(line("log-facility "), "log-facility AUTH default");
    assert_eq!(line("idle-timeout "), "idle-timeout none default");
    assert_eq!(line("allow-requests "), "allow-requests all default");
    let handles = line("max-handles ");
    let number = handles.split(' ').nth(2).unwrap();
    assert!(
        number.parse::<u32>().is_ok_and(|number| number > 1),
        "{handles}"
    );
    assert!(handles.ends_with(" (RLIMIT_NOFILE) default"), "{handles}");
    // The columns are straight.
    let settings = said.split("\n\n").nth(1).unwrap();
    let column = settings.lines().next().unwrap().find("  where").unwrap() + 2;
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
assert said['defaults']['umask'].endswith(', inherited') and said['defaults']['log-level'] == 'ERROR', said
assert 'hide' not in said['defaults'] and said['filesystems'] == [], said
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
fn it_is_the_first_word_of_the_command_line_and_nothing_else() {
    let dir = Tree::new();
    let ground = Ground::new("");
    let serves = |launch: Launch| {
        let mut server = launch.connect();
        server.call(&request::realpath(".")).name();
    };
    serves(ground.launch(&dir).args(["-c", "check"]));
    let refused = ground.launch(&dir).args(["-c", "sftp-server check --json"]);
    let refused = refused.run(Stdio::null(), Stdio::piped());
    assert_eq!(refused.stdout, b"", "no answer, and no session");
    serves(ground.launch(&dir).args(["--command=check"]));
    serves(
        ground
            .launch(&dir)
            .env("SSH_ORIGINAL_COMMAND", "sftp-server check"),
    );
    // Behind a flag it is a word that is no option.
    for flag in ["-R", "--"] {
        let refused = ground.launch(&dir).args([flag, "check"]);
        let refused = refused.run(Stdio::null(), Stdio::piped());
        assert_eq!(refused.stdout, b"", "{flag}: no answer, and no session");
    }
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
