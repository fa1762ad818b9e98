//! ssh2 for Node, mostly by ssh2-sftp-client. A name is a JavaScript string to it: UTF-8 and nothing else.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::ground::*;
use crate::script::{Client::Ssh2, Script, sorted};
use crate::support::server::is_openssh;

/// The odd names that are UTF-8.
fn names() -> Vec<String> {
    odd_names()
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .collect()
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let mut script = Script::new();
    for length in LENGTHS {
        let local = ground.keep(format!("{length}"), &data(length as u64, length));
        let (there, fast) = (
            ground.remote.join(format!("{length}")),
            ground.remote.join(format!("{length}.fast")),
        );
        let (back, fast_back) = (
            ground.local.join(format!("{length}.back")),
            ground.local.join(format!("{length}.fast")),
        );
        script = script
            .then("put", &[&local, &there])
            .then("fast-put", &[&local, &fast])
            .then("get", &[&there, &back])
            .then("fast-get", &[&fast, &fast_back]);
    }
    script.play(&ground, Ssh2);
    for length in LENGTHS {
        let bytes = data(length as u64, length);
        for copy in [
            ground.remote.join(format!("{length}")),
            ground.remote.join(format!("{length}.fast")),
            ground.local.join(format!("{length}.back")),
            ground.local.join(format!("{length}.fast")),
        ] {
            assert_bytes(&copy, &bytes);
        }
    }
}

#[test]
fn transfers_are_resumed_and_appended() {
    let ground = Ground::new();
    let whole = data(90, 1_000_000);
    let mut marked = whole.clone();
    marked[..400_000].fill(b'#');
    let (here, there) = (
        ground.keep("up", &whole),
        ground.plant("up", &marked[..400_000]),
    );
    let (source, part) = (
        ground.plant("down", &whole),
        ground.keep("down", &marked[..400_000]),
    );
    let (log, more) = (
        ground.plant("log", b"first, "),
        ground.keep("more", b"second"),
    );
    Script::new()
        .then("resume-put", &[&here, &there])
        .then("resume-get", &[&source, &part])
        .then("append", &[&more, &log])
        .play(&ground, Ssh2);
    assert_bytes(&there, &marked);
    assert_bytes(&part, &marked);
    assert_bytes(&log, b"first, second");
}

#[test]
fn only_posix_rename_replaces() {
    let ground = Ground::new();
    let (old, new) = (ground.plant("old", b"old"), ground.plant("new", b"new"));
    let said = Script::new()
        .then("rename", &[&old, &new])
        .refused(&ground, Ssh2);
    assert!(said.contains("Failure"), "{said}");
    assert_bytes(&new, b"new");
    Script::new()
        .then("posix-rename", &[&old, &new])
        .play(&ground, Ssh2);
    assert_bytes(&new, b"old");
    assert!(!old.exists());
}

#[test]
fn trees_are_carried_both_ways_with_odd_names() {
    let ground = Ground::new();
    let (tree, to, back) = (
        ground.local.join("tree"),
        ground.remote.join("to"),
        ground.local.join("back"),
    );
    grow_tree(&tree, &names());
    Script::new()
        .then("put-dir", &[&tree, &to])
        .then("get-dir", &[&to, &back])
        .play(&ground, Ssh2);
    assert_same_tree(&to, &tree, NEITHER);
    assert_same_tree(&back, &tree, NEITHER);
}

#[test]
fn odd_names_are_put_renamed_listed_and_removed() {
    let ground = Ground::new();
    let mut script = Script::new();
    let passing = ground.remote.join("passing");
    for name in names() {
        let (local, there) = (
            ground.keep(&name, name.as_bytes()),
            ground.remote.join(&name),
        );
        let gone = ground.plant(format!("gone {name}"), b"");
        script = script
            .then("put", &[&local, &there])
            .then("rename", &[&there, &passing])
            .then("rename", &[&passing, &there])
            .then("remove", &[&gone]);
    }
    let listed = script.then("list", &[&ground.remote]).play(&ground, Ssh2);
    assert_eq!(sorted(listed), sorted(names()));
    for name in names() {
        assert_bytes(&ground.remote.join(&name), name.as_bytes());
    }
}

