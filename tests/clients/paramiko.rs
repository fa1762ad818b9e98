//! paramiko. It has no request for a hard link; names that are no UTF-8 it sends, but cannot read in a listing.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::ground::*;
use crate::script::{Client::Paramiko, Script, sorted};

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
    script.play(&ground, Paramiko);
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
fn transfers_are_resumed_appended_and_read_in_pieces() {
    let ground = Ground::new();
    let whole = data(70, 1_000_000);
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
    let (log, more, pieces) = (
        ground.plant("log", b"first, "),
        ground.keep("more", b"second"),
        ground.local.join("pieces"),
    );
    Script::new()
        .then("resume-put", &[&here, &there])
        .then("resume-get", &[&source, &part])
        .then("append", &[&more, &log])
        .then("ranges", &[&source, &pieces])
        .play(&ground, Paramiko);
    assert_bytes(&there, &marked);
    assert_bytes(&part, &marked);
    assert_bytes(&log, b"first, second");
    assert_bytes(&pieces, &whole);
}

/// Beneath a jail's root as well, and a copy of 5 MB leaves nothing beside it.
#[test]
fn a_file_is_copied_by_the_server() {
    let ground = Ground::new();
    let bytes = data(5, 5_000_003);
    let source = ground.plant("source", &bytes);
    let (copy, taken) = (
        ground.remote.join("copy"),
        ground.plant("taken", b"something else"),
    );
    let (no, yes) = (Path::new("0"), Path::new("1"));
    let said = Script::new()
        .then("copy-file", &[no, &source, &copy])
        .then("copy-file", &[no, &source, &taken])
        .refused(&ground, Paramiko);
    assert!(said.contains("OSError: Failure: File exists"), "{said}");
    assert_bytes(&copy, &bytes);
    assert_bytes(&taken, b"something else");
    Script::new()
        .then("copy-file", &[yes, &source, &taken])
        .play(&ground, Paramiko);
    assert_bytes(&taken, &bytes);
    assert_eq!(fs::read_dir(&ground.remote).unwrap().count(), 3);
}

/// Paramiko reads the fields of the draft; what is behind them would be too much.
#[test]
fn a_client_says_what_it_is_and_asks_how_much_space_there_is() {
    let ground = Ground::new();
    let facts = statvfs(&ground.remote).unwrap();
    let (all, unit) = (
        facts.blocks() * facts.fragment_size(),
        facts.fragment_size(),
    );
    let said = Script::new()
        .then("vendor-id", &[Path::new("Product")])
        .then("space-available", &[&ground.remote])
        .play(&ground, Paramiko);
    assert_eq!(said, [format!("{all} {unit} 0").as_str()]);
}

#[test]
fn only_posix_rename_replaces_and_an_exclusive_open_refuses() {
    let ground = Ground::new();
    let (old, new) = (ground.plant("old", b"old"), ground.plant("new", b"new"));
    let said = Script::new()
        .then("rename", &[&old, &new])
        .refused(&ground, Paramiko);
    assert!(said.contains("OSError: Failure"), "{said}");
    let said = Script::new()
        .then("exclusive", &[&new])
        .refused(&ground, Paramiko);
    assert!(said.contains("OSError: Failure"), "{said}");
    assert_bytes(&new, b"new");
    Script::new()
        .then("posix-rename", &[&old, &new])
        .play(&ground, Paramiko);
    assert_bytes(&new, b"old");
    assert!(!old.exists());
}

#[test]
fn a_missing_file_is_the_error_that_python_has_for_it() {
    // paramiko turns the status, and its text, into errno.
    let ground = Ground::new();
    let said = Script::new()
        .then("stat", &[&ground.remote.join("none")])
        .refused(&ground, Paramiko);
    assert!(
        said.contains("FileNotFoundError: [Errno 2] No such file"),
        "{said}"
    );
    let file = ground.plant("forbidden", b"x");
    set_mode(&file, 0);
    let said = Script::new()
        .then("get", &[&file, &ground.local.join("x")])
        .refused(&ground, Paramiko);
    assert!(
        said.contains("PermissionError: [Errno 13] Permission denied"),
        "{said}"
    );
}

