//! The two sides of a comparison: ours in its jail, and the oracle, a server in chroot(2) with real bind mounts.
//!
//! The oracle lives in a user and a mount namespace of its own and has no privilege in them when it begins to serve.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use nix::unistd::{Gid, Group, Uid, User, geteuid};

use crate::ground::{BAIT, BUILT, Ground, Owner, Plan, find, ordinary, ours, set_time};
use crate::support::program::install;
use crate::support::wire::{Packet, Reply, parse};
use crate::support::{Launch, OPENSSH, Server, Snapshot, Tree, show};

/// A directory to be bound into the view. `source` is below the ground, or absolute.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bind {
    pub(crate) at: &'static str,
    pub(crate) source: &'static str,
    pub(crate) read_only: bool,
}

/// How both sides are set up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) binds: &'static [Bind],
    pub(crate) read_only_root: bool,
    /// Flags that both servers know: `-R`, `-d`.
    pub(crate) args: &'static [&'static str],
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Ours with `--root` and `--bind`.
    Jailed,
    /// OpenSSH's server in chroot(2) and bind mounts.
    OpensshInChroot,
    /// Ours without `--root`, in chroot(2) and bind mounts: its texts tell the kernel's errno.
    OursInChroot,
}

/// A server and its ground.
pub(crate) struct Side {
    pub(crate) ground: Ground,
    pub(crate) server: Server,
    who: Who,
    setup: Setup,
}

/// What stands in each root for the sake of the oracle: empty directories, over which it mounts what it needs to run.
pub(crate) const KIT_DIRS: [&str; 4] = ["dev", "etc", "kit", "proc"];

impl Side {
    pub(crate) fn new(who: Who, setup: Setup, plan: &Plan) -> Self {
        let mut pinned: Vec<Vec<u8>> = KIT_DIRS
            .iter()
            .map(|dir| format!("jail/{dir}").into_bytes())
            .collect();
        for bind in setup.binds {
            pinned.push(mounted_at(setup.binds, bind.at));
            if !bind.source.starts_with('/') {
                pinned.push(bind.source.into());
            }
        }
        if let ["-d", start] = setup.args {
            pinned.push(format!("jail{start}").into_bytes());
        }
        pinned.push(b"jail".to_vec());
        let pinned: Vec<&[u8]> = pinned.iter().map(Vec::as_slice).collect();
        let ground = Ground::new(plan.clone(), &pinned);
        let server = launch(who, setup, &ground).connect();
        Self {
            ground,
            server,
            who,
            setup,
        }
    }

    /// Sends a request, and sees to it that the reply holds neither bait nor, from ours, the host's path.
    #[track_caller]
    pub(crate) fn call(&mut self, packet: &Packet) -> Reply {
        let sent = self.server.send(packet);
        let content = self
            .server
            .receive_raw()
            .unwrap_or_else(|| panic!("{:?} ended at {packet:?}", self.who));
        assert_no_bait(&content, packet);
        let (id, reply) = parse(&content);
        assert_eq!(id, sent, "the reply's id");
        // What a link holds is the client's own word, or that of who made it.
        let is_readlink = packet.kind == crate::support::wire::kind::READLINK;
        if !is_readlink && find(&content, &self.ground.path()).is_some() {
            panic!(
                "the host's path in the reply to {packet:?}: {}",
                show(&content)
            );
        }
        reply
    }

    /// Makes the disk, which looks like `now`, what it was at first. A server whose directories were replaced is started anew.
    pub(crate) fn restore(
        &mut self,
        pins: &mut Vec<Option<u64>>,
        now: &Snapshot,
        first: &Snapshot,
    ) {
        let moved = self.ground.pins() != *pins;
        self.ground.repair(now, first);
        if moved {
            self.restart();
            *pins = self.ground.pins();
        }
    }

    /// The ground, for who looks at it while the server is busy; another takes its place.
    pub(crate) fn take_ground(&mut self) -> Ground {
        std::mem::replace(&mut self.ground, Ground::new(Plan::new(), &[]))
    }

    pub(crate) fn restart(&mut self) {
        self.server = launch(self.who, self.setup, &self.ground).connect();
    }
}

#[track_caller]
pub(crate) fn assert_no_bait(content: &[u8], packet: &Packet) {
    assert!(
        find(content, &BAIT[..20]).is_none(),
        "bait was read by {packet:?}: {}",
        show(&content[..content.len().min(400)])
    );
}

/// Where the directory over which a bind stands is on the host: within another bind's source, if that one covers its parent.
fn mounted_at(binds: &[Bind], at: &str) -> Vec<u8> {
    let outer = binds
        .iter()
        .filter(|bind| at.starts_with(&format!("{}/", bind.at)))
        .max_by_key(|bind| bind.at.len());
    match outer {
        Some(outer) => format!("{}{}", outer.source, &at[outer.at.len()..]).into_bytes(),
        None => format!("jail{at}").into_bytes(),
    }
}

fn launch(who: Who, setup: Setup, ground: &Ground) -> Launch {
    match who {
        Who::Jailed => jailed(setup, ground),
        Who::OpensshInChroot => in_chroot("/kit/openssh", setup, ground),
        Who::OursInChroot => in_chroot("/kit/ours", setup, ground),
    }
}

