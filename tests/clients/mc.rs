//! Midnight Commander, whose virtual file system speaks SFTP by libssh2. It has no batch mode: keys are typed on a terminal, and what comes of
//! them is waited for on the disk or on the screen. Onto an existing name it renames; where that is refused, as by every server of version 3, it
//! copies through itself and removes the old one.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ground::*;

/// Both panels, and what is typed. An agent has the key: mc asks for no other file of it.
#[track_caller]
fn mc(ground: &Ground, left: &str, right: &str, steps: &[&str]) {
    installed("mc".as_ref());
    let home = ground.local.join("home");
    fs::create_dir_all(home.join(".ssh")).unwrap();
    fs::copy(ground.sshd.known_hosts(), home.join(".ssh/known_hosts")).unwrap();
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/with_mc.py");
    let mut command = Command::new("ssh-agent");
    command
        .args(["sh", "-c", r#"ssh-add -q "$0" && exec python3 "$@""#])
        .arg(ground.sshd.user_key())
        .arg(driver)
        .args([left, right])
        .args(steps)
        .current_dir(&ground.local)
        .env("HOME", &home)
        .env("TERM", "xterm")
        .env("LC_ALL", "C.UTF-8");
    for name in [
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_CACHE_HOME",
        "MC_PROFILE_ROOT",
    ] {
        command.env_remove(name);
    }
    succeed(&mut command);
}

/// A directory at the server's side, as mc names it.
fn url(ground: &Ground, dir: &Path) -> String {
    let (user, port) = (&ground.sshd.account().name, ground.sshd.port);
    format!("sftp://{user}@127.0.0.1:{port}{}", seen(dir).display())
}

/// The first file in the left panel is copied, or moved, to where the right one is.
const COPY: &str = r"keys \x0e\x1b5";
const MOVE: &str = r"keys \x0e\x1b6";
const ENTER: &str = r"keys \n";
const YES: &str = "keys y";

#[test]
fn a_file_is_put_and_got_whole() {
    let ground = Ground::new();
    let (there, here) = (data(71, 3_000_003), data(72, 3_000_001));
    let remote = ground.remote.join("dir");
    ground.sshd.account().make_dir(&remote);
    fs::write(remote.join("there"), &there).unwrap();
    ground.give(&remote);
    let local = ground.local.join("panel");
    fs::create_dir(&local).unwrap();
    fs::write(local.join("here"), &here).unwrap();
    let put = format!("is {} {}", remote.join("here").display(), here.len());
    let got = format!("is {} {}", local.join("there").display(), there.len());
    let panel = local.to_str().unwrap();
    let left = url(&ground, &remote);
    mc(
        &ground,
        panel,
        &left,
        &["see there", COPY, "see Copy file", ENTER, &put],
    );
    mc(
        &ground,
        &left,
        panel,
        // Behind what was put before.
        &[
            "see there",
            "keys \\x0e",
            COPY,
            "see Copy file",
            ENTER,
            &got,
        ],
    );
    assert_bytes(&remote.join("here"), &here);
    assert_bytes(&local.join("there"), &there);
}

/// What stands in `from` and in `to`, each by the name `file`, in directories of their own at the server's side.
fn two(ground: &Ground) -> [std::path::PathBuf; 2] {
    ["from", "to"].map(|name| {
        let dir = ground.remote.join(name);
        ground.sshd.account().make_dir(&dir);
        fs::write(dir.join("file"), format!("what is in {name}")).unwrap();
        ground.give(&dir);
        dir
    })
}

#[test]
fn a_file_that_is_moved_onto_another_takes_its_place() {
    let ground = Ground::new();
    let [from, to] = two(&ground);
    let gone = format!("gone {}", from.join("file").display());
    let steps = [
        "see file",
        MOVE,
        "see Move file",
        ENTER,
        "see exists",
        YES,
        // FAILURE, for the RENAME.
        "see Error 4",
        ENTER,
        &gone,
    ];
    mc(&ground, &url(&ground, &from), &url(&ground, &to), &steps);
    assert_bytes(&to.join("file"), b"what is in from");
}

#[test]
fn where_nothing_is_overwritten_neither_of_the_two_is_lost() {
    let (ground, _) = Ground::under("--no-overwrite");
    let [from, to] = two(&ground);
    let steps = [
        "see file",
        MOVE,
        "see Move file",
        ENTER,
        "see exists",
        YES,
        // PERMISSION_DENIED, for the RENAME and for the OPEN that empties.
        "see Error 3",
        ENTER,
        "see remote file 3",
        ENTER,
        "see annot",
    ];
    mc(&ground, &url(&ground, &from), &url(&ground, &to), &steps);
    assert_bytes(&from.join("file"), b"what is in from");
    assert_bytes(&to.join("file"), b"what is in to");
    assert_eq!(fs::read_dir(&to).unwrap().count(), 1);
}
