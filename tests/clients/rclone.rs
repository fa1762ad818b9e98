//! rclone. It cannot resume, append or make links; a rename onto a file is a REMOVE and a RENAME.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::ground::*;

pub(crate) fn rclone(ground: &Ground) -> Command {
    let sshd = &ground.sshd;
    let mut rclone = Command::new("rclone");
    // The checks go by SFTP too, not by md5sum in a shell.
    rclone
        .args([
            "--config",
            "/dev/null",
            "--retries",
            "1",
            "--low-level-retries",
            "1",
            "--sftp-host",
            "127.0.0.1",
            "--sftp-disable-hashcheck",
        ])
        .args([
            "--sftp-port",
            &sshd.port.to_string(),
            "--sftp-user",
            &sshd.account().name,
        ])
        .arg("--sftp-key-file")
        .arg(sshd.user_key())
        .arg("--sftp-known-hosts-file")
        .arg(sshd.known_hosts());
    rclone
}

pub(crate) fn there(path: &Path) -> OsString {
    let mut operand = OsString::from(":sftp:");
    operand.push(seen(path));
    operand
}

/// Of the odd names those that rclone sends as they are: control characters become pictures of them (U+2400 and on).
fn names() -> Vec<OsString> {
    let control = |name: &OsString| name.as_bytes().iter().any(u8::is_ascii_control);
    odd_names()
        .into_iter()
        .filter(|name| !control(name))
        .collect()
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let (from, back, to) = (
        ground.local.join("from"),
        ground.local.join("back"),
        ground.remote.join("to"),
    );
    fs::create_dir(&from).unwrap();
    for length in LENGTHS {
        ground.keep(format!("from/{length}"), &data(length as u64, length));
    }
    succeed(rclone(&ground).arg("copy").arg(&from).arg(there(&to)));
    succeed(rclone(&ground).arg("copy").arg(there(&to)).arg(&back));
    for length in LENGTHS {
        assert_bytes(&to.join(format!("{length}")), &data(length as u64, length));
        assert_bytes(
            &back.join(format!("{length}")),
            &data(length as u64, length),
        );
    }
}

#[test]
fn a_stream_is_put_and_a_part_is_got() {
    let ground = Ground::new();
    let bytes = data(20, 2_000_000);
    let file = ground.keep("file", &bytes);
    let to = ground.remote.join("streamed");
    let output = run(
        rclone(&ground).arg("rcat").arg(there(&to)),
        Stdio::from(fs::File::open(file).unwrap()),
    );
    assert!(output.status.success(), "{output:?}");
    assert_bytes(&to, &bytes);
    let output = succeed(
        rclone(&ground)
            .args(["cat", "--offset", "1234567", "--count", "100000"])
            .arg(there(&to)),
    );
    assert!(output.stdout == bytes[1_234_567..1_334_567]);
}

#[test]
fn put_and_rename_onto_an_existing_file_replace_it() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(21, 50_000));
    let local = ground.keep("file", b"short");
    succeed(rclone(&ground).arg("copyto").arg(&local).arg(there(&file)));
    assert_bytes(&file, b"short");
    let other = ground.plant("other", b"of another length");
    succeed(
        rclone(&ground)
            .arg("moveto")
            .arg(there(&other))
            .arg(there(&file)),
    );
    assert_bytes(&file, b"of another length");
    assert!(!other.exists());
}

#[test]
fn directories_are_made_renamed_and_removed() {
    let ground = Ground::new();
    let (deep, dir, moved) = (
        ground.remote.join("dir/a/b"),
        ground.remote.join("dir"),
        ground.remote.join("moved"),
    );
    succeed(rclone(&ground).arg("mkdir").arg(there(&deep)));
    assert!(deep.is_dir());
    ground.plant("dir/a/file", b"x");
    succeed(
        rclone(&ground)
            .arg("moveto")
            .arg(there(&dir))
            .arg(there(&moved)),
    );
    assert!(!dir.join("a/file").exists());
    assert_bytes(&moved.join("a/file"), b"x");
    succeed(rclone(&ground).arg("purge").arg(there(&moved)));
    assert!(!moved.exists());
}

