//! The home as `/`: its top is writable, and yet the key cannot make itself a shell.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::person::{Person, survey};
use crate::support::Tree;
use crate::support::examples::example;

/// Start files and keys, there or not.
const PROTECTED: [&str; 8] = [
    ".ssh",
    ".ssh/authorized_keys",
    ".profile",
    ".bashrc",
    ".bash_profile",
    ".zshenv",
    ".forward",
    ".config/fish",
];

fn somebody() -> Person {
    let example = example("authorized_keys.home");
    let person = Person::new(&example);
    person.dir("bin");
    person.install("bin/sftp-server");
    // As it stands: the program of the example is the one in the home.
    person.authorize_as_it_stands(&example);
    person.dir(".config");
    person.dir("documents");
    person
}

#[test]
fn the_top_of_the_home_is_writable() {
    let person = somebody();
    let local = Tree::new();
    local.file("hello", "hello there");
    let said = person
        .sftp(
            0,
            &local,
            "pwd\nput hello\nmkdir dir\nrename hello documents/moved\nput hello\nget /secret got\n",
        )
        .success();
    assert!(said.contains("Remote working directory: /\n"), "{said}");
    for arrived in ["hello", "documents/moved"] {
        let arrived = person.home().join(arrived);
        assert_eq!(fs::read(arrived).unwrap(), b"hello there");
    }
    assert!(person.home().join("dir").is_dir());
    // The home is within the root: what is in it may be read.
    assert!(local.has("got"));
}

#[test]
fn the_key_cannot_rewrite_keys_nor_start_files() {
    let person = somebody();
    let local = Tree::new();
    local.file("hello", "hello there");
    local.dir("evil/authorized_keys");
    let guarded: Vec<_> = PROTECTED
        .iter()
        .map(|name| person.home().join(name))
        .collect();
    let guarded: Vec<_> = guarded.iter().map(|path| path.as_path()).collect();
    let before = survey(&guarded);
    for name in PROTECTED {
        let mut commands = "-put hello fresh\n-mkdir freshdir\n".to_owned();
        commands += &format!(
            "-put hello {name}\n-put hello documents/../{name}\n-reput hello {name}\n-rm {name}\n-rmdir {name}\n"
        );
        commands += &format!(
            "-mkdir {name}\n-rename {name} taken\n-rename fresh {name}\n-rename freshdir {name}\n"
        );
        commands += &format!(
            "-ln -s /hello {name}\n-ln fresh {name}\n-chmod 777 {name}\n-chown 1 {name}\n"
        );
        commands += &format!(
            "-ln {name} second\n-put hello second\n-ln -s /{name} link\n-put hello link\n-chmod 777 link\n-rm link\n"
        );
        person.sftp(0, &local, &commands).success();
        assert_eq!(survey(&guarded), before, "{name}");
        assert!(person.home().join("fresh").exists());
        assert!(!person.home().join("taken").exists());
    }
    // The refusal is in words, for a client that shows them.
    let ran = person.sftp(0, &local, "rm .profile\n");
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(ran.stderr.contains("ermission denied"), "{ran:?}");
}

/// What a program in a directory of theirs is attacked by.
fn attacks_on(dir: &str, program: &str) -> String {
    format!(
        "-put evil {dir}/{program}\n-reput evil {dir}/{program}\n-rm {dir}/{program}\n-rename {dir} away\n-rmdir {dir}\n-mkdir fresh\n\
         -put evil fresh/{program}\n-rename fresh {dir}\n-rename fresh/{program} {dir}/{program}\n-chmod 777 {dir}/{program}\n\
         -ln {dir}/{program} second\n-ln -s {dir} way\n-put evil way/{program}\n-rm way/{program}\n-put evil {dir}/new\n-mkdir {dir}/dir\n"
    )
}

#[test]
fn no_program_that_a_login_finds_first_can_be_replaced() {
    let person = somebody();
    let local = Tree::new();
    local.file("evil", "#!/bin/sh\ntouch ~/pwned\n");
    person.file("bin/tool", "#!/bin/sh\n");
    let bin = person.home().join("bin");
    let before = survey(&[&bin]);
    for program in ["sftp-server", "tool", "ls"] {
        let attacks = attacks_on("bin", program);
        person.sftp(0, &local, &attacks).success();
        assert_eq!(survey(&[&bin]), before, "{program}");
        assert!(person.home().join("fresh").join(program).exists());
    }
}

#[test]
fn other_programs_are_safe_beneath_a_bind_of_their_directory_over_itself() {
    let person = somebody();
    let local = Tree::new();
    local.file("evil", "#!/bin/sh\ntouch ~/pwned\n");
    person.dir("tools");
    let tool = person.file("tools/tool", "#!/bin/sh\n");
    let tools = person.home().join("tools");
    // Of what else there is to run, the server knows nothing.
    person.sftp(0, &local, "put evil tools/tool\n").success();
    assert_eq!(fs::read(&tool).unwrap(), local.read("evil"));
    let bound = example("authorized_keys.home")
        .replace("--root ~\"", "--root ~ --bind /tools=~/tools:ro\"");
    assert!(bound.contains("=~/tools:ro\""), "{bound}");
    person.authorize_as_it_stands(&bound);
    person.file("tools/tool", "#!/bin/sh\n");
    let before = survey(&[&tools]);
    let attacks = attacks_on("tools", "tool");
    person.sftp(0, &local, &attacks).success();
    assert_eq!(survey(&[&tools]), before);
    assert!(person.home().join("fresh/tool").exists());
}

#[test]
fn the_home_cannot_be_renamed_where_it_is_seen_from_above() {
    let person = somebody();
    let local = Tree::new();
    // Everybody may write above the home: nothing but the server keeps it in its place.
    fs::set_permissions(person.place(), Permissions::from_mode(0o777)).unwrap();
    let above = r#"command="/usr/lib/openssh/sftp-server --root %h/..",restrict ssh-ed25519 AAAA"#;
    person.authorize(above);
    let ssh = person.home().join(".ssh");
    let before = survey(&[&ssh]);
    let commands = "pwd\nmkdir ../fresh\n-rename /home /gone\n-rename /fresh /home\n-rmdir /home\n-ln -s fresh /home/.ssh2\n\
         -rename .ssh moved\n-rename /home/.ssh /keys\n";
    let said = person.sftp(0, &local, commands).success();
    assert!(said.contains("Remote working directory: /home\n"), "{said}");
    assert_eq!(survey(&[&ssh]), before);
    assert!(!person.place().join("gone").exists());
    assert!(person.place().join("fresh").is_dir());
    // With the home as `/` there is no name by which to rename it.
    person.authorize_as_it_stands(&example("authorized_keys.home"));
    let before = survey(&[&ssh]);
    person
        .sftp(
            0,
            &local,
            "-rename / gone\n-rename . gone\n-rename .. gone\n-rmdir /\n-rm /\n",
        )
        .success();
    assert_eq!(survey(&[&ssh]), before);
}

#[test]
fn whoever_lifts_the_protection_can_write_there() {
    let person = somebody();
    let local = Tree::new();
    local.file("hello", "hello there");
    person.authorize(
        r#"command="/usr/lib/openssh/sftp-server --root ~ --no-protect",restrict ssh-ed25519 AAAA"#,
    );
    person.sftp(0, &local, "put hello .profile\n").success();
    let profile = person.home().join(".profile");
    assert_eq!(fs::read(profile).unwrap(), b"hello there");
}
