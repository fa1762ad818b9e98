//! No session is deaf: whatever one request asks for, signals, the session's time and the end of the client are heard, and others are served.
//!
//! Calls that take long are made by strace, which keeps each thread waiting by itself.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::Pid;

use crate::deaf_mounts::with_etc;
use crate::slow_storage::holds;
use crate::support::fault::Fault;
use crate::support::wire::{Attrs, PATIENCE, code, pflags};
use crate::support::{Launch, Packet, Server, Tree, Wire, request, under_test};

/// "Within a second", on a machine that may be busy.
const SOON: Duration = Duration::from_secs(5);

/// What a session has to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Signal(Signal),
    Timeout,
    ClientGone,
}

const CALLS: [Call; 4] = [
    Call::Signal(Signal::SIGTERM),
    Call::Signal(Signal::SIGHUP),
    Call::Timeout,
    Call::ClientGone,
];

/// The same where a request changes something: what has arrived whole is carried out, whether or not the client is still there.
const CHANGING: [Call; 3] = [CALLS[0], CALLS[1], CALLS[2]];

/// Sends what `ask` makes to a session of its own for each of them: it ends soon, though the answer would take a minute.
#[track_caller]
fn hears(calls: &[Call], launch: &dyn Fn() -> Launch, ask: &dyn Fn(&mut Server) -> Packet) {
    for call in calls.iter().copied() {
        let mut launch = launch();
        if call == Call::Timeout {
            launch = launch.args(["--session-timeout", "2s"]);
        }
        let mut server = launch.connect();
        let request = ask(&mut server);
        server.send(&request);
        std::thread::sleep(Duration::from_millis(500));
        assert!(!server.has_packet(), "{request:?} was answered already");
        match call {
            Call::Signal(signal) => kill(Pid::from_raw(server.pid() as i32), signal).unwrap(),
            Call::Timeout => std::thread::sleep(Duration::from_millis(1500)),
            Call::ClientGone => {
                let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
                server.wire = Wire::new(near, far);
            }
        }
        let called = Instant::now();
        let status = server.wait();
        assert!(
            called.elapsed() < SOON,
            "{call:?} after {:?}",
            called.elapsed()
        );
        match call {
            Call::Signal(signal) => assert_eq!(status.signal(), Some(signal as i32), "{status}"),
            Call::Timeout | Call::ClientGone => assert_eq!(status.code(), Some(0), "{status}"),
        }
    }
}

#[test]
fn a_walk_of_which_each_step_waits_is_broken_off() {
    let tree = Tree::new();
    tree.dir("d");
    let launch = || {
        Fault::traced("openat:delay_enter=20000", under_test(), &tree)
            .args(["--root", tree.root().to_str().unwrap()])
    };
    let path = "d/../".repeat(800);
    hears(&CALLS, &launch, &|_| request::stat(&path));
    hears(&CHANGING, &launch, &|_| {
        request::rename(format!("{path}d"), format!("{path}e"))
    });
    assert!(tree.has("d") && !tree.has("e"));
}

#[test]
fn numbers_that_are_asked_for_one_after_the_other_are_broken_off() {
    let tree = Tree::new();
    let launch = || Fault::traced("openat:delay_enter=3000", under_test(), &tree);
    let ids: Vec<u32> = (2_000_000_000..2_000_020_000).collect();
    hears(&CALLS, &launch, &|_| {
        request::users_groups_by_id(&ids, &ids)
    });
}

#[test]
fn a_listing_of_which_nothing_is_shown_is_broken_off() {
    let tree = Tree::new();
    for n in 0..4000 {
        tree.file(n.to_string(), "");
    }
    let launch = || {
        Fault::traced("statx:delay_enter=30000", under_test(), &tree).args([
            "--root",
            tree.root().to_str().unwrap(),
            "--drop-box",
        ])
    };
    // The first answer has `.` and `..`.
    hears(&CALLS, &launch, &|server| {
        let handle = server.opendir("/");
        assert_eq!(server.call(&request::readdir(&handle)).names().len(), 2);
        request::readdir(&handle)
    });
}

