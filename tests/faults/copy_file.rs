//! `copy-file` where the disk, its limits or the descriptors run out: a failure in words, nothing that was not there before, and what was
//! there as it was.

use nix::libc;

use crate::atomic_descriptors::{limit, next_descriptor};
use crate::full_disk::{Tmpfs, limited};
use crate::support::fault::Fault;
use crate::support::request;
use crate::support::wire::code;
use crate::support::{Launch, Server, Tree, show};

const OLD: &str = "what was there";
const BIG: usize = 200 * 1024;
const NO_SPACE: &str = "Failure: No space left on device";
const IO: &str = "Failure: Input/output error";

/// `from`, a directory with `dir/old`, and nothing else.
fn furnish(tree: &Tree) {
    tree.file("from", vec![b'x'; BIG]);
    tree.dir("dir");
    tree.file("dir/old", OLD);
}

/// A copy to a new name and one over a file both fail in these words, and nothing is changed by it.
#[track_caller]
fn fails(tree: &Tree, server: &mut Server, text: &str) {
    let before = tree.snapshot().without_times();
    for (to, overwrite) in [("dir/new", 0), ("dir/new", 1), ("dir/old", 1)] {
        let reply = server.call(&request::copy_file("from", to, overwrite));
        assert_eq!(reply.status().text, text, "{to} {overwrite}");
        assert_eq!(reply.code(), code::FAILURE, "{to} {overwrite}");
        let after = tree.snapshot().without_times();
        assert_eq!(before.differences(&after), [""; 0], "{to} {overwrite}");
    }
    server.call(&request::stat("dir/old")).attrs();
}

#[test]
fn a_copy_for_which_the_disk_has_no_room_leaves_nothing() {
    let Some(disk) = Tmpfs::new("size=300k") else {
        return;
    };
    let tree = disk.tree();
    furnish(&tree);
    let mut server = Server::start(&tree);
    fails(&tree, &mut server, NO_SPACE);
    // What it had taken is given back.
    tree.file("from", vec![b'x'; BIG / 4]);
    server.ok(&request::copy_file("from", "dir/old", 1));
    assert_eq!(tree.read("dir/old"), vec![b'x'; BIG / 4]);
}

#[test]
fn a_copy_for_which_there_is_no_inode_leaves_nothing() {
    // The root, the tree in it, and what is furnished.
    let Some(disk) = Tmpfs::new("nr_inodes=5") else {
        return;
    };
    let tree = disk.tree();
    furnish(&tree);
    fails(&tree, &mut Server::start(&tree), NO_SPACE);
}

#[test]
fn a_source_that_cannot_be_read_is_told_and_nothing_is_lost() {
    let tree = Tree::new();
    furnish(&tree);
    let faults = [libc::SYS_copy_file_range, libc::SYS_pread64]
        .map(|call| Fault::new(call, libc::EIO).on_descriptors());
    let mut server = Fault::around(&faults, || Server::start(&tree));
    fails(&tree, &mut server, IO);
}

#[test]
fn a_disk_that_fails_beneath_the_copy_is_told_and_nothing_is_lost() {
    for (errno, text) in [
        (libc::EIO, IO),
        (libc::EDQUOT, "Failure: Disk quota exceeded"),
    ] {
        let tree = Tree::new();
        furnish(&tree);
        // Neither within the kernel nor through memory.
        let faults = [
            Fault::new(libc::SYS_copy_file_range, libc::EXDEV),
            Fault::new(libc::SYS_pwrite64, errno).on_descriptors(),
        ];
        let mut server = Fault::around(&faults, || Server::start(&tree));
        fails(&tree, &mut server, text);
    }
}

/// As NFS does, and what counts quotas late: there the last write is the close.
#[test]
fn what_only_close_reports_is_told_before_the_copy_takes_its_place() {
    for (errno, text) in [(libc::ENOSPC, NO_SPACE), (libc::EIO, IO)] {
        let tree = Tree::new();
        furnish(&tree);
        let faults = [Fault::new(libc::SYS_close, errno).on_descriptors()];
        let mut server = Fault::around(&faults, || Server::start(&tree));
        fails(&tree, &mut server, text);
    }
}

