//! How the names of own objects go where a rule leaves them to the session: what stays as it was, where the file system or the host lacks something,
//! and what a session that is killed in between leaves.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use nix::fcntl::AtFlags;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::fault::Fault;
use crate::support::packet::Packet;
use crate::support::packet::pflags::{CREAT, EXCL, WRITE};
use crate::support::request::*;
use crate::support::server::copy_of;
use crate::support::{Attrs, Launch, OPENSSH, Reply, Server, Tree, show, under_test};

fn make(server: &mut Server, name: &str) {
    let handle = server.open(name, WRITE | CREAT | EXCL);
    server.ok(&write(&handle, 0, name));
    server.close(&handle);
}

/// Makes own objects, and has each of them lose its name in each of the ways. What each of them was answered.
fn all_ways(tree: &Tree, server: &mut Server) -> Vec<String> {
    let mut answers = Vec::new();
    let mut ask = |server: &mut Server, packets: &[Packet]| {
        for packet in packets {
            answers.push(format!("{packet:?}: {}", server.call(packet).status().text));
        }
    };
    make(server, "file");
    ask(
        server,
        &[
            remove("file"),
            symlink_to("nowhere", "link"),
            remove("link"),
        ],
    );
    server.ok(&mkdir("dir", &Attrs::NONE));
    make(server, "dir/inner");
    ask(server, &[rmdir("dir"), rmdir("dir/"), remove("dir")]);
    ask(
        server,
        &[remove("dir/inner/"), rmdir("dir/inner"), rmdir(".")],
    );
    assert_eq!(tree.read("dir/inner"), b"dir/inner");
    ask(server, &[remove("dir/inner"), rmdir("dir/"), remove("dir")]);
    make(server, "a");
    server.ok(&mkdir("d", &Attrs::NONE));
    server.ok(&rename("a", "d/b"));
    assert_eq!(tree.read("d/b"), b"a");
    make(server, "c");
    ask(
        server,
        &[rename("c", "d/b"), rename("c", "c"), posix_rename("c", "c")],
    );
    ask(
        server,
        &[
            posix_rename("c", "d"),
            posix_rename("d", "c"),
            posix_rename("d", "d/e"),
        ],
    );
    ask(
        server,
        &[
            rename("c", "new/"),
            posix_rename("c/", "new"),
            rename("d", "d/e"),
        ],
    );
    ask(
        server,
        &[rename("absent", "new"), posix_rename("c", "absent/new")],
    );
    assert_eq!(
        (tree.read("d/b"), tree.read("c")),
        (b"a".to_vec(), b"c".to_vec())
    );
    server.ok(&posix_rename("c", "d/b"));
    assert_eq!(tree.read("d/b"), b"c");
    server.ok(&mkdir("e", &Attrs::NONE));
    server.ok(&mkdir("f", &Attrs::NONE));
    ask(
        server,
        &[
            posix_rename("e", "d"),
            posix_rename("e", "f/"),
            posix_rename("d", "f"),
        ],
    );
    assert!(tree.has("f/b"), "{answers:#?}");
    ask(
        server,
        &[
            symlink_to("nowhere", "link"),
            symlink_to("nowhere", "other"),
        ],
    );
    ask(
        server,
        &[
            posix_rename("link", "f/b"),
            rename("f", "g/"),
            rename("g", "h"),
        ],
    );
    ask(
        server,
        &[
            rename("other", "h/b"),
            remove("h/b"),
            remove("other"),
            rmdir("h"),
        ],
    );
    let left: Vec<_> = tree.names(".").iter().map(show).collect();
    assert_eq!(left, [""; 0]);
    answers
}

fn symlink_to(target: &str, link: &str) -> Packet {
    crate::support::request::symlink(target, link)
}

#[test]
fn own_names_go_and_are_refused_as_without_rules_and_leave_nothing() {
    let answers = |flags: &[&str]| {
        let tree = Tree::new();
        let mut server = Server::with(&tree, flags);
        all_ways(&tree, &mut server)
    };
    for root in [&["--root", "."][..], &[]] {
        let plain = answers(root);
        assert!(plain.len() > 30);
        for flags in [&["--no-delete"][..], &["--no-delete", "--hide", "*.secret"]] {
            assert_eq!(
                answers(&[root, flags].concat()),
                plain,
                "{root:?} {flags:?}"
            );
        }
    }
}

