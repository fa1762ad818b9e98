//! No session is deaf because a thread holds a lock while storage of others makes it wait.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::deaf_mounts::CACHED;
use crate::slow_storage::{Stall, hears_a_signal, mounted};
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Packet, Tree, request};

/// A session with the root `tree`, and a mount that is bound into it.
pub(crate) fn bound(tree: Tree, flags: &[&str]) -> Stall {
    let (behind, mount) = mounted();
    let bind = format!("/far={}", mount.point.root().display());
    let server = Launch::new(&tree)
        .args(["--root".as_ref(), tree.root().as_os_str()])
        .args(["--bind", &bind])
        .args(flags)
        .connect();
    Stall::of((behind, mount), tree, server, "/far/f", pflags::READ)
}

const UPLOAD: u32 = pflags::WRITE | pflags::CREAT | pflags::TRUNC;

#[test]
fn a_name_that_is_looked_for_among_uploads_on_a_mount_that_stalls_keeps_nobody_from_them() {
    let requests: [Packet; 3] = [
        request::lsetstat("/far/f", &Attrs::NONE.times(1, 1)),
        request::hardlink("/far/f", "/far/g"),
        request::remove("/far/f"),
    ];
    for request in requests {
        let mut stall = bound(Tree::new(), &["--atomic-upload"]);
        stall.server.open("/pending", UPLOAD);
        std::thread::sleep(CACHED);
        stall.signal(Signal::SIGSTOP);
        stall.server.send(&request);
        hears_a_signal(&mut stall);
        assert!(stall.tree.names("").is_empty(), "{request:?}");
    }
}

#[test]
fn a_file_system_that_is_not_known_yet_and_stalls_keeps_nobody_from_another() {
    // Neither has a disk, so each may be procfs.
    let tree = Tree::below("/dev/shm");
    tree.file("f", "");
    let mut stall = bound(tree, &[]);
    // What the kernel tells by itself for a while, it asks nobody for.
    for path in ["/far", "/far/f"] {
        stall.server.call(&request::stat(path)).attrs();
    }
    stall.signal(Signal::SIGSTOP);
    for path in ["/far/f", "/f"] {
        stall
            .server
            .send(&request::open(path, UPLOAD, &Attrs::NONE));
        std::thread::sleep(Duration::from_millis(50));
    }
    hears_a_signal(&mut stall);
}