#[test]
fn attributes_links_and_directories_are_changed() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(91, 10_000));
    let (soft, hard, deep) = (
        ground.remote.join("soft"),
        ground.remote.join("hard"),
        ground.remote.join("a/b/c"),
    );
    let gone = ground.remote.join("gone");
    grow_tree(&gone, &names());
    ground.give(&gone);
    let answers = Script::new()
        .then("truncate", &[Path::new("1234"), &file])
        .then("chmod", &[Path::new("751"), &file])
        .then("utimes", &[Path::new("1000000007"), &file])
        .then("symlink", &[Path::new("some where"), &soft])
        .then("link", &[&file, &hard])
        .then("readlink", &[&soft])
        .then("mkdir", &[&deep])
        .then("rmdir", &[&gone])
        .then("realpath", &[&deep.join("../..")])
        .then("exists", &[&file])
        .then("exists", &[&gone])
        .play(&ground, Ssh2);
    // The atime first: to read the file would move it.
    assert_mode(&file, 0o751);
    assert_mtime(&file, 1_000_000_007);
    assert_eq!(fs::metadata(&file).unwrap().atime(), 1_000_000_007 + 86_400);
    assert_bytes(&file, &data(91, 10_000)[..1234]);
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("some where"));
    assert_eq!(
        fs::metadata(&hard).unwrap().ino(),
        fs::metadata(&file).unwrap().ino()
    );
    assert!(deep.is_dir() && !gone.exists());
    assert_eq!(
        answers,
        [
            "some where",
            seen(ground.remote.join("a")).to_str().unwrap(),
            "-",
            "false"
        ]
    );
}

#[test]
fn a_copy_is_made_on_the_server_and_a_file_is_synced() {
    let ground = Ground::new();
    let bytes = data(92, 3_000_000);
    let (file, copy, synced) = (
        ground.plant("file", &bytes),
        ground.remote.join("copy"),
        ground.plant("synced", b"xxxxxx..."),
    );
    Script::new()
        .then("copy-data", &[&file, &copy])
        .then("fsync", &[&synced])
        .play(&ground, Ssh2);
    assert_bytes(&copy, &bytes);
    assert_bytes(&synced, b"synced...");
}

#[test]
fn a_thousand_files_are_listed_by_name_and_at_length() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    let listed = Script::new().then("list", &[&dir]).play(&ground, Ssh2);
    assert_eq!(sorted(listed), sorted(names));
    let long = Script::new().then("long-list", &[&dir]).play(&ground, Ssh2);
    let user = &ground.sshd.account().name;
    assert!(
        long.iter()
            .all(|line| line.to_str().unwrap().contains(user.as_str())),
        "{:?}",
        long[0]
    );
}

#[test]
fn the_file_system_is_described_as_stat_describes_it() {
    let ground = Ground::new();
    let answers = Script::new()
        .then("statvfs", &[&ground.remote])
        .play(&ground, Ssh2);
    let host = succeed(
        Command::new("stat")
            .args(["--file-system", "--format=%b %S %c %l"])
            .arg(&ground.remote),
    );
    assert_eq!(
        answers[0].to_str().unwrap(),
        String::from_utf8(host.stdout).unwrap().trim()
    );
}

#[test]
fn a_request_that_ssh2_spoils_does_not_end_the_session() {
    // Its expand-path writes the path's length into the extension's name (1.17.0): a name with NUL bytes. OpenSSH's server
    // leaves ("bad message"); ours refuses that request and goes on, on purpose.
    let ground = Ground::new();
    let script = Script::new()
        .then("expand", &[Path::new("~/x")])
        .then("realpath", &[&ground.remote]);
    if is_openssh() {
        let said = script.refused(&ground, Ssh2);
        assert!(said.contains("No response from server"), "{said}");
    } else {
        let answers = script.play(&ground, Ssh2);
        assert_eq!(answers[1], seen(&ground.remote));
        let refusal = answers[0].to_str().unwrap();
        assert!(
            refusal.contains("Bad message") || refusal.contains("Operation unsupported"),
            "{refusal}"
        );
    }
}
