//! The sftp and scp of the newest OpenSSH, where they do otherwise than this machine's: `mkdir -p` is theirs alone, a part that is longer than
//! the whole is refused, and a download with a second empty answer ends.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ground::*;
use crate::scp::{from, to};
use crate::sftp::line;
use crate::support::openssh;
use crate::support::sshd::HOST;

fn newest(ground: &Ground, program: &str) -> Command {
    let mut command = Command::new(openssh::newest().with_file_name(program));
    command.arg("-F").arg(ground.sshd.client_config());
    command
}

fn sftp(ground: &Ground, commands: &[Vec<u8>]) -> Command {
    let batch = ground.keep("batch", &commands.join(&b'\n'));
    let mut sftp = newest(ground, "sftp");
    sftp.arg("-b").arg(batch).arg(HOST);
    sftp
}

#[track_caller]
fn play(ground: &Ground, commands: &[Vec<u8>]) {
    succeed(&mut sftp(ground, commands));
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let back = |length: usize| ground.local.join(format!("{length}.back"));
    let there = |length: usize| ground.remote.join(format!("{length}"));
    let mut commands = Vec::new();
    for length in LENGTHS {
        let local = ground.keep(format!("{length}"), &data(length as u64, length));
        commands.push(line("put", &[&local, &there(length)]));
        commands.push(line("get", &[&there(length), &back(length)]));
    }
    play(&ground, &commands);
    for length in LENGTHS {
        assert_bytes(&there(length), &data(length as u64, length));
        assert_bytes(&back(length), &data(length as u64, length));
    }
}

#[test]
fn directories_are_made_with_those_above_them() {
    let ground = Ground::new();
    let deep = ground.remote.join("a/b c/d");
    play(
        &ground,
        &[line("mkdir -p", &[&deep]), line("mkdir -p", &[&deep])],
    );
    assert!(deep.is_dir());
    let file = ground.plant("file", b"as it was");
    let beneath = file.join("dir");
    fail(&mut sftp(&ground, &[line("mkdir -p", &[&beneath])]));
    assert_bytes(&file, b"as it was");
}

#[test]
fn transfers_are_resumed_and_a_part_that_is_longer_stays() {
    let ground = Ground::new();
    let whole = data(320, 1_000_000);
    // The part is marked: a transfer from the start would not leave the mark.
    let mut marked = whole.clone();
    marked[..400_000].fill(b'#');
    let here = ground.keep("up", &whole);
    for command in ["reput", "put -a"] {
        let there = ground.plant("up", &marked[..400_000]);
        play(&ground, &[line(command, &[&here, &there])]);
        assert_bytes(&there, &marked);
    }
    let source = ground.plant("down", &whole);
    for command in ["reget", "get -a"] {
        let part = ground.keep("down", &marked[..400_000]);
        play(&ground, &[line(command, &[&source, &part])]);
        assert_bytes(&part, &marked);
    }
    let longer = ground.plant("longer", &data(321, 1_000_001));
    fail(&mut sftp(&ground, &[line("reput", &[&here, &longer])]));
    assert_bytes(&longer, &data(321, 1_000_001));
}

#[test]
fn trees_are_carried_both_ways_with_odd_names_modes_and_times() {
    let ground = Ground::new();
    let (tree, to, back) = (
        ground.local.join("tree"),
        ground.remote.join("to"),
        ground.local.join("back"),
    );
    grow_tree(&tree, &odd_lines());
    play(
        &ground,
        &[
            line("put -Rp", &[&tree, &to]),
            line("get -Rp", &[&to, &back]),
        ],
    );
    assert_same_tree(&to, &tree, MODES_AND_TIMES);
    assert_same_tree(&back, &tree, MODES_AND_TIMES);
}

#[test]
fn scp_carries_files_and_trees_both_ways() {
    let ground = Ground::new();
    let tree = ground.local.join("tree");
    grow_tree(&tree, &odd_lines());
    let (there, back) = (ground.remote.join("there"), ground.local.join("back"));
    let copy = |from: &dyn AsRef<std::ffi::OsStr>, to: &dyn AsRef<std::ffi::OsStr>| {
        succeed(newest(&ground, "scp").args(["-qrp"]).arg(from).arg(to));
    };
    copy(&tree, &to(&there));
    copy(&from(&there), &back);
    assert_same_tree(&there, &tree, MODES_AND_TIMES);
    assert_same_tree(&back, &tree, MODES_AND_TIMES);
    // From one remote path to another it copies through itself.
    let (file, copied) = (
        ground.plant("file", &data(322, 300_000)),
        ground.remote.join("copied"),
    );
    copy(&from(&file), &to(&copied));
    assert_bytes(&copied, &data(322, 300_000));
}

#[test]
fn a_copy_on_the_server_a_rename_and_links_are_made() {
    let ground = Ground::new();
    let bytes = data(323, 200_000);
    let file = ground.plant("file", &bytes);
    let [copy, moved, soft, hard] =
        ["copy", "moved", "soft", "hard"].map(|name| ground.remote.join(name));
    play(
        &ground,
        &[
            line("cp", &[&file, &copy]),
            line("ln", &[&copy, &hard]),
            line("rename", &[&copy, &moved]),
            [&b"ln -s \"some where\" "[..], &line("", &[&soft])].concat(),
        ],
    );
    assert_bytes(&moved, &bytes);
    assert_bytes(&hard, &bytes);
    assert!(!copy.exists());
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("some where"));
}
