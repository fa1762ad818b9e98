//! Requests before INIT, where a mount makes requests wait for others: they end the session, and none of them is carried out.

use crate::device::Mount;
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Tree, request};

#[test]
fn what_comes_before_init_ends_the_session_and_nothing_of_it_is_done() {
    let behind = Tree::new();
    behind.file("f", "content");
    behind.chmod("", 0o777);
    let mount = Mount::new(behind.root());
    let far = |name: &str| mount.point.path(name);
    for root in [&[][..], &["--root", "/"]] {
        let tree = Tree::new();
        tree.file("from", "content");
        let near = |name: &str| tree.path(name);
        let create = pflags::WRITE | pflags::CREAT;
        for (at, made) in [(far("made"), &behind), (near("made"), &tree)] {
            for packet in [
                request::mkdir(&at, &Attrs::NONE),
                request::symlink("target", &at),
                request::open(&at, create, &Attrs::NONE),
                request::copy_file(near("from"), &at, 0),
                request::copy_file(near("from"), &at, 1),
                request::posix_rename(near("from"), &at),
                request::hardlink(near("from"), &at),
            ] {
                let mut server = Launch::new(&tree).args(root).start();
                // It has time to look what is mounted, which it does between bursts.
                server.send_raw(&packet.frame(7)).unwrap();
                server.send_raw(&request::stat(&at).frame(8)).ok();
                assert_eq!(server.receive_raw(), None, "{root:?} {packet:?}");
                assert_eq!(server.wait().code(), Some(1), "{root:?} {packet:?}");
                assert!(!made.has("made"), "{root:?} {packet:?}");
                assert_eq!(tree.names(""), [b"from"], "{root:?} {packet:?}");
                assert_eq!(behind.names(""), [b"f"], "{root:?} {packet:?}");
            }
        }
    }
}
