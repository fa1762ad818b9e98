//! Self-protection and the ways: links and directories that lead to what is protected, whatever they are and whenever they change.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::Duration;

use crate::ground::{Ground, Node, Owner, Plan, ordinary, ours};
use crate::home::{Home, refused};
use crate::support::wire::{Attrs, Packet, pflags};
use crate::support::{Launch, Server, Tree, request};

const W: u32 = pflags::WRITE;
const NEW: u32 = pflags::WRITE | pflags::CREAT;

pub(crate) fn dir(path: &str) -> (Vec<u8>, Node) {
    (path.into(), Node::Dir(0o755))
}

pub(crate) fn file(path: &str) -> (Vec<u8>, Node) {
    (path.into(), Node::File(b"as it was", 0o644))
}

pub(crate) fn link(path: &str, target: &str) -> (Vec<u8>, Node) {
    (path.into(), Node::Link(target.into()))
}

/// The home as the root, with these things in it.
pub(crate) fn home_as_root(plan: &[(Vec<u8>, Node)]) -> Home {
    let plan: Plan = [&[dir("jail"), file("jail/plain"), dir("jail/ready")], plan].concat();
    Home::new("jail", &["--root", "BASE/jail"], &plan)
}

pub(crate) fn put(path: &str) -> Packet {
    request::open(path, NEW | pflags::TRUNC, &Attrs::NONE)
}

pub(crate) fn mkdir(path: &str) -> Packet {
    request::mkdir(path, &Attrs::NONE)
}

pub(crate) fn mode(path: &str, mode: u32) -> Packet {
    request::setstat(path, &Attrs::NONE.permissions(mode))
}

#[track_caller]
pub(crate) fn opens(server: &mut Server, path: &str) {
    let handle = server.open(path, NEW);
    server.close(&handle);
}

#[track_caller]
pub(crate) fn all_refused(server: &mut Server, packets: &[Packet]) {
    for packet in packets {
        let reply = server.call(packet);
        assert!(refused(&reply), "{packet:?}: {reply:?}");
    }
}

#[track_caller]
pub(crate) fn all_refused_and_unchanged(home: &mut Home, packets: &[Packet]) {
    let before = home.ground.snapshot();
    all_refused(&mut home.server, packets);
    let after = home.ground.snapshot();
    assert_eq!(before.differences(&after), [""; 0]);
}

/// What editors do: a new file takes the name of the old one.
pub(crate) fn replace(ground: &Ground, path: &str, content: &str) {
    let spare = ground.base.at("outer/spare");
    fs::create_dir_all(ground.base.at("outer")).unwrap();
    fs::write(&spare, content).unwrap();
    Owner.own(&spare);
    fs::rename(&spare, ground.base.at(path)).unwrap();
}

pub(crate) fn make_dir(ground: &Ground, path: &str) {
    fs::create_dir(ground.base.at(path)).unwrap();
    Owner.own(&ground.base.at(path));
}

