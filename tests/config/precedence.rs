//! Whose value wins, and what never configures anything.

use std::process::Stdio;

use crate::ground::Ground;
use crate::support::request;
use crate::support::wire::Attrs;
use crate::support::{Launch, Server, Tree};

/// The mode of a directory that this session makes: what the umask was.
#[track_caller]
fn umask(launch: Launch, dir: &Tree) -> u32 {
    let mut server = launch.connect();
    let attrs = Attrs::NONE.permissions(0o777);
    server.ok(&request::mkdir("made", &attrs));
    let mode = dir.mode("made");
    server.ok(&request::rmdir("made"));
    0o777 & !mode
}

fn can_write(server: &mut Server) -> bool {
    let made = server.code(&request::mkdir("d", &Attrs::NONE)) == 0;
    if made {
        server.ok(&request::rmdir("d"));
    }
    made
}

const THREE: &str = r#"
umask = "001"
[[match]]
user = "nobody-has-this-name"
umask = "002"
[[match]]
user = "root"
umask = "003"
[[match]]
umask = "004"
"#;

#[test]
fn a_flag_beats_a_matching_table_and_the_first_of_these_beats_the_top_level() {
    let dir = Tree::new();
    let ground = Ground::new(THREE);
    assert_eq!(umask(ground.launch(&dir), &dir), 0o003);
    assert_eq!(umask(ground.launch(&dir).args(["-u", "005"]), &dir), 0o005);
    let launch = ground.launch(&dir).args(["--umask=006"]);
    assert_eq!(umask(launch, &dir), 0o006);
    let ground = Ground::new(THREE.replace("root", "nobody-*"));
    assert_eq!(umask(ground.launch(&dir), &dir), 0o004);
    let top = THREE
        .replace("root", "nobody-*")
        .replace("[[match]]\numask = \"004\"", "[[match]]\nread-only = false");
    assert_eq!(umask(Ground::new(top).launch(&dir), &dir), 0o001);
}

#[test]
fn keys_are_decided_one_by_one() {
    let dir = Tree::new();
    let ground = Ground::new("umask = \"011\"\nread-only = true\n[[match]]\nread-only = false\n");
    assert_eq!(umask(ground.launch(&dir), &dir), 0o011);
}

#[test]
fn false_is_a_decision() {
    let dir = Tree::new();
    let ground = Ground::new("read-only = true\n[[match]]\nuser = \"root\"\nread-only = false\n");
    assert!(can_write(&mut ground.server(&dir)));
    let ground = Ground::new("read-only = false\n[[match]]\nuser = \"root\"\nread-only = true\n");
    assert!(!can_write(&mut ground.server(&dir)));
    // A flag that was typed holds.
    let ground = Ground::new("read-only = false\n");
    assert!(!can_write(&mut ground.launch(&dir).args(["-R"]).connect()));
}

#[test]
fn lists_are_not_merged() {
    let dir = Tree::new();
    for name in ["a", "b", "c"] {
        dir.file(name, "");
    }
    let ground = Ground::new("hide = [\"a\"]\n[[match]]\nhide = [\"b\"]\n");
    let sees = |launch: Launch| {
        let mut server = launch.connect();
        let mut names: Vec<_> = server
            .list(".")
            .into_iter()
            .map(|name| String::from_utf8(name.filename).unwrap())
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        names.concat()
    };
    assert_eq!(sees(ground.launch(&dir)), "ac");
    assert_eq!(sees(ground.launch(&dir).args(["--hide", "c"])), "ab");
    let ground = Ground::new("hide = [\"a\"]\n[[match]]\nhide = []\n");
    assert_eq!(sees(ground.launch(&dir)), "abc");
}

#[test]
fn lists_of_requests_in_several_places_are_not_fatal() {
    let dir = Tree::new();
    let ground = Ground::new(
        "deny-requests = \"stat\"\n[[match]]\ndeny-requests = [\"mkdir\", \"rmdir\"]\n",
    );
    let mut server = ground.server(&dir);
    assert_eq!(server.code(&request::mkdir("d", &Attrs::NONE)), 3);
    server.call(&request::stat(".")).attrs();
    let mut server = ground.launch(&dir).args(["-P", "lstat"]).connect();
    server.ok(&request::mkdir("d", &Attrs::NONE));
    // Typed twice, it is as fatal as ever.
    let launch = ground.launch(&dir).args(["-P", "lstat", "-P", "stat"]);
    let finished = launch.run(Stdio::null(), Stdio::piped());
    assert_eq!(finished.status.code(), Some(255));
    assert_eq!(
        finished.stderr_text().trim(),
        "Refused requests already set; give the flag once, with commas between the requests"
    );
}

