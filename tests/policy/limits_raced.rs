//! `--max-file-size` while several append at the same moment: between the look at the size and the write others come, and the kernel decides.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use crate::support::fault::Fault;
use crate::support::packet::pflags::{APPEND, CREAT, READ, WRITE};
use crate::support::packet::{Packet, frame};
use crate::support::request::*;
use crate::support::{Attrs, Launch, Server, Tree, show, under_test};

pub(crate) const REFUSED: &str = "Failure: File too large (--max-file-size)";
/// As many as append at the same moment.
pub(crate) const SESSIONS: usize = 4;
/// How often they do, each.
pub(crate) const ROUNDS: usize = 1000;
pub(crate) const LIMIT: u64 = 400_000;
const PIECE: usize = 30_000;

/// What one of them appends: its letter, again and again.
pub(crate) fn piece(session: usize) -> Vec<u8> {
    vec![b'a' + session as u8; PIECE]
}

/// The first that is wrong with a file to which whole pieces were appended: it is too long, or a piece is torn.
fn wrong(file: &Path, kept: usize) -> Option<String> {
    let content = fs::read(file).unwrap();
    if content.len() as u64 > LIMIT {
        return Some(format!("{} bytes", content.len()));
    }
    let torn = |piece: &[u8]| piece.len() != PIECE || piece.iter().any(|byte| *byte != piece[0]);
    let mut pieces = content[kept..].chunks(PIECE);
    let torn = pieces.find(|piece| torn(piece))?;
    Some(format!("a piece of {} bytes is torn", torn.len()))
}

/// Has all of them append at the same moment, again and again, where there is room for one piece and a part of another. How often one was
/// appended, and what went wrong.
pub(crate) fn race(
    file: &Path,
    append: impl Fn(usize, &Barrier) -> usize + Sync,
) -> (usize, Option<String>) {
    let kept = LIMIT as usize - PIECE - PIECE / 2;
    let barrier = Barrier::new(SESSIONS + 1);
    let appended = AtomicUsize::new(0);
    let mut found = None;
    fs::write(file, vec![b'-'; kept]).unwrap();
    thread::scope(|scope| {
        for session in 0..SESSIONS {
            let (append, barrier, appended) = (&append, &barrier, &appended);
            scope.spawn(move || {
                let count = append(session, barrier);
                appended.fetch_add(count, Ordering::Relaxed);
            });
        }
        let cut = OpenOptions::new().write(true).open(file).unwrap();
        for _ in 0..ROUNDS {
            barrier.wait();
            barrier.wait();
            found = found.take().or_else(|| wrong(file, kept));
            cut.set_len(kept as u64).unwrap();
        }
    });
    (appended.into_inner(), found)
}

#[test]
fn what_several_append_at_the_same_moment_is_whole_and_stays_within_the_limit() {
    let tree = Tree::below("/dev/shm");
    let naive = tree.at("naive");
    let look_and_write = |session, barrier: &Barrier| {
        let mut file = OpenOptions::new().append(true).open(&naive).unwrap();
        let rounds = (0..ROUNDS).map(|_| {
            barrier.wait();
            let size = file.metadata().unwrap().len();
            // On a busy machine the others would seldom come in between.
            thread::yield_now();
            if size + PIECE as u64 <= LIMIT {
                file.write_all(&piece(session)).unwrap();
            }
            barrier.wait();
        });
        rounds.count()
    };
    let caught = (0..10).find_map(|_| race(&naive, look_and_write).1);
    println!(
        "a look and a write: {}",
        caught.as_deref().unwrap_or("right")
    );
    assert!(caught.is_some(), "no race");

    let limit = LIMIT.to_string();
    for flags in [&["--root", "."][..], &["--append-only"], &[]] {
        let flags = [&["--max-file-size", &limit], flags].concat();
        let file = tree.at("log");
        let (appended, wrong) = race(&file, |session, barrier| {
            let mut server = Server::with(&tree, &flags);
            let mut handle = server.open("log", WRITE | APPEND);
            let rounds = (0..ROUNDS).map(|_| {
                let write = write(&handle, 0, piece(session));
                barrier.wait();
                let reply = server.call(&write);
                barrier.wait();
                if reply.code() != 0 {
                    server.close(&handle);
                    handle = server.open("log", WRITE | APPEND);
                }
                let status = reply.status();
                assert!(status.code == 0 || status.text == REFUSED, "{reply:?}");
                status.code == 0
            });
            rounds.filter(|appended| *appended).count()
        });
        assert_eq!(wrong, None, "{flags:?}");
        println!(
            "{flags:?}: {appended} of {} were appended",
            SESSIONS * ROUNDS
        );
        // One fits each time, and all but that are refused.
        assert!(appended > ROUNDS / 2 && appended <= ROUNDS, "{appended}");
    }
}

