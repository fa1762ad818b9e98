//! A home on storage that answers no more, beside a root that does: what is protected was known before, and nobody waits for it.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::device::Mount;
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Server, Tree, request, under_test};

/// In no passwd: then the environment says where the home is.
const USER: u32 = 54_322;
/// Much more than a session may wait.
const LATE: Duration = Duration::from_secs(5);

struct Away {
    mount: Mount,
    tree: Tree,
    server: Server,
    _behind: Tree,
}

impl Away {
    fn new() -> Self {
        let behind = Tree::new();
        behind.file("f", "content");
        behind.chmod("", 0o777);
        let mount = Mount::new(behind.root());
        let tree = Tree::new();
        tree.chmod("", 0o777);
        tree.file("f", "as it was");
        tree.chmod("f", 0o666);
        let server = Launch::program(under_test(), &tree)
            .arg("--root")
            .arg(tree.root())
            .env("HOME", mount.point.root())
            .env("USER", "somebody")
            .user(USER, USER)
            .connect();
        Self {
            mount,
            tree,
            server,
            _behind: behind,
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.mount.process.id() as i32), signal).unwrap();
    }

    /// The home stalls, and all of this is done within a moment all the same.
    fn changes_go_on(&mut self) {
        let handle = self.server.open("/f", pflags::WRITE);
        self.signal(Signal::SIGSTOP);
        for round in 0..3 {
            let began = Instant::now();
            self.server.ok(&request::write(&handle, 0, "written"));
            let dir = format!("/d{round}");
            self.server.ok(&request::mkdir(&dir, &Attrs::NONE));
            self.server
                .ok(&request::setstat("/f", &Attrs::NONE.size(7)));
            let new = self
                .server
                .open(format!("{dir}/new"), pflags::WRITE | pflags::CREAT);
            self.server.close(&new);
            self.server.ok(&request::rename(&dir, format!("/e{round}")));
            assert!(
                began.elapsed() < LATE,
                "round {round}: {:?}",
                began.elapsed()
            );
            // The time after which it is looked again.
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(self.tree.read("f"), b"written");
        let pid = Pid::from_raw(self.server.pid() as i32);
        let began = Instant::now();
        kill(pid, Signal::SIGTERM).unwrap();
        self.server.wait();
        assert!(began.elapsed() < LATE, "SIGTERM: {:?}", began.elapsed());
        self.signal(Signal::SIGCONT);
    }
}

#[test]
fn a_home_that_stalls_beside_the_root_keeps_no_change_waiting() {
    Away::new().changes_go_on();
}

#[test]
fn a_home_that_stalls_after_changes_were_judged_keeps_none_waiting_either() {
    let mut away = Away::new();
    away.server.ok(&request::mkdir("/before", &Attrs::NONE));
    away.changes_go_on();
}
