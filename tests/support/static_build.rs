//! Our server as a static program, which needs no library.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Its path. Made when it is first asked for, in a target folder of its own.
pub(crate) static STATIC: LazyLock<PathBuf> = LazyLock::new(|| {
    let host = host_triple();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static");
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--bin",
            "sftp-server",
            "-j1",
            "--target",
            &host,
        ])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the static build: {words}");
    folder.join(host).join("release/sftp-server")
});

fn host_triple() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let host = words.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc tells its host").to_owned()
}
