//! A home on FUSE where each spelling of a name has an inode of its own: sshfs, from a server whose file system folds case.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ground::{Ground, Node};
use crate::home::{Home, refused};
use crate::support::wire::{Attrs, Packet, pflags};
use crate::support::{Launch, OPENSSH, OURS, Reply, Server, Tree, request};

/// In no passwd.
const USER: u32 = 54_323;

/// `jail` is such a file system, with the home `jail/home` or `jail`; unmounted at the end.
struct Spelled {
    ground: Ground,
    behind: Tree,
}

impl Spelled {
    fn new() -> Self {
        let ground = Ground::new(vec![(b"jail".to_vec(), Node::Dir(0o755))], &[b"jail"]);
        let behind = Tree::new();
        let image = ground.beside("image");
        File::create(&image).unwrap().set_len(16 << 20).unwrap();
        run(Command::new("mkntfs").args(["-F", "-Q", "-q"]).arg(&image));
        run(Command::new("lowntfs-3g")
            .args(["-o", "ignore_case,allow_other,umask=0"])
            .args([&image, behind.root()]));
        let ssh = ground.beside("ssh");
        std::fs::write(&ssh, format!("#!/bin/sh\nexec {OPENSSH}\n")).unwrap();
        std::fs::set_permissions(&ssh, PermissionsExt::from_mode(0o755)).unwrap();
        run(Command::new("sshfs")
            .args(["-o", &format!("ssh_command={},allow_other", ssh.display())])
            .arg(format!("host:{}", behind.root().display()))
            .arg(ground.base.at("jail")));
        Self { ground, behind }
    }

    fn fill(&self, home: &str) {
        let base = &self.ground.base;
        for dir in [".ssh", ".config/systemd/user", "free"] {
            base.dir(format!("{home}/{dir}"));
        }
        for file in [
            ".ssh/authorized_keys",
            ".profile",
            ".config/systemd/user/a.service",
            "free/x",
        ] {
            base.file(format!("{home}/{file}"), "as it was");
        }
        let number = |name: &str| base.meta(format!("{home}/{name}"));
        let numbers =
            [".ssh", ".SSH"].map(|name| std::os::unix::fs::MetadataExt::ino(&number(name)));
        assert_ne!(
            numbers[0], numbers[1],
            "this file system has one inode for both spellings"
        );
    }

    fn server(&self, home: &str, flags: &[&str]) -> Server {
        Home::launch(&self.ground, home, flags).connect()
    }
}

