//! A drop-in replacement for OpenSSH's `sftp-server`. Internal: for the program, its tests and benches.
//!
//! ```text
//! main ──▶ config ──▶ cli              what was typed and configured, what it means
//!   ├────▶ log, identity, launch      events out; who is logged in; why we were started
//!   ├────▶ sandbox                    rlimits, Landlock, seccomp: locked once, before any thread
//!   └────▶ session ──▶ policy ──▶ protocol     may it run?      bytes ↔ requests
//!              └─────▶ fs                      the tree that the client sees
//! ```
//!
//! Rooms with rooms of their own, and what each may take from which:
//!
//! ```text
//! session   flow ──▶ requests ──▶ overlap ──▶ answers     the loop, a file a request, what runs beside what, how it is told
//! fs        acts ──▶ view ──▶ judging ──▶ kernel          what is done, where a path leads, what is about to be done, descriptors
//! ```
//!
//! Arrows go one way, and no more than three files take names from each other in a circle. `protocol`, `fs`, `log` and `identity` import nothing of ours; two worlds meet only in `session`. `policy` judges
//! in the words of `fs`, which asks it through a trait before anything is done.

pub mod cli;
pub mod config;
pub mod fs;
pub mod identity;
pub mod launch;
pub mod log;
pub mod policy;
pub mod protocol;
pub mod sandbox;
pub mod session;