#[test]
fn a_value_of_the_file_can_need_one_that_was_typed() {
    let dir = Tree::new();
    let ground = Ground::new("bind = \"/there=/usr:ro\"\n");
    let launch = ground.launch(&dir).arg("--root").arg(dir.root());
    let mut server = launch.connect();
    server.call(&request::stat("/there/bin")).attrs();
}

#[test]
fn no_config_reads_none_and_config_takes_the_default_s_place() {
    let dir = Tree::new();
    let ground = Ground::new("umask = \"011\"");
    ground.tree.file("sftp_server.toml", "umask = \"012\"");
    let outside = Ground::new("umask = \"013\"");
    assert_eq!(umask(ground.default(&dir), &dir), 0o012);
    let launch = ground.default(&dir).arg("--config").arg(outside.config());
    assert_eq!(umask(launch, &dir), 0o013);
    let launch = ground.default(&dir).args(["--no-config", "-u", "014"]);
    assert_eq!(umask(launch, &dir), 0o014);
    let both = ground.launch(&dir).args(["--no-config"]);
    let both = both.run(Stdio::null(), Stdio::piped());
    assert_eq!(both.status.code(), Some(1));
}

#[test]
fn what_follows_c_configures_nothing_and_the_default_file_does() {
    let dir = Tree::new();
    let ground = Ground::new("umask = \"011\"");
    ground
        .tree
        .file("sftp_server.toml", "umask = \"012\"\nread-only = false");
    let outside = Ground::new("umask = \"013\"");
    let commands = [
        "sftp-server".to_owned(),
        "sftp-server -l INFO".to_owned(),
        "sftp-server --no-config".to_owned(),
        "sftp-server -u 014 -R".to_owned(),
        format!("sftp-server --config {}", outside.path()),
        "sftp-server check".to_owned(),
        "sftp-server explain open /x".to_owned(),
    ];
    for (number, command) in commands.iter().enumerate() {
        // What could be a forced command's that means something is refused behind -c.
        let shell = [["-c", command], ["--command", command]];
        for words in shell.iter().filter(|_| number > 1) {
            let launch = ground.default(&dir).args(words);
            let finished = launch.run(Stdio::null(), Stdio::piped());
            assert_eq!(finished.status.code(), Some(1), "{command}");
            assert_eq!(finished.stdout, b"", "{command}");
        }
        for words in shell.iter().filter(|_| number < 2) {
            let launch = ground.default(&dir).args(words);
            assert_eq!(umask(launch, &dir), 0o012, "{command}");
        }
        // Words of their own, and the other door.
        let launch = ground.default(&dir).args(["-c"]).args(command.split(' '));
        assert_eq!(umask(launch, &dir), 0o012, "{command}");
        let launch = ground.default(&dir).env("SSH_ORIGINAL_COMMAND", command);
        assert_eq!(umask(launch, &dir), 0o012, "{command}");
    }
}

#[test]
fn what_prints_and_ends_reads_no_file() {
    let dir = Tree::new();
    let ground = Ground::new("this is no TOML");
    for flags in [&["--help"][..], &["--version"], &["-Q", "requests"]] {
        let launch = ground.launch(&dir).args(flags);
        let finished = launch.run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(0), "{flags:?}");
        assert_ne!(finished.stdout, b"", "{flags:?}");
    }
}

#[test]
fn the_path_of_the_file_may_have_tokens() {
    let dir = Tree::new();
    let ground = Ground::new("umask = \"011\"");
    ground.tree.file("0", "umask = \"012\"");
    let path = format!("{}/%U", ground.tree.root().display());
    assert_eq!(
        umask(Launch::new(&dir).args(["--config", &path]), &dir),
        0o012
    );
}

#[test]
fn a_relative_path_begins_in_the_working_directory() {
    let ground = Ground::new("umask = \"011\"");
    let launch = Launch::new(&ground.tree).args(["--config", "config"]);
    assert_eq!(umask(launch, &ground.tree), 0o011);
}

#[test]
fn what_fails_at_the_start_is_told_in_one_line_whatever_was_quoted() {
    let dir = Tree::new();
    let ground = Ground::new("root = \"\"\"/srv/\n\\u001b\"\"\"");
    assert_eq!(
        ground.refusal(ground.launch(&dir)),
        "sftp-server: cannot open the root \"/srv/\\n\\u{1b}\": No such file or directory; create it, or correct --root"
    );
}