#[test]
fn a_tree_is_put_with_odd_names_links_modes_and_times() {
    let ground = Ground::new();
    let tree = ground.local.join("tree");
    grow_tree(&tree, &odd_names());
    grow_links(&tree);
    let to = ground.remote.join("tree");
    Script::new()
        .then("put-tree", &[&tree, &to])
        .play(&ground, Paramiko);
    assert_same_tree(&to, &tree, MODES_AND_TIMES);
}

#[test]
fn odd_names_are_put_got_renamed_listed_and_removed() {
    let ground = Ground::new();
    let mut script = Script::new();
    let (passing, dir, back) = (
        ground.remote.join("passing"),
        ground.remote.join("dir"),
        ground.local.join("back"),
    );
    fs::create_dir(&dir).unwrap();
    ground.give(&dir);
    fs::create_dir(&back).unwrap();
    for name in odd_names() {
        let (local, there, gone) = (
            ground.keep(&name, name.as_encoded_bytes()),
            dir.join(&name),
            ground.plant(&name, b""),
        );
        script = script
            .then("put", &[&local, &there])
            .then("rename", &[&there, &passing])
            .then("rename", &[&passing, &there])
            .then("get", &[&there, &back.join(&name)])
            .then("remove", &[&gone]);
    }
    script.play(&ground, Paramiko);
    for name in odd_names() {
        assert_bytes(&dir.join(&name), name.as_encoded_bytes());
        assert_bytes(&back.join(&name), name.as_encoded_bytes());
        assert!(!ground.remote.join(&name).exists());
    }
    let text: Vec<_> = odd_names()
        .into_iter()
        .filter(|name| name.to_str().is_some())
        .collect();
    fs::remove_file(dir.join(odd_names().pop().unwrap())).unwrap();
    let listed = Script::new().then("list", &[&dir]).play(&ground, Paramiko);
    assert_eq!(sorted(listed), sorted(text));
}

#[test]
fn attributes_links_and_directories_are_changed() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(71, 10_000));
    let (soft, dir, gone) = (
        ground.remote.join("soft"),
        ground.remote.join("dir"),
        ground.remote.join("gone"),
    );
    fs::create_dir(&gone).unwrap();
    ground.give(&gone);
    let answers = Script::new()
        .then("truncate", &[Path::new("1234"), &file])
        .then("chmod", &[Path::new("751"), &file])
        .then("utime", &[Path::new("1000000007"), &file])
        .then("symlink", &[Path::new("some where"), &soft])
        .then("readlink", &[&soft])
        .then("mkdir", &[&dir])
        .then("rmdir", &[&gone])
        .then("stat", &[&file])
        .then("normalize", &[&dir.join("../dir/.")])
        .play(&ground, Paramiko);
    // The atime first: to read the file would move it.
    assert_mode(&file, 0o751);
    assert_mtime(&file, 1_000_000_007);
    assert_eq!(fs::metadata(&file).unwrap().atime(), 1_000_000_007 + 86_400);
    assert_bytes(&file, &data(71, 10_000)[..1234]);
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("some where"));
    assert!(dir.is_dir() && !gone.exists());
    assert_eq!(
        answers,
        [
            "some where",
            "1234 100751 1000000007",
            seen(&dir).to_str().unwrap()
        ]
    );
}

#[test]
fn a_thousand_files_are_listed_by_name_and_at_length() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    symlink("nowhere", dir.join("zz-link")).unwrap();
    let listed = Script::new().then("list", &[&dir]).play(&ground, Paramiko);
    assert_eq!(sorted(listed)[..1000], sorted(names));
    let long = Script::new()
        .then("long-list", &[&dir])
        .play(&ground, Paramiko);
    let long: Vec<String> = long
        .into_iter()
        .map(|line| line.into_string().unwrap())
        .collect();
    let user = &ground.sshd.account().name;
    assert_eq!(
        long.iter()
            .filter(|line| line.starts_with("-rw") && line.contains(user))
            .count(),
        1000
    );
}

#[test]
fn two_hundred_handles_are_open_at_once() {
    let ground = Ground::new();
    let file = ground.plant("file", b"read by each");
    let answers = Script::new()
        .then("handles", &[Path::new("200"), &file])
        .play(&ground, Paramiko);
    assert_eq!(answers, ["read by each"]);
}
