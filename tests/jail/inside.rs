//! A session with an attacker's code in it: the real server, into which `probe.c` is preloaded.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::LazyLock;

use crate::support::request::symlink;
use crate::support::server::copy_of;
use crate::support::{Launch, OURS, Server, Tree};

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// The number of the error.
    Failed(i32),
    /// By the kernel, for a system call that no session makes.
    Killed,
}

/// As if the kernel had no such call.
pub(crate) const ABSENT: Outcome = Outcome::Failed(nix::libc::ENOSYS);

/// A server of an ordinary user in a tree of its own, in which things can be tried.
pub(crate) struct Inside {
    pub(crate) server: Server,
    pub(crate) tree: Tree,
    tried: usize,
}

impl Inside {
    /// With all locks but those named in `open`.
    #[track_caller]
    pub(crate) fn with(open: &str) -> Self {
        Self::start(&[], open, "")
    }

    /// `socket` is the name of the abstract socket that is tried.
    #[track_caller]
    pub(crate) fn start(args: &[&str], open: &str, socket: &str) -> Self {
        Self::in_tree(Tree::new(), args, open, socket)
    }

    /// With the tree as the root.
    #[track_caller]
    pub(crate) fn rooted(open: &str) -> Self {
        let tree = Tree::new();
        let root = tree.root().display().to_string();
        Self::in_tree(tree, &["--root", &root], open, "")
    }

    #[track_caller]
    fn in_tree(tree: Tree, args: &[&str], open: &str, socket: &str) -> Self {
        tree.file("bait", "bait");
        tree.give_to(NOBODY, NOBODY);
        let server = Launch::program(&BUILT.program, &tree)
            .args(args)
            .env("LD_PRELOAD", &BUILT.probe)
            .env("LOCKS_OPEN", open)
            .env("LOCKS_SOCKET", socket)
            .user(NOBODY, NOBODY)
            .connect();
        Self {
            server,
            tree,
            tried: 0,
        }
    }

    #[track_caller]
    pub(crate) fn attempt(&mut self, what: &str) -> Outcome {
        self.tried += 1;
        let link = format!("result-{}", self.tried);
        let request = symlink(format!("probe:{what}"), &link);
        self.server.send(&request);
        if self.server.receive_raw().is_none() {
            let status = self.server.wait();
            assert_eq!(status.signal(), Some(SIGSYS), "{what}: {status}");
            return Outcome::Killed;
        }
        let result = String::from_utf8(self.tree.target(&link)).unwrap();
        assert_ne!(result, "95", "{what}: the probe knows no such attempt");
        match result.parse() {
            Ok(errno) => Outcome::Failed(errno),
            Err(_) => {
                assert_eq!(result, "done", "{what}: the probe was not preloaded");
                Outcome::Done
            }
        }
    }
}

/// Another process of the same user, at which an attempt is aimed.
pub(crate) struct Victim(Child);

impl Victim {
    pub(crate) fn new() -> Self {
        let mut sleep = Command::new("sleep");
        Self(sleep.arg("600").uid(NOBODY).gid(NOBODY).spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn lives(&mut self) -> bool {
        std::thread::sleep(std::time::Duration::from_millis(50));
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What an ordinary user can reach: a copy of our program, and the probe, compiled.
struct Built {
    program: PathBuf,
    probe: PathBuf,
    _tree: Tree,
}

static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let tree = Tree::new();
    let probe = tree.at("probe.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jail/probe.c");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
        .args([&probe, &source])
        .arg("-ldl");
    let status = cc.status().expect("cc, with which Rust links, is there");
    assert!(status.success(), "{cc:?}: {status}");
    Built {
        program: copy_of(OURS, &tree),
        probe,
        _tree: tree,
    }
});

/// The uid and gid of `nobody` and `nogroup` on Debian.
pub(crate) const NOBODY: u32 = 65534;

const SIGSYS: i32 = nix::libc::SIGSYS;