#[test]
fn in_a_directory_that_cannot_be_written_they_are_refused_as_without_rules() {
    let answers = |program: &Path, flags: &[&str]| {
        let tree = Tree::new();
        chown(tree.root(), Some(65534), Some(65534)).unwrap();
        let launch = Launch::program(program, &tree).user(65534, 65534);
        let mut server = launch.args(flags).connect();
        for dir in ["p", "p/d", "p/full", "p/full/x", "q"] {
            server.ok(&mkdir(dir, &Attrs::NONE));
        }
        for file in ["p/f", "q/f"] {
            make(&mut server, file);
        }
        server.ok(&setstat("p", &Attrs::NONE.permissions(0o555)));
        let asked = [
            remove("p/d"),
            remove("p/d/"),
            remove("p/f/"),
            rmdir("p/f"),
            rmdir("p/full"),
            posix_rename("p/d", "p/f"),
            posix_rename("p/f", "p/d"),
            posix_rename("p/d", "p/full"),
            posix_rename("q/f", "p/d"),
            posix_rename("p/d", "q/f"),
            rename("p/d", "p/f"),
        ];
        let codes = asked.map(|packet| (format!("{packet:?}"), server.code(&packet)));
        (codes, tree.snapshot().entries.len())
    };
    let home = Tree::new();
    home.chmod("", 0o755);
    let ours = copy_of(under_test(), &home);
    let expected = answers(Path::new(OPENSSH), &[]);
    for flags in [&[][..], &["--no-delete"]] {
        assert_eq!(answers(&ours, flags), expected, "{flags:?}");
    }
}

#[test]
fn they_go_where_the_file_system_can_neither_refuse_to_replace_nor_exchange() {
    for errno in [libc::EINVAL, libc::ENOSYS] {
        let faults = [Fault::new(libc::SYS_renameat2, errno)];
        let answers = |flags: &[&str]| {
            let tree = Tree::new();
            let launch = || Launch::new(&tree).args(flags).connect();
            all_ways(&tree, &mut Fault::around(&faults, launch))
        };
        let plain = answers(&["--root", "."]);
        let ruled = answers(&["--no-delete", "--root", "."]);
        for (ruled, plain) in ruled.iter().zip(&plain) {
            // By link(2) a file is told to be absent where it is no directory.
            let same = |answer: &str| answer.replace(": Not a directory", "");
            assert_eq!(same(ruled), same(plain), "{errno}");
        }
    }
}

#[test]
fn what_is_swapped_in_before_the_name_is_moved_is_back_before_the_answer() {
    for (errno, request) in [
        (None, remove("x")),
        (None, rename("x", "gone")),
        (None, posix_rename("x", "y")),
        (None, posix_rename("y", "x")),
        (Some(libc::EINVAL), remove("x")),
        (Some(libc::EINVAL), posix_rename("x", "y")),
    ] {
        let tree = Tree::new();
        tree.file("foreign", "foreign");
        // The session stands still before each rename, in microseconds.
        let traced = "renameat2,renameat:delay_enter=200000";
        let traced = match errno {
            Some(_) => "renameat:delay_enter=200000 renameat2:error=EINVAL",
            None => traced,
        };
        let mut server = Fault::traced(traced, under_test(), &tree)
            .args(["--root", ".", "--no-delete"])
            .connect();
        make(&mut server, "x");
        make(&mut server, "y");
        server.send(&request);
        sleep(Duration::from_millis(100));
        fs::rename(tree.at("x"), tree.at("own")).unwrap();
        fs::rename(tree.at("foreign"), tree.at("x")).unwrap();
        let (_, reply) = server.receive();
        let status = reply.status();
        assert_eq!(status.text, "Permission denied: --no-delete", "{request:?}");
        assert_eq!(show(tree.read("x")), "foreign");
        assert_eq!(tree.names("."), [&b"own"[..], b"x", b"y"], "{request:?}");
        assert_eq!(tree.read("own"), b"x");
        assert_eq!(tree.read("y"), b"y");
    }
}