#[test]
fn sync_carries_odd_names_and_times_both_ways() {
    let ground = Ground::new();
    let (tree, to, back) = (
        ground.local.join("tree"),
        ground.remote.join("to"),
        ground.local.join("back"),
    );
    grow_tree(&tree, &names());
    succeed(
        rclone(&ground)
            .args(["sync", "--create-empty-src-dirs"])
            .arg(&tree)
            .arg(there(&to)),
    );
    succeed(
        rclone(&ground)
            .args(["check", "--download"])
            .arg(&tree)
            .arg(there(&to)),
    );
    succeed(
        rclone(&ground)
            .args(["sync", "--create-empty-src-dirs"])
            .arg(there(&to))
            .arg(&back),
    );
    for copy in [&to, &back] {
        assert_same_tree(copy, &tree, NEITHER);
        for name in names() {
            let name = Path::new("a/b").join(name);
            let time = |top: &Path| fs::metadata(top.join(&name)).unwrap().modified().unwrap();
            assert_eq!(time(copy), time(&tree), "{}", name.display());
        }
    }
    fs::remove_file(tree.join("a/private")).unwrap();
    fs::write(tree.join("zero"), b"no more").unwrap();
    succeed(
        rclone(&ground)
            .args(["sync", "--create-empty-src-dirs"])
            .arg(&tree)
            .arg(there(&to)),
    );
    assert_same_tree(&to, &tree, NEITHER);
}

#[test]
fn files_with_control_characters_in_their_names_are_got() {
    let ground = Ground::new();
    let back = ground.local.join("back");
    fs::create_dir(ground.remote.join("odd")).unwrap();
    for name in odd_names() {
        ground.plant(Path::new("odd").join(&name), name.as_bytes());
    }
    succeed(
        rclone(&ground)
            .arg("copy")
            .arg(there(&ground.remote.join("odd")))
            .arg(&back),
    );
    for name in odd_names() {
        assert_bytes(&back.join(&name), name.as_bytes());
    }
}

#[test]
fn a_link_to_a_file_is_followed_and_a_touched_file_has_its_time() {
    let ground = Ground::new();
    ground.plant("file", b"through the link");
    symlink("file", ground.remote.join("link")).unwrap();
    succeed(
        rclone(&ground)
            .args(["copyto", "--copy-links"])
            .arg(there(&ground.remote.join("link")))
            .arg(ground.local.join("got")),
    );
    assert_bytes(&ground.local.join("got"), b"through the link");
    let touched = ground.remote.join("touched");
    succeed(
        rclone(&ground)
            .args(["touch", "--timestamp", "2001-09-09T01:46:47"])
            .arg(there(&touched)),
    );
    assert_mtime(&touched, 1_000_000_007);
}

#[test]
fn a_thousand_files_are_listed_with_size_and_time() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    set_mtime(&dir.join(&names[500]), 1_000_000_007);
    let output = succeed(
        rclone(&ground)
            .args(["lsf", "--format", "pst"])
            .arg(there(&dir))
            .env("TZ", "UTC"),
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort();
    assert_eq!(lines.len(), 1000);
    for (line, name) in lines.iter().zip(&names) {
        assert!(
            line.starts_with(&format!("{name};{};", name.len())),
            "{line}"
        );
    }
    assert!(
        lines[500].ends_with(";2001-09-09 01:46:47"),
        "{}",
        lines[500]
    );
}

#[test]
fn about_answers_and_a_missing_path_is_said_in_words() {
    let ground = Ground::new();
    let output = succeed(rclone(&ground).arg("about").arg(there(&ground.remote)));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Free:"));
    let said = fail(
        rclone(&ground)
            .arg("lsf")
            .arg(there(&ground.remote.join("none"))),
    );
    assert!(said.contains("directory not found"), "{said}");
}

#[test]
fn a_sync_of_a_root_reaches_into_its_bind_both_ways() {
    let (ground, bound) = Ground::jailed();
    let (tree, back) = (ground.local.join("tree"), ground.local.join("back"));
    grow_tree(&tree, &names());
    fs::create_dir(tree.join("bound")).unwrap();
    grow_tree(&tree.join("bound"), &names());
    succeed(
        rclone(&ground)
            .args(["sync", "--create-empty-src-dirs"])
            .arg(&tree)
            .arg(there(&ground.remote)),
    );
    assert_same_tree(&bound, &tree.join("bound"), NEITHER);
    succeed(
        rclone(&ground)
            .args(["sync", "--create-empty-src-dirs"])
            .arg(there(&ground.remote))
            .arg(&back),
    );
    assert_same_tree(&back, &tree, NEITHER);
    fs::remove_dir_all(tree.join("bound")).unwrap();
    // What of it is in the root's own directory.
    assert_same_tree(&ground.remote, &tree, NEITHER);
}
