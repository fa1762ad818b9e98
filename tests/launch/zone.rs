//! `TZ`, which may be the client's word: what is no file of a zone keeps no session from its start, and takes no memory.

use std::fs::File;

use crate::support::{Launch, Tree, request};

/// So much memory a session may have, in bytes.
const MEMORY: &str = "--as=1000000000";

#[test]
fn what_has_no_end_or_no_writer_is_no_zone_and_the_time_is_that_of_utc() {
    let (tree, zones) = (Tree::new(), Tree::new());
    tree.file("f", "");
    tree.times("f", 0, 0);
    let fifo = zones.fifo("fifo");
    let long = zones.file("long", "");
    let length = 10 << 30;
    File::options()
        .write(true)
        .open(&long)
        .unwrap()
        .set_len(length)
        .unwrap();
    let [fifo, long] = [fifo, long].map(|path| path.to_str().unwrap().to_owned());
    let zones = [
        "/dev/zero",
        ":/dev/zero",
        "../../../dev/zero",
        "/dev/stdin",
        &fifo,
        &long,
    ];
    let root = tree.root().to_str().unwrap();
    for zone in zones {
        for jail in [&[] as &[&str], &["--root", root]] {
            let mut server = Launch::new(&tree)
                .through(&["prlimit", MEMORY])
                .env("TZ", zone)
                .args(jail)
                .connect();
            let dir = server.opendir(".");
            let reply = server.call(&request::readdir(&dir));
            let entry = reply.names().iter().find(|entry| entry.filename == b"f");
            let line = String::from_utf8_lossy(&entry.unwrap().longname).into_owned();
            assert!(line.contains(" Jan  1  1970 "), "{zone}: {line}");
        }
    }
}
