//! Self-protection, case by case: what it says, what it leaves alone, hard links, handles, directories that come into place.

use std::os::unix::fs::{MetadataExt, chown};

use crate::ground::{Node, ordinary};
use crate::home::{Home, refused};
use crate::protect_twins::plan;
use crate::sides::as_ordinary;
use crate::support::server::{self, Launch, OURS};
use crate::support::wire::{Attrs, pflags};
use crate::support::{Tree, request};

/// The home as the root, protected.
fn home_as_root() -> Home {
    Home::new("jail", &["--root", "BASE/jail"], &plan("jail"))
}

#[test]
fn what_is_protected_can_be_read_and_listed() {
    let mut home = home_as_root();
    let handle = home.server.open("/.ssh/authorized_keys", pflags::READ);
    assert_eq!(
        home.server.call(&request::read(&handle, 0, 99)).data(),
        b"as it was"
    );
    let names = home.server.list("/.ssh");
    assert!(names.iter().any(|name| name.filename == b"authorized_keys"));
    assert_eq!(
        home.server.call(&request::stat("/.profile")).attrs().size,
        Some(9)
    );
}

#[test]
fn a_refusal_says_what_lifts_it() {
    let mut home = home_as_root();
    let reply = home.server.call(&request::remove("/.profile"));
    assert_eq!(
        reply.status().text,
        "Permission denied: protected (--no-protect)"
    );
    assert_eq!(reply.code(), 3);
}

#[test]
fn names_that_only_look_alike_are_not_protected() {
    let mut home = home_as_root();
    for name in [
        "/.sshx",
        "/ssh",
        "/.profile.bak",
        "/profile",
        "/.config/fishy",
        "/d/.profile",
        "/d/.ssh",
        "/.PROFILE",
        "/.Ssh",
    ] {
        home.server.ok(&request::mkdir(name, &Attrs::NONE));
    }
    home.server
        .ok(&request::setstat("/.config/other", &Attrs::NONE.size(1)));
    home.server.ok(&request::rename("/withssh", "/other"));
    assert!(home.ground.base.has("jail/.PROFILE"));
}

#[test]
fn a_hard_link_to_what_is_protected_is_protected() {
    // Made by another process before the session, and while it runs, of a file that took the name meanwhile.
    let home = "outer";
    let mut plan = plan(home);
    plan.push((b"outer/inbox".to_vec(), Node::Dir(0o755)));
    let mut home = Home::new(home, &["--root", "BASE/outer/inbox"], &plan);
    let base = &home.ground.base;
    std::fs::hard_link(
        base.at("outer/.ssh/authorized_keys"),
        base.at("outer/inbox/keys"),
    )
    .unwrap();
    std::fs::rename(base.at("outer/plain"), base.at("outer/.profile")).unwrap();
    std::fs::hard_link(base.at("outer/.profile"), base.at("outer/inbox/start")).unwrap();
    let before = home.ground.snapshot();
    for name in ["/keys", "/start"] {
        for packet in [
            request::open(name, pflags::WRITE, &Attrs::NONE),
            request::open(
                name,
                pflags::READ | pflags::WRITE | pflags::APPEND,
                &Attrs::NONE,
            ),
            request::setstat(name, &Attrs::NONE.size(0)),
            request::setstat(name, &Attrs::NONE.permissions(0o777)),
            request::setstat(name, &Attrs::NONE.times(1, 1)),
        ] {
            let reply = home.server.call(&packet);
            assert!(refused(&reply), "{packet:?}: {reply:?}");
        }
        let handle = home.server.open(name, pflags::READ);
        let reply = home
            .server
            .call(&request::fsetstat(&handle, &Attrs::NONE.permissions(0o777)));
        assert!(refused(&reply), "{reply:?}");
        home.server.close(&handle);
    }
    assert_eq!(before.differences(&home.ground.snapshot()), [""; 0]);
}

