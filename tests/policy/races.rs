//! Rules against a neighbour, another process as far as the kernel can tell, who creates, links and renames at the very moment.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::support::fault::Fault;
use crate::support::wire::pflags::{APPEND, CREAT, READ, TRUNC, WRITE};
use crate::support::{Attrs, Reply, Server, Tree, request, show, under_test};

/// Where the session sees the tree: the host's, and as a root.
fn views(tree: &Tree, flags: &[&str]) -> [Server; 2] {
    let root = tree.root().display().to_string();
    let jailed = ["--root", &root].into_iter().chain(flags.iter().copied());
    [
        Server::with(tree, flags.iter().copied()),
        Server::with(tree, jailed),
    ]
}

/// What `act` does while `meanwhile` runs again and again, with the number of the round, on a thread of its own.
fn beside<T>(meanwhile: impl Fn(usize) + Send, act: impl FnOnce(&AtomicUsize) -> T) -> T {
    let (done, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let (done, rounds) = (&done, &rounds);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                meanwhile(rounds.load(Ordering::Relaxed));
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        // A test that fails must not leave the neighbour at work.
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _end = End(done);
        act(rounds)
    })
}

/// Takes the name for the neighbour, if it is free, in one of the ways there are.
fn take(at: &Path, name: &str, content: &str, way: usize) -> bool {
    let (draft, name) = (at.join("draft"), at.join(name));
    match way % 3 {
        0 => {
            let made = File::create_new(&name);
            made.is_ok_and(|mut file| file.write_all(content.as_bytes()).is_ok())
        }
        1 => fs::hard_link(&draft, &name).is_ok(),
        _ => {
            let flags = RenameFlags::RENAME_NOREPLACE;
            renameat2(AT_FDCWD, &draft, AT_FDCWD, &name, flags).is_ok()
        }
    }
}

fn linger(turns: i64) {
    for _ in 0..turns {
        std::hint::spin_loop();
    }
}

#[test]
fn no_content_of_a_neighbour_is_overwritten_at_whatever_moment_it_comes() {
    const ROUNDS: usize = 600;
    // In turns of a loop that does nothing.
    const HANDICAP: i64 = 100;
    for view in 0..2 {
        let tree = Tree::new();
        let [host, jailed] = views(&tree, &["--no-overwrite"]);
        let mut server = if view == 0 { host } else { jailed };
        let (ready, go) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        let handicap = &AtomicI64::new(0);
        let (mut ours, mut theirs) = (0, Vec::new());
        thread::scope(|scope| {
            let at = tree.root();
            let neighbour = scope.spawn(move || {
                let mut won = Vec::new();
                for number in 1..=ROUNDS {
                    let content = format!("theirs {number}");
                    let _ = fs::remove_file(at.join("draft"));
                    fs::write(at.join("draft"), &content).unwrap();
                    ready.store(number, Ordering::Release);
                    while go.load(Ordering::Acquire) < number {
                        std::hint::spin_loop();
                    }
                    linger(handicap.load(Ordering::Relaxed));
                    let first = take(at, &format!("t{number}"), &content, number);
                    if first {
                        won.push(number);
                    }
                    // Whoever is first waits longer the next time: so both come at the same moment.
                    let change = if first { HANDICAP } else { -HANDICAP };
                    handicap.fetch_add(change, Ordering::Relaxed);
                }
                won
            });
            for number in 1..=ROUNDS {
                let (name, own) = (format!("t{number}"), format!("own{number}"));
                let made = server.open(&own, WRITE | CREAT | TRUNC);
                server.ok(&request::write(&made, 0, "ours"));
                server.close(&made);
                while ready.load(Ordering::Acquire) < number {
                    thread::yield_now();
                }
                go.store(number, Ordering::Release);
                linger(-handicap.load(Ordering::Relaxed));
                let won = match number % 5 {
                    0 | 1 => {
                        let open = request::open(&name, WRITE | CREAT | TRUNC, &Attrs::NONE);
                        match server.call(&open) {
                            Reply::Handle(handle) => {
                                server.ok(&request::write(&handle, 0, "ours"));
                                server.close(&handle);
                                true
                            }
                            _ => false,
                        }
                    }
                    2 => server.code(&request::rename(&own, &name)) == 0,
                    3 => server.code(&request::posix_rename(&own, &name)) == 0,
                    _ => server.code(&request::hardlink(&own, &name)) == 0,
                };
                ours += usize::from(won);
            }
            theirs = neighbour.join().unwrap();
        });
        for number in 1..=ROUNDS {
            let content = tree.read(format!("t{number}"));
            let expected = match theirs.contains(&number) {
                true => format!("theirs {number}"),
                false => "ours".to_owned(),
            };
            assert_eq!(show(content), expected, "t{number}");
        }
        let theirs = theirs.len();
        assert_eq!(ours + theirs, ROUNDS, "each name has one winner");
        assert!(ours > 10 && theirs > 10, "no race: {ours} against {theirs}");
    }
}

