//! The times of what copy-file makes: those of the original, where a client may set times.

use std::fs::{File, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::support::packet::pflags::{CREAT, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Server, Tree};

const UPLOAD: u32 = WRITE | CREAT | TRUNC;
const ROOTS: [&[&str]; 2] = [&[], &["--root", "."]];

/// Access and modification time, in nanoseconds since the Epoch.
fn times(path: &Path) -> [(i64, i64); 2] {
    let meta = path.metadata().unwrap();
    [
        (meta.atime(), meta.atime_nsec()),
        (meta.mtime(), meta.mtime_nsec()),
    ]
}

const OF_SOURCE: [(i64, i64); 2] = [(1_000_000_001, 123_456_789), (1_500_000_002, 987_654_321)];

fn with_source() -> Tree {
    let tree = Tree::new();
    let path = tree.file("from", "content");
    let [accessed, modified] =
        OF_SOURCE.map(|(s, ns)| SystemTime::UNIX_EPOCH + Duration::new(s as u64, ns as u32));
    let times = FileTimes::new()
        .set_accessed(accessed)
        .set_modified(modified);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_times(times)
        .unwrap();
    tree
}

#[test]
fn a_copy_has_the_times_of_its_original() {
    let allowed = "copy-file,open,read,write,close,copy-data,fsetstat";
    for flags in [
        &[][..],
        &["--append-only"],
        &["--no-overwrite", "--no-delete"],
        &["--atomic-upload", "--file-mode", "0640"],
        &["--ignore-setstat", "perms,owner,size"],
        &["-p", allowed],
    ] {
        for root in ROOTS {
            let tree = with_source();
            let mut server = Server::with(&tree, [root, flags].concat());
            server.ok(&copy_file("from", "copy", 0));
            assert_eq!(times(&tree.at("copy")), OF_SOURCE, "{flags:?}");
            assert_eq!(tree.read("copy"), b"content");
        }
    }
    for (root, name) in ROOTS
        .into_iter()
        .flat_map(|root| [(root, "old"), (root, "two")])
    {
        let tree = with_source();
        tree.file("old", "old");
        std::fs::hard_link(tree.file("two", "names"), tree.at("second")).unwrap();
        let mut server = Server::with(&tree, root);
        server.ok(&copy_file("from", name, 1));
        assert_eq!(times(&tree.at(name)), OF_SOURCE, "{name}");
    }
}

#[test]
fn in_a_drop_box_a_copy_of_one_s_own_file_has_its_times() {
    for root in ROOTS {
        let tree = Tree::new();
        let mut server = Server::with(&tree, [root, &["--drop-box"]].concat());
        let handle = server.open("from", UPLOAD);
        server.ok(&write(&handle, 0, "content"));
        server.ok(&fsetstat(
            &handle,
            &crate::support::Attrs::default().times(5, 7),
        ));
        server.close(&handle);
        server.ok(&copy_file("from", "copy", 0));
        assert_eq!(times(&tree.at("copy")), [(5, 0), (7, 0)]);
    }
}

#[test]
fn where_a_client_sets_no_times_a_copy_is_of_now() {
    let ignored = ["--ignore-setstat", "times"];
    for flags in [&ignored[..], &["-P", "fsetstat"]] {
        for root in ROOTS {
            let tree = with_source();
            let mut server = Server::with(&tree, [root, flags].concat());
            server.ok(&copy_file("from", "copy", 0));
            assert_eq!(tree.read("copy"), b"content");
            assert!(
                times(&tree.at("copy"))[1].0 > OF_SOURCE[1].0 + 1,
                "{flags:?}"
            );
        }
    }
}
