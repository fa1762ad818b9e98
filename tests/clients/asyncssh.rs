//! asyncssh: it asks for version 6, keeps many requests under way, and takes names as bytes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::ground::*;
use crate::script::{Client::Asyncssh, Script, sorted};

/// In a tree asyncssh itself refuses a name with a backslash.
fn tree_names() -> Vec<OsString> {
    odd_names()
        .into_iter()
        .filter(|name| !name.as_encoded_bytes().contains(&b'\\'))
        .collect()
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let mut script = Script::new();
    for length in LENGTHS {
        let local = ground.keep(format!("{length}"), &data(length as u64, length));
        let (there, back) = (
            ground.remote.join(format!("{length}")),
            ground.local.join(format!("{length}.back")),
        );
        script = script
            .then("put", &[&local, &there])
            .then("get", &[&there, &back]);
    }
    script.play(&ground, Asyncssh);
    for length in LENGTHS {
        assert_bytes(
            &ground.remote.join(format!("{length}")),
            &data(length as u64, length),
        );
        assert_bytes(
            &ground.local.join(format!("{length}.back")),
            &data(length as u64, length),
        );
    }
}

#[test]
fn forty_uploads_at_the_same_time_do_not_mix() {
    let ground = Ground::new();
    let bytes = data(80, 400_000);
    Script::new()
        .then(
            "concurrently",
            &[&ground.keep("file", &bytes), &ground.remote],
        )
        .play(&ground, Asyncssh);
    for number in 0..40 {
        assert_bytes(&ground.remote.join(format!("{number}")), &bytes);
    }
}

#[test]
fn transfers_are_resumed_and_appended() {
    let ground = Ground::new();
    let whole = data(81, 1_000_000);
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
        .play(&ground, Asyncssh);
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
        .refused(&ground, Asyncssh);
    assert!(said.contains("SFTPFailure: Failure"), "{said}");
    assert_bytes(&new, b"new");
    Script::new()
        .then("posix-rename", &[&old, &new])
        .play(&ground, Asyncssh);
    assert_bytes(&new, b"old");
    assert!(!old.exists());
}

#[test]
fn trees_are_carried_both_ways_with_odd_names_modes_and_times() {
    let ground = Ground::new();
    let (tree, to, back) = (
        ground.local.join("tree"),
        ground.remote.join("to"),
        ground.local.join("back"),
    );
    grow_tree(&tree, &tree_names());
    Script::new()
        .then("keep-tree", &[&tree, &to])
        .then("fetch-tree", &[&to, &back])
        .play(&ground, Asyncssh);
    assert_same_tree(&to, &tree, MODES_AND_TIMES);
    assert_same_tree(&back, &tree, MODES_AND_TIMES);
}

#[test]
fn trees_are_carried_both_ways_with_links() {
    // Without modes and times: asyncssh would set a link's own mode, which Linux cannot do.
    let ground = Ground::new();
    let (tree, to, back) = (
        ground.local.join("tree"),
        ground.remote.join("to"),
        ground.local.join("back"),
    );
    grow_tree(&tree, &tree_names());
    grow_links(&tree);
    Script::new()
        .then("put-tree", &[&tree, &to])
        .then("get-tree", &[&to, &back])
        .play(&ground, Asyncssh);
    assert_same_tree(&to, &tree, NEITHER);
    assert_same_tree(&back, &tree, NEITHER);
}

#[test]
fn odd_names_are_renamed_listed_and_removed() {
    let ground = Ground::new();
    let mut script = Script::new();
    let passing = ground.remote.join("passing");
    for name in odd_names() {
        let mut gone = OsString::from("gone ");
        gone.push(&name);
        let (there, gone) = (ground.plant(&name, b""), ground.plant(gone, b""));
        script = script
            .then("rename", &[&there, &passing])
            .then("rename", &[&passing, &there])
            .then("remove", &[&gone]);
    }
    let listed = script
        .then("list", &[&ground.remote])
        .play(&ground, Asyncssh);
    assert_eq!(sorted(listed), sorted(odd_names()));
}

#[test]
fn attributes_links_and_directories_are_changed() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(82, 10_000));
    let (soft, hard, deep) = (
        ground.remote.join("soft"),
        ground.remote.join("hard"),
        ground.remote.join("a/b/c"),
    );
    let gone = ground.remote.join("gone");
    grow_tree(&gone, &tree_names());
    grow_links(&gone);
    ground.give(&gone);
    let answers = Script::new()
        .then("truncate", &[Path::new("1234"), &file])
        .then("chmod", &[Path::new("751"), &file])
        .then("utime", &[Path::new("1000000007"), &file])
        .then("symlink", &[Path::new("some where"), &soft])
        .then("link", &[&file, &hard])
        .then("readlink", &[&soft])
        .then("makedirs", &[&deep])
        .then("rmtree", &[&gone])
        .then("realpath", &[&deep.join("../..")])
        .play(&ground, Asyncssh);
    // The atime first: to read the file would move it.
    assert_mode(&file, 0o751);
    assert_mtime(&file, 1_000_000_007);
    assert_eq!(fs::metadata(&file).unwrap().atime(), 1_000_000_007 + 86_400);
    assert_bytes(&file, &data(82, 10_000)[..1234]);
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("some where"));
    assert_eq!(
        fs::metadata(&hard).unwrap().ino(),
        fs::metadata(&file).unwrap().ino()
    );
    assert!(deep.is_dir() && !gone.exists());
    assert_eq!(
        answers,
        [Path::new("some where"), &seen(ground.remote.join("a"))]
    );
}

#[test]
fn a_copy_is_made_on_the_server_and_a_file_is_synced() {
    let ground = Ground::new();
    let bytes = data(83, 3_000_000);
    let (file, copy, synced) = (
        ground.plant("file", &bytes),
        ground.remote.join("copy"),
        ground.plant("synced", b"xxxxxx..."),
    );
    Script::new()
        .then("copy", &[&file, &copy])
        .then("fsync", &[&synced])
        .play(&ground, Asyncssh);
    assert_bytes(&copy, &bytes);
    assert_bytes(&synced, b"synced...");
}

#[test]
fn a_thousand_files_are_listed_and_matched() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    let listed = Script::new().then("list", &[&dir]).play(&ground, Asyncssh);
    assert_eq!(sorted(listed), sorted(&names));
    let long = Script::new()
        .then("long-list", &[&dir])
        .play(&ground, Asyncssh);
    assert_eq!(long.len(), 1002);
    let matched = Script::new()
        .then("glob", &[&dir.join("12*")])
        .play(&ground, Asyncssh);
    let expected: Vec<_> = names[120..130]
        .iter()
        .map(|name| seen(dir.join(name)).into_os_string())
        .collect();
    assert_eq!(sorted(matched), expected);
}

#[test]
fn the_file_system_is_described_as_stat_describes_it() {
    let ground = Ground::new();
    let answers = Script::new()
        .then("statvfs", &[&ground.remote])
        .play(&ground, Asyncssh);
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
