//! `statvfs@openssh.com`: eleven 64-bit fields, as statvfs(3) has them.

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::support::wire::{Fields, code, pflags};
use crate::support::{Launch, Server, Tree, request};
use crate::{assert_cause, assert_status, ordinary, start, start_with};

/// bsize, frsize, blocks, files, fsid, flag, namemax: what does not move while others write to the disk.
pub(crate) fn steady(reply: &[u8]) -> [u64; 7] {
    let mut fields = Fields(reply);
    let all: Vec<u64> = (0..11).map(|_| fields.uint64()).collect();
    fields.end();
    let [
        bsize,
        frsize,
        blocks,
        free,
        available,
        files,
        free_files,
        ..,
    ] = all[..]
    else {
        panic!("eleven fields")
    };
    assert!(free <= blocks && available <= free && free_files <= files.max(free_files));
    [bsize, frsize, blocks, files, all[8], all[9], all[10]]
}

/// The same from statvfs(3). Of the flags, read-only is 1 and nosuid 2.
pub(crate) fn expected(path: &std::path::Path) -> [u64; 7] {
    let facts = statvfs(path).unwrap();
    let mut flag = u64::from(facts.flags().contains(FsFlags::ST_RDONLY));
    flag |= u64::from(facts.flags().contains(FsFlags::ST_NOSUID)) << 1;
    [
        facts.block_size(),
        facts.fragment_size(),
        facts.blocks(),
        facts.files(),
        facts.filesystem_id(),
        flag,
        facts.name_max(),
    ]
}

#[test]
fn the_answer_is_what_statvfs_says_of_each_file_system() {
    let (tree, mut server) = start_with(&["/dev", "/proc", "/sys"]);
    tree.file("file", "");
    tree.link("link", "/proc");
    for path in [
        ".",
        "file",
        "link",
        "/",
        "/proc",
        "/dev/shm",
        "/sys",
        "/dev/null",
    ] {
        let host = match path {
            "/" => tree.at(server.in_jail("the tree is the root", "", path)),
            path => tree.at(path),
        };
        let reply = server.call(&request::statvfs(path));
        assert_eq!(steady(reply.extended()), expected(&host), "{path}");
    }
}

#[test]
fn the_free_room_is_told() {
    let (tree, mut server) = start();
    let reply = server.call(&request::statvfs("."));
    let mut fields = Fields(reply.extended());
    let all: Vec<u64> = (0..11).map(|_| fields.uint64()).collect();
    let facts = statvfs(tree.root()).unwrap();
    let near = |told: u64, is: u64| told.abs_diff(is) <= is / 4 + 1;
    assert!(
        near(all[3], facts.blocks_free()) && near(all[4], facts.blocks_available()),
        "{all:?}"
    );
    assert!(
        near(all[6], facts.files_free()) && near(all[7], facts.files_available()),
        "{all:?}"
    );
}

#[test]
fn a_file_system_that_is_mounted_on_demand_gets_mounted() {
    // The kernel's own such place, in a mount namespace of the server's: tracefs, below debugfs.
    assert!(
        nix::unistd::geteuid().is_root(),
        "mounting debugfs asks for root"
    );
    let tree = Tree::new();
    tree.dir("debug");
    let script = r#"mount -t debugfs debugfs debug && exec "$0" "$@""#;
    let mut server = Launch::new(&tree)
        .through(&["unshare", "-m", "sh", "-c", script])
        .host(&["/proc"])
        .connect();
    let mounted = |server: &mut Server| {
        let handle = server.open("/proc/self/mounts", pflags::READ);
        let reply = server.call(&request::read(&handle, 0, 100_000));
        server.close(&handle);
        let place = format!("{} tracefs ", tree.at("debug/tracing").display());
        String::from_utf8_lossy(reply.data()).contains(&place)
    };
    assert!(!mounted(&mut server));
    server.call(&request::statvfs("debug/tracing")).extended();
    assert!(mounted(&mut server));
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "");
    tree.link("dangling", "missing");
    for path in ["missing", "", "dangling"] {
        assert_status(&server.call(&request::statvfs(path)), code::NO_SUCH_FILE);
    }
    assert_cause(
        &server.call(&request::statvfs("file/x")),
        &server,
        code::NO_SUCH_FILE,
        "Not a directory",
    );
}

#[test]
fn a_way_that_may_not_be_searched_is_denied_and_a_file_without_permission_is_not() {
    let tree = Tree::new();
    tree.dir("closed");
    tree.file("closed/file", "");
    tree.file("file", "");
    let mut server = ordinary(&tree, &[]);
    tree.chmod("closed", 0o600);
    tree.chmod("file", 0);
    assert_status(
        &server.call(&request::statvfs("closed/file")),
        code::PERMISSION_DENIED,
    );
    assert_eq!(
        steady(server.call(&request::statvfs("file")).extended()),
        expected(&tree.at("file"))
    );
}
