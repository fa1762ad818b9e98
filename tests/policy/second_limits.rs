//! What the rates, the times and `--max-handles` bound, and by which other request, handle or step it could be had all the same.
//! The same attempts without the rule break what it promises, so that they would be noticed.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::fault::Fault;
use crate::support::packet::parse;
use crate::support::request::*;
use crate::support::wire::pflags::{APPEND, CREAT, EXCL, READ, TRUNC, WRITE};
use crate::support::{Attrs, Launch, Packet, Reply, Server, Tree, under_test};

const K: usize = 1024;
/// Bytes a second.
const RATE: usize = 64 * K;
const TOTAL: usize = 3 * RATE;
/// What a busy machine may add.
const LATE: Duration = Duration::from_secs(10);

/// A way by which content passes: flags beside the rate, and the requests of one burst behind OPENs of these names.
struct Way {
    flags: &'static [&'static str],
    opened: &'static [(&'static str, u32)],
    burst: fn(&[Vec<u8>]) -> Vec<Packet>,
}

const UP: [Way; 6] = [
    Way {
        flags: &[],
        opened: &[("one", WRITE | CREAT)],
        burst: |handles| pieces(1, |_, at| write(&handles[0], at, [7; K])),
    },
    // Each handle and each file, in a root.
    Way {
        flags: &["--root", "."],
        opened: &[
            ("one", WRITE | CREAT),
            ("one", WRITE | CREAT),
            ("two", WRITE | CREAT | APPEND),
            ("three", READ | WRITE | CREAT | EXCL),
        ],
        burst: |handles| pieces(16, |n, at| write(&handles[n % 4], at, [7; 16 * K])),
    },
    // Longer than the bytes of a second.
    Way {
        flags: &[],
        opened: &[("one", WRITE | CREAT)],
        burst: |handles| pieces(96, |_, at| write(&handles[0], at, [7; 96 * K])),
    },
    // One place over and over: less stands on the disk than was sent.
    Way {
        flags: &["--atomic-upload"],
        opened: &[("one", WRITE | CREAT | TRUNC)],
        burst: |handles| pieces(32, |_, _| write(&handles[0], 0, [7; 32 * K])),
    },
    // Requests between that fail, that a handle is closed by, and that move what was just written.
    Way {
        flags: &[],
        opened: &[("one", WRITE | CREAT), ("two", WRITE | CREAT)],
        burst: |handles| {
            let mut burst = pieces(32, |_, at| write(&handles[0], at, [7; 32 * K]));
            burst.insert(4, rename("one", "three"));
            burst.insert(3, close(&handles[1]));
            burst.insert(2, write(b"none", 0, "x"));
            burst.insert(1, stat("missing"));
            burst
        },
    },
    // What is refused has crossed the network as well.
    Way {
        flags: &[],
        opened: &[("one", WRITE | CREAT), ("from", READ)],
        burst: |handles| pieces(32, |_, at| write(&handles[1], at, [7; 32 * K])),
    },
];

const DOWN: [Way; 4] = [
    Way {
        flags: &[],
        opened: &[("from", READ)],
        burst: |handles| pieces(1, |_, at| read(&handles[0], at, K as u32)),
    },
    Way {
        flags: &["--root", "."],
        opened: &[("from", READ), ("from", READ | WRITE), ("link", READ)],
        burst: |handles| pieces(16, |n, at| read(&handles[n % 3], at, 16 * K as u32)),
    },
    // Longer than the bytes of a second.
    Way {
        flags: &[],
        opened: &[("from", READ)],
        burst: |handles| pieces(96, |_, at| read(&handles[0], at, 96 * K as u32)),
    },
    // One piece over and over, more asked for than there is, and requests of all kinds between.
    Way {
        flags: &["--deny", "nothing"],
        opened: &[("from", READ), ("new", READ | WRITE | CREAT)],
        burst: |handles| {
            let end = (TOTAL - 32 * K) as u64;
            let mut burst = pieces(32, |_, _| read(&handles[0], end, 200_000));
            burst.insert(5, read(&handles[0], TOTAL as u64, 200_000));
            burst.insert(4, copy_file("from", "copy", 0));
            burst.insert(3, copy_data(&handles[0], 0, 0, &handles[1], 0));
            burst.insert(2, fstat(&handles[0]));
            burst.insert(1, stat("missing"));
            burst
        },
    },
];

/// Requests for `TOTAL` bytes, of so many KiB each.
fn pieces(each: usize, one: impl Fn(usize, u64) -> Packet) -> Vec<Packet> {
    let each = each * K;
    let offsets = (0..TOTAL).step_by(each).enumerate();
    offsets.map(|(n, at)| one(n, at as u64)).collect()
}

