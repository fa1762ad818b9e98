//! Who may have a hand in the file: its owner, that of a link to it, and of every directory on the way.

use std::os::unix::fs::{chown, lchown};
use std::process::Stdio;

use crate::ground::{Ground, line, refused};
use crate::support::request;
use crate::support::wire::Attrs;
use crate::support::{Finished, Launch, Tree, under_test};

/// A user and a group that own nothing here.
const STRANGER: u32 = 54_321;
const OTHER: u32 = 54_322;
const IRREGULAR: &str = "it is no regular file, and only such a one is read";

/// The file's path, by which way `name` leads there.
#[track_caller]
fn said(ground: &Ground, name: &str) -> String {
    let dir = Tree::new();
    let path = ground.tree.at(name);
    let finished = refused(Launch::new(&dir).arg("--config").arg(&path));
    line(&finished).replace(ground.tree.root().to_str().unwrap(), "")
}

#[test]
fn a_file_of_another_user_is_refused() {
    let ground = Ground::new("");
    chown(ground.config(), Some(STRANGER), None).unwrap();
    assert_eq!(
        said(&ground, "config"),
        "/config: \"/config\" belongs to the user 54321; it must belong to root"
    );
}

#[test]
fn a_file_that_others_may_write_is_refused() {
    for mode in [0o664, 0o646, 0o666, 0o620] {
        let ground = Ground::new("");
        ground.tree.chmod("config", mode);
        assert_eq!(
            said(&ground, "config"),
            format!(
                "/config: \"/config\" can be written by others (mode {mode:04o}); chmod go-w helps"
            )
        );
    }
    let ground = Ground::new("");
    let acl = std::process::Command::new("setfacl")
        .args(["-m", &format!("u:{STRANGER}:rw")])
        .arg(ground.config())
        .status()
        .unwrap();
    assert!(acl.success(), "setfacl");
    assert!(said(&ground, "config").contains("can be written by others"));
}

#[test]
fn every_directory_up_to_the_top_is_looked_at() {
    for (name, mode, owner) in [
        ("a", 0o777, 0),
        ("a", 0o1777, 0),
        ("a", 0o775, 0),
        ("a/b", 0o1777, 0),
        ("a/b/c", 0o757, 0),
        ("a", 0o755, STRANGER),
        ("a/b/c", 0o755, STRANGER),
    ] {
        let ground = Ground::new("");
        ground.tree.dir("a/b/c");
        ground.tree.file("a/b/c/config", "");
        ground.tree.chmod(name, mode);
        chown(ground.tree.at(name), Some(owner), None).unwrap();
        let why = match owner {
            0 => format!("can be written by others (mode {mode:04o}); chmod go-w helps"),
            _ => "belongs to the user 54321; it must belong to root".to_owned(),
        };
        assert_eq!(
            said(&ground, "a/b/c/config"),
            format!("/a/b/c/config: \"/{name}\" {why}")
        );
    }
}

#[test]
fn a_link_counts_by_its_owner_and_by_the_way_that_it_leads() {
    let dir = Tree::new();
    let ground = Ground::new("");
    ground.tree.link("link", "config");
    Launch::new(&dir)
        .arg("--config")
        .arg(ground.tree.at("link"))
        .connect();
    lchown(ground.tree.at("link"), Some(STRANGER), None).unwrap();
    assert_eq!(
        said(&ground, "link"),
        "/link: \"/link\" belongs to the user 54321; it must belong to root"
    );
    // A directory that everybody may write, on the way of the link alone.
    ground.tree.dir("open");
    ground.tree.file("open/config", "");
    ground.tree.chmod("open", 0o1777);
    ground.tree.link("way", "open/../open/config");
    assert_eq!(
        said(&ground, "way"),
        "/way: \"/open\" can be written by others (mode 1777); chmod go-w helps"
    );
    // Out of it again, by a link that is written in it: whoever may write there could exchange it.
    ground.tree.link("open/back", "../config");
    ground.tree.link("around", "open/back");
    assert!(said(&ground, "around").contains("\"/open\" can be written"));
    ground.tree.link("circle", "circle");
    assert_eq!(
        said(&ground, "circle"),
        "/circle: cannot open \"/circle\": Too many symbolic links encountered; its symbolic links lead in a circle"
    );
}

#[test]
fn what_is_no_file_or_not_there_is_refused_at_once() {
    let ground = Ground::new("");
    ground.tree.dir("directory");
    ground.tree.fifo("fifo");
    ground.tree.link("dangling", "missing");
    for (name, why) in [
        ("directory", IRREGULAR),
        ("fifo", IRREGULAR),
        (
            "missing",
            "cannot open \"/missing\": No such file or directory; create it, or correct the path",
        ),
        (
            "dangling",
            "cannot open \"/missing\": No such file or directory; create it, or correct the path",
        ),
        (
            "config/",
            "cannot open \"/config\": Not a directory; correct the path",
        ),
        (
            "config/x",
            "cannot open \"/config\": Not a directory; correct the path",
        ),
    ] {
        assert_eq!(said(&ground, name), format!("/{name}: {why}"));
    }
    let dir = Tree::new();
    let device = refused(Launch::new(&dir).args(["--config", "/dev/zero"]));
    assert_eq!(line(&device), format!("/dev/zero: {IRREGULAR}"));
}

