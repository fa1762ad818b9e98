//! Net::SFTP::Foreign for Perl, which runs ssh. It writes 32 KiB at a time, 32 of them at once.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::asked;
use crate::ground::*;
use crate::script::{Client::Perl, Script};

#[test]
fn put_and_get_are_exact_at_every_length() {
    asked::to_carry_every_length(&Ground::new(), Perl);
}

#[test]
fn transfers_are_resumed() {
    asked::to_resume(&Ground::new(), Perl);
}

#[test]
fn a_file_grows_by_what_is_appended() {
    asked::to_append(&Ground::new(), Perl);
}

#[test]
fn odd_names_are_put_got_renamed_listed_and_removed() {
    asked::to_name_things(&Ground::new(), Perl, &odd_names());
}

#[test]
fn a_thousand_files_are_listed() {
    asked::to_list_a_thousand(&Ground::new(), Perl);
}

#[test]
fn attributes_and_directories_are_changed() {
    asked::to_change_attributes_and_directories(&Ground::new(), Perl);
}

#[test]
fn links_are_made_and_a_size_is_set() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(302, 10_000));
    let (soft, hard) = (ground.remote.join("soft"), ground.remote.join("hard"));
    Script::new()
        .then("symlink", &[Path::new("some where"), &soft])
        .then("link", &[&file, &hard])
        .then("truncate", &[Path::new("1234"), &file])
        .play(&ground, Perl);
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("some where"));
    assert_eq!(
        fs::metadata(&hard).unwrap().ino(),
        fs::metadata(&file).unwrap().ino()
    );
    assert_bytes(&hard, &data(302, 10_000)[..1234]);
}

#[test]
fn only_a_rename_that_may_overwrite_replaces() {
    let ground = Ground::new();
    let (old, new) = (ground.plant("old", b"old"), ground.plant("new", b"new"));
    let said = Script::new()
        .then("rename", &[&old, &new])
        .refused(&ground, Perl);
    assert!(said.contains("Failure"), "{said}");
    assert_bytes(&new, b"new");
    Script::new()
        .then("posix-rename", &[&old, &new])
        .play(&ground, Perl);
    assert_bytes(&new, b"old");
    assert!(!old.exists());
}

#[test]
fn trees_are_carried_both_ways_with_odd_names_modes_and_times() {
    let ground = Ground::new();
    // Of a tree it leaves out names with a newline; and it knows no encoding of names at its own side.
    let names: Vec<_> = odd_lines()
        .into_iter()
        .filter(|name| name.is_ascii())
        .collect();
    let (tree, to, back) = (
        ground.local.join("tree"),
        ground.remote.join("to"),
        ground.local.join("back"),
    );
    grow_tree(&tree, &names);
    Script::new()
        .then("put-tree", &[&tree, &to])
        .then("get-tree", &[&to, &back])
        .play(&ground, Perl);
    assert_same_tree(&to, &tree, MODES);
    assert_same_tree(&back, &tree, MODES);
    for copy in [&to, &back] {
        for name in ["zero", "a/program", "a/b/c/d/deep"] {
            assert_mtime(
                &copy.join(name),
                fs::metadata(tree.join(name)).unwrap().mtime(),
            );
        }
    }
    Script::new().then("rremove", &[&to]).play(&ground, Perl);
    assert!(!to.exists());
}
