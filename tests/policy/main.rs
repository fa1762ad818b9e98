//! Policy: what rules forbid, judged by effect, on the disk and in the answer; and what they leave alone. Every rule against every
//! request, against a neighbour who renames and links meanwhile, before real clients, and as the manual's recipes put them together.
//! Needs root.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod append_directories;
mod atomic;
mod atomic_ends;
mod atomic_killed;
mod atomic_swaps;
mod attributes_kept;
mod cells;
mod clients;
mod copies;
mod copies_told;
mod copy_times;
mod effects;
mod explain;
mod explain_rights;
mod ground;
mod handles;
mod limits;
mod limits_fuse;
mod limits_raced;
mod matrix;
mod model;
mod modes_refused;
mod mount_points;
mod operations;
mod own_names;
mod own_numbers;
mod own_raced;
mod races;
mod rates;
#[path = "../faults/raw.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod raw;
mod reserve_told;
mod running_programs;
mod second_limits;
mod second_steps;
mod second_umask;
mod second_ways;
mod secrets;
mod sentences;
mod special_files;
mod storm;
#[path = "../support/mod.rs"]
mod support;
mod timeouts;
mod unlisted;
mod words;