#[test]
fn a_link_to_nothing_that_a_neighbour_makes_meanwhile_is_not_replaced() {
    for view in 0..2 {
        let tree = Tree::new();
        let [host, jailed] = views(&tree, &["--no-overwrite"]);
        let mut server = if view == 0 { host } else { jailed };
        let (name, lost) = (tree.at("name"), AtomicUsize::new(0));
        let link = |_| {
            if symlink("nowhere", &name).is_ok() {
                linger(500);
                lost.fetch_add(
                    usize::from(fs::read_link(&name).is_err()),
                    Ordering::Relaxed,
                );
            }
            let _ = fs::remove_file(&name);
            linger(500);
        };
        let renamed = beside(link, |_| {
            let mut rename = |number| {
                let own = format!("own{number}");
                let handle = server.open(&own, WRITE | CREAT);
                server.close(&handle);
                server.code(&request::rename(&own, "name"))
            };
            // How often the name is found free depends on what else the machine has to do.
            let (mut tried, mut renamed) = (0, 0);
            while tried < 6000 || (renamed <= 10 && tried < 100_000) {
                tried += 1;
                renamed += usize::from(rename(tried) == 0);
            }
            renamed
        });
        assert_eq!(lost.into_inner(), 0);
        assert!(renamed > 10, "no race: {renamed}");
    }
}

#[test]
fn a_neighbour_who_replaces_what_the_session_made_is_not_written_to() {
    let tree = Tree::new();
    for mut server in views(&tree, &["--no-overwrite"]) {
        for number in 0..100 {
            let name = format!("f{number}");
            let handle = server.open(&name, WRITE | CREAT);
            tree.file("draft", "theirs");
            fs::rename(tree.at("draft"), tree.at(&name)).unwrap();
            server.ok(&request::write(&handle, 0, "ours"));
            server.ok(&request::fsetstat(&handle, &Attrs::NONE.size(2)));
            let cut = request::setstat(&name, &Attrs::NONE.size(2));
            assert_eq!(
                server.call(&cut).status().text,
                "Permission denied: --no-overwrite"
            );
            server.close(&handle);
            assert_eq!(tree.read(&name), b"theirs");
            fs::remove_file(tree.at(&name)).unwrap();
        }
    }
}

#[test]
fn what_two_append_at_the_same_time_is_all_there() {
    let tree = Tree::new();
    for (view, mut server) in views(&tree, &["--append-only"]).into_iter().enumerate() {
        let name = format!("log{view}");
        let mut theirs = OpenOptions::new()
            .create(true)
            .append(true)
            .open(tree.at(&name))
            .unwrap();
        theirs.write_all(b"first\n").unwrap();
        let theirs = std::sync::Mutex::new(theirs);
        let append = |round: usize| {
            let line = format!("theirs {round}\n");
            theirs.lock().unwrap().write_all(line.as_bytes()).unwrap();
        };
        let (ours, rounds) = beside(append, |rounds| {
            let mut lines = Vec::new();
            let appender = server.open(&name, WRITE | APPEND);
            let writer = server.open(&name, READ | WRITE);
            for number in 0..1500 {
                let line = format!("ours {number}\n");
                let size = |server: &mut Server| {
                    let attrs = server.call(&request::fstat(&writer));
                    attrs.attrs().size.unwrap()
                };
                let done = match number % 3 {
                    // Wherever the client says.
                    0 => server.code(&request::write(&appender, 0, &line)) == 0,
                    // At an end that may be none any more: refused, or appended all the same.
                    1 => {
                        let end = size(&mut server);
                        server.code(&request::write(&writer, end, &line)) == 0
                    }
                    // The size that it had, which would cut off what came since.
                    _ => {
                        let end = size(&mut server);
                        server.call(&request::fsetstat(&writer, &Attrs::NONE.size(end)));
                        let end = size(&mut server);
                        server.call(&request::setstat(&name, &Attrs::NONE.size(end)));
                        false
                    }
                };
                if done {
                    lines.push(line);
                }
            }
            server.close(&appender);
            server.close(&writer);
            (lines, rounds.load(Ordering::Relaxed))
        });
        assert!(rounds > 100, "the neighbour appended {rounds} lines");
        assert!(ours.len() >= 500, "{} lines were taken", ours.len());
        let text = String::from_utf8(tree.read(&name)).unwrap();
        let (mut found, mut next) = (Vec::new(), 0);
        for line in text.lines().skip(1) {
            match line.strip_prefix("theirs ") {
                Some(number) => {
                    assert_eq!(number.parse(), Ok(next), "the neighbour's lines in order");
                    next += 1;
                }
                None => found.push(format!("{line}\n")),
            }
        }
        assert!(next >= rounds, "{next} of the neighbour's {rounds} lines");
        assert_eq!(found, ours);
    }
}

