//! Self-protection on a file system that folds case: `.SSH` is `.ssh` there.
//!
//! ntfs-3g's second driver folds on every kernel that has FUSE; ext4 and tmpfs do where the kernel was built for it.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use crate::ground::{Ground, Node, ordinary, ours};
use crate::home::{Home, refused};
use crate::support::bindfs::Bindfs;
use crate::support::wire::{Attrs, Packet, pflags};
use crate::support::{Launch, Tree, request};

/// A home on such a file system, unmounted at the end.
struct Folding {
    place: PathBuf,
    ground: Ground,
}

impl Folding {
    fn new() -> Self {
        assert!(
            nix::unistd::geteuid().is_root(),
            "a file system of the test's own asks for root (mount)"
        );
        let ground = Ground::new(vec![(b"jail".to_vec(), Node::Dir(0o755))], &[b"jail"]);
        let image = ground.beside("image");
        File::create(&image).unwrap().set_len(16 << 20).unwrap();
        run(Command::new("mkntfs").args(["-F", "-Q", "-q"]).arg(&image));
        let place = ground.base.at("jail");
        let (uid, gid) = ordinary();
        let options = format!("ignore_case,allow_other,uid={uid},gid={gid}");
        run(Command::new("lowntfs-3g")
            .args(["-o", &options])
            .arg(&image)
            .arg(&place));
        for dir in [
            "jail/.ssh",
            "jail/.config",
            "jail/.config/fish",
            "jail/withssh",
            "jail/conf",
        ] {
            ground.base.dir(dir);
        }
        // What these lead to is missing.
        for (name, leads) in [(".kshrc", "F\u{e4}hre"), (".logout", "Men\u{fc}/rc")] {
            symlink(leads, place.join(name)).unwrap();
        }
        for file in [
            "jail/.ssh/authorized_keys",
            "jail/.profile",
            "jail/.config/fish/config.fish",
            "jail/plain",
            "jail/withssh/x",
        ] {
            ground.base.file(file, "as it was");
        }
        Self { place, ground }
    }

