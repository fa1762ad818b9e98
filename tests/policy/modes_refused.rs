//! `--file-mode` and `--dir-mode` where the file system refuses chmod(2): what has the mode already is made, all else is gone again. And what an
//! atomic upload makes of such a file system.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::libc;

use crate::support::fault::Fault;
use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Launch, Server, Tree};

const UPLOAD: u32 = WRITE | CREAT | TRUNC;
const ERRNOS: [i32; 3] = [libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP];

/// A session for which chmod(2) and all its kin fail.
fn without_chmod(tree: &Tree, errno: i32, flags: &[&str]) -> Server {
    let calls = [
        libc::SYS_fchmod,
        libc::SYS_chmod,
        libc::SYS_fchmodat,
        // fchmodat2(2)
        452,
    ];
    let faults = calls.map(|call| Fault::new(call, errno));
    let launch = Launch::new(tree).args(flags);
    Fault::around(&faults, || launch.connect())
}

#[test]
fn what_has_the_mode_needs_no_chmod_and_what_cannot_have_it_is_gone_again() {
    for (errno, root) in ERRNOS
        .into_iter()
        .flat_map(|errno| [&[][..], &["--root", "."]].map(|root| (errno, root)))
    {
        for atomic in [&[][..], &["--atomic-upload"]] {
            let tree = Tree::new();
            tree.file("from", "content");
            // The umask takes no bit of the first of these modes, and one of the second.
            let had = ["--file-mode", "0640", "--dir-mode", "0750"];
            let flags = [&had[..], &["--umask", "027"], root, atomic].concat();
            let mut server = without_chmod(&tree, errno, &flags);
            let handle = server.open("file", UPLOAD);
            server.ok(&write(&handle, 0, "content"));
            server.close(&handle);
            server.ok(&mkdir("dir", &Attrs::default()));
            server.ok(&copy_file("from", "copy", 0));
            assert_eq!(
                ["file", "dir", "copy"].map(|name| tree.mode(name)),
                [0o640, 0o750, 0o640]
            );

            let tree = Tree::new();
            tree.file("from", "content");
            let lacked = ["--file-mode", "0664", "--dir-mode", "0775"];
            let flags = [&lacked[..], &["--umask", "027"], root, atomic].concat();
            let mut server = without_chmod(&tree, errno, &flags);
            for (request, flag) in [
                (open("file", UPLOAD, &Attrs::default()), "--file-mode"),
                (copy_file("from", "copy", 0), "--file-mode"),
                (mkdir("dir", &Attrs::default()), "--dir-mode"),
            ] {
                assert_eq!(
                    server.call(&request).status().text,
                    format!("Permission denied: the file system does not take the mode ({flag})")
                );
            }
            assert_eq!(tree.names("."), [b"from".to_vec()], "nothing is left");
        }
    }
}

/// The kernel takes the setgid bit off where the user is not in the group, and says nothing.
#[test]
fn a_mode_that_is_taken_in_part_is_not_had() {
    let tree = Tree::new();
    std::fs::set_permissions(tree.root(), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::os::unix::fs::chown(tree.root(), Some(0), Some(4)).unwrap();
    std::fs::set_permissions(tree.root(), std::fs::Permissions::from_mode(0o2777)).unwrap();
    for root in [&[][..], &["--root", "."]] {
        let flags = [&["--file-mode", "2750", "--keep-setuid"], root].concat();
        let mut server = Launch::new(&tree).args(flags).user(1, 1).connect();
        let reply = server.call(&open("file", UPLOAD, &Attrs::default()));
        assert_eq!(
            reply.status().text,
            "Permission denied: the file system does not take the mode (--file-mode)"
        );
        assert!(!tree.has("file"));
    }
}

#[test]
fn what_an_upload_cannot_be_given_the_mode_of_is_written_in_place() {
    for errno in ERRNOS {
        for root in [&[][..], &["--root", "."]] {
            let tree = Tree::new();
            let path = tree.file("other", "old");
            tree.chmod("other", 0o644);
            tree.file("same", "old");
            tree.chmod("same", 0o600);
            let inode = |path: &Path| path.metadata().unwrap().ino();
            let before = [&path, &tree.at("same")].map(|path| inode(path));
            let flags = [&["--atomic-upload"], root].concat();
            let mut server = without_chmod(&tree, errno, &flags);
            for name in ["other", "same"] {
                let handle = server.open(name, UPLOAD);
                server.ok(&write(&handle, 0, "new"));
                server.close(&handle);
                assert_eq!(tree.read(name), b"new");
            }
            assert_eq!((tree.mode("other"), tree.mode("same")), (0o644, 0o600));
            assert_eq!(inode(&path), before[0], "in place");
            assert_ne!(inode(&tree.at("same")), before[1], "it has the mode");
        }
    }
}
