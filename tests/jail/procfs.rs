//! Files of procfs are opened for reading alone, and the memory of a process not at all: by whatever way, in every session of root.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::inside::{NOBODY, Victim};
use crate::support::packet::code::PERMISSION_DENIED;
use crate::support::packet::pflags::{APPEND, CREAT, READ, TRUNC, WRITE};
use crate::support::request::{open, read, setstat};
use crate::support::{Attrs, Launch, OURS, Reply, Server, Tree};

const WRITING: [u32; 6] = [
    WRITE,
    READ | WRITE,
    WRITE | APPEND,
    WRITE | TRUNC,
    WRITE | CREAT,
    WRITE | CREAT | TRUNC,
];

/// Sessions in which the kernel finds the file, and in which the program does: with and without rules, and without any lock.
const FLAGS: [&[&str]; 6] = [
    &[],
    &["--sandbox", "off"],
    &["--max-file-size", "1G"],
    &["--root", "/"],
    &["--root", "/", "--sandbox", "off"],
    &["--root", "/", "--max-file-size", "1G"],
];

/// A session of root that sees procfs in other places, too: mounted again, and two files of it by themselves, over ordinary ones.
fn session(tree: &Tree, victim: &Victim, flags: &[&str]) -> Server {
    tree.dir("mounted");
    for name in ["own", "foreign"] {
        tree.file(name, "");
    }
    tree.link("link", "/proc/self/mem");
    tree.link("dir", "/proc/self");
    let victim = victim.pid();
    let mounts = format!(
        "mount -t proc proc mounted; mount --bind /proc/$$/mem own; mount --bind /proc/{victim}/mem foreign; exec \"$0\" \"$@\""
    );
    let launch = Launch::program("unshare", tree.root()).args(["-m", "sh", "-ec", &mounts, OURS]);
    launch.args(flags).connect()
}

#[track_caller]
fn denied(server: &mut Server, path: &str, pflags: u32, session: &[&str]) {
    let reply = server.call(&open(path, pflags, &Attrs::NONE));
    let Reply::Status(status) = reply else {
        panic!("{path} with {pflags:#x} in {session:?}: {reply:?}");
    };
    let told = (status.code, status.text.as_str());
    let denied = (PERMISSION_DENIED, "Permission denied");
    assert_eq!(told, denied, "{path} with {pflags:#x} in {session:?}");
}

#[test]
fn no_memory_is_opened_whatever_way_leads_to_it() {
    let victim = Victim::new();
    for flags in FLAGS {
        let tree = Tree::new();
        let mut server = session(&tree, &victim, flags);
        let (pid, root) = (server.pid(), tree.root().display());
        let paths = [
            "/proc/self/mem".to_owned(),
            "/proc/thread-self/mem".to_owned(),
            "/proc/self/task/../mem".to_owned(),
            format!("/proc/{pid}/mem"),
            format!("/proc/{pid}/task/{pid}/mem"),
            format!("/proc/{}/mem", victim.pid()),
            format!("{root}/link"),
            format!("{root}/dir/mem"),
            format!("{root}/mounted/{pid}/mem"),
            format!("{root}/mounted/self/mem"),
            format!("{root}/own"),
            format!("{root}/foreign"),
        ];
        for path in paths {
            for pflags in [&[READ], &WRITING[..]].concat() {
                denied(&mut server, &path, pflags, flags);
            }
        }
    }
}

#[test]
fn what_the_kernel_is_told_by_files_is_read_and_not_written() {
    let victim = Victim::new();
    let settings = ["/proc/sys/kernel/core_pattern", "/proc/sys/vm/swappiness"];
    for flags in FLAGS {
        let before = settings.map(|path| fs::read(path).unwrap());
        let tree = Tree::new();
        let mut server = session(&tree, &victim, flags);
        let root = tree.root().display();
        let own = ["comm", "oom_score_adj", "coredump_filter"];
        let mounted = own.map(|name| format!("{root}/mounted/self/{name}"));
        let paths = [
            own.map(|name| format!("/proc/self/{name}")).to_vec(),
            mounted.to_vec(),
            settings.map(str::to_owned).to_vec(),
        ];
        for path in paths.concat() {
            for pflags in WRITING {
                denied(&mut server, &path, pflags, flags);
            }
            let size = setstat(&path, &Attrs::NONE.size(0));
            assert_eq!(server.code(&size), PERMISSION_DENIED, "{path} {flags:?}");
            let handle = server.open(&path, READ);
            server.call(&read(&handle, 0, 100)).data();
            server.close(&handle);
        }
        assert_eq!(settings.map(|path| fs::read(path).unwrap()), before);
    }
}

#[test]
fn a_bind_of_procfs_is_no_other_way() {
    let tree = Tree::new();
    let args = [
        "--root",
        tree.root().to_str().unwrap(),
        "--bind",
        "/p=/proc",
    ];
    let mut server = Launch::program(OURS, tree.root()).args(args).connect();
    let pid = server.pid();
    for path in ["/p/self/mem".to_owned(), format!("/p/{pid}/task/{pid}/mem")] {
        denied(&mut server, &path, READ, &args);
        denied(&mut server, &path, WRITE, &args);
    }
    denied(&mut server, "/p/self/comm", WRITE, &args);
    let handle = server.open("/p/self/comm", READ);
    assert_eq!(server.call(&read(&handle, 0, 100)).data(), b"sftp-server\n");
}

#[test]
fn an_ordinary_user_s_session_without_locks_does_not_open_its_memory() {
    for flags in [FLAGS[1], FLAGS[4]] {
        let tree = Tree::new();
        let program = crate::support::server::copy_of(OURS, &tree);
        tree.give_to(NOBODY, NOBODY);
        let launch = Launch::program(program, tree.root()).args(flags);
        let mut server = launch.user(NOBODY, NOBODY).connect();
        for pflags in [READ, WRITE, READ | WRITE] {
            denied(&mut server, "/proc/self/mem", pflags, flags);
        }
    }
}

