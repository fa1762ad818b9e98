//! A file that is a mount point itself, as containers have single files from outside: `--atomic-upload` and copy-file write it in place.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Server, Tree};

const UPLOAD: u32 = WRITE | CREAT | TRUNC;
const ROOTS: [&[&str]; 2] = [&[], &["--root", "."]];

/// A file that is mounted over another one.
struct Bound(PathBuf);

impl Bound {
    fn new(from: &Path, onto: PathBuf) -> Self {
        let status = Command::new("mount")
            .arg("--bind")
            .arg(from)
            .arg(&onto)
            .status();
        assert!(status.unwrap().success());
        Self(onto)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_file_that_is_a_mount_point_is_written_in_place() {
    for root in ROOTS {
        let (tree, outside) = (Tree::new(), Tree::new());
        tree.file("from", "copied");
        tree.file("plain", "plain");
        let real = outside.file("real", "old");
        let _bound = Bound::new(&real, tree.file("bound", ""));
        let mut server = Server::with(&tree, [&["--atomic-upload"], root].concat());
        let handle = server.open("bound", UPLOAD);
        server.ok(&write(&handle, 0, "uploaded"));
        server.close(&handle);
        assert_eq!(outside.read("real"), b"uploaded");
        server.ok(&copy_file("from", "bound", 1));
        assert_eq!(outside.read("real"), b"copied");
        // What another process could not do either is refused at once.
        let handle = server.open("new", UPLOAD);
        let reply = server.call(&posix_rename("new", "bound"));
        assert_eq!(reply.status().text, "Failure: Device or resource busy");
        server.close(&handle);
        assert_eq!(outside.read("real"), b"copied");
        // Its neighbour is replaced, as ever.
        let before = tree.meta("plain").ino();
        let handle = server.open("plain", UPLOAD);
        server.close(&handle);
        assert_ne!(tree.meta("plain").ino(), before);
        assert_eq!(tree.names(".").len(), 4, "nothing is left");
    }
}
