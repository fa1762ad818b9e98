//! What people do with a jail, through a real sshd: a file a story. The user has nothing but their own files, or, in the
//! group's story, a system manager who wrote one line.
//!
//! Each story begins from its example in `packaging/sshd` or in the README, so that none of them can rot. Needs root, for
//! throwaway users: the home of one who runs the tests is no place for keys and start files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod binds;
mod group;
mod home;
mod inbox;
mod mount;
mod person;
mod recipes;
mod recipes_more;
#[allow(dead_code, reason = "these stories use a part of it")]
#[path = "../launch/run.rs"]
mod run;
mod set_up;
#[path = "../support/mod.rs"]
mod support;
mod two_keys;

use support::examples::{example, names};

#[test]
fn every_example_with_a_root_is_a_story_here() {
    let with_a_root = names()
        .into_iter()
        .filter(|name| example(name).contains("--root"));
    assert_eq!(
        with_a_root.collect::<Vec<_>>(),
        [
            "authorized_keys.backup",
            "authorized_keys.binds",
            "authorized_keys.borg",
            "authorized_keys.drop-box",
            "authorized_keys.home",
            "authorized_keys.inbox",
            "authorized_keys.mirror",
            "authorized_keys.spool",
            "authorized_keys.two-keys",
            "authorized_keys.web",
            "forcecommand-root.conf",
            "subsystem-root.conf",
        ]
    );
}
