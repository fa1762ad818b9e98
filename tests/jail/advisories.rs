//! The known holes of this field that concern paths and links, one test each: the same is done to ours in its jail, and
//! the disk is judged. Those that concern commands and shells are in `advisories_shells.rs`.
//!
//! A row names a class of mistakes. What is sent are plain members of that class, made for the guard of this server; nothing that
//! was written to pass the check of another product.
//!
//! | reference | product | what happened |
//! |---|---|---|
//! | CVE-2017-15906 | OpenSSH sftp-server | read-only mode let OPEN with CREAT make empty files |
//! | CVE-2008-1657 | OpenSSH | ForceCommand was passed by through `~/.ssh/rc`, which a client could write |
//! | CVE-2002-1469 | scponly | `~/.ssh/environment` could be uploaded, and named another PATH |
//! | CVE-2009-2904 | OpenSSH (Red Hat) | hard links brought setuid programs into a chroot that users may write |
//! | full-disclosure 2014, "SFTP misconfiguration" | OpenSSH | `/proc/self/mem` of the server was written by OPEN and WRITE |
//! | CVE-2017-7418 | ProFTPD | only the last component of a chroot's path was checked for being a link |
//! | CVE-2012-6095 | ProFTPD | between MKD and chown a link took the new directory's place |
//! | CVE-2019-12815, CVE-2015-3306 | ProFTPD mod_copy | copies on the server ignored the limits that uploads have |
//! | CVE-2023-35887 | Apache MINA SSHD | `..` above the root told what exists there and what does not |
//! | CVE-2026-23942 | Erlang/OTP ssh_sftpd | the root was compared as a string: `/home/user1` let in `/home/user10` |
//! | CVE-2026-40876 | goshs | the same |
//! | CVE-2026-48855 | Erlang/OTP ssh_sftpd | READLINK told the root's path on the host |
//! | CVE-2026-30914 | SFTPGo | a path read differently by protocol and by virtual folders left its folder |
//! | CVE-2026-30915 | SFTPGo | a user's name with `..` in a token moved the root upwards |
//! | drakkan/sftpgo pull request 2250 | SFTPGo | a write through a dangling link created its target outside |
//! | CVE-2024-52522 | rclone | mode and owner meant for a link were set on what it points to |
//! | mysecureshell issue 14 | MySecureShell | links that point outside the virtual chroot were followed |
//! | hfiref0x/LightFTP issue 72 | LightFTP | links were refused as last component alone |
//! | ronf/asyncssh, `SFTPServer.map_path` | AsyncSSH | the chroot is made of text: links lead out, `..` after a link is lexical |
//! | paramiko, `SFTPServerInterface.canonicalize` | paramiko | the same: REALPATH says one thing, OPEN does another |
//! | khm39/qftp issue 106 | qftp | checked component by component, then opened by the whole path again |

use crate::ground::{BAIT, BAIT_SIZE, Ground, Node, Plan};
use crate::home::{Home, refused};
use crate::sides::{jail, jail_with_locks};
use crate::support::wire::{Attrs, Reply, code, pflags};
use crate::support::{Server, request};

const W: u32 = pflags::WRITE;

/// A root with a file, a directory, a read-only place for binds, and the links that were used against others.
pub(crate) fn ground() -> Ground {
    let mut plan: Plan = Vec::new();
    for dir in ["jail", "jail/d", "jail/d/e", "ext", "ext/sub"] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    for file in ["jail/f", "jail/d/f", "ext/f"] {
        plan.push((file.into(), Node::File(b"inside", 0o644)));
    }
    for (link, target) in [
        ("jail/out", &b"BASE/outside"[..]),
        ("jail/up", b"../outside"),
        ("jail/secret", b"../outside/secret"),
        ("jail/dangling", b"../outside/new"),
        ("jail/dangling_abs", b"BASE/outside/new"),
        ("jail/prefix", b"../jail-not"),
        ("jail/d/into", b"e/../../d"),
        ("jail/deep", b"d/e"),
    ] {
        plan.push((link.into(), Node::Link(target.to_vec())));
    }
    Ground::new(plan, &[b"jail", b"ext"])
}

