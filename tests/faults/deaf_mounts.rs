//! No session is deaf where a mount answers no more: neither by its rules, nor by a home or an entry that lies there, nor at its end.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;

use crate::slow_storage::{Stall, hears_a_signal, mounted, nothing_near_waits};
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Packet, Server, Tree, request, show, under_test};

/// For so long sshfs lets the kernel tell attributes without asking it.
pub(crate) const CACHED: Duration = Duration::from_millis(1500);

/// A session with these flags, and a file of this name that it has open on a mount.
fn stall(flags: &[&str], name: &str, pflags: u32) -> Stall {
    let (behind, mount) = mounted();
    let tree = Tree::new();
    let server = Launch::new(&tree).args(flags).connect();
    let path = mount.point.path(name);
    Stall::of((behind, mount), tree, server, path, pflags)
}

#[test]
fn what_rules_judge_on_a_mount_that_stalls_leaves_the_session_its_ears() {
    let at = |stall: &Stall, name: &str| stall.mount.point.path(name);
    let requests: [&dyn Fn(&mut Stall) -> Packet; 6] = [
        &|stall| request::stat(at(stall, "f")),
        &|stall| request::mkdir(at(stall, "made"), &Attrs::NONE),
        &|stall| {
            let create = pflags::WRITE | pflags::CREAT;
            request::open(at(stall, "new"), create, &Attrs::NONE)
        },
        &|stall| request::write(&stall.far, 0, "data"),
        &|stall| request::close(&stall.far),
        &|stall| {
            let dir = request::opendir(at(stall, "."));
            let dir = stall.server.call(&dir).handle().to_vec();
            request::readdir(&dir)
        },
    ];
    for request in requests {
        let mut stall = stall(&["--max-file-size", "1G"], "f", pflags::WRITE);
        let request = request(&mut stall);
        stall.signal(Signal::SIGSTOP);
        stall.server.send(&request);
        hears_a_signal(&mut stall);
    }
}

#[test]
fn a_near_directory_in_which_a_mount_stalls_is_listed_by_a_thread() {
    for flags in [&[] as &[&str], &["--hide", "none"]] {
        let mut stall = stall(flags, "f", pflags::READ);
        let above = stall.mount.point.root().parent().unwrap().to_path_buf();
        let dir = stall.server.opendir(above.to_str().unwrap());
        std::thread::sleep(CACHED);
        nothing_near_waits(&mut stall, &request::readdir(&dir));
    }
}

#[test]
fn a_bind_that_stalls_is_listed_by_a_thread() {
    let (behind, mount) = mounted();
    let tree = Tree::new();
    let bind = format!("/bound={}", mount.point.root().display());
    let server = Launch::new(&tree)
        .args(["--root".as_ref(), tree.root().as_os_str()])
        .args(["--bind", &bind])
        .connect();
    let mut stall = Stall::of((behind, mount), tree, server, "/bound/f", pflags::READ);
    let dir = stall.server.opendir("/");
    std::thread::sleep(CACHED);
    nothing_near_waits(&mut stall, &request::readdir(&dir));
}

#[test]
fn the_log_of_a_file_that_cannot_be_asked_for_its_end_does_not_put_the_end_off() {
    let mut stall = stall(&["-e", "-l", "INFO"], "f", pflags::READ);
    std::thread::sleep(CACHED);
    stall.signal(Signal::SIGSTOP);
    hears_a_signal(&mut stall);
}

#[test]
fn an_upload_that_cannot_be_discarded_does_not_put_the_end_off() {
    let create = pflags::WRITE | pflags::CREAT | pflags::TRUNC;
    let mut stall = stall(&["--atomic-upload"], "new", create);
    std::thread::sleep(CACHED);
    stall.signal(Signal::SIGSTOP);
    hears_a_signal(&mut stall);
}

/// A session whose passwd, which stands in `etc`, has these users, each with its home, and whose root is `tree`; it is of the first of them.
fn with_homes(tree: &Tree, etc: &Tree, homes: &[(&str, &Path)]) -> Server {
    let lines = homes.iter().enumerate().map(|(index, (name, home))| {
        let uid = if index == 0 {
            geteuid().as_raw()
        } else {
            70_100 + index as u32
        };
        format!("{name}:x:{uid}:0::{}:/bin/sh\n", home.display())
    });
    etc.file("passwd", lines.collect::<String>());
    with_etc(tree, etc)
        .args(["--root".as_ref(), tree.root().as_os_str()])
        .connect()
}

/// A session that finds these files in /etc, before those of the host.
pub(crate) fn with_etc(tree: &Tree, etc: &Tree) -> Launch {
    let unshare: &[&str] = match geteuid().is_root() {
        true => &["--mount"],
        false => &["--mount", "--user", "--map-root-user"],
    };
    // Over the whole of /etc: a mount on a file alone goes when somebody on the host replaces that file, as useradd does.
    let script = "mount -t overlay -o \"lowerdir=$0:/etc\" overlay /etc && exec \"$@\"";
    Launch::program("unshare", tree)
        .args(unshare)
        .args(["sh", "-ec", script])
        .arg(etc.root())
        .arg(under_test())
}

#[test]
fn the_home_of_another_user_that_stalls_is_answered_by_its_text() {
    let (behind, mount) = mounted();
    let (tree, etc) = (Tree::new(), Tree::new());
    let far = mount.point.at("home");
    let server = with_homes(&tree, &etc, &[("own", tree.root()), ("other", &far)]);
    let mut stall = Stall::near((behind, mount), tree, server);
    stall.signal(Signal::SIGSTOP);
    let reply = stall.server.call(&request::home_directory("other"));
    assert_eq!(show(reply.name()), "/");
    let reply = stall.server.call(&request::expand_path("~other/x"));
    assert_eq!(show(reply.name()), "/x");
    stall.signal(Signal::SIGCONT);
}

#[test]
fn whether_a_home_outside_of_the_root_exists_is_not_told() {
    let (tree, etc, outside) = (Tree::new(), Tree::new(), Tree::new());
    outside.dir("there");
    tree.dir("in/there");
    outside.link("link", tree.at("in/there").to_str().unwrap());
    let homes = [
        ("own", tree.at("in")),
        ("there", outside.at("there")),
        ("absent", outside.at("absent")),
        // That it is a link into the root is not told either.
        ("linked", outside.at("link")),
        ("above", tree.root().parent().unwrap().to_path_buf()),
        ("within", tree.at("in/there")),
        ("nowhere", tree.at("in/nowhere")),
    ];
    let homes = homes.each_ref().map(|(name, home)| (*name, home.as_path()));
    let mut server = with_homes(&tree, &etc, &homes);
    for (user, home) in [
        ("own", "/in"),
        ("there", "/"),
        ("absent", "/"),
        ("linked", "/"),
        ("above", "/"),
        ("within", "/in/there"),
        ("nowhere", "/in/nowhere"),
    ] {
        let told = server.call(&request::home_directory(user));
        assert_eq!(show(told.name()), home, "{user}");
        let told = server.call(&request::expand_path(format!("~{user}")));
        assert_eq!(
            show(told.name()),
            if user == "own" { "/in" } else { home },
            "{user}"
        );
    }
}
