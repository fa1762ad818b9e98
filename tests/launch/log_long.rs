//! Lines with paths that are too long for them: the middle of each goes, and what was done, to which file, with what outcome stays.
//!
//! OpenSSH's lines end in the midst of such a path. A client that pads its paths reads and removes there what the log never names.

use crate::log_lines::stderr_lines;
use crate::support::log::{Line, Syslog};
use crate::support::request::*;
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Packet, Server, Tree, under_test};

/// The lines of a session in a root that is `tree`, on stderr or in syslog.
fn lines(tree: &Tree, syslog: bool, level: &str, play: impl Fn(&mut Server)) -> Vec<String> {
    let root = tree.root().to_str().unwrap();
    let args = ["--root", root, "-l", level];
    if syslog {
        let syslog = Syslog::new();
        let launch = syslog.launch(under_test(), tree.root()).args(args);
        let mut server = launch.connect();
        play(&mut server);
        server.finish();
        let lines = syslog.lines();
        let text = |line: &Vec<u8>| String::from_utf8(Line::parse(line).text).unwrap();
        return lines.iter().map(text).collect();
    }
    let launch = Launch::program(under_test(), tree.root()).args(args);
    let mut server = launch.args(["-e"]).connect();
    play(&mut server);
    stderr_lines(&server.finish().stderr)
}

/// Ways that are too long for a line: one that goes nowhere, twice, one that goes to and fro, one through deep directories.
fn ways(tree: &Tree) -> [String; 4] {
    let deep = format!("/{}", "d".repeat(180)).repeat(7);
    std::fs::create_dir_all(tree.at(&deep[1..])).unwrap();
    tree.dir("x");
    ["/.", "/", "/x/..", &deep].map(|step| step.repeat(1200 / step.len() + 1))
}

/// What is left of a path that ends in `name`.
fn is_cut(line: &str, before: &str, name: &str, after: &str) -> bool {
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    let end = format!("/{name}{after}");
    rest.strip_suffix(&end)
        .or_else(|| rest.strip_suffix(end.strip_prefix('/')?))
        .is_some_and(|middle| middle.starts_with('/') && middle.contains(" bytes...]"))
}

#[test]
fn every_line_about_a_path_names_the_file_and_tells_the_outcome() {
    for syslog in [false, true] {
        let tree = Tree::new();
        for way in ways(&tree) {
            let way = |name: &str| format!("{way}/{name}");
            let lines = lines(&tree, syslog, "VERBOSE", |server| {
                for packet in requests(way) {
                    server.call(&packet);
                }
                let handle = server.open(way("ledger"), pflags::WRITE | pflags::CREAT);
                server.ok(&write(&handle, 0, "12345"));
                server.close(&handle);
                let handle = server.open(way("ledger"), pflags::READ);
                server.call(&read(&handle, 0, 3)).data();
                server.ok(&rename(way("ledger"), way("moved")));
                server.ok(&posix_rename(way("moved"), way("ledger")));
                server.ok(&hardlink(way("ledger"), way("hard")));
                server.ok(&copy_file(way("hard"), way("copy"), 0));
                server.ok(&symlink(way("hard"), way("soft")));
                for name in ["ledger", "hard", "copy", "soft"] {
                    server.ok(&remove(way(name)));
                }
                server.ok(&mkdir(way("made"), &Attrs::NONE.permissions(0o750)));
                server.opendir(way("made"));
                server.ok(&rmdir(way("made")));
            });
            let has = |before: &str, name: &str, after: &str| {
                let found = lines.iter().any(|line| is_cut(line, before, name, after));
                assert!(found, "{before}…{name}{after} in {lines:#?}");
            };
            has("open \"", "ledger", "\" flags WRITE,CREATE mode 0666");
            has("open \"", "ledger", "\" flags READ mode 0666");
            has("close \"", "ledger", "\" bytes read 0 written 5");
            has("forced close \"", "ledger", "\" bytes read 3 written 0");
            has("mkdir name \"", "made", "\" mode 0750");
            has("forced closedir \"", "made", "\"");
            for what in ["opendir", "rmdir name"] {
                has(&format!("{what} \""), "made", "\"");
            }
            has("remove name \"", "ledger", "\"");
            for what in ["stat", "lstat", "readlink", "statvfs"] {
                let known = ["statvfs \"", "stat name \"", "lstat name \"", "readlink \""];
                let before = known.iter().find(|known| known.starts_with(what)).unwrap();
                has(before, "absent", "\"");
            }
            for attribute in [
                "size 5",
                "mode 0600",
                "modtime 20010909-01:46:40",
                "owner 7 group 8",
            ] {
                has("set \"", "absent", &format!("\" {attribute}"));
            }
            let transfers = lines.iter().filter(|line| line.starts_with("transfer \""));
            let transfers: Vec<_> = transfers.collect();
            assert_eq!(transfers.len(), 2, "{lines:#?}");
            for (line, outcome) in transfers.iter().zip([
                "ledger\" upload complete bytes 5 seconds ",
                "ledger\" download aborted bytes 3 seconds ",
            ]) {
                assert!(line.contains(outcome), "{line}");
            }
            for (what, old, new) in [
                ("rename", "ledger", "moved"),
                ("posix-rename", "moved", "ledger"),
                ("hardlink", "ledger", "hard"),
                ("symlink", "hard", "soft"),
                ("copy-file", "hard", "copy"),
            ] {
                let old = format!("{old}\" new \"/");
                let found = lines.iter().any(|line| {
                    line.split_once(&old).is_some_and(|(before, after)| {
                        is_cut(&format!("{before}/x"), &format!("{what} old \""), "x", "")
                            && is_cut(&format!("/{after}"), "", new, "\"")
                    })
                });
                assert!(found, "{what} in {lines:#?}");
            }
            let limit = if syslog { 500 } else { 1021 };
            for line in &lines {
                assert!(line.len() <= limit, "{line}");
            }
        }
    }
}

