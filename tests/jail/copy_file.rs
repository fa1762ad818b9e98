//! `copy-file` in a jail: it reads and writes what the view has, with the rights of the view, with and without the locks of the kernel.

use std::fs::hard_link;
use std::os::unix::fs::MetadataExt;

use crate::ground::{Ground, Node, Plan};
use crate::home::{Home, refused};
use crate::protect_twins::plan as home_plan;
use crate::sides::{jail, jail_with_locks};
use crate::support::wire::{Reply, code};
use crate::support::{Server, Tree, request};

/// `jail` with links that would lead out; `ext` and `ext2` to be bound.
fn ground() -> Ground {
    let mut plan: Plan = Vec::new();
    for dir in ["jail", "jail/d", "jail/cover", "ext", "ext/d", "ext2"] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    for (file, content) in [
        ("jail/f", &b"root f"[..]),
        ("jail/d/f", b"root d f"),
        ("ext/e", b"ext e"),
        ("ext/f", b"ext f"),
        ("ext2/e", b"ext2 e"),
    ] {
        plan.push((file.into(), Node::File(content, 0o644)));
    }
    for (link, target) in [
        ("jail/up", &b"../outside/secret"[..]),
        ("jail/host", b"BASE/outside/secret"),
        ("jail/host-dir", b"BASE/outside"),
        ("jail/host-new", b"BASE/outside/new"),
        ("jail/up-dir", b"../outside"),
        ("jail/into", b"b/f"),
        ("jail/into-read-only", b"r/e"),
        ("ext/up", b"../f"),
    ] {
        plan.push((link.into(), Node::Link(target.to_vec())));
    }
    Ground::new(plan, &[b"jail", b"ext", b"ext2"])
}

const BINDS: [&str; 6] = [
    "--root",
    "BASE/jail",
    "--bind",
    "/b=BASE/ext",
    "--bind",
    "/r=BASE/ext2:ro",
];

/// A session without the locks, and one with them.
fn everywhere(test: impl Fn(&Ground, &mut Server, &str)) {
    let ground_ = ground();
    test(&ground_, &mut jail(&ground_, &BINDS).connect(), "open");
    let ground_ = ground();
    let mut server = jail_with_locks(&ground_, &BINDS).connect();
    test(&ground_, &mut server, "locked");
}

fn text(reply: &Reply) -> &str {
    &reply.status().text
}

#[test]
fn a_copy_goes_across_binds_and_out_of_a_read_only_one() {
    everywhere(|ground, server, what| {
        for (from, to, overwrite, made, content) in [
            ("/f", "/b/new", 0, "ext/new", "root f"),
            ("/b/e", "/new", 0, "jail/new", "ext e"),
            ("/r/e", "/d/new", 0, "jail/d/new", "ext2 e"),
            ("/r/e", "/b/e", 1, "ext/e", "ext2 e"),
            ("/f", "/into", 1, "ext/f", "root f"),
            ("/b/up", "/d/f", 1, "jail/d/f", "root f"),
            ("/d/../b/d/../f", "/b/d/../d/new", 0, "ext/d/new", "root f"),
        ] {
            let reply = server.call(&request::copy_file(from, to, overwrite));
            assert_eq!(reply.code(), code::OK, "{what} {from} {to}: {reply:?}");
            assert_eq!(ground.base.read(made), content.as_bytes(), "{from} {to}");
        }
        let all = ground.snapshot().entries;
        let unlisted = |path: &&Vec<u8>| path.windows(13).any(|part| part == b".sftp-server-");
        assert_eq!(all.keys().filter(unlisted).count(), 0, "{what}");
    });
}

#[test]
fn a_copy_goes_to_another_file_system() {
    for launch in [jail, jail_with_locks] {
        let ground = ground();
        let elsewhere = Tree::below("/dev/shm");
        elsewhere.chmod("", 0o777);
        let bind = format!("/b={}", elsewhere.root().display());
        let mut server = launch(&ground, &["--root", "BASE/jail", "--bind", &bind]).connect();
        ground.base.file("jail/big", vec![b'x'; 3_000_001]);
        server.ok(&request::copy_file("/big", "/b/there", 0));
        server.ok(&request::copy_file("/b/there", "/back", 0));
        server.ok(&request::copy_file("/f", "/b/there", 1));
        assert_eq!(ground.base.read("jail/back"), vec![b'x'; 3_000_001]);
        assert_eq!(elsewhere.read("there"), b"root f");
    }
}