#[test]
fn what_takes_the_name_meanwhile_is_not_replaced_when_the_other_comes_back() {
    let tree = Tree::new();
    tree.file("foreign", "foreign");
    let mut server = Fault::traced("renameat2:delay_enter=300000", under_test(), &tree)
        .args(["--root", ".", "--no-delete"])
        .connect();
    make(&mut server, "x");
    server.send(&remove("x"));
    sleep(Duration::from_millis(150));
    fs::rename(tree.at("x"), tree.at("own")).unwrap();
    fs::rename(tree.at("foreign"), tree.at("x")).unwrap();
    // It has been moved by now, and is to come back.
    while tree.has("x") {
        thread::yield_now();
    }
    tree.file("x", "later");
    let (_, reply) = server.receive();
    assert_eq!(reply.status().text, "Failure: File exists");
    assert_eq!(show(tree.read("x")), "later");
    let names = server
        .list(".")
        .into_iter()
        .map(|name| show(&name.filename));
    let left = names.filter(|name| name.starts_with(".sftp-server-moved."));
    let left: Vec<_> = left.collect();
    assert_eq!(left.len(), 1, "as the manual says");
    assert_eq!(left[0].len(), ".sftp-server-moved.".len() + 16);
    assert_eq!(show(tree.read(&left[0])), "foreign");
}

#[test]
fn a_session_that_is_killed_in_between_leaves_the_object_by_a_listed_name() {
    let tree = Tree::new();
    let mut server = Fault::traced("unlinkat:delay_enter=5000000", under_test(), &tree)
        .args(["--root", ".", "--no-delete"])
        .connect();
    make(&mut server, "x");
    server.send(&remove("x"));
    while tree.has("x") {
        thread::yield_now();
    }
    kill(Pid::from_raw(server.pid() as i32), Signal::SIGKILL).unwrap();
    server.wait();
    let mut next = Server::with(&tree, ["--root", "."]);
    let names = next.list(".").into_iter().map(|name| show(&name.filename));
    let left: Vec<_> = names
        .filter(|name| !name.trim_matches('.').is_empty())
        .collect();
    assert_eq!(left.len(), 1);
    assert!(left[0].starts_with(".sftp-server-moved."), "{left:?}");
    assert_eq!(show(tree.read(&left[0])), "x");
    next.ok(&rename(&left[0], "x"));
}

#[test]
fn a_name_that_is_renamed_over_is_there_at_every_moment() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["--root", ".", "--no-delete"]);
    make(&mut server, "to");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (done, to) = (&done, tree.at("to"));
        let reader = scope.spawn(move || {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                let text = fs::read(&to).expect("it is there");
                assert!([&b"to"[..], b"from"].contains(&&*text), "{}", show(&text));
                looks += 1;
            }
            looks
        });
        for _ in 0..3000 {
            if reader.is_finished() {
                break;
            }
            make(&mut server, "from");
            server.ok(&posix_rename("from", "to"));
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 1000);
    });
}

#[test]
fn attributes_are_set_of_what_nobody_may_open_of_links_and_where_the_kernel_or_proc_cannot() {
    let by_descriptor = AtFlags::AT_EMPTY_PATH.bits();
    for faults in [
        vec![],
        // Linux before 5.8.
        vec![Fault::new(libc::SYS_utimensat, libc::EINVAL).on_bits(3, by_descriptor)],
        // Without /proc.
        vec![Fault::new(libc::SYS_statfs, libc::ENOENT)],
    ] {
        let tree = Tree::new();
        tree.file("file", "");
        tree.file("other", "");
        symlink("other", tree.at("link")).unwrap();
        let mut server = Fault::around(&faults, || {
            Launch::new(&tree)
                .args(["--root", ".", "--no-delete"])
                .connect()
        });
        for mode in [0, 0o640] {
            server.ok(&setstat("file", &Attrs::NONE.permissions(mode).times(5, 6)));
            server.ok(&setstat("file", &Attrs::NONE.owner(7, 8)));
            let meta = tree.meta("file");
            assert_eq!(meta.mode() & 0o7777, mode);
            assert_eq!(
                (meta.atime(), meta.mtime(), meta.uid(), meta.gid()),
                (5, 6, 7, 8)
            );
        }
        server.ok(&setstat(".", &Attrs::NONE.permissions(0o711)));
        assert_eq!(tree.mode("."), 0o711);
        // Through a link its target, and the link itself.
        server.ok(&setstat(
            "link",
            &Attrs::NONE.permissions(0o604).times(9, 9),
        ));
        assert_eq!((tree.mode("other"), tree.meta("other").mtime()), (0o604, 9));
        server.ok(&lsetstat("link", &Attrs::NONE.owner(3, 4)));
        let link = tree.meta("link");
        assert_eq!((link.uid(), link.gid()), (3, 4));
        assert_eq!(tree.meta("other").uid(), 0);
        let reply = server.call(&lsetstat("link", &Attrs::NONE.permissions(0o600)));
        assert_eq!(reply.status().text, "Failure: Operation not supported");
    }
}