#[test]
fn a_directory_that_brings_something_protected_cannot_come_into_place() {
    let mut plan = plan("jail");
    // Neither .ssh nor .config stands there yet.
    plan.retain(|(path, _)| !path.starts_with(b"jail/.ssh") && !path.starts_with(b"jail/.config"));
    plan.push((b"jail/plainconf".to_vec(), Node::Dir(0o755)));
    let mut home = Home::new("jail", &["--root", "BASE/jail"], &plan);
    let before = home.ground.snapshot();
    for packet in [
        request::rename("/conf", "/.config"),
        request::posix_rename("/conf", "/.config"),
        request::rename("/withssh", "/.ssh"),
        request::posix_rename("/empty", "/.ssh"),
        request::mkdir("/.ssh", &Attrs::NONE),
        request::symlink("/withssh", "/.ssh"),
        request::symlink("/conf", "/.config"),
        request::open("/.ssh", pflags::WRITE | pflags::CREAT, &Attrs::NONE),
    ] {
        let reply = home.server.call(&packet);
        assert!(refused(&reply), "{packet:?}: {reply:?}");
    }
    assert_eq!(before.differences(&home.ground.snapshot()), [""; 0]);
    // What it brings could change between the look and the rename: none at all may come, but it may be made.
    let reply = home.server.call(&request::rename("/plainconf", "/.config"));
    assert!(refused(&reply), "{reply:?}");
    home.server.ok(&request::mkdir("/.config", &Attrs::NONE));
    let reply = home
        .server
        .call(&request::mkdir("/.config/fish", &Attrs::NONE));
    assert!(refused(&reply), "{reply:?}");
}

#[test]
fn a_home_that_passwd_names_by_a_link_is_protected() {
    let mut plan = plan("jail");
    plan.push((b"home".to_vec(), Node::Link(b"jail".to_vec())));
    let mut home = Home::new("home", &["--root", "BASE/jail"], &plan);
    let reply = home.server.call(&request::remove("/.profile"));
    assert!(refused(&reply), "{reply:?}");
    let mut home = Home::new("home", &["--root", "~"], &plan);
    let reply = home.server.call(&request::remove("/.profile"));
    assert!(refused(&reply), "{reply:?}");
}

#[test]
fn without_a_root_nothing_is_protected() {
    let mut home = Home::new("jail", &[], &plan("jail"));
    let path = home.ground.base.path("jail/.profile");
    home.server.ok(&request::remove(path));
    assert!(!home.ground.base.has("jail/.profile"));
}

/// What editors and `sed -i` do with a file that the client has open.
#[test]
fn a_handle_does_not_outlive_a_name_that_becomes_protected() {
    let mut home = home_as_root();
    let handle = home.server.open("/plain", pflags::READ | pflags::WRITE);
    let source = home.server.open("/source", pflags::READ);
    let base = &home.ground.base;
    std::fs::rename(base.at("jail/plain"), base.at("jail/.profile")).unwrap();
    // Other processes' doings are looked for now and then.
    std::thread::sleep(std::time::Duration::from_millis(50));
    let reply = home.server.call(&request::write(&handle, 0, "evil"));
    assert!(refused(&reply), "WRITE: {reply:?}");
    let reply = home
        .server
        .call(&request::fsetstat(&handle, &Attrs::NONE.size(0)));
    assert!(refused(&reply), "FSETSTAT: {reply:?}");
    let reply = home
        .server
        .call(&request::copy_data(&source, 0, 0, &handle, 0));
    assert!(refused(&reply), "copy-data: {reply:?}");
    assert_eq!(home.ground.base.read("jail/.profile"), b"ordinary");
}

#[test]
fn the_program_itself_cannot_be_replaced_by_whom_it_serves() {
    let base = Tree::new();
    base.dir("bin");
    let program = server::copy_of(OURS, base.at("bin"));
    std::fs::hard_link(&program, base.at("again")).unwrap();
    let (uid, gid) = ordinary();
    for path in [base.root().to_path_buf(), base.at("bin"), program.clone()] {
        chown(&path, Some(uid), Some(gid)).unwrap();
    }
    let before = std::fs::read(&program).unwrap();
    let launch =
        Launch::program(&program, &base).args(["--root".as_ref(), base.root().as_os_str()]);
    let mut server = as_ordinary(launch).connect();
    std::fs::write(base.at("evil"), "evil").unwrap();
    let mode = Attrs::NONE.permissions(0o600);
    for packet in [
        request::remove("/bin/sftp-server"),
        request::rename("/bin/sftp-server", "/x"),
        request::posix_rename("/evil", "/bin/sftp-server"),
        request::rename("/bin", "/x"),
        request::hardlink("/bin/sftp-server", "/x"),
        request::setstat("/bin/sftp-server", &mode),
        request::setstat("/again", &mode),
        request::open("/bin/sftp-server", pflags::WRITE, &Attrs::NONE),
        request::open("/again", pflags::WRITE | pflags::TRUNC, &Attrs::NONE),
    ] {
        let reply = server.call(&packet);
        assert!(refused(&reply), "{packet:?}: {reply:?}");
    }
    server.ok(&request::rename("/evil", "/bin/other"));
    assert_eq!(std::fs::read(&program).unwrap(), before);
    assert_eq!(program.metadata().unwrap().mode() & 0o7777, 0o755);
}