/// A full disk has no room for an ACL either. To write the old file as it stands would be to lose it.
#[test]
fn a_copy_that_cannot_get_the_attributes_of_what_it_replaces_leaves_that_as_it_is() {
    for (call, errno, text) in [
        (libc::SYS_fgetxattr, libc::EIO, IO),
        (libc::SYS_fchmod, libc::ENOSPC, NO_SPACE),
    ] {
        let tree = Tree::new();
        furnish(&tree);
        let before = tree.snapshot();
        let faults = [Fault::new(call, errno)];
        let mut server = Fault::around(&faults, || Server::start(&tree));
        let reply = server.call(&request::copy_file("from", "dir/old", 1));
        assert_eq!(reply.status().text, text);
        assert_eq!(before.differences(&tree.snapshot()).len(), 2, "dir's time");
        assert_eq!(tree.names("dir"), [b"old"]);
        assert_eq!(show(tree.read("dir/old")), OLD);
    }
}

/// What cannot be done at all there: the copy is written into the file that stands there, as rename(2) has no part in it.
#[test]
fn where_the_attributes_cannot_be_given_the_file_is_written_as_it_stands() {
    let tree = Tree::new();
    furnish(&tree);
    let inode = |tree: &Tree| std::os::unix::fs::MetadataExt::ino(&tree.meta("dir/old"));
    let before = inode(&tree);
    let faults = [Fault::new(libc::SYS_fchmod, libc::EPERM)];
    let mut server = Fault::around(&faults, || Server::start(&tree));
    server.ok(&request::copy_file("from", "dir/old", 1));
    assert_eq!(inode(&tree), before);
    assert_eq!(tree.read("dir/old"), vec![b'x'; BIG]);
    assert_eq!(tree.names("dir"), [b"old"]);
}

#[test]
fn a_copy_past_the_limit_of_a_file_s_size_leaves_nothing() {
    let tree = Tree::new();
    furnish(&tree);
    // 4096 bytes.
    let mut server = limited(&tree, 8);
    fails(&tree, &mut server, "Failure: File too large");
    assert_eq!(server.finish().status.code(), Some(0));
}

/// With so many descriptors to spare; whether they are enough.
fn with_spare(flags: &[&str], (to, overwrite): (&str, u8), spare: usize) -> bool {
    let tree = Tree::new();
    furnish(&tree);
    tree.link("link", "dir/old");
    let mut server = Launch::new(&tree).args(flags).connect();
    let held: Vec<_> = (0..HELD).map(|_| server.opendir("dir")).collect();
    limit(&server, next_descriptor(&server) + spare);
    let before = tree.snapshot().without_times();
    let copy = request::copy_file("from", to, overwrite);
    let reply = server.call(&copy);
    let enough = reply.code() == code::OK;
    if !enough {
        let what = format!("{flags:?} {to} {overwrite}, {spare} to spare");
        let text = "Failure: Too many open files";
        assert_eq!(reply.status().text, text, "{what}");
        let after = tree.snapshot().without_times();
        assert_eq!(before.differences(&after), [""; 0], "{what}");
        for handle in &held {
            server.close(handle);
        }
        server.ok(&copy);
    }
    let made = if to == "link" { "dir/old" } else { to };
    assert_eq!(tree.read(made).len(), BIG);
    let names = tree.names("dir").len() + tree.names("").len();
    assert_eq!(
        names,
        before.entries.len() - 1 + usize::from(overwrite == 0)
    );
    assert_eq!(server.finish().status.code(), Some(0));
    enough
}

const HELD: usize = 10;

#[test]
fn wherever_a_copy_runs_out_of_descriptors_nothing_is_left_and_nothing_changed() {
    for flags in [
        &[][..],
        &["--root", "."],
        &["--root", ".", "--hide", "secret"],
    ] {
        for copy in [("dir/new", 0), ("new", 0), ("dir/old", 1), ("link", 1)] {
            let steps = (0..HELD).take_while(|spare| !with_spare(flags, copy, *spare));
            let failed = steps.count();
            assert!((1..HELD).contains(&failed), "{flags:?} {copy:?}: {failed}");
        }
    }
}