impl Way {
    /// How many bytes have passed by then, at most, and how long all of them took.
    fn play(&self, rate: &[&str]) -> (bool, Duration) {
        let tree = Tree::new();
        tree.file("from", vec![5; TOTAL]);
        tree.link("link", "from");
        let mut server = Server::with(&tree, [rate, self.flags].concat());
        let open = |(name, flags): &(&str, u32)| server.open(name, *flags);
        let handles: Vec<_> = self.opened.iter().map(open).collect();
        let begun = Instant::now();
        let burst = (self.burst)(&handles);
        let frames: Vec<u8> = burst.iter().flat_map(|packet| packet.frame(7)).collect();
        server.send_raw(&frames).unwrap();
        let (mut passed, mut kept) = (0, true);
        for packet in &burst {
            // A burst of one second is there at once.
            let data = match server.receive().1 {
                Reply::Data(data) => data.len(),
                _ if *packet.frame(7).get(4).unwrap() == 6 => written(packet),
                _ => 0,
            };
            passed += data;
            kept &= passed as f64 <= RATE as f64 * (1.0 + begun.elapsed().as_secs_f64());
        }
        assert!(passed >= TOTAL, "{passed} bytes");
        (kept, begun.elapsed())
    }
}

/// The data of a WRITE: what is behind id, handle, offset and lengths.
fn written(packet: &Packet) -> usize {
    let frame = packet.frame(7);
    let handle = u32::from_be_bytes(frame[9..13].try_into().unwrap()) as usize;
    frame.len() - (13 + handle + 8 + 4)
}

/// Each way beside the others: most of the time all of them wait.
fn rate_holds(ways: &[Way], flag: &str) {
    thread::scope(|scope| {
        for (n, way) in ways.iter().enumerate() {
            scope.spawn(move || {
                let (kept, took) = way.play(&[flag, "64K"]);
                assert!(kept, "{flag}: way {n} passes too much");
                assert!(took < Duration::from_secs(2) + LATE, "way {n}: {took:?}");
                assert!(!way.play(&[]).0, "{flag}: way {n}: nothing is noticed");
            });
        }
    });
}

#[test]
fn no_way_up_passes_more_than_the_rate() {
    rate_holds(&UP, "--upload-rate");
}

#[test]
fn nor_does_any_way_down() {
    rate_holds(&DOWN, "--download-rate");
}

#[test]
fn what_does_not_cross_the_network_and_what_is_no_content_does_not_wait() {
    let tree = Tree::new();
    tree.file("from", vec![5; TOTAL]);
    tree.dir("dir");
    for n in 0..300 {
        tree.file(format!("dir/{n}{}", "x".repeat(200)), "");
    }
    let flags = ["--upload-rate", "1K", "--download-rate", "1K"];
    let begun = Instant::now();
    let mut server = Server::with(&tree, flags);
    server.ok(&copy_file("from", "copy", 0));
    let [from, to] =
        [("from", READ), ("to", WRITE | CREAT)].map(|(name, how)| server.open(name, how));
    server.ok(&copy_data(&from, 0, 0, &to, 0));
    server.ok(&symlink("x".repeat(4000), "link"));
    assert_eq!(server.call(&readlink("link")).name().len(), 4000);
    let dir = server.opendir("dir");
    while let Reply::Names(_) = server.call(&readdir(&dir)) {}
    assert!(begun.elapsed() < LATE);
    for copy in ["copy", "to"] {
        assert!(tree.read(copy) == [5; TOTAL], "{copy}");
    }
}

/// By which a client keeps a session busy: what it sends, over and over.
type Busy = fn(&mut Server) -> std::io::Result<()>;

