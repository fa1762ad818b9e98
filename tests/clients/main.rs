//! Real clients through a real sshd run by an ordinary user; a file a client.
//!
//! What a client cannot do is said at the top of its file. `SFTP_SERVER_UNDER_TEST` puts another server behind the same clients;
//! `SFTP_SERVER_JAIL=1` locks ours into a root with a bind, and about half of the tests act in the bind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod asked;
mod asyncssh;
mod borgstore;
mod curl;
mod erlang;
mod ground;
mod jsch;
mod lftp;
mod mc;
mod newest;
mod paramiko;
mod perl;
mod phpseclib;
mod pscp;
mod psftp;
mod putty;
mod rclone;
mod restic;
mod rules;
mod rules_table;
mod scp;
mod script;
mod sftp;
mod ssh2;
mod sshfs;
#[path = "../support/mod.rs"]
mod support;
mod trees;
