//! How the server is started, and what a person sees of it: every launch of SPEC §2, every flag, the log, the manual.
//!
//! What has a counterpart in OpenSSH's server is compared with it in the same run. Needs root, for users, chroots and mount namespaces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod by_client;
mod chroot;
mod flags;
mod flags_order;
mod flags_values;
mod forced_command;
mod log;
mod log_copies;
mod log_escapes;
mod log_lines;
mod log_long;
mod log_socket;
mod login_shell;
mod manual;
mod packaging;
mod readme;
mod run;
mod shells;
mod silence;
mod start;
mod subsystem;
#[path = "../support/mod.rs"]
mod support;
mod traced;
mod zone;