/// A file system on which a freed inode is used again at once, and which has no birth times.
pub(crate) struct Small(pub(crate) Tree);

impl Small {
    pub(crate) fn new() -> Self {
        let tree = Tree::new();
        let image = tree.file("image", "");
        fs::File::options()
            .write(true)
            .open(&image)
            .unwrap()
            .set_len(8 << 20)
            .unwrap();
        tree.dir("mounted");
        let run = |program: &str, args: &[&str]| {
            let done = Command::new(program)
                .args(args)
                .arg(&image)
                .output()
                .unwrap();
            assert!(done.status.success(), "{program}: {}", show(&done.stderr));
        };
        run("mkfs.ext4", &["-q", "-I", "128"]);
        let mut mount = Command::new("mount");
        let done = mount
            .args(["-o", "loop"])
            .arg(&image)
            .arg(tree.at("mounted"));
        let done = done.output().unwrap();
        assert!(done.status.success(), "mount: {}", show(&done.stderr));
        Self(tree)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.0.at("mounted"))
            .status();
    }
}

#[test]
fn what_gets_the_inode_of_what_the_session_has_removed_is_not_its_own() {
    let small = Small::new();
    let root = small.0.at("mounted");
    for (flag, text) in [
        ("--no-delete", "Permission denied: --no-delete"),
        ("--drop-box", "No such file"),
    ] {
        for directory in [false, true] {
            let mut server = Server::with(&root, ["--root", ".", flag]);
            let own = root.join("own");
            match directory {
                true => server.ok(&mkdir("own", &Attrs::NONE)),
                false => make(&mut server, "own"),
            }
            let inode = fs::metadata(&own).unwrap().ino();
            server.ok(&match directory {
                true => rmdir("own"),
                false => remove("own"),
            });
            let mut made = Vec::new();
            let same = (0..2000).find_map(|number| {
                let path = root.join(format!("foreign{number}"));
                match directory {
                    true => fs::create_dir(&path).unwrap(),
                    false => fs::write(&path, "foreign").unwrap(),
                }
                made.push(path.clone());
                (fs::metadata(&path).unwrap().ino() == inode).then(|| format!("foreign{number}"))
            });
            let same = same.expect("the inode is used again");
            let reply = server.call(&match directory {
                true => rename(&same, "gone"),
                false => remove(&same),
            });
            assert_eq!(reply.status().text, text, "{flag}");
            assert!(root.join(&same).exists());
            for path in made {
                let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
            }
        }
    }
}

#[test]
fn what_has_another_name_left_or_is_open_stays_own() {
    let tree = Tree::new();
    let mut server = Server::with(&tree, ["--root", ".", "--drop-box"]);
    let handle = server.open("a", WRITE | CREAT | EXCL);
    fs::hard_link(tree.at("a"), tree.at("b")).unwrap();
    server.ok(&remove("a"));
    server.ok(&remove("b"));
    assert_eq!(tree.names(".").len(), 0);
    server.ok(&write(&handle, 0, "still"));
    server.ok(&fsetstat(&handle, &Attrs::NONE.permissions(0o600).size(2)));
    match server.call(&fstat(&handle)) {
        Reply::Attrs(attrs) => assert_eq!(attrs.size, Some(2)),
        reply => panic!("{reply:?}"),
    }
}
