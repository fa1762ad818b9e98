//! No descriptors left: a clean failure, the other handles unharmed, and recovery after a CLOSE.

use std::process::Stdio;

use crate::support::request;
use crate::support::wire::{Attrs, Fields, code, pflags};
use crate::support::{Launch, Reply, Server, Tree, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT;

/// A server that may have this many descriptors.
fn limited(tree: &Tree, descriptors: u32) -> Launch {
    Launch::program("sh", tree)
        .args(["-c", r#"ulimit -n "$1" && exec "$0""#])
        .args([under_test()])
        .args([descriptors.to_string()])
}

/// Opens until it fails; the handles, and the failure.
fn fill(server: &mut Server, name: &str) -> (Vec<Vec<u8>>, crate::support::Status) {
    let mut handles = Vec::new();
    loop {
        match server.call(&request::open(name, CREATE | pflags::READ, &Attrs::NONE)) {
            Reply::Handle(handle) => handles.push(handle),
            reply => return (handles, reply.status().clone()),
        }
        assert!(handles.len() < 1_000, "no limit");
    }
}

/// The fourth number that `limits@openssh.com` tells.
fn promised(server: &mut Server) -> u64 {
    let reply = server.call(&request::limits());
    let mut fields = Fields(reply.extended());
    (0..4).map(|_| fields.uint64()).last().unwrap()
}

#[test]
fn opens_fail_in_words_and_as_many_handles_as_promised_can_be_had() {
    for descriptors in [24, 40, 100] {
        let tree = Tree::new();
        let mut server = limited(&tree, descriptors).connect();
        let promised = promised(&mut server);
        let (handles, status) = fill(&mut server, "f");
        let most = handles.len() as u64;
        // Of so many sftp has requests under way, whatever it is told.
        assert_eq!(promised, most.max(64), "of {descriptors} descriptors");
        assert!(
            most >= u64::from(descriptors) - 16,
            "{most} of {descriptors}"
        );
        assert_eq!(status.code, code::FAILURE);
        assert_eq!(status.text, "Failure: Too many open files");
    }
}

#[test]
fn directories_count_as_well() {
    let tree = Tree::new();
    let mut server = limited(&tree, 30).connect();
    let (handles, _) = fill(&mut server, "f");
    let status = server.call(&request::opendir(".")).status().clone();
    assert_eq!(status.text, "Failure: Too many open files");
    server.close(&handles[0]);
    let directory = server.opendir(".");
    let names = server.call(&request::readdir(&directory));
    assert!(names.names().iter().any(|name| name.filename == b"f"));
}

#[test]
fn a_close_makes_room_again_and_again() {
    let tree = Tree::new();
    let mut server = limited(&tree, 24).connect();
    let (mut handles, _) = fill(&mut server, "f");
    let most = handles.len();
    for _ in 0..3 {
        for handle in handles.drain(..) {
            server.close(&handle);
        }
        handles = fill(&mut server, "f").0;
        assert_eq!(handles.len(), most, "none is lost");
    }
}

#[test]
fn failed_opens_lose_no_descriptors() {
    let tree = Tree::new();
    tree.fifo("fifo");
    let mut server = limited(&tree, 24).connect();
    for _ in 0..100 {
        server.code(&request::open("missing/x", CREATE, &Attrs::NONE));
        server.code(&request::open("fifo", pflags::WRITE, &Attrs::NONE));
        server.code(&request::opendir("f"));
        server.code(&request::open("/", CREATE, &Attrs::NONE));
        server.code(&request::setstat("missing", &Attrs::NONE.size(1)));
        server.code(&request::statvfs("missing"));
        server.code(&request::lsetstat(
            "missing",
            &Attrs::NONE.permissions(0o600),
        ));
    }
    let most = fill(&mut limited(&tree, 24).connect(), "f").0.len();
    assert_eq!(fill(&mut server, "f").0.len(), most);
}

#[test]
fn the_handles_that_are_open_work_and_so_do_requests_without_one() {
    let tree = Tree::new();
    tree.file("there", "content");
    let mut server = limited(&tree, 24).connect();
    let (handles, _) = fill(&mut server, "f");
    for (index, handle) in handles.iter().enumerate() {
        server.ok(&request::write(handle, index as u64, [b'a' + index as u8]));
        server.call(&request::fstat(handle)).attrs();
        server.ok(&request::fsync(handle));
    }
    assert_eq!(tree.read("f").len(), handles.len());
    let data = server.call(&request::read(&handles[0], 0, 1));
    assert_eq!(data.data(), b"a");

    server.call(&request::stat("there")).attrs();
    server.call(&request::lstat("there")).attrs();
    server.call(&request::realpath(".")).name();
    server.ok(&request::mkdir("d", &Attrs::NONE));
    server.ok(&request::rename("there", "here"));
    server.ok(&request::symlink("here", "s"));
    server.ok(&request::setstat(
        "here",
        &Attrs::NONE.permissions(0o600).times(1, 1),
    ));
    server.close(handles.last().unwrap());
    let target = server.open("g", CREATE);
    server.ok(&request::copy_data(&handles[0], 0, 1, &target, 50));
    server.ok(&request::remove("here"));
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn a_listing_without_descriptors_for_the_user_database_has_numbers_or_names_but_comes() {
    let tree = Tree::new();
    let mut server = limited(&tree, 24).connect();
    let directory = server.opendir(".");
    fill(&mut server, "f");
    let names = server.call(&request::readdir(&directory));
    let entry = names
        .names()
        .iter()
        .find(|name| name.filename == b"f")
        .unwrap();
    let longname = String::from_utf8_lossy(&entry.longname).into_owned();
    assert!(longname.starts_with("-rw"), "{longname}");
    assert!(longname.ends_with(" f"), "{longname}");
}

#[test]
fn with_too_few_to_start_it_says_so_and_leaves() {
    let tree = Tree::new();
    for root in [&[][..], &["--root", "."]] {
        for descriptors in 4..20 {
            let launch = limited(&tree, descriptors).arg("--no-config").args(root);
            let finished = launch.run(Stdio::null(), Stdio::piped());
            let said = finished.stderr_text();
            if descriptors >= 16 {
                assert_eq!(finished.status.code(), Some(0), "{descriptors}: {said}");
                continue;
            }
            assert_eq!(finished.status.code(), Some(1), "{descriptors}: {said}");
            assert_eq!(
                said,
                format!(
                    "sftp-server: too few descriptors: the limit (RLIMIT_NOFILE, ulimit -n) is {descriptors}, a session \
                     needs 16\n"
                )
            );
        }
    }
    // So few that no file can be read that says more.
    let config = tree.file("config.toml", "");
    let launch = limited(&tree, 3).args(["--config".as_ref(), config.as_os_str()]);
    let finished = launch.run(Stdio::null(), Stdio::piped());
    assert!(!finished.status.success(), "{finished:?}");
}
