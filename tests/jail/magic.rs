//! Magic links, special files, and what stays open while directories move.

use std::fs;

use crate::ground::{BAIT_SIZE, Ground, Node, Plan, find};
use crate::probes::PROBES;
use crate::sides::{assert_no_bait, jail};
use crate::support::wire::{Attrs, Reply, code, parse, pflags};
use crate::support::{Server, request};

/// A root with `/proc` bound into it, and links that lead through it.
fn ground() -> Ground {
    let mut plan: Plan = Vec::new();
    for dir in [
        "jail",
        "jail/d",
        "jail/d/e",
        "jail/empty",
        "jail/w",
        "jail/w/in",
    ] {
        plan.push((dir.into(), Node::Dir(0o755)));
    }
    for file in [
        "jail/f",
        "jail/source",
        "jail/d/f",
        "jail/d/e/f",
        "jail/w/f",
        "jail/w/in/f",
    ] {
        plan.push((file.into(), Node::File(b"inside", 0o644)));
    }
    for (link, target) in [
        ("jail/m_root", "/proc/self/root"),
        ("jail/m_out", "/proc/self/rootBASE/outside/secret"),
        ("jail/m_cwd", "proc/self/cwd"),
        ("jail/m_fd", "/proc/self/fd"),
        ("jail/m_fd3", "/proc/self/fd/3"),
        ("jail/m_chain", "m_root"),
        ("jail/m_exe", "/proc/self/exe"),
    ] {
        plan.push((link.into(), Node::Link(target.into())));
    }
    Ground::new(plan, &[b"jail"])
}

fn magic_ways(server: &Server) -> Vec<String> {
    let pid = server.pid();
    let mut ways = Vec::new();
    for top in [
        "/proc/self/root".to_owned(),
        "/proc/self/cwd".into(),
        "/proc/thread-self/root".into(),
        "/proc/thread-self/cwd".into(),
        format!("/proc/{pid}/root"),
        format!("/proc/{pid}/cwd"),
        format!("/proc/self/task/{pid}/root"),
        "/m_root".into(),
        "/m_chain".into(),
        "/m_cwd".into(),
        "/m_fd3".into(),
    ] {
        for behind in [
            "/",
            "/.",
            "/..",
            "BASE/outside/secret",
            "BASE/outside/new",
            "/outside/secret",
            "/../outside/secret",
            "/etc/passwd",
            "/f",
        ] {
            ways.push(format!("{top}{behind}"));
        }
    }
    for fd in 0..12 {
        for behind in ["/", "/..", "/../outside/secret", "/outside/secret", "/f"] {
            ways.push(format!("/proc/self/fd/{fd}{behind}"));
        }
        ways.push(format!("/m_fd/{fd}/."));
    }
    ways.extend(["/m_out/.", "/m_exe/"].map(String::from));
    ways
}

#[test]
fn no_request_follows_a_magic_link() {
    let ground = ground();
    let mut server = jail(&ground, &["--root", "BASE/jail", "--bind", "/proc=/proc"]).connect();
    let before = ground.snapshot();
    let mut cells = 0;
    for way in magic_ways(&server) {
        let path = way
            .replace("BASE", ground.base.root().to_str().unwrap())
            .into_bytes();
        for probe in PROBES {
            // These act on no object by this path.
            if [
                "symlink to",
                "home-directory",
                "expand-path from home",
                "an unknown extension",
            ]
            .contains(&probe.name)
            {
                continue;
            }
            cells += 1;
            let mut replies = Vec::new();
            let mut call = |packet| {
                let id = server.send(&packet);
                let content = server.receive_raw().unwrap();
                assert_no_bait(&content, &packet);
                let (got, reply) = parse(&content);
                assert_eq!(got, id);
                replies.push(reply.clone());
                reply
            };
            (probe.run)(&mut call, &path);
            let refused =
                |reply: &Reply| matches!(reply, Reply::Status(status) if status.code != code::OK);
            assert!(
                replies.iter().any(refused),
                "{} \"{way}\": {replies:?}",
                probe.name
            );
        }
        ground.bait_is_untouched(&way);
    }
    println!("{cells} cells");
    assert_eq!(before.differences(&ground.snapshot()), [""; 0]);
}

#[test]
fn a_magic_link_itself_is_shown_but_not_followed() {
    let ground = ground();
    let mut server = jail(&ground, &["--root", "BASE/jail", "--bind", "/proc=/proc"]).connect();
    for way in [
        "/proc/self/root",
        "/proc/self/cwd",
        "/proc/self/exe",
        "/m_root",
        "/m_out",
        "/m_exe",
        "/m_chain",
        "/proc/self/fd/0",
        "/proc/self/fd/1",
    ] {
        for packet in [
            request::stat(way),
            request::open(way, pflags::READ, &Attrs::NONE),
            request::opendir(way),
            request::setstat(way, &Attrs::NONE.times(1, 1)),
            request::statvfs(way),
            request::realpath(way),
        ] {
            let reply = server.call(&packet);
            assert!(
                matches!(&reply, Reply::Status(status) if status.code == code::NO_SUCH_FILE || status.code == code::PERMISSION_DENIED),
                "{packet:?}: {reply:?}"
            );
        }
        let attrs = server.call(&request::lstat(way)).attrs().clone();
        assert_eq!(
            attrs.permissions.map(|mode| mode & 0o170000),
            Some(0o120000),
            "{way}"
        );
    }
    // An ordinary link of the same file system is followed: self is a number.
    server.call(&request::stat("/proc/self/status")).attrs();
}

