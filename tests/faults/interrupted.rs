//! EINTR is invisible, and so is being stopped and continued.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::fault::Fault;
use crate::support::request;
use crate::support::wire::{Attrs, Wire, pflags};
use crate::support::{Packet, Reply, Server, Tree, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT;

/// Puts, lists, gets and copies; every byte and every name is as it should be.
#[track_caller]
fn session(tree: &Tree, server: &mut Wire) {
    let content: Vec<u8> = (0..500_000_u32).map(|index| (index / 7) as u8).collect();
    let handle = server.open("f", CREATE);
    let writes: Vec<Packet> = content
        .chunks(32_768)
        .zip((0..).step_by(32_768))
        .map(|(block, offset)| request::write(&handle, offset, block))
        .collect();
    for reply in server.pipeline(&writes) {
        assert_eq!(reply.code(), 0, "{reply:?}");
    }
    server.ok(&request::fsync(&handle));
    server.ok(&request::fsetstat(
        &handle,
        &Attrs::NONE.size(400_000).times(1, 1),
    ));
    server.close(&handle);
    let content = &content[..400_000];
    assert_eq!(tree.read("f"), content);

    let handle = server.open("f", pflags::READ);
    let reads: Vec<Packet> = (0..13)
        .map(|index| request::read(&handle, index * 32_768, 32_768))
        .collect();
    let got: Vec<u8> = server
        .pipeline(&reads)
        .iter()
        .flat_map(|reply| reply.data().to_vec())
        .collect();
    assert_eq!(got, content);

    let copy = server.open("copy", CREATE);
    server.ok(&request::copy_data(&handle, 0, 0, &copy, 0));
    server.close(&copy);
    server.close(&handle);
    assert_eq!(tree.read("copy"), content);

    server.ok(&request::setstat("copy", &Attrs::NONE.size(10)));
    server.ok(&request::rename("copy", "moved"));
    let names: Vec<_> = server
        .list(".")
        .into_iter()
        .map(|name| name.filename)
        .collect();
    assert_eq!(names.len(), 4, "{names:?}");
    // Not that of another user: glibc takes an interrupted read of passwd, which no kernel does, for the file's end.
    let home = server.call(&request::home_directory(""));
    assert!(matches!(home, Reply::Names(_)), "{home:?}");
}

#[test]
fn every_second_call_that_is_interrupted_makes_no_difference() {
    // From the 40th on: the loader, which starts the program, does not expect it.
    for calls in [
        "pread64,pwrite64",
        "read,write",
        "fsync,ftruncate,copy_file_range",
        "epoll_wait,epoll_pwait,poll,ppoll",
    ] {
        let first = if calls.starts_with("read") { 40 } else { 3 };
        let tree = Tree::new();
        for call in calls.split(',') {
            let inject = format!("{call}:error=EINTR:when={first}+2");
            let mut server = Fault::traced(&inject, under_test(), &tree).connect();
            session(&tree, &mut server);
            assert_eq!(server.finish().status.code(), Some(0), "{call}");
            for name in tree.names("") {
                std::fs::remove_file(tree.at(name)).unwrap();
            }
        }
    }
}

#[test]
fn an_open_that_is_interrupted_is_done_again() {
    let tree = Tree::new();
    let mut server = Fault::traced("openat:error=EINTR:when=40+2", under_test(), &tree).connect();
    for _ in 0..100 {
        let handle = server.open("f", CREATE);
        server.close(&handle);
    }
}

#[test]
fn writes_that_take_only_a_part_are_continued() {
    // A pipe as the file: it takes what it has room for.
    let tree = Tree::new();
    let inject = "pwrite64:retval=1:when=1+2";
    let mut server = Fault::traced(inject, under_test(), &tree).connect();
    let handle = server.open("f", CREATE);
    server.ok(&request::write(&handle, 0, b"_hello"));
    // The first call was said to have written one byte, and had not: what follows is the rest, at the next offset.
    assert_eq!(tree.read("f"), b"\0hello");
}

#[test]
fn a_session_that_is_stopped_and_continued_goes_on() {
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    let pid = Pid::from_raw(server.pid() as i32);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                kill(pid, Signal::SIGSTOP).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
                kill(pid, Signal::SIGCONT).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        });
        for _ in 0..3 {
            session(&tree, &mut server);
            for name in tree.names("") {
                std::fs::remove_file(tree.at(name)).unwrap();
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(server.finish().status.code(), Some(0));
}
