//! PuTTY's psftp. It cannot append, keep times or make links; `mv` is a plain RENAME. Its commands are lines.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::ground::*;
use crate::putty::{client, login, no_pattern};

pub(crate) fn psftp(ground: &Ground, commands: &[String]) -> Command {
    let batch = ground.keep("batch", (commands.join("\n") + "\n").as_bytes());
    let mut psftp = client(ground, "psftp");
    // Without -be the first failure ends the batch with status 1.
    psftp.arg("-b").arg(batch).arg(login(ground));
    psftp
}

fn play(ground: &Ground, commands: &[String]) -> Output {
    succeed(&mut psftp(ground, commands))
}

pub(crate) fn line(command: &str, paths: &[&Path]) -> String {
    let quoted = paths
        .iter()
        .map(|path| format!(" \"{}\"", seen(path).to_str().unwrap().replace('"', "\"\"")));
    command.to_owned() + &quoted.collect::<String>()
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let mut commands = Vec::new();
    for length in LENGTHS {
        let local = ground.keep(format!("{length}"), &data(length as u64, length));
        let (there, back) = (
            ground.remote.join(format!("{length}")),
            ground.local.join(format!("{length}.back")),
        );
        commands.push(line("put", &[&local, &there]));
        commands.push(line("get", &[&there, &back]));
    }
    play(&ground, &commands);
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
fn reput_and_reget_continue_where_the_part_ends() {
    let ground = Ground::new();
    let whole = data(40, 600_000);
    let mut marked = whole.clone();
    marked[..200_000].fill(b'#');
    let (here, there) = (
        ground.keep("up", &whole),
        ground.plant("up", &marked[..200_000]),
    );
    let (source, part) = (
        ground.plant("down", &whole),
        ground.keep("down", &marked[..200_000]),
    );
    play(
        &ground,
        &[
            line("reput", &[&here, &there]),
            line("reget", &[&source, &part]),
        ],
    );
    assert_bytes(&there, &marked);
    assert_bytes(&part, &marked);
}

#[test]
fn put_over_a_longer_file_leaves_nothing_of_it() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(41, 100_000));
    play(
        &ground,
        &[line("put", &[&ground.keep("file", b"short"), &file])],
    );
    assert_bytes(&file, b"short");
}

#[test]
fn rename_moves_to_a_free_name_and_is_refused_onto_a_file() {
    let ground = Ground::new();
    let (old, new, free) = (
        ground.plant("old", b"old"),
        ground.plant("new", b"new"),
        ground.remote.join("free"),
    );
    let said = fail(&mut psftp(&ground, &[line("mv", &[&old, &new])]));
    assert!(said.contains("failure"), "{said}");
    assert_bytes(&new, b"new");
    play(&ground, &[line("mv", &[&old, &free])]);
    assert_bytes(&free, b"old");
}

#[test]
fn directories_files_and_modes_are_changed() {
    let ground = Ground::new();
    let (dir, file, gone) = (
        ground.remote.join("dir"),
        ground.plant("file", b""),
        ground.plant("gone", b""),
    );
    play(
        &ground,
        &[
            line("mkdir", &[&dir]),
            line("chmod 751", &[&file]),
            line("del", &[&no_pattern(&gone)]),
        ],
    );
    assert!(dir.is_dir() && !gone.exists());
    assert_mode(&file, 0o751);
    play(&ground, &[line("rmdir", &[&dir])]);
    assert!(!dir.exists());
}

#[test]
fn recursive_put_and_get_carry_odd_names() {
    let ground = Ground::new();
    let (tree, to, back) = (
        ground.local.join("tree"),
        ground.remote.join("to"),
        ground.local.join("back"),
    );
    grow_tree(&tree, &odd_names());
    play(
        &ground,
        &[line("put -r", &[&tree, &to]), line("get -r", &[&to, &back])],
    );
    assert_same_tree(&to, &tree, NEITHER);
    assert_same_tree(&back, &tree, NEITHER);
    // The type bits that psftp puts into the mode do no harm.
    assert_mode(&to.join("a/program"), 0o755);
}

#[test]
fn odd_names_are_put_got_renamed_and_removed() {
    let ground = Ground::new();
    let mut commands = Vec::new();
    let passing = ground.remote.join("passing");
    fs::create_dir(ground.local.join("back")).unwrap();
    for name in odd_lines() {
        let (local, there) = (
            ground.keep(&name, name.as_bytes()),
            ground.remote.join(&name),
        );
        let (gone, back) = (
            ground.plant(format!("gone {name}"), b""),
            ground.local.join("back").join(&name),
        );
        commands.push(line("put", &[&local, &there]));
        commands.push(line("mv", &[&no_pattern(&there), &passing]));
        commands.push(line("mv", &[&passing, &there]));
        commands.push(line("get", &[&there, &back]));
        commands.push(line("del", &[&no_pattern(&gone)]));
    }
    play(&ground, &commands);
    for name in odd_lines() {
        assert_bytes(&ground.remote.join(&name), name.as_bytes());
        assert_bytes(&ground.local.join("back").join(&name), name.as_bytes());
    }
    assert_eq!(
        fs::read_dir(&ground.remote).unwrap().count(),
        odd_lines().len()
    );
}

#[test]
fn a_thousand_files_are_listed_and_a_pattern_gets_them() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    symlink(&names[0], dir.join("zz-link")).unwrap();
    let output = play(
        &ground,
        &[
            line("ls", &[&dir]),
            line("lcd", &[&ground.local]),
            line("cd", &[&dir]),
            "mget 00*".to_owned(),
        ],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    for name in &names {
        assert!(
            text.lines()
                .any(|line| line.starts_with("-rw") && line.ends_with(name.as_str())),
            "{name}"
        );
    }
    assert_eq!(
        text.lines().filter(|line| line.starts_with("lrwx")).count(),
        1
    );
    for name in &names[..10] {
        assert_bytes(&ground.local.join(name), name.as_bytes());
    }
    assert_eq!(
        fs::metadata(ground.local.join(&names[0])).unwrap().len(),
        names[0].len() as u64
    );
    assert_eq!(fs::metadata(&dir).unwrap().nlink(), 2);
}
