//! A client that is gone while storage stalls: what it asked for behind the request that stalls.
//!
//! OpenSSH's server waits in the system call that stalls, and has read no further. It goes on when that returns.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::slow_storage::{Stall, is_exiting, mounted};
use crate::support::fault::Fault;
use crate::support::wire::{Attrs, PATIENCE, pflags};
use crate::support::{Launch, Packet, Tree, Wire, request, under_test};

/// So long a session may go on that should end; and so long it is watched where it should not.
const SOON: Duration = Duration::from_secs(5);
const A_WHILE: Duration = Duration::from_secs(1);

fn stall(flags: &[&str]) -> Stall {
    let (behind, mount) = mounted();
    let tree = Tree::new();
    let server = Launch::new(&tree).args(flags).connect();
    let path = mount.point.path("f");
    Stall::of((behind, mount), tree, server, path, pflags::READ)
}

/// With rules, changes are judged one after another.
const RULES: [&[&str]; 2] = [&[], &["--max-file-size", "1G"]];

impl Stall {
    /// The mount stalls, and the client goes when it has sent this request for it and changes of what lies near.
    fn leaves_behind(&mut self, request: &Packet) {
        self.signal(Signal::SIGSTOP);
        self.server.send(request);
        self.server.send(&request::mkdir("d", &Attrs::NONE));
        self.server.send(&request::rename("d", "e"));
        self.server.send(&request::mkdir("e/f", &Attrs::NONE));
        // Nothing tells that all of it was read but that the session waits.
        std::thread::sleep(Duration::from_millis(200));
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        self.server.wire = Wire::new(near, far);
    }

    fn mkdir(&self) -> Packet {
        request::mkdir(self.mount.point.path("made"), &Attrs::NONE)
    }

    #[track_caller]
    fn is_on_its_way(&self) {
        let deadline = Instant::now() + PATIENCE.min(SOON);
        while !is_exiting(&self.server) {
            assert!(Instant::now() < deadline, "the session goes on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn what_changes_something_behind_a_question_that_stalls_is_carried_out_at_once() {
    for flags in RULES {
        let mut stall = stall(flags);
        let read = request::read(&stall.far, 0, 100);
        stall.leaves_behind(&read);
        stall.is_on_its_way();
        assert_eq!(stall.tree.names("e"), [b"f"], "{flags:?}");
        stall.signal(Signal::SIGCONT);
        assert_eq!(stall.server.wait().code(), Some(0));
    }
}

#[test]
fn what_changes_something_behind_a_change_that_stalls_is_carried_out_when_that_is_done() {
    for flags in RULES {
        let mut stall = stall(flags);
        let mkdir = stall.mkdir();
        stall.leaves_behind(&mkdir);
        std::thread::sleep(A_WHILE);
        assert!(stall.server.is_running() && !is_exiting(&stall.server));
        assert!(stall.tree.names("").is_empty(), "{flags:?}");
        stall.signal(Signal::SIGCONT);
        assert_eq!(stall.server.wait().code(), Some(0));
        assert!(stall.behind.has("made"));
        assert_eq!(stall.tree.names("e"), [b"f"], "{flags:?}");
    }
}

#[test]
fn a_session_that_waits_for_a_change_that_stalls_hears_what_ends_it_though_nobody_is_there() {
    for flags in RULES {
        for signal in [Some(Signal::SIGTERM), Some(Signal::SIGHUP), None] {
            let timeout: &[&str] = match signal {
                Some(_) => &[],
                None => &["--session-timeout", "2s"],
            };
            let mut stall = stall(&[flags, timeout].concat());
            let mkdir = stall.mkdir();
            stall.leaves_behind(&mkdir);
            if let Some(signal) = signal {
                kill(Pid::from_raw(stall.server.pid() as i32), signal).unwrap();
            }
            stall.is_on_its_way();
            stall.signal(Signal::SIGCONT);
            let status = stall.server.wait();
            assert_eq!(status.signal(), signal.map(|signal| signal as i32));
            // What had not begun is not carried out.
            assert!(stall.tree.names("").is_empty(), "{flags:?}");
        }
    }
}

#[test]
fn a_client_sees_the_end_of_a_session_of_which_a_thread_still_waits() {
    for socket in [false, true] {
        let (behind, mount) = mounted();
        let tree = Tree::new();
        let launch = Launch::new(&tree);
        let launch = if socket { launch.socket() } else { launch };
        let path = mount.point.path("f");
        let server = launch.connect();
        let mut stall = Stall::of((behind, mount), tree, server, path, pflags::READ);
        stall.signal(Signal::SIGSTOP);
        stall.server.send(&request::read(&stall.far, 0, 100));
        std::thread::sleep(Duration::from_millis(200));
        let called = Instant::now();
        kill(Pid::from_raw(stall.server.pid() as i32), Signal::SIGTERM).unwrap();
        assert!(stall.server.receive_raw().is_none(), "socket: {socket}");
        assert!(called.elapsed() < SOON, "{:?}", called.elapsed());
        // It is still there: who waits for its end waits for the storage.
        assert!(stall.server.is_running());
        stall.signal(Signal::SIGCONT);
        let status = stall.server.wait();
        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32));
    }
}

#[test]
fn an_upload_that_is_closed_while_it_is_put_on_the_disk_takes_its_place_though_nobody_is_there() {
    let tree = Tree::new();
    tree.file("f", "before");
    let mut server = Fault::traced("fsync:delay_enter=1000000", under_test(), &tree)
        .arg("--atomic-upload")
        .connect();
    let flags = pflags::WRITE | pflags::CREAT | pflags::TRUNC;
    let upload = server.open("f", flags);
    server.ok(&request::write(&upload, 0, "uploaded"));
    assert_eq!(tree.read("f"), b"before");
    server.send(&request::fsync(&upload));
    server.send(&request::close(&upload));
    std::thread::sleep(Duration::from_millis(200));
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    server.wire = Wire::new(near, far);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(tree.read("f"), b"uploaded");
    assert_eq!(tree.names("").len(), 1);
}
