//! ssh_sftp of Erlang/OTP. It asks for version 6 and takes 3. A name that is not UTF-8 is no string to it. Hard links and the file system's
//! numbers are not among its operations.

use std::fs;

use crate::asked;
use crate::ground::*;
use crate::script::{Client::Erlang, Script};
use crate::support::server::is_openssh;

#[test]
fn put_and_get_are_exact_at_every_length() {
    asked::to_carry_every_length(&Ground::new(), Erlang);
}

#[test]
fn transfers_are_resumed() {
    asked::to_resume(&Ground::new(), Erlang);
}

/// It opens with APPEND and neither READ nor WRITE; OpenSSH's server opens that for reading.
#[test]
fn a_file_opened_with_append_alone_grows() {
    let ground = Ground::new();
    if !is_openssh() {
        asked::to_append(&ground, Erlang);
        return;
    }
    let (log, more) = (ground.plant("log", b"first"), ground.keep("more", b"more"));
    Script::new()
        .then("append", &[&more, &log])
        .refused(&ground, Erlang);
    assert_bytes(&log, b"first");
}

#[test]
fn odd_names_are_put_got_renamed_listed_and_removed() {
    asked::to_name_things(&Ground::new(), Erlang, &asked::utf8_names());
}

#[test]
fn a_thousand_files_are_listed() {
    asked::to_list_a_thousand(&Ground::new(), Erlang);
}

#[test]
fn attributes_and_directories_are_changed() {
    asked::to_change_attributes_and_directories(&Ground::new(), Erlang);
}

/// Each of its renames is posix-rename, whether or not that is announced.
#[test]
fn a_rename_replaces() {
    let ground = Ground::new();
    let (old, new) = (ground.plant("old", b"old"), ground.plant("new", b"new"));
    Script::new()
        .then("rename", &[&old, &new])
        .play(&ground, Erlang);
    assert_bytes(&new, b"old");
    assert!(!old.exists());
}

/// It sends SYMLINK in the draft's order, and OpenSSH's is the other one: what is asked for is made the other way round.
#[test]
fn a_symbolic_link_comes_out_reversed_as_with_openssh() {
    let ground = Ground::new();
    let (target, link) = (ground.remote.join("target"), ground.remote.join("link"));
    Script::new()
        .then("symlink", &[&target, &link])
        .play(&ground, Erlang);
    assert!(fs::symlink_metadata(&link).is_err());
    assert_eq!(fs::read_link(&target).unwrap(), seen(&link));
}
