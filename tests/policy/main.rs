//! Policy: what rules forbid, judged by effect, on the disk and in the answer; and what they leave alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod atomic;
mod atomic_ends;
mod atomic_killed;
mod explain;
mod handles;
mod rates;
#[path = "../faults/raw.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod timeouts;