#[test]
fn with_config_the_user_may_own_it_too_and_nobody_else() {
    let dir = Tree::new();
    let ground = Ground::new("read-only = true");
    chown(ground.config(), Some(STRANGER), None).unwrap();
    let mut server = ground.launch_copy(&dir).user(STRANGER, STRANGER).connect();
    assert_eq!(server.code(&request::mkdir("d", &Attrs::NONE)), 3);
    let other = refused(ground.launch_copy(&dir).user(OTHER, OTHER));
    assert!(
        line(&other).ends_with(
            "belongs to the user 54321; it must belong to root or to the user of the session"
        ),
        "{other:?}"
    );
}

#[test]
fn a_file_that_the_user_may_not_read_is_refused() {
    let dir = Tree::new();
    let ground = Ground::new("");
    ground.tree.chmod("config", 0o600);
    let said = refused(ground.launch_copy(&dir).user(STRANGER, STRANGER));
    assert_eq!(
        line(&said),
        format!(
            "{0}: cannot open \"{0}\": Permission denied; each user whose session reads it must be able to (chmod a+r, on the way a+x)",
            ground.path()
        )
    );
}

#[test]
fn the_default_file_belongs_to_root_alone() {
    let dir = Tree::new();
    let ground = Ground::new("");
    ground.tree.file("sftp_server.toml", "read-only = true");
    let mut server = ground.default(&dir).connect();
    assert_eq!(server.code(&request::mkdir("d", &Attrs::NONE)), 3);
    drop(server);
    chown(ground.tree.at("sftp_server.toml"), Some(STRANGER), None).unwrap();
    assert_eq!(
        line(&refused(ground.default(&dir))),
        "/etc/ssh/sftp_server.toml: \"/etc/ssh/sftp_server.toml\" belongs to the user 54321; it must belong to root"
    );
    // Not only where there are flags.
    assert!(
        line(&refused(ground.default(&dir).args(["-R"]))).contains("belongs to the user 54321")
    );
    ground.default(&dir).args(["--no-config"]).connect();
}

#[test]
fn a_default_file_that_is_a_dangling_link_is_not_taken_for_none() {
    let dir = Tree::new();
    let ground = Ground::new("");
    ground.default(&dir).connect();
    ground.tree.link("sftp_server.toml", "missing");
    assert_eq!(
        line(&refused(ground.default(&dir))),
        "/etc/ssh/sftp_server.toml: cannot open \"/etc/ssh/missing\": No such file or directory; create it, or correct the path"
    );
}

#[test]
fn a_file_that_is_exchanged_all_the_time_is_never_one_of_a_stranger_s() {
    // Beneath a directory of the user's own, who may exchange it: for them alone that is allowed.
    let dir = Tree::new();
    let ground = Ground::new("read-only = true");
    ground.tree.file("foreign", "read-only = false");
    chown(ground.tree.at("foreign"), Some(STRANGER), None).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (ground.config(), ground.tree.at("foreign"));
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                nix::fcntl::renameat2(
                    nix::fcntl::AT_FDCWD,
                    &one,
                    nix::fcntl::AT_FDCWD,
                    &other,
                    nix::fcntl::RenameFlags::RENAME_EXCHANGE,
                )
                .unwrap();
            }
        });
        for _ in 0..16 {
            // Its client writes, and is refused: by the rule, or since it was the stranger's file.
            let packets = Tree::new();
            let input = packets.file(
                "packets",
                [
                    &b"\0\0\0\x05\x01\0\0\0\x03"[..],
                    &b"\0\0\0\x0f\x0e\0\0\0\x01\0\0\0\x02no\0\0\0\0"[..],
                ]
                .concat(),
            );
            let input = std::fs::File::open(input).unwrap();
            // Each open takes its time, so that much is exchanged between two of them.
            let slow = ["-qq", "-o", "/dev/null", "-e", "trace=openat"];
            let launch = Launch::program("strace", &dir)
                .args(slow)
                .args(["-e", "inject=openat:delay_enter=3000"])
                .arg(under_test())
                .args(["--sandbox", "off", "--config"])
                .arg(ground.config());
            let finished = launch.run(Stdio::from(input), Stdio::piped());
            // Judged below, since the other thread would outlive a panic.
            all.push((dir.has("no"), finished));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let code = |finished: &Finished| finished.status.code();
    for (wrote, finished) in &all {
        assert!(matches!(code(finished), Some(0 | 1)), "{finished:?}");
        assert!(!wrote, "{finished:?}");
    }
    let served = all.iter().any(|(_, finished)| code(finished) == Some(0));
    assert!(served, "it was never its own file that was read");
}