fn start(ground: &Ground, flags: &[&str]) -> Server {
    jail(ground, &[&["--root", "BASE/jail"], flags].concat()).connect()
}

#[track_caller]
fn absent(server: &mut Server, packet: &crate::support::Packet) {
    let reply = server.call(packet);
    assert!(
        matches!(&reply, Reply::Status(status) if status.code == code::NO_SUCH_FILE),
        "{packet:?}: {reply:?}"
    );
}

#[test]
fn read_only_mode_creates_no_empty_file_as_in_cve_2017_15906() {
    let ground = ground();
    for flags in [&["-R"][..], &["--bind", "/r=BASE/ext:ro"]] {
        let mut server = start(&ground, flags);
        let top = if flags[0] == "-R" { "" } else { "/r" };
        // Whatever other flags stand beside it.
        for pflags in (0..64).filter(|flags| flags & pflags::CREAT != 0) {
            let reply = server.call(&request::open(format!("{top}/new"), pflags, &Attrs::NONE));
            assert_ne!(reply.code(), code::OK, "{pflags:#x}");
        }
        assert!(!ground.base.has("jail/new") && !ground.base.has("ext/new"));
    }
}

#[test]
fn no_file_for_the_next_login_is_written_as_in_cve_2008_1657_and_cve_2002_1469() {
    let plan: Plan = ["jail", "jail/.ssh"]
        .map(|dir| (dir.into(), Node::Dir(0o755)))
        .into();
    let mut home = Home::new("jail", &["--root", "~"], &plan);
    for name in [
        "/.ssh/rc",
        "/.ssh/environment",
        "/.ssh/authorized_keys",
        "/.profile",
        "/.bashrc",
    ] {
        let reply = home
            .server
            .call(&request::open(name, W | pflags::CREAT, &Attrs::NONE));
        assert!(refused(&reply), "{name}: {reply:?}");
    }
    assert_eq!(home.ground.base.names("jail/.ssh"), [b""; 0]);
}

#[test]
fn no_hard_link_brings_a_program_in_as_in_cve_2009_2904() {
    let ground = ground();
    let mut server = start(&ground, &[]);
    for from in [
        "/usr/bin/passwd",
        "/../outside/secret",
        "/out/secret",
        "/up/secret",
        "/secret/..",
    ] {
        assert_ne!(
            server.code(&request::hardlink(from, "/linked")),
            code::OK,
            "{from}"
        );
        assert!(!ground.base.has("jail/linked"), "{from}");
    }
    // Of a link itself, as link(2) has it: the link, not the program.
    server.ok(&request::hardlink("/secret", "/linked"));
    assert_eq!(ground.base.target("jail/linked"), b"../outside/secret");
    ground.bait_is_untouched("hard links");
}

#[test]
fn the_memory_of_the_server_cannot_be_written_as_by_proc_self_mem() {
    let ground = ground();
    // What forbids this is a lock of the process.
    let mut server =
        jail_with_locks(&ground, &["--root", "BASE/jail", "--bind", "/p=/proc"]).connect();
    let pid = server.pid();
    for path in [
        "/p/self/mem".to_owned(),
        format!("/p/{pid}/mem"),
        "/p/thread-self/mem".into(),
        format!("/p/self/task/{pid}/mem"),
        "/proc/self/mem".into(),
    ] {
        for pflags in [W, W | pflags::READ] {
            let reply = server.call(&request::open(&path, pflags, &Attrs::NONE));
            assert!(matches!(reply, Reply::Status(_)), "{path}: {reply:?}");
        }
    }
}

