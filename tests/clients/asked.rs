//! What each of the little-used clients is asked, by the script that drives it; what is its own stands in its file.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::ground::*;
use crate::script::{Client, Script, sorted};

/// The odd names that are UTF-8.
pub(crate) fn utf8_names() -> Vec<OsString> {
    odd_names()
        .into_iter()
        .filter(|name| name.to_str().is_some())
        .collect()
}

/// What is put, and what is got of it, is byte for byte the same at every length.
#[track_caller]
pub(crate) fn to_carry_every_length(ground: &Ground, client: Client) {
    let mut script = Script::new();
    let name = |length: usize| ground.remote.join(format!("{length}"));
    let back = |length: usize| ground.local.join(format!("{length}.back"));
    for length in LENGTHS {
        let local = ground.keep(format!("{length}"), &data(length as u64, length));
        script = script
            .then("put", &[&local, &name(length)])
            .then("get", &[&name(length), &back(length)]);
    }
    // Over a longer file: nothing of that stays.
    let (long, short) = (
        ground.plant("long", &data(305, 40_000)),
        ground.local.join("1"),
    );
    script.then("put", &[&short, &long]).play(ground, client);
    for length in LENGTHS {
        let bytes = data(length as u64, length);
        assert_bytes(&name(length), &bytes);
        assert_bytes(&back(length), &bytes);
    }
    assert_bytes(&long, &data(1, 1));
}

/// What is there already is kept, and the rest comes behind it.
#[track_caller]
pub(crate) fn to_resume(ground: &Ground, client: Client) {
    let whole = data(300, 1_000_000);
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
    Script::new()
        .then("resume-put", &[&here, &there])
        .then("resume-get", &[&source, &part])
        .play(ground, client);
    assert_bytes(&there, &marked);
    assert_bytes(&part, &marked);
}

/// A file grows by what is appended, twice.
#[track_caller]
pub(crate) fn to_append(ground: &Ground, client: Client) {
    let more = data(304, 100_000);
    let (log, source) = (ground.plant("log", b"first, "), ground.keep("more", &more));
    Script::new()
        .then("append", &[&source, &log])
        .then("append", &[&source, &log])
        .play(ground, client);
    assert_bytes(&log, &[b"first, ", &more[..], &more[..]].concat());
}

/// Names are put, renamed, got, listed and removed, each as the bytes that it is.
#[track_caller]
pub(crate) fn to_name_things(ground: &Ground, client: Client, names: &[OsString]) {
    let (dir, passing, back) = (
        ground.remote.join("dir"),
        ground.remote.join("passing"),
        ground.local.join("back"),
    );
    fs::create_dir(&back).unwrap();
    let mut script = Script::new().then("mkdir", &[&dir]);
    for name in names {
        let (local, there, gone) = (
            ground.keep(name, name.as_encoded_bytes()),
            dir.join(name),
            ground.plant(name, b""),
        );
        script = script
            .then("put", &[&local, &there])
            .then("rename", &[&there, &passing])
            .then("rename", &[&passing, &there])
            .then("get", &[&there, &back.join(name)])
            .then("remove", &[&gone]);
    }
    let listed = script.then("list", &[&dir]).play(ground, client);
    assert_eq!(sorted(listed), sorted(names.to_vec()));
    for name in names {
        assert_bytes(&dir.join(name), name.as_encoded_bytes());
        assert_bytes(&back.join(name), name.as_encoded_bytes());
        assert!(!ground.remote.join(name).exists(), "{name:?}");
    }
}

/// A listing of many responses is put together.
#[track_caller]
pub(crate) fn to_list_a_thousand(ground: &Ground, client: Client) {
    let (dir, names) = ground.plant_thousand();
    let listed = Script::new().then("list", &[&dir]).play(ground, client);
    assert_eq!(sorted(listed), sorted(names));
}

/// Mode, times, directories and facts are those of the disk.
#[track_caller]
pub(crate) fn to_change_attributes_and_directories(ground: &Ground, client: Client) {
    let bytes = data(301, 12_345);
    let file = ground.plant("file", &bytes);
    let (dir, full, hollow) = (
        ground.remote.join("dir"),
        ground.remote.join("full"),
        ground.remote.join("hollow"),
    );
    for dir in [&full, &hollow] {
        fs::create_dir(dir).unwrap();
    }
    fs::write(full.join("inside"), b"inside").unwrap();
    ground.give(&ground.remote);
    std::os::unix::fs::symlink("some where", ground.remote.join("link")).unwrap();
    let answers = Script::new()
        .then("chmod", &[Path::new("751"), &file])
        .then("utime", &[Path::new("1000000007"), &file])
        .then("mkdir", &[&dir])
        .then("rmdir", &[&hollow])
        .then("stat", &[&file])
        .then("readlink", &[&ground.remote.join("link")])
        .play(ground, client);
    assert_mode(&file, 0o751);
    assert_mtime(&file, 1_000_000_007);
    assert!(dir.is_dir() && !hollow.exists());
    assert_eq!(answers, ["regular 12345", "some where"]);
    assert_bytes(&file, &bytes);
    // A directory with something in it is not removed, nor is what is not there.
    for (operation, path) in [("rmdir", &full), ("remove", &ground.remote.join("none"))] {
        Script::new()
            .then(operation, &[path])
            .refused(ground, client);
    }
    assert_bytes(&full.join("inside"), b"inside");
}