/// A session that stands still before and after it sets a limit, in microseconds: other processes come in between.
fn slow(tree: &Tree) -> Server {
    Fault::traced("prlimit64:delay_enter=300000", under_test(), tree)
        .args(["--root", ".", "--max-file-size", "100"])
        .connect()
}

/// What another process does 150 ms after a request was sent: that has looked at the size by then.
fn meanwhile(server: &mut Server, request: &Packet, act: impl FnOnce()) -> String {
    server.send(request);
    sleep(Duration::from_millis(150));
    act();
    server.receive().1.status().text.clone()
}

#[test]
fn a_write_that_the_kernel_cuts_at_the_limit_is_taken_back() {
    let tree = Tree::new();
    tree.file("log", [b'-'; 50]);
    let mut server = slow(&tree);
    let handle = server.open("log", WRITE | APPEND);
    let append = |text: &[u8]| {
        let mut file = OpenOptions::new()
            .append(true)
            .open(tree.at("log"))
            .unwrap();
        file.write_all(text).unwrap();
    };
    let write = write(&handle, 0, [b'o'; 30]);
    let said = meanwhile(&mut server, &write, || append(&[b't'; 40]));
    assert_eq!(said, REFUSED);
    let expected = [&[b'-'; 50][..], &[b't'; 40]].concat();
    assert_eq!(show(tree.read("log")), show(&expected));
    // Where the limit is reached already nothing is written at all.
    let handle = server.open("log", WRITE | APPEND);
    let two = crate::support::request::write(&handle, 0, [b'o'; 10]);
    let said = meanwhile(&mut server, &two, || append(&[b't'; 10]));
    assert_eq!(said, REFUSED);
    let expected = [expected, vec![b't'; 10]].concat();
    assert_eq!(show(tree.read("log")), show(&expected));
}

#[test]
fn a_size_that_was_to_shorten_a_file_does_not_make_it_longer_than_the_limit() {
    let tree = Tree::new();
    for by_handle in [true, false] {
        tree.file("file", [b'-'; 500]);
        let mut server = slow(&tree);
        let handle = server.open("file", WRITE);
        let shorten = match by_handle {
            true => fsetstat(&handle, &Attrs::NONE.size(300)),
            false => setstat("file", &Attrs::NONE.size(300)),
        };
        let file = OpenOptions::new()
            .write(true)
            .open(tree.at("file"))
            .unwrap();
        let said = meanwhile(&mut server, &shorten, || file.set_len(10).unwrap());
        assert!(said.starts_with("Failure: File too large"), "{said}");
        assert_eq!(tree.meta("file").len(), 10);
        // What is longer already can be read and made shorter.
        tree.file("file", [b'-'; 500]);
        let handle = server.open("file", READ | WRITE);
        assert_eq!(server.call(&read(&handle, 450, 100)).data().len(), 50);
        server.ok(&fsetstat(&handle, &Attrs::NONE.size(200)));
        assert_eq!(tree.meta("file").len(), 200);
    }
}

#[test]
fn a_log_behind_standard_error_and_responses_to_a_file_may_be_longer_than_files() {
    let tree = Tree::new();
    tree.file("stderr", [b'-'; 300]);
    let script = "exec \"$0\" \"$@\" 2>>stderr";
    let mut server = Launch::program("/bin/sh", &tree)
        .args(["-c", script])
        .arg(under_test())
        .args(["-e", "-l", "INFO", "--max-file-size", "100"])
        .connect();
    let handle = server.open("log", WRITE | CREAT | APPEND);
    server.ok(&write(&handle, 0, [b'o'; 90]));
    assert_eq!(
        server.call(&write(&handle, 0, [b'o'; 11])).status().text,
        REFUSED
    );
    server.close(&handle);
    server.finish();
    let log = show(tree.read("stderr"));
    assert!(log.contains("bytes read 0 written 90"), "{log}");

    let requests = Tree::new();
    // The first handle of a session; the version of the protocol is 3.
    let handle = [0; 8];
    let mut bytes = frame(&[1, 0, 0, 0, 3]);
    for packet in [
        open("other", WRITE | CREAT | APPEND, &Attrs::NONE),
        write(&handle, 0, [b'o'; 90]),
        write(&handle, 0, [b'o'; 5]),
        write(&handle, 0, [b'o'; 6]),
    ] {
        bytes.extend(packet.frame(7));
    }
    requests.file("in", bytes);
    let (input, output) = (requests.at("in"), requests.at("out"));
    let output = OpenOptions::new()
        .create(true)
        .append(true)
        .open(output)
        .unwrap();
    let finished = Launch::new(&tree)
        .args(["--max-file-size", "100"])
        .run(File::open(input).unwrap(), output);
    assert!(finished.status.success());
    let told = show(requests.read("out"));
    assert!(told.len() > 100 && told.contains(REFUSED), "{told}");
    assert_eq!(tree.meta("other").len(), 95);
}
