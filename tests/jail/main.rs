//! What holds a session in: the locks of the kernel. Needs root, to run servers as ordinary users, and cc for the probe.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod calls;
mod inside;
mod locks;
#[path = "../support/mod.rs"]
mod support;
mod trees;