#[test]
fn links_on_the_way_are_judged_like_the_last_one_as_in_cve_2017_7418_and_lightftp_72() {
    let ground = ground();
    let mut server = start(&ground, &[]);
    for path in [
        "/out/secret",
        "/up/secret",
        "/up/dir/secret",
        "/d/../up/secret",
        "/d/into/../up/secret",
    ] {
        absent(
            &mut server,
            &request::open(path, pflags::READ, &Attrs::NONE),
        );
        absent(
            &mut server,
            &request::open(path, W | pflags::CREAT, &Attrs::NONE),
        );
        absent(&mut server, &request::stat(path));
        absent(&mut server, &request::remove(path));
        absent(
            &mut server,
            &request::mkdir(format!("{path}x"), &Attrs::NONE),
        );
        absent(&mut server, &request::rename("/f", format!("{path}x")));
    }
    ground.bait_is_untouched("links on the way");
}

#[test]
fn a_new_directory_is_not_followed_where_a_link_takes_its_place_as_in_cve_2012_6095() {
    let ground = ground();
    let mut server = start(&ground, &[]);
    let (uid, gid) = crate::ground::ordinary();
    server.ok(&request::mkdir("/new", &Attrs::NONE.permissions(0o700)));
    std::fs::remove_dir(ground.base.at("jail/new")).unwrap();
    ground
        .base
        .link("jail/new", ground.base.path("outside/empty"));
    absent(
        &mut server,
        &request::setstat("/new", &Attrs::NONE.owner(uid, gid)),
    );
    absent(
        &mut server,
        &request::setstat("/new", &Attrs::NONE.permissions(0o777)),
    );
    assert_eq!(
        server.code(&request::mkdir("/new", &Attrs::NONE)),
        code::FAILURE
    );
    ground.bait_is_untouched("MKDIR and SETSTAT");
}

#[test]
fn copies_on_the_server_obey_what_uploads_obey_as_in_cve_2019_12815_and_cve_2015_3306() {
    let ground = ground();
    let mut server = start(&ground, &["--bind", "/r=BASE/ext:ro"]);
    let from = server.open("/f", pflags::READ);
    let to = server.open("/r/f", pflags::READ);
    assert_ne!(
        server.code(&request::copy_data(&from, 0, 0, &to, 0)),
        code::OK
    );
    absent(
        &mut server,
        &request::open("/up/secret", pflags::READ, &Attrs::NONE),
    );
    assert_eq!(ground.base.read("ext/f"), b"inside");
    let mut server = start(&ground, &["-R"]);
    let (from, to) = (
        server.open("/f", pflags::READ),
        server.open("/d/f", pflags::READ),
    );
    assert_eq!(
        server.code(&request::copy_data(&from, 0, 0, &to, 0)),
        code::PERMISSION_DENIED
    );
    ground.bait_is_untouched("copy-data");
}

#[test]
fn what_exists_above_the_root_is_not_told_as_in_cve_2023_35887() {
    let ground = ground();
    let mut server = start(&ground, &[]);
    let makes: [fn(&str) -> crate::support::Packet; 6] = [
        |path| request::stat(path),
        |path| request::lstat(path),
        |path| request::realpath(path),
        |path| request::opendir(path),
        |path| request::readlink(path),
        |path| request::statvfs(path),
    ];
    // What exists there and what does not: the same replies, byte for byte.
    for (exists, missing) in [
        ("/../outside/secret", "/../outside/sekret"),
        ("/../ext/sub/../f", "/../exd/sub/../f"),
        ("/up/secret", "/up/sekret"),
        ("/out/dir", "/out/dim"),
    ] {
        for make in makes {
            assert_eq!(
                server.call(&make(exists)),
                server.call(&make(missing)),
                "{exists}"
            );
        }
    }
}

#[test]
fn a_name_that_begins_as_the_root_does_is_outside_as_in_cve_2026_23942_and_cve_2026_40876() {
    let ground = ground();
    let mut server = start(&ground, &[]);
    for path in [
        "/prefix/secret",
        "/../jail-not/secret",
        "-not/secret",
        "/-not/secret",
        "../jail-not/secret",
    ] {
        absent(&mut server, &request::stat(path));
        absent(
            &mut server,
            &request::open(path, pflags::READ, &Attrs::NONE),
        );
        absent(
            &mut server,
            &request::open(path, W | pflags::TRUNC, &Attrs::NONE),
        );
    }
    absent(
        &mut server,
        &request::stat(ground.base.path("jail-not/secret")),
    );
    ground.bait_is_untouched("a common prefix");
}