#[test]
fn other_files_without_a_disk_are_written_as_ever() {
    for flags in FLAGS {
        let tree = Tree::new();
        let script = "mount -t tmpfs tmpfs .; cd .; exec \"$0\" \"$@\"";
        let launch =
            Launch::program("unshare", tree.root()).args(["-m", "sh", "-ec", script, OURS]);
        let mut server = launch.args(flags).connect();
        for name in ["one", "two"] {
            let path = tree.path(name);
            let handle = server.open(&path, READ | WRITE | CREAT);
            server.close(&handle);
            server.ok(&setstat(&path, &Attrs::NONE.permissions(0o600)));
            let handle = server.open(&path, READ | WRITE);
            server.ok(&crate::support::request::write(&handle, 0, "data"));
            assert_eq!(server.call(&read(&handle, 0, 9)).data(), b"data");
            server.close(&handle);
        }
    }
}

#[test]
fn it_costs_no_system_call_where_files_are_put_and_got() {
    let asked = |flags: &[&str], user: Option<u32>, calls: &[&str]| {
        let (tree, out) = (Tree::new(), Tree::new());
        let program = crate::support::server::copy_of(OURS, &out);
        let trace = out.at("trace").display().to_string();
        out.give_to(NOBODY, NOBODY);
        tree.give_to(NOBODY, NOBODY);
        let mut args = vec!["-D", "-f", "-q", "-o", &trace, "--"];
        args.push(program.to_str().unwrap());
        let root = tree.root().to_str().unwrap();
        args.extend(
            flags
                .iter()
                .map(|flag| if *flag == "TREE" { root } else { *flag }),
        );
        let launch = Launch::program("strace", tree.root()).args(args);
        let mut server = match user {
            Some(user) => launch.user(user, user).connect(),
            None => launch.connect(),
        };
        let at = |name: &str| match flags {
            [] => tree.path(name),
            _ => format!("/{name}").into_bytes(),
        };
        // What is asked once a session is asked for the first one.
        for name in ["first", "marked"] {
            let handle = server.open(at(name), WRITE | CREAT);
            server.close(&handle);
            let handle = server.open(at(name), READ);
            server.close(&handle);
        }
        server.finish();
        // The tracer may end a moment after its process.
        let deadline = Instant::now() + Duration::from_secs(10);
        let trace = loop {
            let text = fs::read_to_string(&trace).unwrap();
            if text.contains("+++ exited with") {
                break text;
            }
            assert!(Instant::now() < deadline, "{text}");
            std::thread::sleep(Duration::from_millis(10));
        };
        let marked = trace.lines().skip_while(|line| !line.contains("marked"));
        let asked = marked.filter(|line| calls.iter().any(|call| line.contains(call)));
        asked.map(str::to_owned).collect::<Vec<_>>()
    };
    let all = ["fstatfs(", "statx(", "fstat(", "newfstatat("];
    assert_eq!(asked(&[], Some(NOBODY), &all), [""; 0]);
    for user in [Some(NOBODY), None] {
        // The attributes of each file are known there before it is opened.
        assert_eq!(asked(&["--root", "TREE"], user, &["fstatfs("]), [""; 0]);
    }
}

/// What `explain` says of a request: whether it is allowed, and in which words it is not.
fn explained(program: &Path, tree: &Tree, user: u32, words: &[&str]) -> String {
    let launch = Launch::program(program, tree).user(user, user);
    let args = [&["explain", "--no-config"], words].concat();
    let told = launch.args(args).run(Stdio::null(), Stdio::piped());
    String::from_utf8(told.stdout).unwrap()
}

#[test]
fn explain_says_what_a_session_answers() {
    let victim = Victim::new();
    let foreign = format!("/proc/{}/oom_score_adj", victim.pid());
    let (root, user) = (&FLAGS[..], &[FLAGS[0], FLAGS[1], FLAGS[2]][..]);
    for (uid, sessions) in [(0, root), (NOBODY, user)] {
        for flags in sessions {
            let tree = Tree::new();
            let program = crate::support::server::copy_of(OURS, &tree);
            tree.file("plain", "");
            tree.give_to(NOBODY, NOBODY);
            let plain = tree.path("plain");
            let plain = str::from_utf8(&plain).unwrap();
            let launch = Launch::program(&program, &tree).args(*flags);
            let mut server = launch.user(uid, uid).connect();
            for path in ["/proc/self/mem", "/proc/self/comm", &foreign, plain] {
                for (request, pflags) in [
                    ("get", READ),
                    ("write", WRITE),
                    ("append", WRITE | CREAT | APPEND),
                ] {
                    let reply = server.call(&open(path, pflags, &Attrs::NONE));
                    let opened = matches!(reply, Reply::Handle(_));
                    let words = [*flags, &[request, path]].concat();
                    let told = explained(&program, &tree, uid, &words);
                    let expected = match opened {
                        true => format!("allow  {request} {path}\n"),
                        false => format!("deny   {request} {path}\n       Permission denied\n"),
                    };
                    assert!(
                        told.starts_with(&expected),
                        "{uid} {words:?}: {told}, but {reply:?}"
                    );
                    // An ordinary user's session with locks and without rules leaves that to the kernel.
                    let left = uid == NOBODY && flags.is_empty() && path == foreign;
                    let refused =
                        path.ends_with("/mem") || path != plain && request != "get" && !left;
                    assert_eq!(opened, !refused, "{uid} {words:?}: {reply:?}");
                }
            }
        }
    }
}
