//! JSch 0.1.55 for Java, as Debian has it. Of the keys that OpenSSH takes today it knows ECDSA's alone. Wildcards and backslashes in a path
//! mean something to it, so that its script quotes them; a name that is not UTF-8 it cannot give back.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use crate::asked;
use crate::ground::*;
use crate::script::{Client::Jsch, Script};
use crate::support::sshd::Place;

/// A ground whose sshd has such a key, by which such a key logs in; and where the first is as long as it is wanted.
#[track_caller]
fn ground() -> (Ground, Place) {
    let place = Place::new();
    let host = make_key(&place.path().join("host"));
    if geteuid().is_root() {
        // An sshd run by somebody else takes root's key, whoever may read that.
        set_mode(&host, 0o644);
    }
    let ground = Ground::with(&format!("HostKey {}", host.display()));
    let (sshd, ssh) = (&ground.sshd, ground.local.join(".ssh"));
    fs::create_dir(&ssh).unwrap();
    let user = make_key(&ssh.join("id_ecdsa"));
    let authorized = sshd.place().path().join("keys").join(&sshd.account().name);
    let before = fs::read_to_string(&authorized).unwrap();
    fs::write(authorized, before + &public(&user)).unwrap();
    let known = format!("[127.0.0.1]:{} {}", sshd.port, public(&host));
    fs::write(ssh.join("known_hosts"), known).unwrap();
    (ground, place)
}

/// In the only form that it reads.
fn make_key(path: &Path) -> PathBuf {
    let mut make = Command::new("ssh-keygen");
    make.args([
        "-q", "-t", "ecdsa", "-m", "PEM", "-N", "", "-C", "test", "-f",
    ]);
    succeed(make.arg(path));
    path.to_owned()
}

fn public(key: &Path) -> String {
    fs::read_to_string(key.with_extension("pub")).unwrap()
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    asked::to_carry_every_length(&ground().0, Jsch);
}

#[test]
fn transfers_are_resumed() {
    asked::to_resume(&ground().0, Jsch);
}

#[test]
fn a_file_grows_by_what_is_appended() {
    asked::to_append(&ground().0, Jsch);
}

#[test]
fn odd_names_are_put_got_renamed_listed_and_removed() {
    asked::to_name_things(&ground().0, Jsch, &asked::utf8_names());
}

#[test]
fn a_thousand_files_are_listed() {
    asked::to_list_a_thousand(&ground().0, Jsch);
}

#[test]
fn attributes_and_directories_are_changed() {
    asked::to_change_attributes_and_directories(&ground().0, Jsch);
}

#[test]
fn links_are_made_and_a_rename_replaces() {
    let (ground, _key) = ground();
    let (old, new) = (ground.plant("old", b"old"), ground.plant("new", b"new"));
    let (soft, hard) = (ground.remote.join("soft"), ground.remote.join("hard"));
    Script::new()
        .then("rename", &[&old, &new])
        .then("symlink", &[Path::new("/some where"), &soft])
        .then("link", &[&new, &hard])
        .play(&ground, Jsch);
    assert_bytes(&new, b"old");
    assert!(!old.exists());
    assert_eq!(fs::read_link(&soft).unwrap(), Path::new("/some where"));
    assert_eq!(
        fs::metadata(&hard).unwrap().ino(),
        fs::metadata(&new).unwrap().ino()
    );
}
