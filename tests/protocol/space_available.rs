//! `space-available`: four sizes in bytes, and the unit in which files grow. OpenSSH's server does not know it; clients that do (WinSCP, the
//! MINA library) ask where it is announced.

use nix::sys::statvfs::statvfs;

use crate::support::wire::{Fields, code};
use crate::support::{Reply, Server, Tree, request, server};
use crate::{assert_status, ordinary, start_with};

/// What the answer says: of the device, unused of it, of the user, unused of that, a unit.
fn sizes(reply: &Reply) -> [u64; 5] {
    let mut fields = Fields(reply.extended());
    let sizes = [0; 4].map(|_: u64| fields.uint64());
    let unit = fields.uint32();
    fields.end();
    let [device, unused, user, free] = sizes;
    [device, unused, user, free, unit.into()]
}

/// What others write meanwhile changes what is unused.
fn near(told: u64, is: u64) -> bool {
    told.abs_diff(is) <= is / 4 + 4096
}

/// A tree and a server in it; none where that is OpenSSH's, which has said so.
fn known(host: &[&str]) -> Option<(Tree, Server)> {
    let (tree, mut server) = start_with(host);
    if server.is_openssh() {
        let reply = server.call(&request::space_available("."));
        assert_status(&reply, code::OP_UNSUPPORTED);
        return None;
    }
    Some((tree, server))
}

#[test]
fn the_answer_is_what_statvfs_says_of_each_file_system_in_bytes() {
    let Some((tree, mut server)) = known(&["/dev", "/proc", "/sys"]) else {
        return;
    };
    tree.file("file", "");
    tree.link("link", "/dev/shm");
    for path in [
        ".",
        "file",
        "link",
        "/dev/shm",
        "/proc",
        "/sys",
        "/dev/null",
    ] {
        let facts = statvfs(&tree.at(path)).unwrap();
        let told = sizes(&server.call(&request::space_available(path)));
        let bytes = |blocks: u64| blocks * facts.fragment_size();
        let kept = facts.blocks_free() - facts.blocks_available();
        assert_eq!(told[0], bytes(facts.blocks()), "{path}");
        assert!(near(told[1], bytes(facts.blocks_free())), "{path}");
        assert!(near(told[2], bytes(facts.blocks() - kept)), "{path}");
        assert!(near(told[3], bytes(facts.blocks_available())), "{path}");
        assert_eq!(told[4], facts.fragment_size(), "{path}");
        assert!(told[3] <= told[1] && told[3] <= told[2] && told[2] <= told[0]);
    }
}

#[test]
fn what_is_reserved_is_neither_free_nor_available() {
    if server::is_openssh() {
        return;
    }
    let tree = Tree::below("/dev/shm");
    let facts = statvfs(tree.root()).unwrap();
    let free = facts.blocks_available() * facts.fragment_size();
    let (all, kept) = (free.to_string(), free / 2);
    let mut server = Server::with(&tree, ["--reserve-free", &kept.to_string()]);
    let told = sizes(&server.call(&request::space_available(".")));
    assert_eq!(told[0], facts.blocks() * facts.fragment_size());
    assert!(near(told[3], free - kept), "{told:?}");
    assert!(
        told[1] <= told[0] - kept && told[2] <= told[0] - kept,
        "{told:?}"
    );
    // With more than there is, nothing is left.
    let mut server = Server::with(&tree, ["--reserve-free", &format!("{all}0")]);
    let told = sizes(&server.call(&request::space_available(".")));
    assert_eq!((told[1], told[3]), (0, 0));
}

#[test]
fn what_cannot_be_reached_is_refused() {
    let Some((tree, mut server)) = known(&[]) else {
        return;
    };
    tree.file("file", "");
    for path in ["missing", "file/x", ""] {
        let reply = server.call(&request::space_available(path));
        assert_status(&reply, code::NO_SUCH_FILE);
    }
    tree.dir("closed");
    tree.chmod("closed", 0);
    let mut ordinary = ordinary(&tree, &[]);
    let reply = ordinary.server.call(&request::space_available("closed/x"));
    assert_status(&reply, code::PERMISSION_DENIED);
    tree.chmod("closed", 0o700);
}