    /// A session at home, and the number of those requests that were done.
    fn attack(&self, flags: &[&str], judge: impl Fn(&Packet, &crate::support::Reply)) {
        let flags = [&["--root", "BASE/jail"], flags].concat();
        let mut server = Home::launch(&self.ground, "jail", &flags).connect();
        for packet in attacks() {
            let reply = server.call(&packet);
            judge(&packet, &reply);
        }
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        run(Command::new("umount").arg("--lazy").arg(&self.place));
    }
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn attacks() -> Vec<Packet> {
    let w = pflags::WRITE;
    vec![
        request::open("/.SSH/authorized_keys", w, &Attrs::NONE),
        request::open("/.ssh/AUTHORIZED_KEYS", w | pflags::TRUNC, &Attrs::NONE),
        request::open("/.sSh/new", w | pflags::CREAT, &Attrs::NONE),
        request::open("/.PROFILE", w, &Attrs::NONE),
        request::open("/.BashRC", w | pflags::CREAT, &Attrs::NONE),
        request::mkdir("/.SSH2", &Attrs::NONE),
        request::mkdir("/.CONFIG/Autostart", &Attrs::NONE),
        request::symlink("plain", "/.Zshrc"),
        request::rename("/plain", "/.ZSHENV"),
        request::posix_rename("/plain", "/.Profile"),
        request::hardlink("/plain", "/.Login"),
        request::remove("/.Profile"),
        request::rename("/.SSH", "/away"),
        request::setstat("/.CONFIG/FISH/config.fish", &Attrs::NONE.size(0)),
        request::remove("/.config/Fish/CONFIG.fish"),
        request::open("/F\u{c4}HRE", w | pflags::CREAT, &Attrs::NONE),
        request::rename("/withssh", "/MEN\u{dc}"),
    ]
}

#[test]
fn a_name_in_another_case_is_protected_where_the_file_system_folds_it() {
    let folding = Folding::new();
    let base = &folding.ground.base;
    assert!(
        base.has("jail/.SSH/Authorized_Keys"),
        "this file system does not fold"
    );
    let before = base.snapshot_of("jail");
    folding.attack(&[], |packet, reply| {
        assert!(refused(reply), "{packet:?}: {reply:?}");
    });
    assert_eq!(before.differences(&base.snapshot_of("jail")), [""; 0]);
}

#[test]
fn what_is_not_protected_can_be_made_in_any_case_there() {
    let folding = Folding::new();
    folding.attack(&["--no-protect"], |packet, reply| {
        assert!(!refused(reply), "{packet:?}: {reply:?}");
    });
    assert!(
        !folding.ground.base.has("jail/.profile"),
        "removed by another case of its name"
    );
    assert!(
        folding.ground.base.has("jail/f\u{e4}HRE"),
        "this file system does not fold letters with marks"
    );
    let mut server = Home::launch(&folding.ground, "jail", &["--root", "BASE/jail"]).connect();
    server.ok(&request::mkdir("/SSH", &Attrs::NONE));
    server.ok(&request::mkdir("/.Sshx", &Attrs::NONE));
}

/// In no passwd: then the environment says where the home is.
const USER: u32 = 54_323;
const MANY: usize = 100_000;

/// None of its names has a letter, so that none tells whether the file system folds.
#[test]
fn the_first_change_in_a_home_on_fuse_reads_very_many_names_once_and_asks_for_few() {
    let behind = Tree::below("/dev/shm");
    for number in 0..MANY {
        File::create(behind.at(number.to_string())).unwrap();
    }
    behind.chmod("", 0o777);
    let mount = Bindfs::of(behind.root());
    let traces = Tree::new();
    traces.chmod("", 0o777);
    let log = traces.at("log");
    let mut server = Launch::program("strace", &mount.point)
        .args(["-f", "-qqq", "--trace=getdents64,newfstatat,statx"])
        .args(["-o".as_ref(), log.as_os_str()])
        .arg(ours())
        .args(["--root".as_ref(), mount.point.root().as_os_str()])
        .env("HOME", mount.point.root())
        .env("USER", "somebody")
        .user(USER, USER)
        .connect();
    server.ok(&request::mkdir("/made", &Attrs::NONE));
    let reply = server.call(&request::mkdir("/.SSH", &Attrs::NONE));
    assert!(refused(&reply), "nothing tells that names differ by case");
    // strace is what ends here, when it has written all.
    assert!(server.finish().status.success());
    assert!(behind.has("made") && !behind.has(".SSH"));
    let calls = String::from_utf8(traces.read("log")).unwrap();
    let count = |call: &str| calls.lines().filter(|line| line.contains(call)).count();
    let (lists, looks) = (count("getdents64("), count("newfstatat(") + count("statx("));
    println!("{lists} calls of getdents64, {looks} for attributes");
    // One call of getdents64 has some 1000 of these names, and each of the two or three looks reads them all once: some of those that matter are known by
    // their beginning alone.
    assert!(lists < 4 * MANY / 1000 && looks < 1000, "{lists}, {looks}");
}

/// Unmounted at the end.
struct Overlay(Tree);

impl Drop for Overlay {
    fn drop(&mut self) {
        let point = self.0.at("home");
        let _ = Command::new("umount").arg("--lazy").arg(point).status();
    }
}

/// overlayfs folds where what is beneath it does.
#[test]
fn an_empty_home_of_a_kind_that_is_not_known_is_taken_to_fold_until_a_name_tells() {
    let tree = Tree::below("/dev/shm");
    tree.chmod("", 0o755);
    for dir in ["home", "lower", "upper", "work"] {
        tree.dir(dir);
    }
    let part = |name: &str| tree.at(name).display().to_string();
    let options = ["lower", "upper", "work"].map(|name| format!("{name}dir={}", part(name)));
    run(Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o", &options.join(",")])
        .arg(tree.at("home")));
    let overlay = Overlay(tree);
    let tree = &overlay.0;
    tree.chmod("home", 0o777);
    let home = tree.at("home");
    for folds in [true, false] {
        if !folds {
            File::create(home.join("Name")).unwrap();
        }
        let mut server = Launch::program(ours(), tree)
            .args(["--root".as_ref(), home.as_os_str()])
            .env("HOME", &home)
            .env("USER", "somebody")
            .user(USER, USER)
            .connect();
        let reply = server.call(&request::mkdir("/.SSH", &Attrs::NONE));
        assert_eq!(refused(&reply), folds, "{reply:?}");
        let reply = server.call(&request::mkdir("/.ssh", &Attrs::NONE));
        assert!(refused(&reply), "{reply:?}");
        assert_eq!(tree.has("home/.SSH"), !folds);
        assert!(!tree.has("home/.ssh"));
    }
}
