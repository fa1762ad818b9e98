//! The README's examples run as they stand: each fenced block marked `sh`, in a fresh checkout; each launch, behind a real sshd.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::Tree;
use crate::support::examples::blocks;
use crate::support::server::wait;

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// What git has of the checkout, as it stands now, in a directory of its own.
fn fresh_checkout() -> Tree {
    let tree = Tree::new();
    let script = r#"cd "$0" && git -c safe.directory='*' ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$1""#;
    let status = Command::new("bash")
        .args(["-o", "pipefail", "-ec", script, CHECKOUT])
        .arg(tree.root())
        .status();
    assert!(status.unwrap().success(), "copying the checkout");
    tree
}

#[test]
fn the_commands_run_as_they_stand_in_a_fresh_checkout() {
    let commands = blocks("sh");
    assert_ne!(
        commands,
        [] as [String; 0],
        "the README has commands to try"
    );
    let checkout = fresh_checkout();
    for block in commands {
        let mut child = Command::new("bash")
            .args(["-ec", &block])
            .current_dir(&checkout)
            // One build for all blocks, kept for the next run; a reader's goes to ./target.
            .env(
                "CARGO_TARGET_DIR",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme"),
            )
            .stdin(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Most of it is a release build on a busy machine.
        let status = wait(&mut child, Duration::from_secs(900));
        assert!(status.success(), "{block}\nleft with {status}");
    }
}

#[test]
fn every_file_that_the_readme_points_to_exists() {
    let text = fs::read_to_string(Path::new(CHECKOUT).join("README.md")).unwrap();
    let targets: Vec<&str> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.starts_with('#') && !target.contains("://"))
        .collect();
    assert_ne!(targets, [] as [&str; 0]);
    for target in targets {
        assert!(Path::new(CHECKOUT).join(target).exists(), "{target}");
    }
}