#[test]
fn readlink_tells_what_was_stored_and_no_host_path_as_in_cve_2026_48855() {
    let ground = ground();
    let mut server = start(&ground, &["--bind", "/b=BASE/ext"]);
    for (target, link) in [
        ("/", "/to_root"),
        ("/d", "/to_d"),
        ("/b/sub", "/to_bind"),
        ("..", "/d/to_up"),
        ("/f", "/b/to_f"),
    ] {
        server.ok(&request::symlink(target, link));
        assert_eq!(
            server.call(&request::readlink(link)).name(),
            target.as_bytes()
        );
        let canonical = server.call(&request::realpath(link)).name().to_vec();
        assert!(
            crate::ground::find(&canonical, &ground.path()).is_none(),
            "{link}"
        );
    }
    assert_eq!(ground.base.target("jail/to_root"), b"/");
    assert_eq!(ground.base.target("ext/to_f"), b"/f");
}

#[test]
fn a_path_means_one_thing_to_all_as_in_cve_2026_30914() {
    let ground = ground();
    let mut server = start(&ground, &["--bind", "/b=BASE/ext:ro"]);
    // All of these are in the bind, however they are written; none may be changed.
    for path in [
        "/b/f",
        "//b/f",
        "/./b/f",
        "/d/../b/f",
        "/b/sub/../f",
        "/b//f",
        "b/f",
        "./b/./f",
        "/b/../b/f",
        "/../b/f",
        "/d/e/../../b/f",
    ] {
        assert_eq!(
            server.call(&request::stat(path)).attrs().size,
            Some(6),
            "{path}"
        );
        for packet in [
            request::open(path, W, &Attrs::NONE),
            request::remove(path),
            request::setstat(path, &Attrs::NONE.size(0)),
        ] {
            let reply = server.call(&packet);
            assert_eq!(
                reply.status().text,
                "Failure: Read-only file system",
                "{packet:?}"
            );
        }
    }
    // Bytes are not decoded, folded or trimmed: these are other names.
    for path in ["\\b\\f", "/%62/f", "/b/\u{ff46}", "/B/f", "/b/f ", "/b /f"] {
        absent(&mut server, &request::stat(path));
    }
    assert_eq!(ground.base.read("ext/f"), b"inside");
}

#[test]
fn a_token_cannot_move_the_root_upwards_as_in_cve_2026_30915() {
    let ground = ground();
    let names = ["..", "../outside", ".", "a/../../outside", ""];
    for name in names {
        // passwd knows no such user: HOME and USER count by themselves then.
        let launch = jail(&ground, &["--root", "BASE/jail/%u"]);
        let ran = launch
            .env("USER", name)
            .env("LOGNAME", name)
            .env("HOME", "/")
            .start();
        let mut server = ran;
        let _ = server.send_raw(b"\0\0\0\x05\x01\0\0\0\x03");
        if server.receive_raw().is_some() {
            absent(&mut server, &request::stat("/secret/."));
            absent(&mut server, &request::stat("/jail"));
            absent(&mut server, &request::stat("/outside"));
            let size = server.call(&request::stat("/secret"));
            assert!(
                !matches!(size, Reply::Attrs(attrs) if attrs.size == Some(BAIT_SIZE)),
                "{name}"
            );
        }
    }
    ground.bait_is_untouched("a user's name");
}

