//! A full disk and a file at its limit: a failure in words, the session goes on, what was acknowledged stays.

use std::path::PathBuf;
use std::process::Command;

use crate::support::request;
use crate::support::wire::{Attrs, code, pflags};
use crate::support::{Launch, Packet, Reply, Server, Tree, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT;

/// A file system in memory with these options, unmounted on drop.
pub(crate) struct Tmpfs {
    place: Tree,
}

impl Tmpfs {
    /// None where the test is done: an ordinary user runs it once more as root of a user namespace, who may mount.
    #[track_caller]
    pub(crate) fn new(options: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            in_a_user_namespace();
            return None;
        }
        let place = Tree::new();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(place.root())
            .status()
            .unwrap();
        assert!(status.success(), "no tmpfs can be mounted");
        Some(Self { place })
    }

    fn path(&self) -> PathBuf {
        self.place.root().to_owned()
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree::below(self.path())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.place.root())
            .status();
    }
}

/// The test of this thread, in a user and mount namespace of its own.
#[track_caller]
fn in_a_user_namespace() {
    let thread = std::thread::current();
    let test = thread.name().expect("libtest names its threads");
    let run = Command::new("unshare")
        .arg("-Urm")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "mounting a tmpfs asks for root, or for a host that lets users have namespaces: {said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[track_caller]
fn fails(server: &mut Server, packet: &Packet, text: &str) {
    let reply = server.call(packet);
    let status = reply.status();
    assert_eq!((status.code, status.text.as_str()), (code::FAILURE, text));
}

const NO_SPACE: &str = "Failure: No space left on device";

#[test]
fn a_write_to_a_full_disk_fails_in_words_and_what_was_acknowledged_is_there() {
    let Some(disk) = Tmpfs::new("size=256k") else {
        return;
    };
    let tree = disk.tree();
    let mut server = Server::start(&tree);
    let handle = server.open("f", CREATE);
    let block = |index: u64| vec![b'a' + (index % 26) as u8; 16_384];
    let mut acknowledged = 0_u64;
    let refusal = loop {
        match server.call(&request::write(
            &handle,
            acknowledged * 16_384,
            block(acknowledged),
        )) {
            Reply::Status(status) if status.code == code::OK => acknowledged += 1,
            Reply::Status(status) => break status,
            reply => panic!("{reply:?}"),
        }
        assert!(acknowledged < 100, "256 KiB hold no more than 16 blocks");
    };
    assert_eq!(
        (refusal.code, refusal.text.as_str()),
        (code::FAILURE, NO_SPACE)
    );
    let acknowledged = acknowledged.min(100);
    server.ok(&request::fsync(&handle));
    server.close(&handle);
    let content = tree.read("f");
    for index in 0..acknowledged {
        let at = index as usize * 16_384;
        assert_eq!(content[at..at + 16_384], block(index), "block {index}");
    }

    // The session is as it was, and room can be made.
    server.call(&request::stat("f")).attrs();
    server.ok(&request::setstat("f", &Attrs::NONE.size(16_384)));
    let again = server.open("f", pflags::WRITE);
    server.ok(&request::write(&again, 16_384, block(1)));
    server.close(&again);
    assert_eq!(tree.read("f"), [block(0), block(1)].concat());
}

#[test]
fn writes_that_were_sent_at_once_are_answered_each_by_itself() {
    let Some(disk) = Tmpfs::new("size=256k") else {
        return;
    };
    let tree = disk.tree();
    let mut server = Server::start(&tree);
    let handle = server.open("f", CREATE);
    let writes: Vec<Packet> = (0..40)
        .map(|index| {
            request::write(
                &handle,
                index * 16_384,
                vec![b'a' + index as u8 % 26; 16_384],
            )
        })
        .collect();
    let codes: Vec<u32> = server.pipeline(&writes).iter().map(Reply::code).collect();
    let done = codes.iter().filter(|code| **code == code::OK).count();
    assert!((1..=16).contains(&done), "{codes:?}");
    assert!(
        codes
            .iter()
            .all(|code| [code::OK, code::FAILURE].contains(code)),
        "{codes:?}"
    );
    let content = tree.read("f");
    for (index, code) in codes.iter().enumerate() {
        let at = index * 16_384;
        if *code == code::OK {
            assert_eq!(
                content[at..at + 16_384],
                vec![b'a' + index as u8 % 26; 16_384]
            );
        }
    }
}

#[test]
fn whatever_makes_a_name_fails_in_words_where_there_are_no_inodes() {
    let Some(disk) = Tmpfs::new("nr_inodes=4") else {
        return;
    };
    let tree = disk.tree();
    tree.file("f", "content");
    let mut server = Server::start(&tree);
    while server.code(&request::mkdir(
        format!("d{}", fastrand::u32(..)),
        &Attrs::NONE,
    )) == code::OK
    {}
    for packet in [
        request::mkdir("d", &Attrs::NONE),
        request::open("new", CREATE, &Attrs::NONE),
        request::symlink("x".repeat(1000), "s"),
    ] {
        fails(&mut server, &packet, NO_SPACE);
    }
    let handle = server.open("f", pflags::READ);
    let data = server.call(&request::read(&handle, 0, 100));
    assert_eq!(data.data(), b"content");
}

#[test]
fn a_copy_that_does_not_fit_fails_in_words() {
    let Some(disk) = Tmpfs::new("size=256k") else {
        return;
    };
    let tree = disk.tree();
    tree.file("from", vec![b'x'; 200 * 1024]);
    let mut server = Server::start(&tree);
    let (from, to) = (server.open("from", pflags::READ), server.open("to", CREATE));
    fails(
        &mut server,
        &request::copy_data(&from, 0, 0, &to, 0),
        NO_SPACE,
    );
    server.close(&to);
    let copied = tree.read("to");
    assert_eq!(copied, vec![b'x'; copied.len()], "what was copied stays");
    assert_eq!(tree.read("from").len(), 200 * 1024);
    server.ok(&request::remove("to"));
}

#[test]
fn a_device_that_is_always_full_says_so() {
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    let handle = server.open("/dev/full", pflags::WRITE);
    fails(&mut server, &request::write(&handle, 0, b"x"), NO_SPACE);
    server.close(&handle);
}

/// A server that may not make a file longer than this, in units of 512 bytes.
pub(crate) fn limited(tree: &Tree, blocks: u32) -> Server {
    Launch::program("sh", tree)
        .args(["-c", r#"ulimit -f "$1" && exec "$0""#])
        .args([under_test()])
        .args([blocks.to_string()])
        .connect()
}

const TOO_LARGE: &str = "Failure: File too large";

#[test]
fn a_file_at_its_limit_fails_in_words_and_nobody_dies_of_sigxfsz() {
    let tree = Tree::new();
    let mut server = limited(&tree, 8);
    let handle = server.open("f", CREATE);
    server.ok(&request::write(&handle, 0, vec![b'x'; 4096]));
    fails(&mut server, &request::write(&handle, 4096, b"y"), TOO_LARGE);
    fails(
        &mut server,
        &request::write(&handle, 1 << 40, b"y"),
        TOO_LARGE,
    );
    // It is begun, and cannot be completed.
    fails(
        &mut server,
        &request::write(&handle, 4000, vec![b'z'; 200]),
        TOO_LARGE,
    );
    fails(
        &mut server,
        &request::fsetstat(&handle, &Attrs::NONE.size(5000)),
        TOO_LARGE,
    );
    fails(
        &mut server,
        &request::setstat("f", &Attrs::NONE.size(5000)),
        TOO_LARGE,
    );
    server.ok(&request::fsetstat(&handle, &Attrs::NONE.size(100)));
    server.ok(&request::write(&handle, 100, b"more"));
    server.close(&handle);
    assert_eq!(tree.read("f"), [&vec![b'x'; 100][..], b"more"].concat());
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn a_copy_past_the_limit_fails_in_words() {
    let tree = Tree::new();
    tree.file("from", vec![b'x'; 10_000]);
    let mut server = limited(&tree, 8);
    let (from, to) = (server.open("from", pflags::READ), server.open("to", CREATE));
    fails(
        &mut server,
        &request::copy_data(&from, 0, 0, &to, 0),
        TOO_LARGE,
    );
    assert_eq!(tree.read("to"), vec![b'x'; 4096], "what fits stays");
    assert_eq!(server.finish().status.code(), Some(0));
}
