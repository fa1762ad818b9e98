//! What PuTTY's psftp and pscp share: the key in their format, the host key by fingerprint, a home of their own.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ground::*;

pub(crate) fn client(ground: &Ground, program: &str) -> Command {
    let key = ground.local.join("key.ppk");
    if !key.exists() {
        succeed(
            Command::new("puttygen")
                .arg(ground.sshd.user_key())
                .args(["-O", "private", "-o"])
                .arg(&key),
        );
    }
    let listed = succeed(
        Command::new("ssh-keygen")
            .args(["-l", "-f"])
            .arg(ground.sshd.known_hosts()),
    );
    let listed = String::from_utf8(listed.stdout).unwrap();
    let fingerprint = listed
        .split_whitespace()
        .find(|word| word.starts_with("SHA256:"))
        .unwrap();
    let mut command = Command::new(program);
    command
        .args([
            "-batch",
            "-P",
            &ground.sshd.port.to_string(),
            "-hostkey",
            fingerprint,
            "-i",
        ])
        .arg(key)
        .env("HOME", &ground.local)
        .env("LC_ALL", "C.UTF-8");
    command
}

/// `user@host`.
pub(crate) fn login(ground: &Ground) -> String {
    format!("{}@127.0.0.1", ground.sshd.account().name)
}

/// A path where a pattern may stand, with what a pattern is made of quoted.
pub(crate) fn no_pattern(path: &Path) -> PathBuf {
    let mut quoted = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if b"*?[]\\".contains(&byte) {
            quoted.push(b'\\');
        }
        quoted.push(byte);
    }
    OsString::from_vec(quoted).into()
}