#[test]
fn a_write_through_a_dangling_link_creates_nothing_outside_as_in_sftpgo_2250() {
    let ground = ground();
    let mut server = start(&ground, &[]);
    for path in ["/dangling_abs", "/dangling"] {
        for pflags in [
            W | pflags::CREAT,
            W | pflags::CREAT | pflags::TRUNC,
            W | pflags::CREAT | pflags::EXCL,
        ] {
            let reply = server.call(&request::open(path, pflags, &Attrs::NONE));
            assert!(matches!(reply, Reply::Status(_)), "{path}: {reply:?}");
        }
        assert_ne!(server.code(&request::mkdir(path, &Attrs::NONE)), code::OK);
    }
    // Where the target lies in the view, it is made there.
    ground.base.link("jail/inner", "/d/made");
    let handle = server.open("/inner", W | pflags::CREAT);
    server.ok(&request::write(&handle, 0, "new"));
    assert_eq!(ground.base.read("jail/d/made"), b"new");
    ground.bait_is_untouched("writes through dangling links");
}

#[test]
fn attributes_for_a_link_do_not_reach_its_target_as_in_cve_2024_52522() {
    let ground = ground();
    crate::ground::Owner.own(&ground.base.link("jail/inner", "f"));
    let before = ground.base.meta("jail/f");
    let mut server = start(&ground, &[]);
    for path in ["/inner", "/secret", "/out"] {
        let _ = server.call(&request::lsetstat(path, &Attrs::NONE.permissions(0o777)));
        server.ok(&request::lsetstat(path, &Attrs::NONE.times(5, 5)));
    }
    let after = ground.base.meta("jail/f");
    assert_eq!(before.permissions(), after.permissions());
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    ground.bait_is_untouched("lsetstat");
}

#[test]
fn a_link_that_points_outside_is_a_dangling_one_as_in_mysecureshell_14() {
    let ground = ground();
    let mut server = start(&ground, &[]);
    // The client's own link, and those that others made before.
    server.ok(&request::symlink("/", "/mine"));
    server.ok(&request::symlink(ground.base.path("outside"), "/theirs"));
    assert_eq!(server.call(&request::realpath("/mine/d/f")).name(), b"/d/f");
    for path in [
        "/theirs/secret",
        "/out/secret",
        "/mine/../outside/secret",
        "/theirs",
        "/out",
        "/up",
        "/secret",
    ] {
        absent(&mut server, &request::stat(path));
        absent(&mut server, &request::opendir(path));
    }
    ground.bait_is_untouched("links");
}

#[test]
fn dot_dot_after_a_link_is_where_the_link_led_as_not_in_asyncssh_and_paramiko() {
    let ground = ground();
    ground.base.file("jail/d/here", "d here");
    let mut server = start(&ground, &[]);
    // deep is d/e: above it is d, not the root, for every request alike.
    assert_eq!(
        server.call(&request::realpath("/deep/../here")).name(),
        b"/d/here"
    );
    assert_eq!(
        server.call(&request::stat("/deep/../here")).attrs().size,
        Some(6)
    );
    let handle = server.open("/deep/../here", pflags::READ);
    assert_eq!(server.call(&request::read(&handle, 0, 9)).data(), b"d here");
    absent(&mut server, &request::stat("/up/../outside/secret"));
    absent(&mut server, &request::stat("/out/../f"));
}

#[test]
fn what_was_checked_is_what_is_opened_as_not_in_qftp_106() {
    // One swap between two requests; `races.rs` has them within one.
    let ground = ground();
    let mut server = start(&ground, &[]);
    server.call(&request::stat("/d/f")).attrs();
    std::fs::rename(ground.base.at("jail/d"), ground.base.at("jail/was_d")).unwrap();
    ground.base.link("jail/d", ground.base.path("outside"));
    for path in ["/d/f", "/d/secret"] {
        absent(
            &mut server,
            &request::open(path, pflags::READ | W | pflags::CREAT, &Attrs::NONE),
        );
        absent(
            &mut server,
            &request::setstat(path, &Attrs::NONE.permissions(0o777)),
        );
    }
    let handle = server.open("/was_d/f", pflags::READ);
    let data = server.call(&request::read(&handle, 0, 99)).data().to_vec();
    assert!(!data.starts_with(BAIT));
    ground.bait_is_untouched("a swap between requests");
}
