//! Binds: a directory appears in the view as `mount --bind` has it, for one session, with no mount.

use crate::ground::{Ground, Node, Plan};
use crate::sides::jail;
use crate::support::request;
use crate::support::wire::{Attrs, Reply, code, pflags};
use crate::support::{Server, Tree};

const BUSY: &str = "Failure: Device or resource busy";
const READ_ONLY: &str = "Failure: Read-only file system";
const CROSSES: &str = "Failure: Invalid cross-device link";

/// `jail` with a file, a directory and one that is covered; `ext` and `ext2` to be bound.
fn ground() -> Ground {
    let mut plan: Plan = Vec::new();
    for dir in [
        "jail",
        "jail/d",
        "jail/empty",
        "jail/cover",
        "jail/h",
        "ext",
        "ext/d",
        "ext/n",
        "ext2",
    ] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    for (file, content) in [
        ("jail/f", &b"root f"[..]),
        ("jail/d/f", b"root d f"),
        ("jail/cover/under", b"covered"),
        ("ext/e", b"ext e"),
        ("ext/f", b"ext f"),
        ("ext/d/f", b"ext d f"),
        ("ext/n/under", b"covered"),
        ("ext2/e", b"ext2 e"),
    ] {
        plan.push((file.into(), Node::File(content, 0o644)));
    }
    plan.push((b"ext/up".to_vec(), Node::Link(b"../f".to_vec())));
    plan.push((b"ext/top".to_vec(), Node::Link(b"/d/f".to_vec())));
    plan.push((b"jail/into".to_vec(), Node::Link(b"b/d/f".to_vec())));
    Ground::new(plan, &[b"jail", b"ext", b"ext2"])
}

fn start(ground: &Ground, flags: &[&str]) -> Server {
    let flags = [&["--root", "BASE/jail"], flags].concat();
    jail(ground, &flags).connect()
}

fn text(reply: &Reply) -> &str {
    &reply.status().text
}

fn read(server: &mut Server, path: &str) -> Vec<u8> {
    let handle = server.open(path, pflags::READ);
    let data = server.call(&request::read(&handle, 0, 100)).data().to_vec();
    server.close(&handle);
    data
}

