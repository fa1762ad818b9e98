//! OpenSSH's sftp. Its batch is a line a command: a newline in a name is reached by recursion alone.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use crate::ground::*;
use crate::support::sshd::HOST;

/// `sftp -b` with these commands.
pub(crate) fn sftp(ground: &Ground, commands: &[Vec<u8>]) -> Command {
    let batch = ground.keep("batch", &commands.join(&b'\n'));
    let mut sftp = ground.sshd.sftp();
    sftp.arg("-b").arg(batch).arg(HOST);
    sftp
}

fn play(ground: &Ground, commands: &[Vec<u8>]) -> Output {
    succeed(&mut sftp(ground, commands))
}

/// A command and its paths, as the client has to name them and quoted as sftp wants it.
pub(crate) fn line(command: &str, paths: &[&Path]) -> Vec<u8> {
    let mut line = command.as_bytes().to_vec();
    for path in paths {
        line.extend(b" \"");
        for &byte in seen(path).as_os_str().as_bytes() {
            if b"\"\\".contains(&byte) {
                line.push(b'\\');
            }
            line.push(byte);
        }
        line.push(b'"');
    }
    line
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let mut commands = Vec::new();
    for length in LENGTHS {
        let local = ground.keep(format!("{length}"), &data(length as u64, length));
        let remote = ground.remote.join(format!("{length}"));
        commands.push(line("put", &[&local, &remote]));
        commands.push(line(
            "get",
            &[&remote, &ground.local.join(format!("{length}.back"))],
        ));
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
fn small_requests_many_at_once_are_put_together_in_order() {
    let ground = Ground::new();
    let bytes = data(3, 3_000_001);
    let local = ground.keep("file", &bytes);
    let (remote, back) = (ground.remote.join("file"), ground.local.join("back"));
    let batch = ground.keep(
        "batch",
        &[
            line("put", &[&local, &remote]),
            line("get", &[&remote, &back]),
        ]
        .join(&b'\n'),
    );
    succeed(
        ground
            .sshd
            .sftp()
            .args(["-B", "1000", "-R", "200", "-b"])
            .arg(batch)
            .arg(HOST),
    );
    assert_bytes(&remote, &bytes);
    assert_bytes(&back, &bytes);
}

#[test]
fn put_over_a_longer_file_leaves_nothing_of_it() {
    let ground = Ground::new();
    let remote = ground.plant("file", &data(4, 100_000));
    let local = ground.keep("file", b"short");
    play(&ground, &[line("put -f", &[&local, &remote])]);
    assert_bytes(&remote, b"short");
}

#[test]
fn reput_and_reget_continue_where_the_part_ends() {
    let ground = Ground::new();
    let whole = data(5, 1_000_000);
    // The part is marked: a transfer from the start would not leave the mark.
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
    // Also sftp's only way to append.
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
fn rename_replaces_an_existing_target_but_the_legacy_one_does_not() {
    let ground = Ground::new();
    let (old, new) = (ground.plant("old", b"old"), ground.plant("new", b"new"));
    let said = fail(&mut sftp(&ground, &[line("rename -l", &[&old, &new])]));
    assert!(said.contains("Failure"), "{said}");
    assert_bytes(&new, b"new");
    play(&ground, &[line("rename", &[&old, &new])]);
    assert_bytes(&new, b"old");
    assert!(!old.exists());
}

#[test]
fn mkdir_rmdir_and_rm_act_and_refuse() {
    let ground = Ground::new();
    let (dir, file) = (ground.remote.join("dir"), ground.plant("file", b""));
    play(&ground, &[line("mkdir", &[&dir]), line("rm", &[&file])]);
    assert!(dir.is_dir() && !file.exists());
    ground.plant("dir/inside", b"");
    let said = fail(&mut sftp(&ground, &[line("rmdir", &[&dir])]));
    assert!(
        said.contains("remote rmdir") && said.contains("Failure"),
        "{said}"
    );
    let said = fail(&mut sftp(&ground, &[line("mkdir", &[&dir])]));
    assert!(
        said.contains("remote mkdir") && said.contains("Failure"),
        "{said}"
    );
    play(
        &ground,
        &[line("rm", &[&dir.join("inside")]), line("rmdir", &[&dir])],
    );
    assert!(!dir.exists());
}

#[test]
fn recursive_put_and_get_carry_odd_names_modes_and_times() {
    let ground = Ground::new();
    let tree = ground.local.join("tree");
    grow_tree(&tree, &odd_names());
    let (remote, back) = (ground.remote.join("tree"), ground.local.join("back"));
    play(
        &ground,
        &[
            line("put -R -p", &[&tree, &remote]),
            line("get -R -p", &[&remote, &back]),
        ],
    );
    assert_same_tree(&remote, &tree, MODES_AND_TIMES);
    assert_same_tree(&back, &tree, MODES_AND_TIMES);
}

#[test]
fn odd_names_are_put_got_renamed_and_removed() {
    let ground = Ground::new();
    let mut commands = Vec::new();
    let names: Vec<_> = odd_names()
        .into_iter()
        .filter(|name| !name.as_bytes().contains(&b'\n'))
        .collect();
    for name in &names {
        let local = ground.keep(name, name.as_bytes());
        let (sent, gone) = (
            ground.remote.join(name),
            ground.plant("gone ".to_owned() + &name.to_string_lossy(), b""),
        );
        let back = ground.local.join("back");
        fs::create_dir_all(&back).unwrap();
        commands.push(line("put", &[&local, &sent]));
        commands.push(line("rename", &[&sent, &ground.remote.join("passing")]));
        commands.push(line("rename", &[&ground.remote.join("passing"), &sent]));
        commands.push(line("get", &[&sent, &back.join(name)]));
        commands.push(line("rm", &[&gone]));
    }
    play(&ground, &commands);
    for name in &names {
        assert_bytes(&ground.remote.join(name), name.as_bytes());
        assert_bytes(&ground.local.join("back").join(name), name.as_bytes());
    }
    assert_eq!(fs::read_dir(&ground.remote).unwrap().count(), names.len());
}

#[test]
fn times_and_modes_are_kept_when_asked_for() {
    let ground = Ground::new();
    let local = ground.keep("file", b"x");
    set_mtime(&local, 1_000_000_007);
    set_mode(&local, 0o640);
    let (kept, plain, back) = (
        ground.remote.join("kept"),
        ground.remote.join("plain"),
        ground.local.join("back"),
    );
    play(
        &ground,
        &[
            line("put -p", &[&local, &kept]),
            line("put", &[&local, &plain]),
        ],
    );
    // To read it would move the atime.
    assert_eq!(fs::metadata(&kept).unwrap().atime(), 1_000_000_007 + 86_400);
    assert_mtime(&kept, 1_000_000_007);
    assert_mode(&kept, 0o640);
    assert!(fs::metadata(&plain).unwrap().mtime() > 1_500_000_000);
    play(&ground, &[line("get -p", &[&kept, &back])]);
    assert_mtime(&back, 1_000_000_007);
    assert_mode(&back, 0o640);
}

#[test]
fn chmod_and_chgrp_change_what_they_name() {
    let ground = Ground::new();
    let file = ground.plant("file", b"x");
    let link = ground.remote.join("link");
    symlink("file", &link).unwrap();
    ground.give(&link);
    let gid = ground.sshd.account().gid;
    // -h is lsetstat@openssh.com: on a dangling link it can only mean the link.
    let dangling = ground.remote.join("dangling");
    symlink("nowhere", &dangling).unwrap();
    ground.give(&dangling);
    play(
        &ground,
        &[
            line("chmod 751", &[&link]),
            line(&format!("chgrp {gid}"), &[&file]),
            line(&format!("chgrp -h {gid}"), &[&dangling]),
        ],
    );
    assert_mode(&file, 0o751);
    fail(&mut sftp(
        &ground,
        &[line(&format!("chgrp {gid}"), &[&dangling])],
    ));
}

#[test]
fn links_are_made_symbolic_and_hard() {
    let ground = Ground::new();
    let file = ground.plant("file", b"x");
    let (soft, hard) = (ground.remote.join("soft"), ground.remote.join("hard"));
    play(
        &ground,
        &[
            line("ln -s", &[Path::new("any thing/at all"), &soft]),
            line("ln", &[&file, &hard]),
        ],
    );
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("any thing/at all"));
    assert_eq!(
        fs::metadata(&hard).unwrap().ino(),
        fs::metadata(&file).unwrap().ino()
    );
}

#[test]
fn cp_copies_on_the_server() {
    let ground = Ground::new();
    let bytes = data(6, 3_000_000);
    let (file, copy) = (ground.plant("file", &bytes), ground.remote.join("copy"));
    play(&ground, &[line("cp", &[&file, &copy])]);
    assert_bytes(&copy, &bytes);
    assert_bytes(&file, &bytes);
}

#[test]
fn ls_shows_a_thousand_files_and_their_owner() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    let output = play(&ground, &[line("ls -1", &[&dir]), line("ls -l", &[&dir])]);
    let text = String::from_utf8(output.stdout).unwrap();
    let (long, short): (Vec<&str>, Vec<&str>) = text
        .lines()
        .filter(|line| !line.starts_with("sftp>"))
        .partition(|line| line.starts_with("-rw"));
    let shown: Vec<&str> = short
        .iter()
        .map(|path| path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(shown, names);
    assert_eq!(long.len(), 1000);
    let user = &ground.sshd.account().name;
    assert!(
        long.iter().all(|line| line.contains(user.as_str())),
        "{}",
        long[0]
    );
}

#[test]
fn df_and_pwd_answer() {
    let ground = Ground::new();
    let output = play(
        &ground,
        &[
            line("cd", &[&ground.remote]),
            line("pwd", &[]),
            line("df -i", &[]),
            line("df -h", &[]),
        ],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains(&format!(
            "Remote working directory: {}\n",
            seen(&ground.remote).display()
        )),
        "{text}"
    );
    assert!(
        text.contains("Inodes") && text.contains("%Capacity"),
        "{text}"
    );
}

#[test]
fn a_bind_is_listed_in_its_parent_and_nothing_moves_across_its_edge() {
    let (ground, bound) = Ground::jailed();
    let (file, sent, moved) = (
        ground.plant("file", b"x"),
        bound.join("sent"),
        bound.join("moved"),
    );
    let output = play(
        &ground,
        &[
            line("put", &[&ground.keep("sent", b"sent"), &sent]),
            line("rename", &[&sent, &moved]),
            line("cp", &[&file, &bound.join("copy")]),
            line("get", &[&moved, &ground.local.join("back")]),
            line("ls -1", &[&ground.remote]),
            line("ls -1", &[&bound]),
            line("pwd", &[]),
        ],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let shown: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("sftp>"))
        .collect();
    assert_eq!(
        shown,
        [
            "/bound",
            "/file",
            "/bound/copy",
            "/bound/moved",
            "Remote working directory: /"
        ]
    );
    assert_bytes(&moved, b"sent");
    assert_bytes(&ground.local.join("back"), b"sent");
    assert_bytes(&bound.join("copy"), b"x");
    // As between two file systems, and as a mount point.
    let (there, elsewhere) = (ground.remote.join("bound"), ground.remote.join("elsewhere"));
    for command in [
        line("rename", &[&file, &bound.join("file")]),
        line("rename", &[&moved, &ground.remote.join("moved")]),
        line("ln", &[&file, &bound.join("file")]),
        line("rename", &[&there, &elsewhere]),
        line("rmdir", &[&there]),
        line("mkdir", &[&there]),
    ] {
        let said = fail(&mut sftp(&ground, &[command]));
        assert!(said.contains("Failure"), "{said}");
    }
    assert_bytes(&file, b"x");
    assert_bytes(&moved, b"sent");
    assert_eq!(fs::read_dir(&bound).unwrap().count(), 2);
    // The host has no directory where the bind is seen.
    assert_eq!(fs::read_dir(&ground.remote).unwrap().count(), 1);
}
