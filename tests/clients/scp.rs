//! OpenSSH's scp, which speaks SFTP. It cannot resume, append, rename, make links or list; it follows links.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::ground::*;
use crate::support::sshd::HOST;

/// The remote operand of a put, which scp takes as it stands.
pub(crate) fn to(path: &Path) -> OsString {
    let mut operand = OsString::from(format!("{HOST}:"));
    operand.push(seen(path));
    operand
}

/// The remote operand of a get, which scp expands: what is special to glob(3) is quoted.
pub(crate) fn from(path: &Path) -> OsString {
    let mut operand = format!("{HOST}:").into_bytes();
    for &byte in seen(path).as_os_str().as_bytes() {
        if b"*?[]{}\\".contains(&byte) {
            operand.push(b'\\');
        }
        operand.push(byte);
    }
    OsString::from_vec(operand)
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let (there, back) = (ground.remote.join("there"), ground.local.join("back"));
    fs::create_dir(&there).unwrap();
    ground.give(&there);
    fs::create_dir(&back).unwrap();
    let mut put = ground.sshd.scp();
    let mut get = ground.sshd.scp();
    for length in LENGTHS {
        put.arg(ground.keep(format!("{length}"), &data(length as u64, length)));
        get.arg(from(&there.join(format!("{length}"))));
    }
    succeed(put.arg(to(&there)));
    succeed(get.arg(&back));
    for length in LENGTHS {
        assert_bytes(
            &there.join(format!("{length}")),
            &data(length as u64, length),
        );
        assert_bytes(
            &back.join(format!("{length}")),
            &data(length as u64, length),
        );
    }
}

#[test]
fn put_over_a_longer_file_cuts_it() {
    // scp opens without TRUNC and sets the size at the end.
    let ground = Ground::new();
    let file = ground.plant("file", &data(7, 900_000));
    let inode = fs::metadata(&file).unwrap().ino();
    let bytes = data(8, 300_000);
    succeed(
        ground
            .sshd
            .scp()
            .arg(ground.keep("new", &bytes))
            .arg(to(&file)),
    );
    assert_bytes(&file, &bytes);
    assert_eq!(fs::metadata(&file).unwrap().ino(), inode);
}

#[test]
fn recursive_put_and_get_carry_odd_names_modes_and_times() {
    let ground = Ground::new();
    let tree = ground.local.join("tree");
    grow_tree(&tree, &odd_names());
    let (there, back) = (ground.remote.join("tree"), ground.local.join("back"));
    succeed(
        ground
            .sshd
            .scp()
            .args(["-r", "-p"])
            .arg(&tree)
            .arg(to(&there)),
    );
    assert_same_tree(&there, &tree, MODES_AND_TIMES);
    succeed(
        ground
            .sshd
            .scp()
            .args(["-r", "-p"])
            .arg(from(&there))
            .arg(&back),
    );
    assert_same_tree(&back, &tree, MODES_AND_TIMES);
}

#[test]
fn odd_names_are_put_and_got() {
    let ground = Ground::new();
    let back = ground.local.join("back");
    fs::create_dir(&back).unwrap();
    let mut get = ground.sshd.scp();
    for name in odd_names() {
        let local = ground.keep(&name, name.as_bytes());
        let there = ground.remote.join(&name);
        succeed(ground.sshd.scp().arg(local).arg(to(&there)));
        assert_bytes(&there, name.as_bytes());
        get.arg(from(&there));
    }
    succeed(get.arg(&back));
    for name in odd_names() {
        assert_bytes(&back.join(&name), name.as_bytes());
    }
}

#[test]
fn times_and_modes_are_kept_when_asked_for() {
    let ground = Ground::new();
    let local = ground.keep("file", b"x");
    set_mtime(&local, 1_000_000_007);
    set_mode(&local, 0o640);
    let (there, back) = (ground.remote.join("file"), ground.local.join("back"));
    succeed(ground.sshd.scp().arg("-p").arg(&local).arg(to(&there)));
    succeed(ground.sshd.scp().arg("-p").arg(from(&there)).arg(&back));
    for path in [&there, &back] {
        assert_mtime(path, 1_000_000_007);
        assert_mode(path, 0o640);
    }
}

#[test]
fn a_pattern_of_a_thousand_files_is_expanded_and_got() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    let back = ground.local.join("back");
    fs::create_dir(&back).unwrap();
    succeed(
        ground
            .sshd
            .scp()
            .arg("-q")
            .arg(format!("{HOST}:{}/*", seen(dir).display()))
            .arg(&back),
    );
    for name in &names {
        assert_bytes(&back.join(name), name.as_bytes());
    }
}

#[test]
fn a_copy_between_two_remote_paths_passes_through_the_client() {
    let ground = Ground::new();
    let bytes = data(9, 2_000_000);
    let (file, copy) = (ground.plant("file", &bytes), ground.remote.join("copy"));
    succeed(ground.sshd.scp().arg("-3").arg(from(&file)).arg(to(&copy)));
    assert_bytes(&copy, &bytes);
}

#[test]
fn a_users_home_is_found_by_its_tilde() {
    let ground = Ground::new();
    let account = ground.sshd.account();
    let name = format!(".sftp-test-{}", std::process::id());
    let there = ground.home().join(&name);
    let local = ground.keep("file", b"home");
    // The second form is expand-path@openssh.com.
    for operand in [
        format!("{HOST}:~/{name}"),
        format!("{HOST}:~{}/{name}", account.name),
    ] {
        succeed(ground.sshd.scp().arg(&local).arg(operand));
        assert_bytes(&there, b"home");
        fs::remove_file(&there).unwrap();
    }
}

#[test]
fn what_is_missing_or_forbidden_is_said_in_words() {
    let ground = Ground::new();
    let said = fail(
        ground
            .sshd
            .scp()
            .arg(from(&ground.remote.join("none")))
            .arg(&ground.local),
    );
    assert!(said.contains("No such file"), "{said}");
    let said = fail(
        ground
            .sshd
            .scp()
            .arg(ground.keep("file", b""))
            .arg(to(Path::new("/proc/none"))),
    );
    assert!(
        said.contains("No such file") || said.contains("Permission denied"),
        "{said}"
    );
}