fn names(server: &mut Server, path: &str) -> Vec<String> {
    let names = server.list(path).into_iter();
    let mut names: Vec<String> = names
        .map(|name| String::from_utf8(name.filename).unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_bind_without_a_name_on_the_disk_is_listed_once_with_its_own_attributes() {
    let ground = ground();
    ground.base.chmod("ext", 0o751);
    let mut server = start(&ground, &["--bind", "/b=BASE/ext"]);
    let listed = server.list("/");
    let entry: Vec<_> = listed.iter().filter(|name| name.filename == b"b").collect();
    let [entry] = entry[..] else {
        panic!("{listed:?}")
    };
    assert_eq!(entry.attrs.permissions, Some(0o40751));
    assert!(entry.longname.starts_with(b"drwxr-x--x"), "{entry:?}");
    assert_eq!(
        server.call(&request::lstat("/b")).attrs().permissions,
        Some(0o40751)
    );
    assert_eq!(read(&mut server, "/b/e"), b"ext e");
    assert!(!ground.base.has("jail/b"), "nothing is made for it");
}

#[test]
fn a_bind_is_listed_once_in_a_large_directory_too() {
    let ground = ground();
    for number in 0..3000 {
        ground.base.file(format!("jail/d/{number:04}"), "");
    }
    ground.base.dir("jail/d/covered");
    let flags = [
        "--bind",
        "/d/free=BASE/ext",
        "--bind",
        "/d/covered=BASE/ext2",
    ];
    let mut server = start(&ground, &flags);
    let all = names(&mut server, "/d");
    for name in ["free", "covered", "0000", "2999"] {
        assert_eq!(
            all.iter().filter(|other| *other == name).count(),
            1,
            "{name}"
        );
    }
    assert_eq!(all.len(), 3000 + [".", "..", "f", "free", "covered"].len());
}

#[test]
fn a_bind_covers_what_is_there() {
    let ground = ground();
    let mut server = start(&ground, &["--bind", "/cover=BASE/ext2"]);
    assert_eq!(names(&mut server, "/cover"), [".", "..", "e"]);
    assert_eq!(
        server.code(&request::stat("/cover/under")),
        code::NO_SUCH_FILE
    );
    server.ok(&request::mkdir("/cover/new", &Attrs::NONE));
    assert!(ground.base.has("ext2/new") && !ground.base.has("jail/cover/new"));
    assert_eq!(ground.base.read("jail/cover/under"), b"covered");
}

#[test]
fn dot_dot_and_links_within_a_bind_stay_in_the_view() {
    let ground = ground();
    let mut server = start(
        &ground,
        &["--bind", "/b=BASE/ext", "--bind", "/d/deep=BASE/ext2"],
    );
    assert_eq!(read(&mut server, "/b/../f"), b"root f");
    assert_eq!(read(&mut server, "/d/deep/../f"), b"root d f");
    assert_eq!(read(&mut server, "/b/d/../../f"), b"root f");
    assert_eq!(read(&mut server, "/b/up"), b"root f");
    assert_eq!(read(&mut server, "/b/top"), b"root d f");
    assert_eq!(read(&mut server, "/into"), b"ext d f");
    for (path, canonical) in [
        ("/b/d/..", "/b"),
        ("/b/up", "/f"),
        ("/into", "/b/d/f"),
        ("/d/deep/..", "/d"),
        ("/d/deep/new", "/d/deep/new"),
        ("/b/../../..", "/"),
    ] {
        assert_eq!(
            server.call(&request::realpath(path)).name(),
            canonical.as_bytes(),
            "{path}"
        );
    }
    let listed = server.list("/b");
    let above = listed.iter().find(|name| name.filename == b"..").unwrap();
    let root = server.call(&request::stat("/")).attrs().clone();
    assert_eq!(above.attrs.permissions, root.permissions);
    assert_eq!(
        above.attrs.times.map(|times| times.1),
        root.times.map(|times| times.1)
    );
}

#[test]
fn a_bind_point_cannot_be_removed_renamed_or_replaced() {
    let ground = ground();
    let flags = ["--bind", "/b=BASE/ext", "--bind", "/cover=BASE/ext2"];
    let mut server = start(&ground, &flags);
    let before = ground.snapshot();
    for at in ["/b", "/cover"] {
        for packet in [
            request::rmdir(at),
            request::rename(at, "/away"),
            request::posix_rename(at, "/away"),
            request::posix_rename("/empty", at),
            request::posix_rename("/d", at),
        ] {
            assert_eq!(text(&server.call(&packet)), BUSY, "{packet:?}");
        }
        for packet in [
            request::remove(at),
            request::rename("/empty", at),
            request::rename("/f", at),
            request::posix_rename("/f", at),
            request::mkdir(at, &Attrs::NONE),
            request::symlink("f", at),
            request::hardlink("/f", at),
            request::open(at, pflags::WRITE | pflags::CREAT, &Attrs::NONE),
            request::open(
                at,
                pflags::WRITE | pflags::CREAT | pflags::EXCL,
                &Attrs::NONE,
            ),
        ] {
            assert_ne!(server.code(&packet), code::OK, "{packet:?}");
        }
    }
    assert_eq!(before.differences(&ground.snapshot()), [""; 0]);
}

#[test]
fn nothing_is_renamed_or_linked_across_binds() {
    let ground = ground();
    // The second shows the same directory: two mounts all the same.
    let flags = [
        "--bind",
        "/b=BASE/ext",
        "--bind",
        "/c=BASE/ext",
        "--bind",
        "/b/n=BASE/ext2",
    ];
    let mut server = start(&ground, &flags);
    let before = ground.snapshot();
    for (from, to) in [
        ("/f", "/b/new"),
        ("/b/e", "/new"),
        ("/b/e", "/c/new"),
        ("/b/e", "/b/n/new"),
        ("/b/n/e", "/b/new"),
        ("/b/d", "/new"),
    ] {
        assert_eq!(
            text(&server.call(&request::rename(from, to))),
            CROSSES,
            "rename {from} {to}"
        );
        assert_eq!(
            text(&server.call(&request::posix_rename(from, to))),
            CROSSES,
            "posix-rename {from} {to}"
        );
        assert_eq!(
            text(&server.call(&request::hardlink(from, to))),
            CROSSES,
            "hardlink {from} {to}"
        );
    }
    assert_eq!(before.differences(&ground.snapshot()), [""; 0]);
    server.ok(&request::rename("/b/e", "/b/renamed"));
    server.ok(&request::hardlink("/b/f", "/b/linked"));
    assert!(ground.base.has("ext/renamed") && ground.base.has("ext/linked"));
}

#[test]
fn a_read_only_bind_refuses_every_change_beneath_it() {
    let ground = ground();
    let mut server = start(&ground, &["--bind", "/r=BASE/ext:ro"]);
    let before = ground.snapshot();
    let w = pflags::WRITE;
    for packet in [
        request::open("/r/e", w, &Attrs::NONE),
        request::open("/r/e", w | pflags::READ, &Attrs::NONE),
        request::open("/r/e", w | pflags::TRUNC, &Attrs::NONE),
        request::open("/r/e", w | pflags::APPEND, &Attrs::NONE),
        request::open("/r/new", w | pflags::CREAT, &Attrs::NONE),
        request::open("/r/new", pflags::READ | pflags::CREAT, &Attrs::NONE),
        request::setstat("/r/e", &Attrs::NONE.size(0)),
        request::setstat("/r/e", &Attrs::NONE.permissions(0o600)),
        request::setstat("/r/e", &Attrs::NONE.times(1, 1)),
        request::setstat("/r", &Attrs::NONE.permissions(0o700)),
        request::lsetstat("/r/up", &Attrs::NONE.times(1, 1)),
        request::remove("/r/e"),
        request::mkdir("/r/new", &Attrs::NONE),
        request::rmdir("/r/d"),
        request::symlink("f", "/r/new"),
        request::rename("/r/e", "/r/new"),
        request::posix_rename("/r/e", "/r/f"),
        request::hardlink("/r/e", "/r/new"),
    ] {
        assert_eq!(text(&server.call(&packet)), READ_ONLY, "{packet:?}");
    }
    // A link from it would be a way to change the file, as one into it changes the directory.
    for packet in [
        request::hardlink("/r/e", "/new"),
        request::hardlink("/f", "/r/new"),
        request::rename("/f", "/r/new"),
        request::posix_rename("/r/e", "/new"),
    ] {
        assert_ne!(server.code(&packet), code::OK, "{packet:?}");
    }
    let handle = server.open("/r/e", pflags::READ);
    for attrs in [Attrs::NONE.permissions(0o600), Attrs::NONE.times(1, 1)] {
        assert_eq!(
            text(&server.call(&request::fsetstat(&handle, &attrs))),
            READ_ONLY
        );
    }
    let dir = server.opendir("/r/d");
    let reply = server.call(&request::fsetstat(&dir, &Attrs::NONE.permissions(0o700)));
    assert!(
        matches!(&reply, Reply::Status(status) if status.code != code::OK),
        "{reply:?}"
    );
    assert_eq!(before.differences(&ground.snapshot()), [""; 0]);
    // What leads out of it is not read-only.
    server.ok(&request::setstat("/r/up", &Attrs::NONE.permissions(0o600)));
    assert_eq!(ground.base.mode("jail/f"), 0o600);
}

#[test]
fn copy_data_goes_across_binds_but_not_into_a_read_only_one() {
    let ground = ground();
    let mut server = start(
        &ground,
        &["--bind", "/b=BASE/ext", "--bind", "/r=BASE/ext2:ro"],
    );
    let from = server.open("/r/e", pflags::READ);
    let to = server.open("/b/copy", pflags::WRITE | pflags::CREAT);
    server.ok(&request::copy_data(&from, 0, 0, &to, 0));
    assert_eq!(ground.base.read("ext/copy"), b"ext2 e");
    let source = server.open("/f", pflags::READ);
    let reply = server.call(&request::copy_data(&source, 0, 0, &from, 0));
    assert_ne!(reply.code(), code::OK);
    assert_eq!(ground.base.read("ext2/e"), b"ext2 e");
}

#[test]
fn binds_nest_writable_in_read_only_and_the_reverse_in_any_order() {
    let nested = [
        ["--bind", "/b=BASE/ext:ro", "--bind", "/b/n=BASE/ext2"],
        ["--bind", "/b/n=BASE/ext2", "--bind", "/b=BASE/ext:ro"],
    ];
    for flags in nested {
        let ground = ground();
        let mut server = start(&ground, &flags);
        assert_eq!(names(&mut server, "/b/n"), [".", "..", "e"], "{flags:?}");
        let listed = names(&mut server, "/b");
        assert_eq!(listed.iter().filter(|name| *name == "n").count(), 1);
        assert_eq!(
            text(&server.call(&request::mkdir("/b/new", &Attrs::NONE))),
            READ_ONLY
        );
        server.ok(&request::mkdir("/b/n/new", &Attrs::NONE));
        assert!(ground.base.has("ext2/new"));
        assert_eq!(read(&mut server, "/b/n/../e"), b"ext e");
    }
    let ground = ground();
    let mut server = start(
        &ground,
        &["--bind", "/b=BASE/ext", "--bind", "/b/n=BASE/ext2:ro"],
    );
    server.ok(&request::mkdir("/b/new", &Attrs::NONE));
    assert_eq!(
        text(&server.call(&request::mkdir("/b/n/new", &Attrs::NONE))),
        READ_ONLY
    );
}

#[test]
fn a_directory_that_holds_a_bind_point_is_not_lost() {
    for packet in [
        request::rmdir("/h"),
        request::posix_rename("/empty", "/h"),
        request::rename("/h", "/h2"),
        request::posix_rename("/h", "/h2"),
        request::posix_rename("/h", "/empty"),
    ] {
        let ground = ground();
        let mut server = start(&ground, &["--bind", "/h/b=BASE/ext"]);
        let moved =
            matches!(server.call(&packet), Reply::Status(status) if status.code == code::OK);
        let places = ["/h", "/h2", "/empty"].map(|dir| format!("{dir}/b/e"));
        let found = places
            .iter()
            .filter(|place| matches!(server.call(&request::stat(place)), Reply::Attrs(_)));
        assert_eq!(found.count(), 1, "{packet:?} moved: {moved}");
        if !moved {
            assert!(ground.base.has("jail/h"), "{packet:?}");
            assert_eq!(read(&mut server, "/h/b/e"), b"ext e");
        }
    }
}

#[test]
fn statvfs_within_a_bind_tells_of_its_own_file_system() {
    let ground = ground();
    let elsewhere = Tree::below("/dev/shm");
    elsewhere.dir("d");
    let bind = format!("/b={}", elsewhere.root().display());
    let mut server = start(&ground, &["--bind", &bind]);
    let here = server.call(&request::statvfs("/")).extended().to_vec();
    let there = server.call(&request::statvfs("/b/d")).extended().to_vec();
    // f_fsid is the ninth of eleven numbers.
    assert_ne!(here[64..72], there[64..72], "the file systems' ids");
    assert_eq!(
        server.call(&request::statvfs("/b")).extended()[64..72],
        there[64..72]
    );
}

#[test]
fn a_session_can_start_in_a_bind() {
    let ground = ground();
    let mut server = start(&ground, &["--bind", "/b=BASE/ext", "-d", "/b/d"]);
    assert_eq!(server.call(&request::realpath("")).name(), b"/b/d");
    assert_eq!(server.call(&request::realpath("../..")).name(), b"/");
    assert_eq!(read(&mut server, "f"), b"ext d f");
    assert_eq!(read(&mut server, "../../f"), b"root f");
}

#[test]
fn a_read_only_session_writes_to_no_bind() {
    let ground = ground();
    let mut server = start(&ground, &["-R", "--bind", "/b=BASE/ext"]);
    assert_eq!(
        server.code(&request::mkdir("/b/new", &Attrs::NONE)),
        code::PERMISSION_DENIED
    );
    assert!(!ground.base.has("ext/new"));
}

#[test]
fn a_bind_holds_its_directory_whatever_is_renamed() {
    let ground = ground();
    let mut server = start(&ground, &["--bind", "/b=BASE/ext"]);
    // Another process puts bait where the source was.
    std::fs::rename(ground.base.at("ext"), ground.base.at("ext-moved")).unwrap();
    ground.base.link("ext", "outside");
    assert_eq!(read(&mut server, "/b/e"), b"ext e");
    assert_eq!(server.code(&request::stat("/b/secret")), code::NO_SUCH_FILE);
    std::fs::rename(ground.base.at("jail"), ground.base.at("jail-moved")).unwrap();
    ground.base.link("jail", "outside");
    assert_eq!(read(&mut server, "/f"), b"root f");
    assert_eq!(server.code(&request::stat("/secret")), code::NO_SUCH_FILE);
    assert_eq!(server.call(&request::realpath("/b/d/..")).name(), b"/b");
}
