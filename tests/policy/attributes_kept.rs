//! User attributes of a file that `--atomic-upload` or copy-file replaces.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Server, Tree};

const UPLOAD: u32 = WRITE | CREAT | TRUNC;
const ROOTS: [&[&str]; 2] = [&[], &["--root", "."]];

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1 << 16];
    let length = rustix::fs::getxattr(path, name, value.as_mut_slice()).ok()?;
    value.truncate(length);
    Some(value)
}

fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

#[test]
fn user_attributes_of_what_is_replaced_are_kept_and_no_others() {
    for root in ROOTS {
        let tree = Tree::new();
        tree.file("from", "copied");
        let path = tree.file("file", "old");
        let long = vec![b'x'; 1000];
        set_attribute(&path, "user.comment", b"of its owner");
        set_attribute(&path, "user.long", &long);
        set_attribute(&path, "user.empty", b"");
        set_attribute(&path, "trusted.other", b"not of its owner");
        let mut server = Server::with(&tree, [&["--atomic-upload"], root].concat());
        for upload in [true, false] {
            let before = tree.meta("file").ino();
            if upload {
                let handle = server.open("file", UPLOAD);
                server.ok(&write(&handle, 0, "new"));
                server.close(&handle);
            } else {
                server.ok(&copy_file("from", "file", 1));
            }
            assert_ne!(tree.meta("file").ino(), before, "replaced");
            assert_eq!(attribute(&path, "user.comment").unwrap(), b"of its owner");
            assert_eq!(attribute(&path, "user.long").unwrap(), long);
            assert_eq!(attribute(&path, "user.empty").unwrap(), b"");
            assert_eq!(attribute(&path, "trusted.other"), None);
        }
    }
}
