//! A home on storage that answers no more, beside a root that does: what is protected was known before, and nobody waits for it.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::deaf_mounts::CACHED;
use crate::device::Mount;
use crate::support::wire::{Attrs, code, pflags};
use crate::support::{Launch, Packet, Server, Tree, request, under_test};

/// In no passwd: then the environment says where the home is.
const USER: u32 = 54_322;
/// Much more than a session may wait.
const LATE: Duration = Duration::from_secs(5);
/// A second, on a machine that may be busy.
const SOON: Duration = Duration::from_secs(2);

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

/// A home that is the root, on this host. One protected link in it leads to storage of others, if `far`; else that is of no concern to it.
fn near(far: bool) -> Away {
    let behind = Tree::new();
    behind.file("f", "content");
    behind.chmod("", 0o777);
    let mount = Mount::new(behind.root());
    let tree = Tree::new();
    tree.chmod("", 0o777);
    if far {
        tree.link(".bashrc", mount.point.at("f").to_str().unwrap());
    }
    let server = Launch::program(under_test(), &tree)
        .arg("--root")
        .arg(tree.root())
        .env("HOME", tree.root())
        .env("USER", "somebody")
        .user(USER, USER)
        .connect();
    Away {
        mount,
        tree,
        server,
        _behind: behind,
    }
}

impl Away {
    /// A neighbour makes what was missing on a way.
    fn make(&self, name: &str) {
        self.tree.dir(name);
        let owner = Some(USER);
        std::os::unix::fs::chown(self.tree.at(name), owner, owner).unwrap();
    }

    /// The request is answered soon; whether it was refused as protected.
    #[track_caller]
    fn is_refused(&mut self, request: &Packet) -> bool {
        let began = Instant::now();
        let reply = self.server.call(request);
        assert!(began.elapsed() < SOON, "{request:?}: {:?}", began.elapsed());
        let status = reply.status();
        let refused = status.text == "Permission denied: protected (--no-protect)";
        assert!(refused || status.code == code::OK, "{request:?}: {reply:?}");
        refused
    }

    /// Ways appear while storage stalls: nothing is let in there, and what else is asked for there is refused, if `blind`, since nobody can look.
    fn ways_appear(&mut self, blind: bool) {
        let mkdir = |name: &str| request::mkdir(name, &Attrs::NONE);
        // By then it was looked: nothing stands there.
        self.server.ok(&mkdir("/before"));
        self.signal(Signal::SIGSTOP);
        // For so long the kernel tells what it was told before.
        std::thread::sleep(CACHED);
        for (way, protected) in [(".config", "systemd"), (".local/share", "dbus-1")] {
            let mut made = String::new();
            for name in way.split('/') {
                made = format!("{made}/{name}");
                self.make(&made[1..]);
            }
            let protected = format!("/{way}/{protected}");
            assert!(self.is_refused(&mkdir(&protected)), "{protected}");
            assert!(self.is_refused(&request::rename("/before", &protected)));
            assert_eq!(self.is_refused(&mkdir(&format!("/{way}/other"))), blind);
            assert!(!self.is_refused(&mkdir(&format!("/near{}", way.len()))));
            assert_eq!(self.tree.has(format!("{way}/other")), !blind);
            assert!(!self.tree.has(&protected[1..]));
        }
        self.signal(Signal::SIGCONT);
        let deadline = Instant::now() + LATE;
        while self.is_refused(&mkdir("/.config/again")) {
            assert!(Instant::now() < deadline, "it is not looked again");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(self.is_refused(&mkdir("/.config/systemd")));
        assert!(self.is_refused(&mkdir("/.local/share/dbus-1")));
    }
}

#[test]
fn a_way_that_appears_while_other_storage_stalls_is_known_at_once() {
    near(false).ways_appear(false);
}

#[test]
fn a_way_that_appears_while_nobody_can_look_what_is_protected_lets_nothing_in() {
    near(true).ways_appear(true);
}