#[test]
fn other_handles_are_served_while_numbers_are_asked_for() {
    let tree = Tree::new();
    for rules in [&[] as &[&str], &["--max-file-size", "1G"]] {
        let mut server = Fault::traced("openat:delay_enter=1000", under_test(), &tree)
            .args(rules)
            .connect();
        let file = server.open("f", pflags::WRITE | pflags::CREAT | pflags::TRUNC);
        let ids: Vec<u32> = (2_000_000_000..2_000_020_000).collect();
        server.send(&request::users_groups_by_id(&ids, &ids));
        std::thread::sleep(Duration::from_millis(100));
        server.send(&request::write(&file, 0, "meanwhile"));
        let deadline = Instant::now() + PATIENCE;
        while tree.read("f") != b"meanwhile" {
            assert!(
                Instant::now() < deadline,
                "the WRITE waits for names, {rules:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!server.has_packet(), "answers keep their order");
    }
}

#[test]
fn as_many_unknown_numbers_as_a_packet_holds_are_answered_and_known_ones_among_them_are_right() {
    let tree = Tree::new();
    for rules in [&[] as &[&str], &["--deny", "none"]] {
        let mut server = Server::with(&tree, rules);
        let mut ids: Vec<u32> = (2_000_000_000..2_000_064_000).collect();
        ids[63_999] = 0;
        let reply = server.call(&request::users_groups_by_id(&ids, &[0]));
        let (users, groups) = reply.users_and_groups();
        assert_eq!((users.len(), groups), (64_000, vec!["root".to_owned()]));
        assert_eq!(users[63_999], "root");
        assert!(users[..63_999].iter().all(String::is_empty));
        assert_eq!(server.finish().status.code(), Some(0));
    }
}

#[test]
fn a_listing_in_which_much_is_hidden_shows_the_rest_and_no_answer_is_empty() {
    let tree = Tree::new();
    for n in 0..30_000 {
        std::fs::File::create(tree.at(format!("hidden-{n}"))).unwrap();
    }
    for name in ["a", "b", "z"] {
        tree.file(name, "");
    }
    let mut server = Server::with(&tree, ["--hide", "hidden-*"]);
    let handle = server.opendir(tree.path(""));
    let mut names = Vec::new();
    loop {
        let reply = server.call(&request::readdir(&handle));
        if let crate::support::Reply::Status(status) = &reply {
            assert_eq!(status.code, code::EOF);
            break;
        }
        assert!(!reply.names().is_empty());
        names.extend(reply.names().iter().map(|entry| entry.filename.clone()));
    }
    names.sort();
    assert_eq!(names, [b".".as_slice(), b"..", b"a", b"b", b"z"]);
}

/// A chain of directories, each called `a`, with a link in every 1900th that leads 1900 further down.
fn deep(tree: &Tree, depth: usize) {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut at = open(tree.root(), flags, Mode::empty()).unwrap();
    let far = "a/".repeat(1900);
    for level in 0..depth {
        if level % 1900 == 0 {
            nix::unistd::symlinkat(far.as_str(), &at, "l").unwrap();
        }
        mkdirat(&at, "a", Mode::from_bits_truncate(0o755)).unwrap();
        at = openat(&at, "a", flags, Mode::empty()).unwrap();
    }
}

#[test]
fn a_walk_far_down_and_up_again_is_answered_at_little_cost() {
    let tree = Tree::new();
    deep(&tree, 3801);
    tree.chmod(format!("{}a", "a/".repeat(1499)), 0o751);
    let path = format!("/l/l/{}", "../".repeat(1300));
    // Down 3800 levels, and up again to the 1500th.
    let up = format!("l/l/{}l", "../".repeat(1300));
    let mut server = Launch::new(&tree)
        .args(["--root", tree.root().to_str().unwrap()])
        .connect();
    let before = server.ticks();
    let found = server.call(&request::stat(&path));
    assert_eq!(server.code(&request::stat(&up)), code::NO_SUCH_FILE);
    for _ in 0..8 {
        server.call(&request::stat(&path)).attrs();
    }
    let each = (server.ticks() - before) / 10;
    let _ = Command::new("rm").arg("-rf").arg(tree.at("a")).status();
    found.attrs();
    // Where each `..` opened the whole way again it took a hundred times as long.
    assert!(each < 60, "{each} hundredths of a second");
}

#[test]
fn a_walk_of_too_many_steps_is_one_of_too_many_links() {
    // The kernel counts links alone; a walk of ours would take as long as the client likes.
    let tree = Tree::new();
    tree.file("f", "content");
    tree.link("s", "./".repeat(2040));
    let root = tree.root().to_str().unwrap();
    for rules in [&[] as &[&str], &["--deny", "none"]] {
        let mut server = Server::with(&tree, ["--root", root].iter().chain(rules));
        let found = server.call(&request::stat("s/s/s/s/f"));
        assert_eq!(found.attrs().size, Some(7));
        let reply = server.call(&request::stat("s/s/s/s/s/f"));
        let status = reply.status();
        let text = "No such file: Too many levels of symbolic links";
        assert_eq!(
            (status.code, status.text.as_str()),
            (code::NO_SUCH_FILE, text)
        );
    }
}

/// A process that holds a lease on a file, and does not give it up when it is asked to.
const HOLD: &str = "
import fcntl, os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
time.sleep(60)
";

#[test]
fn a_lease_that_is_not_given_up_keeps_nobody_else_waiting() {
    use std::io::Read;
    let tree = Tree::new();
    tree.file("leased", "content");
    let mut holder = Command::new("python3")
        .args(["-c", HOLD])
        .arg(tree.at("leased"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut word = [0; 5];
    holder
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut word)
        .unwrap();
    let launch = || Launch::new(&tree);
    let asked: [&dyn Fn(&mut Server) -> Packet; 3] = [
        &|_| request::open("leased", pflags::READ, &Attrs::NONE),
        &|_| request::open("leased", pflags::WRITE | pflags::TRUNC, &Attrs::NONE),
        &|_| request::setstat("leased", &Attrs::NONE.size(3)),
    ];
    hears(&CALLS, &launch, asked[0]);
    hears(&CHANGING, &launch, asked[1]);
    hears(&CHANGING, &launch, asked[2]);
    let mut server = Server::start(&tree);
    tree.file("near", "content");
    let near = server.open("near", pflags::READ);
    let leased = server.send(&request::open("leased", pflags::READ, &Attrs::NONE));
    std::thread::sleep(Duration::from_millis(50));
    let close = server.send(&request::close(&near));
    let deadline = Instant::now() + PATIENCE;
    while holds(&server, &tree.at("near")) {
        assert!(Instant::now() < deadline, "the CLOSE waits for the OPEN");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(!server.has_packet(), "answers keep their order");
    holder.kill().unwrap();
    holder.wait().unwrap();
    let (id, reply) = server.receive();
    assert_eq!(id, leased);
    reply.handle();
    assert_eq!(server.receive().0, close);
    assert_eq!(tree.read("leased"), b"content");
}

#[test]
fn who_sent_a_packet_that_is_too_long_is_not_waited_for() {
    let etc = Tree::new();
    // Who opens it for reading waits until somebody writes.
    nix::unistd::mkfifo(&etc.at("passwd"), Mode::from_bits_truncate(0o644)).unwrap();
    let tree = Tree::new();
    let mut server = with_etc(&tree, &etc).arg("-e").connect();
    let request = server.send(&request::stat("."));
    let sent = Instant::now();
    server.send_raw(&u32::MAX.to_be_bytes()).unwrap();
    let (id, reply) = server.receive();
    assert_eq!(id, request);
    reply.attrs();
    let status = server.wait();
    assert!(sent.elapsed() < SOON, "{:?}", sent.elapsed());
    assert_eq!(status.code(), Some(11), "{status}");
    let uid = nix::unistd::getuid();
    let log = server.stderr();
    assert!(log.contains(&format!(" local user {uid}\r\n")), "{log}");
}