impl Drop for Spelled {
    fn drop(&mut self) {
        for place in [
            self.ground.base.at("jail"),
            PathBuf::from(self.behind.root()),
        ] {
            let _ = Command::new("umount").arg("--lazy").arg(place).status();
        }
    }
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// What would pass by the spelling of a directory, beneath `home` in the view.
fn attacks(home: &str) -> Vec<Packet> {
    let (w, creates) = (pflags::WRITE, pflags::WRITE | pflags::CREAT);
    let at = |name: &str| format!("{home}/{name}");
    vec![
        request::open(at(".SSH/authorized_keys"), w, &Attrs::NONE),
        request::open(at(".sSh/AUTHORIZED_KEYS"), w | pflags::TRUNC, &Attrs::NONE),
        request::open(at(".SSH/new"), creates, &Attrs::NONE),
        request::remove(at(".Ssh/authorized_keys")),
        request::setstat(at(".SSH/authorized_keys"), &Attrs::NONE.size(0)),
        request::setstat(at(".SSH"), &Attrs::NONE.permissions(0o777)),
        request::mkdir(at(".CONFIG/systemd/USER/b.service.d"), &Attrs::NONE),
        request::open(at(".Config/SYSTEMD/user/b.service"), creates, &Attrs::NONE),
        request::symlink("x", at(".CONFIG/Systemd/user/c.service")),
        request::rename(at("free/x"), at(".SSH/rc")),
        request::posix_rename(at("free/x"), at(".CONFIG/systemd/user/a.service")),
        request::mkdir(at(".CONFIG/Autostart"), &Attrs::NONE),
        request::open(at(".PROFILE"), w, &Attrs::NONE),
        request::rename(at(".SSH"), at("away")),
    ]
}

#[track_caller]
fn all_refused(spelled: &Spelled, server: &mut Server, packets: &[Packet]) {
    let before = spelled.behind.snapshot().without_times();
    for packet in packets {
        let reply = server.call(packet);
        assert!(refused(&reply), "{packet:?}: {reply:?}");
    }
    let after = spelled.behind.snapshot().without_times();
    assert_eq!(before.differences(&after), [""; 0]);
}

#[test]
fn whichever_way_a_directory_is_spelled_it_is_protected() {
    let spelled = Spelled::new();
    spelled.fill("jail");
    let mut server = spelled.server("jail", &["--root", "BASE/jail"]);
    all_refused(&spelled, &mut server, &attacks(""));
    // By a handle that was opened for reading.
    let open = request::open("/.SSH/authorized_keys", pflags::READ, &Attrs::NONE);
    let handle = server.call(&open).handle().to_vec();
    let cut = request::fsetstat(&handle, &Attrs::NONE.size(0));
    all_refused(&spelled, &mut server, &[cut]);
    server.close(&handle);
    server.ok(&request::remove("/FREE/X"));
    server.ok(&request::mkdir("/Free/y", &Attrs::NONE));
}

#[test]
fn so_is_the_home_itself() {
    let spelled = Spelled::new();
    spelled.fill("jail/home");
    let mut server = spelled.server("jail/home", &["--root", "BASE/jail"]);
    for home in ["/home", "/HOME", "/Home"] {
        all_refused(&spelled, &mut server, &attacks(home));
    }
    server.ok(&request::mkdir("/HOME/made", &Attrs::NONE));
    assert!(spelled.behind.has("home/made"));
}

/// Where nothing tells by which path a file is open, it was judged by that when it was opened.
#[test]
fn without_procfs_a_file_in_a_directory_that_is_known_is_written_as_it_is_emptied() {
    let spelled = Spelled::new();
    spelled.fill("jail");
    let base = &spelled.ground.base;
    base.file("jail/plain", "as it was");
    let program = crate::support::server::copy_of(OURS, base);
    let script = "mount -t tmpfs tmpfs /proc; exec setpriv --reuid $1 --regid $1 --clear-groups \"$0\" --root \"$2\"";
    let mut server = Launch::program("unshare", base.root())
        .args(["-m", "sh", "-ec", script])
        .args([program.as_os_str(), USER.to_string().as_ref()])
        .arg(base.at("jail"))
        .env("HOME", base.at("jail"))
        .env("USER", "somebody")
        .connect();
    let anew = pflags::WRITE | pflags::CREAT | pflags::TRUNC;
    for name in ["plain", "new"] {
        let handle = server.open(name, anew);
        server.ok(&request::write(&handle, 0, "written"));
        server.close(&handle);
        assert_eq!(spelled.behind.read(name), b"written");
    }
    all_refused(
        &spelled,
        &mut server,
        &[
            request::open("/free/new", anew, &Attrs::NONE),
            request::open("/.SSH/authorized_keys", anew, &Attrs::NONE),
            request::open("/.ssh/authorized_keys", anew, &Attrs::NONE),
            request::open("/.bashrc", anew, &Attrs::NONE),
        ],
    );
}

/// The mount says that all is root's and closed to others, and lets everybody write all the same.
#[test]
fn modes_tell_nothing_where_another_process_decides() {
    let spelled = Spelled::new();
    let home = spelled.ground.base.at("jail/home");
    std::fs::create_dir(&home).unwrap();
    let mut server = spelled.server("jail/home", &["--root", "BASE/jail"]);
    for name in ["/HOME/.BASHRC", "/home/.Profile"] {
        let creates = pflags::WRITE | pflags::CREAT;
        let reply = server.call(&request::open(name, creates, &Attrs::NONE));
        assert!(refused(&reply), "{name}: {reply:?}");
    }
    assert!(is_empty(&home));
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

#[test]
fn a_bind_covers_its_place_however_that_is_spelled() {
    let spelled = Spelled::new();
    let base = &spelled.ground.base;
    base.dir("jail/a/bin");
    base.file("jail/a/bin/tool", "as it was");
    let flags = ["--root", "BASE/jail", "--bind", "/a/bin=BASE/jail/a/bin:ro"];
    let mut server = spelled.server("jail", &flags);
    for name in ["/a/bin/tool", "/A/bin/tool", "/a/BIN/tool", "/A/BIN/TOOL"] {
        let reply = server.call(&request::open(name, pflags::WRITE, &Attrs::NONE));
        let Reply::Status(status) = &reply else {
            panic!("{name}: {reply:?}");
        };
        assert_eq!(status.text, "Failure: Read-only file system", "{name}");
    }
    for dir in ["/a", "/A"] {
        let handle = server.opendir(dir);
        let listed = server.call(&request::readdir(&handle));
        let Reply::Names(names) = listed else {
            panic!("{listed:?}");
        };
        let binds = names
            .iter()
            .filter(|name| name.filename.eq_ignore_ascii_case(b"bin"));
        assert_eq!(binds.count(), 1, "{dir}");
    }
    // It would be lost by the new name, which nothing ties to the old one.
    for (old, new) in [("/a", "/b"), ("/A", "/b"), ("/A", "/a")] {
        for rename in [request::rename(old, new), request::posix_rename(old, new)] {
            let reply = server.call(&rename);
            assert!(
                matches!(&reply, Reply::Status(status) if status.code != 0),
                "{rename:?}: {reply:?}"
            );
        }
    }
    let reply = server.call(&request::open("/a/bin/tool", pflags::WRITE, &Attrs::NONE));
    assert!(matches!(reply, Reply::Status(_)), "{reply:?}");
    assert_eq!(spelled.behind.read("a/bin/tool"), b"as it was");
}