/// Requests of which nothing comes but a line.
fn requests(way: impl Fn(&str) -> String) -> Vec<Packet> {
    let attrs = Attrs::NONE
        .size(5)
        .owner(7, 8)
        .permissions(0o600)
        .times(1_000_000_000, 1_000_000_000);
    vec![
        stat(way("absent")),
        lstat(way("absent")),
        readlink(way("absent")),
        statvfs(way("absent")),
        setstat(way("absent"), &attrs),
    ]
}

#[test]
fn a_name_of_the_longest_kind_stays_whole_in_every_alphabet() {
    // 255 bytes, which the log writes as 1020: with two of them a line is longer than OpenSSH's.
    let name = "\u{6587}".repeat(85);
    let escaped = r"\346\226\207".repeat(85);
    for syslog in [false, true] {
        let tree = Tree::new();
        let lines = lines(&tree, syslog, "INFO", |server| {
            let handle = server.open(&name, pflags::WRITE | pflags::CREAT);
            server.close(&handle);
            let other = format!("{}/{name}", "/.".repeat(300));
            server.code(&rename(&name, other));
        });
        let expected = [
            format!("open \"{escaped}\" flags WRITE,CREATE mode 0666"),
            format!("close \"{escaped}\" bytes read 0 written 0"),
            format!("transfer \"{escaped}\" upload complete bytes 0 seconds "),
        ];
        for expected in expected {
            let found = lines.iter().any(|line| line.starts_with(&expected));
            assert!(found, "{expected} in {lines:#?}");
        }
        let renamed = lines.iter().find(|line| line.starts_with("rename "));
        let renamed = renamed.unwrap_or_else(|| panic!("{lines:#?}"));
        let old = format!("rename old \"{escaped}\" new \"/[");
        assert!(renamed.starts_with(&old), "{renamed}");
        assert!(renamed.ends_with(&format!("]{escaped}\"")), "{renamed}");
        assert!(renamed.len() < 2400, "a logger takes so much");
    }
}

#[test]
fn what_follows_a_directory_s_name_does_not_hide_it() {
    let tree = Tree::new();
    tree.dir("secret");
    let path = [&b"/./".repeat(200)[..], b"secret", &b"/.".repeat(400)].concat();
    for syslog in [false, true] {
        let lines = lines(&tree, syslog, "INFO", |server| {
            server.opendir(&path);
        });
        let line = lines.iter().find(|line| line.starts_with("opendir "));
        let line = line.unwrap_or_else(|| panic!("{lines:#?}"));
        assert!(line.contains("]secret/[") && line.ends_with("\""), "{line}");
    }
}

#[test]
fn no_name_holds_what_tells_that_some_was_left_out() {
    let tree = Tree::new();
    let forged = r"a[\...1000 bytes...]z";
    let lines = lines(&tree, false, "VERBOSE", |server| {
        server.call(&stat(forged));
    });
    let line = lines.iter().find(|line| line.starts_with("stat name "));
    assert_eq!(line.unwrap(), r#"stat name "a[\\...1000 bytes...]z""#);
}

#[test]
fn complaints_and_refused_commands_keep_both_ends() {
    let long = "x".repeat(3000);
    let tree = Tree::new();
    let syslog = |args: &[&str], command: Option<&str>| {
        let syslog = Syslog::new();
        let launch = syslog.launch(under_test(), tree.root()).args(args);
        let launch = match command {
            Some(command) => launch.env("SSH_ORIGINAL_COMMAND", command),
            None => launch,
        };
        launch.start().finish();
        let lines = syslog.lines();
        let text = |line: &Vec<u8>| String::from_utf8(Line::parse(line).text).unwrap();
        lines.iter().map(text).collect::<Vec<_>>()
    };
    let refused = syslog(&["-l", "INFO"], Some(&format!("run {long} end")));
    let line = refused.iter().find(|line| line.starts_with("not an "));
    let line = line.unwrap_or_else(|| panic!("{refused:#?}"));
    assert!(line.starts_with("not an SFTP session: \"run x"), "{line}");
    assert!(line.ends_with("x end\""), "{line}");
    assert!(line.len() <= 500, "{line}");
    let root = format!("/{long}/root");
    let failed = syslog(&["--root", &root], None);
    let [line] = &failed[..] else {
        panic!("{failed:#?}")
    };
    assert!(
        line.starts_with("error: cannot open the root \"/x"),
        "{line}"
    );
    assert!(
        line.ends_with("/root\": File name too long; correct --root"),
        "{line}"
    );
    assert!(line.len() <= 500, "{line}");
}

#[test]
fn a_failed_read_names_the_file_by_its_end() {
    // OpenSSH shows the first 100 bytes of the path.
    let tree = Tree::new();
    tree.dir("dir");
    for (way, cut) in [("/.".repeat(100), false), ("/.".repeat(1000), true)] {
        let way = format!("{way}/dir");
        let lines = lines(&tree, false, "ERROR", |server| {
            let handle = server.open(&way, pflags::READ);
            server.call(&read(&handle, 0, 5)).code();
        });
        let [line] = &lines[..] else {
            panic!("{lines:#?}")
        };
        assert!(line.starts_with("process_read: read \"/"), "{line}");
        assert!(line.ends_with("dir\": Is a directory"), "{line}");
        assert_eq!(line.contains(" bytes...]"), cut, "{line}");
    }
}