#[test]
fn what_is_neither_file_nor_directory_is_refused_at_open() {
    let ground = ground();
    ground.base.fifo("jail/fifo");
    let _socket = std::os::unix::net::UnixListener::bind(ground.base.at("jail/socket")).unwrap();
    let mut server = jail(&ground, &["--root", "BASE/jail", "--bind", "/dev=/dev"]).connect();
    for path in [
        "/fifo",
        "/socket",
        "/dev/null",
        "/dev/zero",
        "/dev/tty",
        "/dev/ptmx",
    ] {
        for pflags in [
            pflags::READ,
            pflags::WRITE,
            pflags::READ | pflags::WRITE,
            pflags::WRITE | pflags::CREAT,
        ] {
            let reply = server.call(&request::open(path, pflags, &Attrs::NONE));
            assert!(
                matches!(reply, Reply::Status(_)),
                "{path} {pflags}: {reply:?}"
            );
        }
        server.call(&request::lstat(path)).attrs();
    }
}

/// A server that holds a file and a directory, of which the parents are then moved.
fn holding(ground: &Ground, flags: &[&str]) -> (Server, Vec<u8>, Vec<u8>) {
    let mut server = jail(ground, &[&["--root", "BASE/jail"], flags].concat()).connect();
    let file = server.open("/d/e/f", pflags::READ | pflags::WRITE);
    let dir = server.opendir("/d/e");
    (server, file, dir)
}

/// The handles lead to what they were opened on; the paths to what stands there now.
fn handles_hold(mut server: Server, file: &[u8], dir: &[u8]) -> Server {
    assert_eq!(server.call(&request::read(file, 0, 99)).data(), b"inside");
    server.ok(&request::write(file, 0, "WRITTEN"));
    assert_eq!(server.call(&request::fstat(file)).attrs().size, Some(7));
    server.ok(&request::fsetstat(file, &Attrs::NONE.permissions(0o600)));
    server.ok(&request::fsync(file));
    server.call(&request::fstatvfs(file)).extended();
    let reply = server.call(&request::readdir(dir));
    for name in reply.names() {
        assert_ne!(name.attrs.size, Some(BAIT_SIZE), "{name:?}");
        assert!(
            [&b"."[..], b"..", b"f"].contains(&name.filename.as_slice()),
            "{name:?}"
        );
    }
    server
}

#[test]
fn handles_survive_moves_of_their_parents() {
    for to in ["jail/moved", "away"] {
        let ground = ground();
        let (server, file, dir) = holding(&ground, &[]);
        fs::rename(ground.base.at("jail/d"), ground.base.at(to)).unwrap();
        ground.base.link("jail/d", ground.base.path("outside"));
        let mut server = handles_hold(server, &file, &dir);
        assert_eq!(ground.base.read(format!("{to}/e/f")), b"WRITTEN");
        assert_eq!(server.code(&request::stat("/d/secret")), code::NO_SUCH_FILE);
        assert_eq!(server.code(&request::stat("/d/e/f")), code::NO_SUCH_FILE);
        fs::rename(ground.base.at(to), ground.base.at("jail/back")).unwrap();
        ground.bait_is_untouched("moves of parents");
    }
}

#[test]
fn handles_survive_the_removal_of_what_they_lead_to() {
    let ground = ground();
    let (server, file, dir) = holding(&ground, &[]);
    fs::remove_dir_all(ground.base.at("jail/d")).unwrap();
    let mut server = server;
    assert_eq!(server.call(&request::read(&file, 0, 99)).data(), b"inside");
    assert_eq!(server.code(&request::readdir(&dir)), code::EOF);
}

#[test]
fn a_start_directory_that_moves_leads_nowhere_else() {
    for to in ["jail/moved", "away", ""] {
        let ground = ground();
        let mut server = jail(&ground, &["--root", "BASE/jail", "-d", "/w/in"]).connect();
        assert_eq!(server.call(&request::realpath(".")).name(), b"/w/in");
        if to.is_empty() {
            fs::remove_dir_all(ground.base.at("jail/w")).unwrap();
        } else {
            fs::rename(ground.base.at("jail/w"), ground.base.at(to)).unwrap();
        }
        for way in [
            "../../outside/secret",
            "../outside/secret",
            "../../../outside/secret",
            "../../../../../../../outside/secret",
            "../../outside/new",
            "..",
            "../..",
            ".",
            "",
            "../../jail-not/secret",
        ] {
            for probe in PROBES {
                let mut call = |packet| {
                    let id = server.send(&packet);
                    let content = server.receive_raw().unwrap();
                    assert_no_bait(&content, &packet);
                    assert!(
                        find(&content, &ground.path()).is_none(),
                        "the host's path: {packet:?}"
                    );
                    let (got, reply) = parse(&content);
                    assert_eq!(got, id);
                    if let Reply::Attrs(attrs) = &reply {
                        assert_ne!(attrs.size, Some(BAIT_SIZE));
                    }
                    reply
                };
                (probe.run)(&mut call, way.as_bytes());
            }
        }
        if to == "away" {
            fs::rename(ground.base.at(to), ground.base.at("jail/back")).unwrap();
        }
        ground.bait_is_untouched("a start directory that moved");
    }
}

#[test]
fn no_name_of_the_host_is_said_in_words() {
    let ground = ground();
    let mut server = jail(&ground, &["--root", "BASE/jail", "-l", "DEBUG3", "-e"]).connect();
    for way in ["/missing/x", "/f/x", "/none", "../..", "/m_out"] {
        let reply = server.call(&request::open(way, pflags::READ, &Attrs::NONE));
        assert!(!format!("{reply:?}").contains("sftp-tree"), "{reply:?}");
    }
}
