//! phpseclib 3, SFTP in PHP alone. It keeps dozens of WRITEs of 32 739 bytes under way. It knows no extension: neither hard links, nor
//! posix-rename, nor the file system's numbers. After an upload of which a WRITE failed it is out of step with the server's answers, and has to
//! log in again.

use std::fs;
use std::path::Path;

use crate::asked;
use crate::ground::*;
use crate::script::{Client::Phpseclib, Script};

#[test]
fn put_and_get_are_exact_at_every_length() {
    asked::to_carry_every_length(&Ground::new(), Phpseclib);
}

#[test]
fn transfers_are_resumed() {
    asked::to_resume(&Ground::new(), Phpseclib);
}

/// By RESUME without a place to read from: that sends the whole file.
#[test]
fn a_file_grows_by_what_is_appended() {
    asked::to_append(&Ground::new(), Phpseclib);
}

#[test]
fn odd_names_are_put_got_renamed_listed_and_removed() {
    asked::to_name_things(&Ground::new(), Phpseclib, &odd_names());
}

#[test]
fn a_thousand_files_are_listed() {
    asked::to_list_a_thousand(&Ground::new(), Phpseclib);
}

#[test]
fn attributes_and_directories_are_changed() {
    asked::to_change_attributes_and_directories(&Ground::new(), Phpseclib);
}

#[test]
fn a_link_is_made_a_size_is_set_and_a_tree_is_removed() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(303, 10_000));
    let (soft, tree, deep) = (
        ground.remote.join("soft"),
        ground.remote.join("tree"),
        ground.remote.join("x/y/z"),
    );
    grow_tree(&tree, &odd_names());
    ground.give(&tree);
    Script::new()
        .then("symlink", &[Path::new("some where"), &soft])
        .then("truncate", &[Path::new("1234"), &file])
        .then("mkdir", &[&deep])
        .then("rremove", &[&tree])
        .play(&ground, Phpseclib);
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("some where"));
    assert_bytes(&file, &data(303, 10_000)[..1234]);
    assert!(deep.is_dir() && !tree.exists());
}

#[test]
fn a_rename_onto_a_file_is_refused() {
    let ground = Ground::new();
    let (old, new) = (ground.plant("old", b"old"), ground.plant("new", b"new"));
    let said = Script::new()
        .then("rename", &[&old, &new])
        .refused(&ground, Phpseclib);
    assert!(said.contains("FAILURE"), "{said}");
    assert_bytes(&new, b"new");
    assert_bytes(&old, b"old");
}