#[test]
fn nothing_is_copied_into_a_read_only_bind_or_root() {
    everywhere(|ground, server, what| {
        let before = ground.snapshot();
        for to in ["/r/new", "/r/e", "/into-read-only", "/b/../r/new"] {
            for overwrite in [0, 1] {
                let reply = server.call(&request::copy_file("/f", to, overwrite));
                // A link is a name that is taken.
                let taken = to.starts_with("/into") && overwrite == 0;
                let said = if taken {
                    "Failure: File exists"
                } else {
                    "Failure: Read-only file system"
                };
                assert_eq!(text(&reply), said, "{what} {to} {overwrite}");
            }
        }
        assert_eq!(before.differences(&ground.snapshot()), [""; 0]);
    });
    let ground = ground();
    let mut server = jail(&ground, &["--root", "BASE/jail:ro"]).connect();
    let reply = server.call(&request::copy_file("/f", "/new", 0));
    assert_eq!(text(&reply), "Failure: Read-only file system");
}

#[test]
fn no_way_leads_a_copy_out() {
    everywhere(|ground, server, what| {
        let outside = [ground.path(), b"/outside/secret".to_vec()].concat();
        let made = [ground.path(), b"/outside/new".to_vec()].concat();
        let ways: [&[u8]; 9] = [
            b"/up",
            b"/host",
            b"/host-new",
            b"/up-dir/secret",
            b"/host-dir/new",
            b"/../outside/secret",
            b"/b/../../outside/new",
            &outside,
            &made,
        ];
        let before = ground.snapshot();
        for way in ways {
            for packet in [
                request::copy_file(way, "/new", 0),
                request::copy_file(way, "/new", 1),
                request::copy_file(way, "/b/e", 1),
                request::copy_file("/f", way, 1),
                request::copy_file("/f", way, 0),
            ] {
                let reply = server.call(&packet);
                assert_ne!(reply.code(), code::OK, "{what} {packet:?}");
            }
        }
        ground.bait_is_untouched(what);
        assert_eq!(before.differences(&ground.snapshot()), [""; 0], "{what}");
    });
}

#[test]
fn a_bind_point_is_a_directory_to_a_copy_whatever_it_covers() {
    let ground = ground();
    let mut server = jail(
        &ground,
        &[
            "--root",
            "BASE/jail",
            // One that covers a directory, one that covers nothing.
            "--bind",
            "/cover=BASE/ext",
            "--bind",
            "/free=BASE/ext2",
        ],
    )
    .connect();
    let before = ground.snapshot();
    for point in ["/cover", "/free"] {
        for (from, to, overwrite, said) in [
            ("/f", point, 0, "Failure: File exists"),
            ("/f", point, 1, "Failure: Is a directory"),
            (point, "/new", 0, "Failure: Is a directory"),
            (point, "/f", 1, "Failure: Is a directory"),
        ] {
            let reply = server.call(&request::copy_file(from, to, overwrite));
            assert_eq!(text(&reply), said, "{from} {to} {overwrite}");
        }
    }
    assert_eq!(before.differences(&ground.snapshot()), [""; 0]);
}

/// What nobody could set by SETSTAT in a jail does not come by a copy.
#[test]
fn no_set_id_bit_comes_by_a_copy_nor_stays_on_what_it_replaces() {
    everywhere(|ground, server, what| {
        for content in ["content", ""] {
            ground.base.file("jail/f", content);
            for name in ["jail/f", "jail/d/f"] {
                crate::ground::Owner.own(&ground.base.at(name));
                ground.base.chmod(name, 0o6755);
            }
            let _ = std::fs::remove_file(ground.base.at("jail/new"));
            server.ok(&request::copy_file("/f", "/new", 0));
            server.ok(&request::copy_file("/f", "/d/f", 1));
            assert_eq!(ground.base.mode("jail/new"), 0o755, "{what} {content:?}");
            assert_eq!(ground.base.mode("jail/d/f"), 0o755, "{what} {content:?}");
        }
    });
}

/// Made by another process: a copy over it would be written into the file that all its names share.
#[test]
fn a_hard_link_to_what_is_protected_is_not_written_by_a_copy() {
    let mut plan = home_plan("outer");
    plan.push((b"outer/inbox".to_vec(), Node::Dir(0o755)));
    plan.push((b"outer/inbox/f".to_vec(), Node::File(b"evil", 0o644)));
    let mut home = Home::new("outer", &["--root", "BASE/outer/inbox"], &plan);
    let base = &home.ground.base;
    hard_link(
        base.at("outer/.ssh/authorized_keys"),
        base.at("outer/inbox/keys"),
    )
    .unwrap();
    base.link("outer/inbox/link", "keys");
    let before = home.ground.snapshot();
    for to in ["/keys", "/link"] {
        let reply = home.server.call(&request::copy_file("/f", to, 1));
        assert!(refused(&reply), "{to}: {reply:?}");
    }
    let reply = home.server.call(&request::copy_file("/f", "/keys", 0));
    assert_ne!(reply.code(), code::OK);
    assert_eq!(before.differences(&home.ground.snapshot()), [""; 0]);
    // To be read it is as any other.
    home.server.ok(&request::copy_file("/keys", "/read", 0));
    assert_eq!(home.ground.base.read("outer/inbox/read"), b"as it was");
    assert_eq!(home.ground.base.meta("outer/inbox/read").nlink(), 1);
}