const BUSY: [(&str, Busy); 7] = [
    ("requests that fail", |server| {
        server.send_raw(&stat("missing").frame(7).repeat(100))
    }),
    ("handles that are forged", |server| {
        server.send_raw(&close(b"12345678").frame(7).repeat(100))
    }),
    ("packets that cannot be parsed", |server| {
        let cut = Packet::new(3, [0, 0, 0, 9]).frame(7);
        let unknown = Packet::new(77, "x").frame(7);
        server.send_raw(&[cut, unknown].concat().repeat(50))
    }),
    ("uploads", |server| {
        let packet = open("up", WRITE | CREAT | TRUNC, &Attrs::NONE);
        let Reply::Handle(handle) = asked(server, &packet)? else {
            // What is not begun at the end of the session's time fails.
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        for packet in [write(&handle, 0, [7; 200]), close(&handle)] {
            asked(server, &packet)?;
        }
        Ok(())
    }),
    ("copies", |server| {
        server.send_raw(&copy_file("from", "copy", 1).frame(7).repeat(10))
    }),
    ("listings", |server| {
        server.send_raw(&opendir(".").frame(7))?;
        server.send_raw(&readdir(b"\0\0\0\0\0\0\0\0").frame(8))
    }),
    ("half a packet, and the other half", |server| {
        let frame = stat("from").frame(7);
        let (begin, end) = frame.split_at(9);
        server.send_raw(begin)?;
        thread::sleep(Duration::from_millis(20));
        server.send_raw(end)
    }),
];

/// The answer, unless the session ends before it comes.
fn asked(server: &mut Server, packet: &Packet) -> std::io::Result<Reply> {
    server.send_raw(&packet.frame(7))?;
    let content = server.receive_raw();
    let content = content.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok(parse(&content).1)
}

/// Whether the session still goes on after `time`, as the client keeps it busy.
fn lasts(flags: &[&str], busy: Busy, time: Duration) -> (Server, bool) {
    let tree = Tree::new();
    tree.file("from", vec![5; TOTAL]);
    let mut server = Launch::new(&tree)
        .args(["-e", "-l", "INFO"])
        .args(flags)
        .start();
    let begun = Instant::now();
    // On a busy machine its time may be over before.
    let init = server.send_raw(b"\0\0\0\x05\x01\0\0\0\x03");
    if init.is_err() || server.receive_raw().is_none() {
        return (server, false);
    }
    while begun.elapsed() < time && server.is_running() {
        if busy(&mut server).is_err() {
            break;
        }
        server.take();
        server.forget();
        thread::sleep(Duration::from_millis(1));
    }
    let running = begun.elapsed() >= time && server.is_running();
    (server, running)
}

#[test]
fn nothing_that_a_client_sends_makes_its_session_last_longer() {
    let limit = ["--session-timeout", "1s"];
    thread::scope(|scope| {
        for (what, busy) in BUSY {
            scope.spawn(move || {
                let begun = Instant::now();
                let (mut server, _) = lasts(&limit, busy, LATE);
                assert_eq!(server.wait().code(), Some(0), "{what}");
                let took = begun.elapsed();
                assert!(took >= Duration::from_secs(1), "{what}: {took:?}");
                assert!(took < LATE, "{what}: {took:?}");
                let log = server.stderr();
                let line = "timeout: 1s since the start (--session-timeout)\r\n";
                assert_eq!(log.matches(line).count(), 1, "{what}: {log}");
                let (_, running) = lasts(&[], busy, Duration::from_millis(1_500));
                assert!(running, "{what}: it ends without the rule");
                // Whoever asks for something is not idle, whatever comes of it.
                let (_, running) = lasts(&["--idle-timeout", "2s"], busy, Duration::from_secs(3));
                assert!(running, "{what}: it is taken for idle");
            });
        }
    });
}

/// Copies that take seconds, by the request's name or by handles: they end a session neither as idle nor outlast its time.
#[test]
fn a_long_copy_is_no_idleness_and_does_not_outlast_the_session_s_time() {
    for by_name in [true, false] {
        for (flag, value, ends) in [
            ("--idle-timeout", "1s", false),
            ("--session-timeout", "1s", true),
        ] {
            let tree = Tree::new();
            tree.file("from", vec![5; 100]);
            let slow = "copy_file_range:delay_enter=2500000";
            let begun = Instant::now();
            let mut server = Fault::traced(slow, under_test(), &tree)
                .args(["-e", "-l", "INFO", flag, value])
                .connect();
            let from = server.open("from", READ);
            let to = server.open("to", WRITE | CREAT);
            let copy = match by_name {
                true => copy_file("from", "copy", 0),
                false => copy_data(&from, 0, 100, &to, 0),
            };
            server.send(&copy);
            if !ends {
                assert_eq!(server.receive().1.code(), 0);
                assert!(begun.elapsed() >= Duration::from_millis(2_500));
                let copied = if by_name { "copy" } else { "to" };
                assert_eq!(tree.read(copied), [5; 100]);
            }
            assert_eq!(server.wait().code(), Some(0));
            assert!(begun.elapsed() < LATE, "{flag}: {:?}", begun.elapsed());
            let log = server.stderr();
            assert!(log.contains(&format!("({flag})\r\n")), "{log}");
            // What was not done leaves nothing by its name.
            assert!(!ends || !tree.has("copy"), "{flag}");
        }
    }
}

const MOST: usize = 4;
/// What a copy has open, and who looks for a path, for a moment.
const PASSING: usize = 8;

/// The handles that still stand for something, of all that were ever given.
fn alive(server: &mut Server, handles: &[Vec<u8>]) -> usize {
    let alive = |handle: &&Vec<u8>| {
        let file = matches!(server.call(&fstat(handle)), Reply::Attrs(_));
        file || server.call(&readdir(handle)).code_or_names() != 4
    };
    handles.iter().filter(alive).count()
}

trait CodeOrNames {
    fn code_or_names(&self) -> u32;
}

impl CodeOrNames for Reply {
    /// A status, or 0 for entries.
    fn code_or_names(&self) -> u32 {
        match self {
            Reply::Names(_) => 0,
            reply => reply.code(),
        }
    }
}

/// Files and directories of the tree that the process has open.
fn open_in(tree: &Tree, pid: u32) -> usize {
    let Ok(fds) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    let beneath = |fd: std::io::Result<fs::DirEntry>| {
        let target = fd.and_then(|fd| fs::read_link(fd.path())).ok()?;
        (target.starts_with(tree.root()) && target != tree.root()).then_some(())
    };
    fds.filter_map(beneath).count()
}

/// The most files and directories that were open at any moment of `during`.
fn peak<T>(tree: &Tree, pid: u32, during: impl FnOnce() -> T) -> (usize, T) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !over.load(Ordering::Relaxed) {
                peak = peak.max(open_in(tree, pid));
                thread::sleep(Duration::from_micros(300));
            }
            peak
        });
        let result = during();
        over.store(true, Ordering::Relaxed);
        (watch.join().unwrap(), result)
    })
}

