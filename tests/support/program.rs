//! Programs that a test puts somewhere and runs.
//!
//! Another process writes them. What tests beside this one start inherits each descriptor for a moment, until its exec; and a program that
//! somebody has open for writing does not run (ETXTBSY).

use std::path::Path;
use std::process::Command;

/// A copy that anybody may run.
#[track_caller]
pub(crate) fn install(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let (from, to) = (from.as_ref(), to.as_ref());
    let mut install = Command::new("install");
    let status = install
        .args(["-m", "0755", "--"])
        .arg(from)
        .arg(to)
        .status();
    assert!(status.unwrap().success(), "cannot copy {}", from.display());
}

/// A script that anybody may run.
#[track_caller]
pub(crate) fn script(to: impl AsRef<Path>, text: &str) {
    let draft = to.as_ref().with_extension("draft");
    std::fs::write(&draft, text).unwrap();
    install(&draft, to);
    std::fs::remove_file(draft).unwrap();
}
