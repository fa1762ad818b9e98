//! No descriptors left at whatever step of the OPEN of an atomic upload: a clean failure, nothing on the disk, recovery after a CLOSE.

use std::fs;
use std::process::Command;

use crate::support::request;
use crate::support::wire::pflags::{CREAT, EXCL, READ, TRUNC, WRITE};
use crate::support::{Attrs, Launch, Reply, Server, Tree};

/// Which OPEN, and the file that its bytes are in after the CLOSE.
const OPENS: &[(&str, u32, &str)] = &[
    ("dir/new", WRITE | CREAT, "dir/new"),
    ("dir/new", WRITE | CREAT | EXCL, "dir/new"),
    ("dir/../dir/new", WRITE | CREAT | TRUNC, "dir/new"),
    ("dangling", WRITE | CREAT | TRUNC, "dir/new"),
    ("dir/old", WRITE | CREAT | TRUNC, "dir/old"),
    ("dir/old", READ | WRITE | TRUNC, "dir/old"),
    ("link", WRITE | CREAT | TRUNC, "dir/old"),
    ("dirlink/old", WRITE | TRUNC, "dir/old"),
    // The directory that the session holds anyway.
    ("top", WRITE | CREAT | TRUNC, "top"),
];

/// Handles that the client holds while it asks for another one.
const HELD: usize = 8;

fn furnished() -> Tree {
    let tree = Tree::new();
    tree.dir("dir");
    tree.file("dir/old", "what was there");
    tree.link("link", "dir/old");
    tree.link("dirlink", "dir");
    tree.link("dangling", "dir/new");
    tree
}

/// One above the highest descriptor that the server has.
pub(crate) fn next_descriptor(server: &Server) -> usize {
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let numbers = open.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    numbers
        .map(|number| number.parse::<usize>().unwrap())
        .max()
        .unwrap()
        + 1
}

/// From now on the server has no descriptor of this number, nor one above.
pub(crate) fn limit(server: &Server, number: usize) {
    let set = Command::new("prlimit")
        .args(["--pid", &server.pid().to_string()])
        .arg(format!("--nofile={number}:"))
        .status();
    assert!(set.unwrap().success());
}

pub(crate) fn is_unlisted(path: &[u8]) -> bool {
    path.windows(20).any(|part| part == b".sftp-server-upload.")
}

/// With so many descriptors to spare; whether they are enough.
fn with_spare(flags: &[&str], (path, pflags, file): (&str, u32, &str), spare: usize) -> bool {
    let tree = furnished();
    let mut server = Launch::new(&tree)
        .arg("--atomic-upload")
        .args(flags)
        .connect();
    let held: Vec<_> = (0..HELD).map(|_| server.opendir("dir")).collect();
    limit(&server, next_descriptor(&server) + spare);
    let before = tree.snapshot();
    let ask = request::open(path, pflags, &Attrs::NONE);
    let (handle, enough) = match server.call(&ask) {
        Reply::Handle(handle) => (handle, true),
        refused => {
            let what = format!("{flags:?} {path} {pflags:#x}, {spare} to spare");
            assert_eq!(refused.status().code, 4, "{what}");
            assert_eq!(
                refused.status().text,
                "Failure: Too many open files",
                "{what}"
            );
            assert_eq!(before.differences(&tree.snapshot()), [""; 0], "{what}");
            for handle in &held {
                server.close(handle);
            }
            (server.call(&ask).handle().to_vec(), false)
        }
    };
    // What comes behind an OPEN needs no more.
    server.ok(&request::write(&handle, 0, "all of it"));
    server.close(&handle);
    assert_eq!(tree.read(file), b"all of it");
    let names = tree.snapshot().entries;
    assert!(!names.keys().any(|path| is_unlisted(path)), "{names:?}");
    assert_eq!(server.finish().status.code(), Some(0));
    enough
}

#[test]
fn wherever_an_atomic_upload_runs_out_of_descriptors_nothing_is_left_and_nothing_changed() {
    for root in [&[][..], &["--root", "."]] {
        for rule in [&[][..], &["--hide", "secret", "--file-mode", "0640"]] {
            let flags = [root, rule].concat();
            for open in OPENS {
                let steps = (0..HELD).take_while(|spare| !with_spare(&flags, *open, *spare));
                let failed = steps.count();
                assert!((1..HELD).contains(&failed), "{flags:?} {open:?}: {failed}");
            }
        }
    }
}