/// Ours as the ordinary user. Without the sandbox, which would hide what the resolver lets through.
fn jailed(setup: Setup, ground: &Ground) -> Launch {
    let mut root = ground.base.at("jail").into_os_string();
    if setup.read_only_root {
        root.push(":ro");
    }
    let mut args = vec!["--root".into(), root];
    for bind in setup.binds {
        args.push("--bind".into());
        let source = ground.base.at(bind.source);
        let suffix = if bind.read_only { ":ro" } else { "" };
        args.push(format!("{}={}{suffix}", bind.at, source.display()).into());
    }
    as_ordinary(Launch::program(ours(), &ground.base))
        .args(args)
        .args(no_sandbox())
        .args(setup.args)
}

/// Ours as the ordinary user with these flags, in which `BASE` stands for the ground's path.
pub(crate) fn jail(ground: &Ground, flags: &[&str]) -> Launch {
    jail_with_locks(ground, &[no_sandbox(), flags].concat())
}

/// The same with the locks of the kernel that are usual.
pub(crate) fn jail_with_locks(ground: &Ground, flags: &[&str]) -> Launch {
    let base = ground.base.root().to_str().unwrap();
    let flags = flags.iter().map(|flag| flag.replace("BASE", base));
    as_ordinary(Launch::program(ours(), &ground.base)).args(flags)
}

/// The flags that leave the resolver to itself; none while the server knows no sandbox.
pub(crate) fn no_sandbox() -> &'static [&'static str] {
    static KNOWN: LazyLock<bool> = LazyLock::new(|| {
        let help = Command::new(ours()).arg("--help").output().unwrap();
        find(&help.stdout, b"--sandbox").is_some()
    });
    if *KNOWN { &["--sandbox", "off"] } else { &[] }
}

pub(crate) fn as_ordinary(launch: Launch) -> Launch {
    let (uid, gid) = ordinary();
    if geteuid().is_root() {
        launch.user(uid, gid)
    } else {
        launch
    }
}

fn in_chroot(program: &str, setup: Setup, ground: &Ground) -> Launch {
    let (uid, gid) = ordinary();
    let mut script = String::from("cd \"$0\"\n");
    let mount =
        |options: &str, source: &str, at: &str| format!("mount {options} '{source}' 'jail{at}'\n");
    script += &mount("--bind", "jail", "");
    if setup.read_only_root {
        script += "mount -o remount,bind,ro jail\ncd \"$0\"\n";
    }
    for dir in KIT_DIRS {
        script += &mount(
            "--bind",
            &format!("{}/{dir}", kit().display()),
            &format!("/{dir}"),
        );
    }
    // The C library sets a mode without following by /proc/self/fd.
    script += &mount("--rbind", "/proc", "/proc");
    for bind in setup.binds {
        // What a directory of the host holds in mounts comes along; the kernel would not let it go here.
        script += &mount("--rbind", bind.source, bind.at);
        if bind.read_only {
            script += &format!("mount -o remount,bind,ro 'jail{}'\n", bind.at);
        }
    }
    script += &format!(
        "exec unshare --user --map-user={uid} --map-group={gid} --root=jail /kit/ld.so --library-path /kit \"$@\"\n"
    );
    as_ordinary(Launch::program("unshare", &ground.base))
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec", &script])
        .args([ground.base.root()])
        .args([program])
        .args(if program == "/kit/ours" {
            no_sandbox()
        } else {
            &[]
        })
        .args(setup.args)
}

/// What a server needs in a chroot, in flat directories, made once: programs, libraries, `/dev/null` and `/etc/passwd`.
fn kit() -> &'static Path {
    static KIT: LazyLock<Tree> = LazyLock::new(|| {
        let tree = Tree::new();
        for dir in KIT_DIRS {
            tree.dir(dir);
        }
        tree.file("dev/null", "");
        let (uid, gid) = ordinary();
        let user = User::from_uid(Uid::from_raw(uid)).unwrap();
        let user = user.map_or(uid.to_string(), |user| user.name);
        let group = Group::from_gid(Gid::from_raw(gid)).unwrap();
        let group = group.map_or(gid.to_string(), |group| group.name);
        tree.file(
            "etc/passwd",
            format!("{user}:x:{uid}:{gid}::/:/bin/sh\nroot:x:0:0::/:/bin/sh\n"),
        );
        tree.file("etc/group", format!("{group}:x:{gid}:\n"));
        for (name, program) in [("openssh", Path::new(OPENSSH)), ("ours", ours())] {
            install(program, tree.at(format!("kit/{name}")));
            for library in libraries(program) {
                let name = library.file_name().unwrap().to_str().unwrap();
                let name = if name.starts_with("ld-") {
                    "ld.so"
                } else {
                    name
                };
                install(&library, tree.at(format!("kit/{name}")));
            }
        }
        let owner = Owner;
        for path in tree.snapshot().entries.keys().rev() {
            owner.own(&tree.at(path));
            set_time(&tree.at(path), BUILT);
        }
        tree
    });
    KIT.root()
}

fn libraries(program: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let words = text.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(PathBuf::from).collect()
}