/// Every way to more handles: whether there were never more than `MOST`.
fn never_more(mut server: Server, tree: &Tree) -> bool {
    let mut handles: Vec<Vec<u8>> = Vec::new();
    let mut kept = true;
    for round in 0..4 {
        let new = |n: usize| open(format!("{round}-{n}"), WRITE | CREAT | TRUNC, &Attrs::NONE);
        let mut burst: Vec<Packet> = (0..8).flat_map(|n| [new(n), opendir("dir")]).collect();
        // What fails, and what is closed twice or never was, gives no room.
        burst.insert(0, open("missing", READ, &Attrs::NONE));
        burst.insert(1, open("from", WRITE | CREAT | EXCL, &Attrs::NONE));
        burst.insert(2, opendir("from"));
        burst.insert(5, Packet::new(3, [0, 0, 0, 9]));
        burst.insert(6, close(b"12345678"));
        if let Some(last) = handles.last() {
            burst.insert(7, close(last));
            burst.insert(8, close(last));
            burst.insert(9, new(20));
        }
        if round == 2 {
            // What has lost its name, or got another one, is open all the same.
            burst.insert(4, remove("0-0"));
            burst.insert(5, posix_rename("0-1", "0-2"));
        }
        burst.push(copy_file("from", format!("copy {round}"), 0));
        burst.push(copy_file("from", "over", 1));
        let pid = server.pid();
        let (most, replies) = peak(tree, pid, || server.pipeline(&burst));
        kept &= most <= MOST + PASSING;
        for reply in replies {
            if let Reply::Handle(handle) = reply {
                handles.push(handle);
            }
        }
        assert!(tree.has(format!("copy {round}")), "a copy needs no handle");
        kept &= alive(&mut server, &handles) <= MOST;
        kept &= open_in(tree, server.pid()) <= MOST;
        // Half of them go, by CLOSEs in one burst with OPENs.
        let half: Vec<_> = handles.iter().rev().step_by(2).cloned().collect();
        let mut burst: Vec<Packet> = half.iter().map(|handle| close(handle)).collect();
        burst.extend((30..60).map(new));
        let pid = server.pid();
        let (most, replies) = peak(tree, pid, || server.pipeline(&burst));
        kept &= most <= MOST + PASSING;
        for reply in replies {
            if let Reply::Handle(handle) = reply {
                handles.push(handle);
            }
        }
        kept &= alive(&mut server, &handles) <= MOST;
        kept &= open_in(tree, server.pid()) <= MOST;
    }
    for handle in &handles {
        server.code(&close(handle));
    }
    assert_eq!(alive(&mut server, &handles), 0);
    assert_eq!(open_in(tree, server.pid()), 0, "nothing stays behind");
    kept
}

#[test]
fn there_are_never_more_handles_than_that() {
    let slow = "openat,open,openat2,close:delay_enter=3000";
    for more in [&[][..], &["--root", "."], &["--atomic-upload"]] {
        for traced in [false, true] {
            for (limit, kept) in [(&["--max-handles", "4"][..], true), (&[], false)] {
                let tree = Tree::new();
                tree.file("from", "content");
                tree.file("over", "content");
                tree.dir("dir");
                let launch = match traced {
                    true => Fault::traced(slow, under_test(), &tree),
                    false => Launch::new(&tree),
                };
                let server = launch.args(limit).args(more).connect();
                assert_eq!(
                    never_more(server, &tree),
                    kept,
                    "{limit:?} {more:?}, slow: {traced}"
                );
            }
        }
    }
}
