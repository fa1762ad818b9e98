//! The jail: that nothing gets out of `--root` and `--bind`, on the disk, beside chroot(2) and real bind mounts as the
//! oracle; and what holds a session in, the locks of the kernel. Needs root, to run servers as ordinary users, and cc for the probe.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod advisories;
mod advisories_shells;
mod bind;
mod calls;
mod compare;
mod copy_file;
mod copy_file_races;
mod fifo_swapped;
mod ground;
mod home;
mod inside;
mod known;
mod locks;
mod magic;
mod matrix;
mod naive;
mod name_services;
mod names;
mod plan;
mod probes;
mod procfs;
mod protect;
mod protect_coarse;
mod protect_folded;
mod protect_links;
mod protect_moved;
mod protect_names;
mod protect_opened;
mod protect_program;
mod protect_races;
mod protect_spelled;
mod protect_twins;
mod protect_ways;
mod races;
mod set_up;
mod sides;
mod space_available;
mod swapper;
mod trees;
mod ways;

#[path = "../support/mod.rs"]
mod support;
