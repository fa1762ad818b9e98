//! When things go wrong: the disk, the descriptors, the client, the system itself. The session goes on, or ends in order.
//!
//! Faults are made by the kernel: seccomp filters, resource limits, tiny file systems, a FUSE mount whose process dies, strace's
//! injections. What would ask for a device mapper (EIO from below a file system) is made by a seccomp filter, since
//! containers and CI machines have no `/dev/mapper`. Mounts ask for root, or for a user namespace.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod append_lost;
mod atomic_descriptors;
mod before_init;
mod calls;
mod channels;
mod client_gone;
mod copy_file;
mod copy_file_broken_off;
mod copy_spelled;
mod deaf;
mod deaf_large;
mod deaf_locks;
mod deaf_mounts;
mod descriptors;
mod device;
mod full_disk;
mod garbage;
mod holes;
mod interrupted;
mod linkless;
mod memory;
mod raw;
mod reflinks;
mod rename_fallback;
mod signals;
mod slow_storage;
mod stalled_gone;
mod stalled_home;
mod stalled_names;
#[path = "../support/mod.rs"]
mod support;
