//! OpenSSH's servers, beside which ours is measured: that of this machine, and the newest one, which tests/run fetches without installing it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::Tree;

/// That of this machine: on Debian 12 the one of OpenSSH 9.2.
pub(crate) const OPENSSH: &str = "/usr/lib/openssh/sftp-server";

/// `(9, 2)` of OpenSSH 9.2p1.
pub(crate) type Release = (u32, u32);

/// The newest one.
#[track_caller]
pub(crate) fn newest() -> PathBuf {
    let program = newest_unchecked();
    assert!(
        program.exists(),
        "{} is missing: run tests/run",
        program.display()
    );
    program
}

fn newest_unchecked() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("newest-openssh/sftp-server")
}

/// The one that ours is compared with: that of this machine, or the newest where `SFTP_SERVER_REFERENCE` is `newest`.
#[track_caller]
pub(crate) fn reference() -> PathBuf {
    match std::env::var("SFTP_SERVER_REFERENCE").as_deref() {
        Ok("newest") => newest(),
        Ok(other) => panic!("SFTP_SERVER_REFERENCE={other}: it can be \"newest\""),
        Err(_) => OPENSSH.into(),
    }
}

/// The same program where any user can execute it: the newest one is a script beside its libraries, in the build's folder, which need not
/// be open to all.
#[track_caller]
pub(crate) fn reachable(program: &Path, dir: &Tree) -> PathBuf {
    if program != newest_unchecked() {
        return program.to_owned();
    }
    let copy = dir.at("newest-openssh");
    let mut cp = Command::new("cp");
    cp.arg("-r").arg(program.with_file_name("")).arg(&copy);
    let mut chmod = Command::new("chmod");
    chmod.args(["-R", "a+rX"]).arg(&copy);
    for mut command in [cp, chmod] {
        assert!(command.status().unwrap().success(), "{command:?}");
    }
    copy.join("sftp-server")
}

/// Which release this program belongs to, if it is one of OpenSSH's.
pub(crate) fn release(program: &Path) -> Option<Release> {
    static KNOWN: Mutex<BTreeMap<PathBuf, Release>> = Mutex::new(BTreeMap::new());
    let program = program.canonicalize().ok()?;
    let ssh = if program == Path::new(OPENSSH) {
        "ssh".into()
    } else if program.ends_with("newest-openssh/sftp-server") {
        program.with_file_name("ssh")
    } else {
        return None;
    };
    let mut known = KNOWN.lock().unwrap();
    let release = known.entry(program).or_insert_with(|| {
        let said = Command::new(&ssh).arg("-V").output().unwrap();
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        parse(&said).unwrap_or_else(|| panic!("{} -V says {said:?}", ssh.display()))
    });
    Some(*release)
}

/// Of `OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.16`.
fn parse(said: &str) -> Option<Release> {
    let (major, rest) = said.strip_prefix("OpenSSH_")?.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