#[test]
fn nothing_hidden_or_denied_is_read_or_listed_while_directories_and_links_change_places() {
    for flag in ["--hide", "--deny"] {
        for glob in ["secret", "/**/secret"] {
            let tree = Tree::new();
            for dir in ["public", "secret"] {
                tree.dir(dir);
                tree.dir(format!("{dir}/deep"));
                tree.file(format!("{dir}/file"), format!("the {dir} content"));
                tree.file(format!("{dir}/deep/file"), format!("the {dir} content"));
                tree.file(format!("{dir}/of-{dir}"), "");
            }
            tree.link("link", "secret");
            tree.link("deep", "secret/deep");
            tree.link("filelink", "secret/file");
            tree.file("file", "the public content");
            let exchange = |one: &str, other: &str| {
                let (one, other) = (tree.at(one), tree.at(other));
                renameat2(
                    AT_FDCWD,
                    &one,
                    AT_FDCWD,
                    &other,
                    RenameFlags::RENAME_EXCHANGE,
                )
                .unwrap();
            };
            let swap = |_| {
                exchange("public", "link");
                exchange("file", "filelink");
                exchange("public", "link");
                exchange("file", "filelink");
            };
            for mut server in views(&tree, &[&format!("{flag}={glob}")]) {
                let (seen, rounds) = beside(swap, |rounds| {
                    let mut seen = 0;
                    for _ in 0..400 {
                        for path in ["public/file", "file", "public/deep/file", "link/file"] {
                            seen += usize::from(reads(&mut server, path));
                        }
                        lists(&mut server, "public");
                        lists(&mut server, "link");
                    }
                    (seen, rounds.load(Ordering::Relaxed))
                });
                assert!(
                    seen > 20 && rounds > 20,
                    "no race: {seen} reads, {rounds} rounds"
                );
            }
        }
    }
}

/// Reads the file, if it can be; what it holds is public.
fn reads(server: &mut Server, path: &str) -> bool {
    let handle = match server.call(&request::open(path, READ, &Attrs::NONE)) {
        Reply::Handle(handle) => handle,
        refused => {
            assert!([2, 3].contains(&refused.code()), "{path}: {refused:?}");
            return false;
        }
    };
    let reply = server.call(&request::read(&handle, 0, 100));
    server.close(&handle);
    assert_eq!(show(reply.data()), "the public content", "{path}");
    true
}

/// Lists the directory, if it can be; none of its names is of the other.
fn lists(server: &mut Server, path: &str) {
    let Reply::Handle(handle) = server.call(&request::opendir(path)) else {
        return;
    };
    while let Reply::Names(names) = server.call(&request::readdir(&handle)) {
        let names = names.iter().map(|name| show(&name.filename));
        let names: Vec<_> = names.collect();
        assert!(
            !names.contains(&"of-secret".to_owned()),
            "{path}: {names:?}"
        );
    }
    server.close(&handle);
}

#[test]
fn what_takes_the_place_of_what_was_just_made_is_not_taken_for_it() {
    for (flag, refused) in [
        ("--no-delete", (3, "Permission denied: --no-delete")),
        ("--drop-box", (2, "No such file")),
    ] {
        let tree = Tree::new();
        tree.dir("theirs");
        // A tick of the clock that files get their times from.
        thread::sleep(Duration::from_millis(20));
        tree.file("theirs/file", "theirs");
        tree.file("file", "theirs");
        // The session stands still between making it and looking what it is, in microseconds.
        let made = "mkdirat,mkdir,symlinkat,symlink:delay_exit=400000";
        let mut server = Fault::traced(made, under_test(), &tree)
            .args(["--root", ".", flag])
            .connect();
        for (ask, name, theirs) in [
            (request::mkdir("a", &Attrs::NONE), "a", "theirs"),
            (request::mkdir("b", &Attrs::NONE), "b", "file"),
            (request::symlink("file", "c"), "c", "b"),
        ] {
            if flag == "--drop-box" && name == "c" {
                continue;
            }
            server.send(&ask);
            thread::sleep(Duration::from_millis(200));
            fs::rename(tree.at(name), tree.at(format!("was-{name}"))).unwrap();
            fs::rename(tree.at(theirs), tree.at(name)).unwrap();
            assert_eq!(server.receive().1.code(), 0);
            let before = tree.snapshot();
            for ask in [request::rename(name, "gone"), request::remove(name)] {
                let reply = server.call(&ask);
                let status = reply.status();
                assert_eq!((status.code, &*status.text), refused, "{flag} {name}");
            }
            assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
        }
        // Where nobody meddles, it is the session's.
        server.ok(&request::mkdir("own", &Attrs::NONE));
        server.ok(&request::rename("own", "own2"));
        server.ok(&request::rmdir("own2"));
    }
}
