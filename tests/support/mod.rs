//! What every test crate shares: a server on two pipes, a client of bytes, and a tree to let them act on.
//!
//! A test crate includes it by `#[path = "../support/mod.rs"] mod support;`. It knows nothing of `src/`: the client
//! is written by hand from the draft, so that a mistake of ours cannot cancel itself out.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test crate uses a part of it"
)]

pub(crate) mod bindfs;
pub(crate) mod content;
pub(crate) mod examples;
pub(crate) mod fault;
pub(crate) mod log;
pub(crate) mod mounted;
pub(crate) mod openssh;
pub(crate) mod packet;
pub(crate) mod program;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod sshd;
pub(crate) mod static_build;
pub(crate) mod steps;
pub(crate) mod tree;
pub(crate) mod wire;

pub(crate) use openssh::OPENSSH;
pub(crate) use server::{Finished, Launch, OURS, Server, is_jailed, under_test};
pub(crate) use steps::show;
pub(crate) use tree::{Entry, Snapshot, Tree};
pub(crate) use wire::{Attrs, Packet, Reply, Status, Wire};