/// Until what other processes do is noticed, at the most.
pub(crate) fn a_moment() {
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn nothing_but_a_new_directory_takes_the_name_of_a_way_that_is_missing() {
    let mut home = home_as_root(&[link("jail/to_ready", "ready")]);
    for way in ["/.config", "/.local"] {
        all_refused_and_unchanged(
            &mut home,
            &[
                put(way),
                request::symlink("ready", way),
                request::hardlink("/to_ready", way),
                request::hardlink("/plain", way),
                request::rename("/ready", way),
                request::posix_rename("/ready", way),
                request::rename("/to_ready", way),
                request::copy_file("/plain", way, 0),
            ],
        );
        home.server.ok(&mkdir(way));
    }
    home.server.ok(&mkdir("/.local/share"));
    all_refused_and_unchanged(
        &mut home,
        &[
            mkdir("/.config/systemd"),
            mkdir("/.config/user-tmpfiles.d"),
            mkdir("/.local/share/systemd"),
            request::rename("/ready", "/.local/share/dbus-1"),
            request::rename("/.local", "/elsewhere"),
            request::rmdir("/.local/share"),
            request::posix_rename("/ready", "/.local/share"),
        ],
    );
    home.server.ok(&mkdir("/.config/other"));
    home.server.ok(&mkdir("/.local/share/other"));
}

#[test]
fn a_way_that_was_missing_is_known_at_the_next_change_whoever_made_it() {
    let mut home = home_as_root(&[]);
    // By then the session has looked: nothing stands there.
    home.server.ok(&mkdir("/d"));
    for (made, protected) in [
        (".config", "/.config/systemd"),
        (".local", "/.local/x"),
        (".local/share", "/.local/share/systemd"),
    ] {
        make_dir(&home.ground, &format!("jail/{made}"));
        let reply = home.server.call(&mkdir(protected));
        assert_eq!(
            refused(&reply),
            !protected.ends_with("/x"),
            "{protected}: {reply:?}"
        );
    }
    assert!(!home.ground.base.has("jail/.config/systemd"));
    assert!(!home.ground.base.has("jail/.local/share/systemd"));
}

#[test]
fn what_two_sessions_make_in_turn_is_protected_for_both() {
    let mut one = home_as_root(&[]);
    let launch = Home::launch(&one.ground, "jail", &["--root", "BASE/jail"]);
    let mut two = launch.connect();
    two.ok(&mkdir("/d"));
    one.server.ok(&mkdir("/.config"));
    // All of it in one burst, which has begun before.
    let burst: Vec<Packet> = [
        mkdir("/.config/systemd"),
        mkdir("/.config/systemd/user"),
        put("/.config/systemd/user/x.service"),
    ]
    .into();
    for reply in two.pipeline(&burst).iter().take(1) {
        assert!(refused(reply), "{reply:?}");
    }
    assert!(!one.ground.base.has("jail/.config/systemd"));
}

/// One session makes what is missing while the other one looks what is protected, and goes on by what it has seen.
#[test]
fn no_moment_of_a_look_lets_something_ready_made_in() {
    let mut one = home_as_root(&[]);
    let launch = Home::launch(&one.ground, "jail", &["--root", "BASE/jail"]);
    let mut two = launch.connect();
    let top = one.ground.base.at("jail");
    for round in 0..150 {
        for number in 0..30 {
            let _ = fs::create_dir(top.join(format!("ready{number}")));
            Owner.own(&top.join(format!("ready{number}")));
        }
        let burst: Vec<Packet> = std::iter::once(request::symlink("ready", "/.config"))
            .chain(
                (0..30)
                    .map(|number| request::rename(format!("/ready{number}"), "/.config/systemd")),
            )
            .collect();
        let server = &mut one.server;
        std::thread::scope(|scope| {
            let other = scope.spawn(|| two.pipeline(&burst));
            std::thread::sleep(Duration::from_micros(fastrand::u64(0..400)));
            server.call(&mkdir("/.config"));
            other.join().unwrap();
        });
        assert!(
            !one.ground.base.has("jail/.config/systemd"),
            "round {round}"
        );
        let _ = fs::remove_dir(top.join(".config"));
    }
}

#[test]
fn a_directory_that_is_made_on_a_way_is_closed_to_others_and_open_to_its_owner() {
    for flags in [&[][..], &["--dir-mode", "0777"], &["--umask", "0"]] {
        let flags = [&["--root", "BASE/jail"], flags].concat();
        let mut home = Home::new("jail", &flags, &vec![dir("jail")]);
        let open = Attrs::NONE.permissions(0o777);
        home.server.ok(&request::mkdir("/.config", &open));
        home.server.ok(&request::mkdir("/plain", &open));
        home.server
            .ok(&request::mkdir("/.local", &Attrs::NONE.permissions(0)));
        let owners = home.ground.base.mode("jail/.local") & 0o700;
        assert_eq!(owners, 0o700, "{flags:?}");
        let mode = |name: &str| home.ground.base.at(name).metadata().unwrap().mode() & 0o22;
        assert_eq!(mode("jail/.config"), 0, "{flags:?}");
        assert_eq!(mode("jail/plain") != 0, flags.len() > 2, "{flags:?}");
    }
}

#[test]
fn ways_are_not_opened_to_others_nor_closed_to_their_owner_and_get_no_other() {
    let mut home = home_as_root(&[
        dir("jail/.config"),
        dir("jail/dots"),
        file("jail/dots/rc"),
        link("jail/.bashrc", "dots/rc"),
    ]);
    let (uid, gid) = ordinary();
    for way in [
        "/",
        "/.",
        "/.config",
        "/.config/",
        "/dots",
        "/dots/../dots/.",
    ] {
        // To others, or closed to its owner: then nobody could look through it.
        for open in [
            0o777, 0o775, 0o757, 0o722, 0o702, 0o600, 0o500, 0o300, 0o055, 0,
        ] {
            let packets = [
                mode(way, open),
                request::lsetstat(way, &Attrs::NONE.permissions(open)),
                request::setstat(way, &Attrs::NONE.owner(uid, gid)),
            ];
            all_refused_and_unchanged(&mut home, &packets);
            let handle = home.server.open(way, pflags::READ);
            let attrs = Attrs::NONE.permissions(open);
            let reply = home.server.call(&request::fsetstat(&handle, &attrs));
            assert!(refused(&reply), "{way}: {reply:?}");
            home.server.close(&handle);
        }
        home.server.ok(&mode(way, 0o700));
        home.server.ok(&mode(way, 0o755));
        home.server
            .ok(&request::setstat(way, &Attrs::NONE.times(1, 1)));
    }
    home.server.ok(&mode("/ready", 0o777));
}

#[test]
fn a_home_that_is_mounted_into_the_root_is_protected() {
    let plan = vec![
        dir("jail"),
        dir("jail/h"),
        dir("outer"),
        file("outer/plain"),
    ];
    let ground = Ground::new(plan, &[b"jail", b"outer"]);
    let mounts = [("outer", "jail/h")];
    let flags = ["--root", "BASE/jail"];
    let flags = flags.map(|flag| flag.replace("BASE", ground.base.root().to_str().unwrap()));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let names = [("tester", "outer")];
    let mut server = Home::launch_as(&ground, &names, &mounts, ours(), &flags).connect();
    all_refused(
        &mut server,
        &[
            put("/h/.bash_profile"),
            mkdir("/h/.ssh"),
            put("/h/../h/.profile"),
            request::rename("/h/plain", "/h/.zshenv"),
            request::hardlink("/h/plain", "/h/.bashrc"),
            request::symlink("plain", "/h/.config"),
        ],
    );
    server.ok(&mkdir("/h/other"));
    assert!(ground.base.has("outer/other"), "the mount is the home");
    assert!(!ground.base.has("outer/.ssh"));
}

#[test]
fn a_home_that_does_not_exist_yet_is_not_made() {
    let plan = vec![dir("jail"), dir("jail/ready"), dir("jail/ready/.ssh")];
    let mut home = Home::new("jail/homes/tester", &["--root", "BASE/jail"], &plan);
    all_refused_and_unchanged(
        &mut home,
        &[
            mkdir("/homes"),
            request::rename("/ready", "/homes"),
            request::symlink("ready", "/homes"),
            put("/homes"),
        ],
    );
    // Once it is there, it is a home like any other.
    make_dir(&home.ground, "jail/homes");
    make_dir(&home.ground, "jail/homes/tester");
    all_refused(
        &mut home.server,
        &[mkdir("/homes/tester/.ssh"), put("/homes/tester/.profile")],
    );
    home.server.ok(&mkdir("/homes/tester/x"));
    home.server.ok(&mkdir("/homes/other"));
}

#[test]
fn what_a_neighbour_makes_in_a_protected_directory_is_protected() {
    let mut home = home_as_root(&[dir("jail/.config")]);
    home.server.ok(&mkdir("/d"));
    for made in ["systemd", "systemd/user", "systemd/user/x.service.d"] {
        make_dir(&home.ground, &format!("jail/.config/{made}"));
    }
    replace(
        &home.ground,
        "jail/.config/systemd/user/x.service",
        "the user's",
    );
    let linked = home.ground.base.at("jail/linked");
    fs::hard_link(
        home.ground.base.at("jail/.config/systemd/user/x.service"),
        linked,
    )
    .unwrap();
    a_moment();
    all_refused_and_unchanged(
        &mut home,
        &[
            put("/.config/systemd/user/new.service"),
            put("/.config/systemd/user/x.service"),
            put("/.config/systemd/user/x.service.d/new.conf"),
            request::open("/linked", W, &Attrs::NONE),
            request::symlink("x", "/.config/systemd/user/x.service.d/l"),
        ],
    );
}

#[test]
fn a_handle_and_an_upload_do_not_follow_beneath_what_is_protected() {
    let mut plan = vec![dir("jail"), dir("jail/.ssh"), dir("jail/up"), dir("jail/d")];
    plan.extend([file("jail/f"), file("jail/d/f")]);
    let flags = ["--root", "BASE/jail", "--atomic-upload"];
    let mut home = Home::new("jail", &flags, &plan);
    let handle = home.server.open("/f", pflags::READ | W);
    let below = home.server.open("/d/f", pflags::READ | W);
    let reading = home.server.open("/d/f", pflags::READ);
    let pending = home.server.open("/up/new", NEW);
    home.server.ok(&request::write(&pending, 0, "bait"));
    let base = &home.ground.base;
    fs::rename(base.at("jail/f"), base.at("jail/.ssh/authorized_keys")).unwrap();
    fs::rename(base.at("jail/d"), base.at("jail/.ssh/d")).unwrap();
    fs::rename(base.at("jail/up"), base.at("jail/.ssh/up")).unwrap();
    a_moment();
    let touch = Attrs::NONE.permissions(0o666);
    all_refused(
        &mut home.server,
        &[
            request::write(&handle, 0, "bait"),
            request::fsetstat(&handle, &Attrs::NONE.size(0)),
            request::write(&below, 0, "bait"),
            request::fsetstat(&below, &touch),
            request::fsetstat(&reading, &touch),
            request::copy_data(&reading, 0, 0, &handle, 0),
            request::close(&pending),
        ],
    );
    let base = &home.ground.base;
    assert_eq!(base.read("jail/.ssh/authorized_keys"), b"as it was");
    assert_eq!(base.read("jail/.ssh/d/f"), b"as it was");
    assert!(!base.has("jail/.ssh/up/new"));
}

#[test]
fn both_homes_of_a_uid_with_two_names_are_protected() {
    let plan = vec![
        dir("jail"),
        dir("jail/one"),
        dir("jail/two"),
        file("jail/plain"),
    ];
    let ground = Ground::new(plan, &[b"jail"]);
    let base = ground.base.root().to_str().unwrap().to_owned();
    let root = format!("{base}/jail");
    let names = [("one", "jail/one"), ("two", "jail/two")];
    for user in ["one", "two"] {
        let launch = Home::launch_as(&ground, &names, &[], ours(), &["--root", &root]);
        let mut server = launch.env("USER", user).env("LOGNAME", user).connect();
        for home in ["one", "two"] {
            all_refused(
                &mut server,
                &[
                    mkdir(&format!("/{home}/.ssh")),
                    put(&format!("/{home}/.profile")),
                    request::rename(format!("/{home}"), "/gone"),
                ],
            );
        }
    }
}

#[test]
fn a_protected_directory_may_hold_more_than_is_known_one_by_one() {
    let mut plan = vec![dir("jail"), dir("jail/.config"), dir("jail/.config/fish")];
    plan.extend([
        dir("jail/.config/fish/a"),
        dir("jail/.config/fish/a/b"),
        file("jail/.config/fish/a/b/f"),
    ]);
    let ground = Ground::new(plan, &[b"jail"]);
    for number in 0..5000 {
        ground.base.file(format!("jail/.config/fish/f{number}"), "");
    }
    let mut server = Home::launch(&ground, "jail", &["--root", "BASE/jail"]).connect();
    let reading = server.open("/.config/fish/a/b/f", pflags::READ);
    all_refused(
        &mut server,
        &[
            put("/.config/fish/a/b/new"),
            put("/.config/fish/a/b/f"),
            put("/.config/fish/f4999"),
            request::rename("/.config/fish/a/b", "/gone"),
            request::fsetstat(&reading, &Attrs::NONE.permissions(0o666)),
        ],
    );
    opens(&mut server, "/.config/other");
    let permissions = fs::metadata(ground.base.at("jail/.config/fish/a/b/f"))
        .unwrap()
        .permissions();
    assert_eq!(permissions.mode() & 0o777, 0o644);
}

/// Its owner may enter such a directory and make names in it, but not list it.
#[test]
fn what_is_beneath_a_protected_directory_that_cannot_be_listed_is_protected() {
    let home = Tree::new();
    home.dir(".ssh/sub/deep");
    home.file(".ssh/sub/deep/x", "as it was");
    home.file("plain", "");
    home.give_to(USER, USER);
    home.chmod(".ssh", 0o300);
    let before = home.snapshot();
    // In no passwd: then the environment says where the home is.
    let mut server = Launch::program(ours(), &home)
        .args(["--root".as_ref(), home.root().as_os_str()])
        .env("HOME", home.root())
        .env("USER", "somebody")
        .user(USER, USER)
        .connect();
    let packets = [
        put("/.ssh/new"),
        put("/.ssh/sub/new"),
        put("/.ssh/sub/deep/new"),
        mkdir("/.ssh/sub/made"),
        request::remove("/.ssh/sub/deep/x"),
        request::open("/.ssh/sub/deep/x", W, &Attrs::NONE),
        request::rename("/plain", "/.ssh/sub/plain"),
    ];
    all_refused(&mut server, &packets);
    assert_eq!(before.differences(&home.snapshot()), [""; 0]);
    server.ok(&mkdir("/free"));
}

const USER: u32 = 54_324;
