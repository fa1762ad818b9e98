//! PuTTY's pscp, by SFTP. It cannot resume, append, rename, make links or change modes; `-p` keeps times.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::ground::*;
use crate::putty::{client, login, no_pattern};

fn pscp(ground: &Ground) -> Command {
    let mut pscp = client(ground, "pscp");
    pscp.args(["-sftp", "-q"]);
    pscp
}

fn there(ground: &Ground, path: &Path) -> OsString {
    let mut operand = OsString::from(login(ground) + ":");
    operand.push(seen(path));
    operand
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let back = ground.local.join("back");
    fs::create_dir(&back).unwrap();
    let mut put = pscp(&ground);
    for length in LENGTHS {
        put.arg(ground.keep(format!("{length}"), &data(length as u64, length)));
    }
    succeed(put.arg(there(&ground, &ground.remote)));
    succeed(
        pscp(&ground)
            .arg(there(&ground, &ground.remote.join("*")))
            .arg(&back),
    );
    for length in LENGTHS {
        assert_bytes(
            &ground.remote.join(format!("{length}")),
            &data(length as u64, length),
        );
        assert_bytes(
            &back.join(format!("{length}")),
            &data(length as u64, length),
        );
    }
}

#[test]
fn put_over_a_longer_file_leaves_nothing_of_it() {
    let ground = Ground::new();
    let file = ground.plant("file", &data(42, 100_000));
    succeed(
        pscp(&ground)
            .arg(ground.keep("file", b"short"))
            .arg(there(&ground, &file)),
    );
    assert_bytes(&file, b"short");
}

#[test]
fn recursive_put_and_get_carry_odd_names_and_times() {
    let ground = Ground::new();
    let (tree, back) = (ground.local.join("tree"), ground.local.join("back"));
    // On its way in, pscp -r drops what a name has up to a backslash.
    let names: Vec<OsString> = odd_names()
        .into_iter()
        .filter(|name| !name.as_bytes().contains(&b'\\'))
        .collect();
    grow_tree(&tree, &names);
    fs::create_dir(&back).unwrap();
    succeed(
        pscp(&ground)
            .args(["-r", "-p"])
            .arg(&tree)
            .arg(there(&ground, &ground.remote)),
    );
    let to = ground.remote.join("tree");
    assert_same_tree(&to, &tree, NEITHER);
    succeed(
        pscp(&ground)
            .args(["-r", "-p"])
            .arg(there(&ground, &to))
            .arg(&back),
    );
    assert_same_tree(&back.join("tree"), &tree, NEITHER);
    for copy in [&to, &back.join("tree")] {
        let time = |top: &Path| {
            fs::metadata(top.join("a/program"))
                .unwrap()
                .modified()
                .unwrap()
        };
        assert_eq!(time(copy), time(&tree));
    }
    assert_mode(&to.join("a/program"), 0o755);
}

#[test]
fn odd_names_are_put_and_got() {
    let ground = Ground::new();
    let back = ground.local.join("back");
    for name in odd_names() {
        let (local, to) = (
            ground.keep(&name, name.as_bytes()),
            ground.remote.join(&name),
        );
        succeed(pscp(&ground).arg(local).arg(there(&ground, &to)));
        assert_bytes(&to, name.as_bytes());
        succeed(
            pscp(&ground)
                .arg(there(&ground, &no_pattern(&to)))
                .arg(&back),
        );
        assert_bytes(&back, name.as_bytes());
    }
}

#[test]
fn a_thousand_files_are_listed() {
    let ground = Ground::new();
    let (dir, names) = ground.plant_thousand();
    let output = succeed(pscp(&ground).arg("-ls").arg(there(&ground, &dir)));
    let text = String::from_utf8(output.stdout).unwrap();
    for name in &names {
        assert!(
            text.lines()
                .any(|line| line.starts_with("-rw") && line.ends_with(name.as_str())),
            "{name}"
        );
    }
}

#[test]
fn a_missing_file_is_said_in_words() {
    let ground = Ground::new();
    let said = fail(
        pscp(&ground)
            .arg(there(&ground, &ground.remote.join("none")))
            .arg(&ground.local),
    );
    assert!(said.contains("no such file or directory"), "{said}");
}
