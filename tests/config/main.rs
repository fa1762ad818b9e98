//! The configuration file: what it may say, who may write it, whose value wins; and what `check` finds.
//!
//! Needs root, for users, foreign owners and mount namespaces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod check;
mod check_disk;
mod check_protected;
mod check_user;
mod completions;
mod ground;
mod manual;
mod matching;
mod names;
mod ownership;
mod precedence;
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod values;
mod wrong;
