//! `--idle-timeout` and `--session-timeout`: when a session ends, when it does not, and in which order.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::fault::Fault;
use crate::support::request;
use crate::support::server::user;
use crate::support::wire::{Attrs, code, pflags};
use crate::support::{Launch, Server, Tree, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT;

/// Half a second, as the flags have it.
const SHORT: &str = "0.5s";
const MOMENT: Duration = Duration::from_millis(500);

/// What a busy machine may add.
const LATE: Duration = Duration::from_secs(10);

fn launch(tree: &Tree, flags: &[&str]) -> Launch {
    Launch::new(tree).args(["-e", "-l", "INFO"]).args(flags)
}

/// Waits for the end: in order, after this time and not much later. What it logged.
#[track_caller]
fn ended(mut server: Server, since: Instant, after: Duration) -> String {
    let status = server.wait();
    let took = since.elapsed();
    assert_eq!(status.code(), Some(0), "{status}");
    assert!(took >= after, "after {took:?}");
    assert!(took < after + LATE, "after {took:?}");
    server.stderr()
}

/// The lines of a log in these words, in this order.
#[track_caller]
fn in_order(log: &str, lines: &[&str]) {
    let mut rest = log;
    for line in lines {
        let at = rest.find(&format!("{line}\r\n"));
        let at = at.unwrap_or_else(|| panic!("no \"{line}\" where it belongs: {log}"));
        rest = &rest[at + line.len()..];
    }
}

const IDLE: &str = "timeout: no request for 500ms (--idle-timeout)";
const EXPIRED: &str = "timeout: 500ms since the start (--session-timeout)";

#[test]
fn an_idle_session_ends_in_order() {
    let tree = Tree::new();
    let mut server = launch(&tree, &["--idle-timeout", SHORT]).connect();
    let file = server.open("f", CREATE);
    server.opendir(".");
    server.ok(&request::write(&file, 0, "acknowledged"));
    let log = ended(server, Instant::now(), MOMENT - Duration::from_millis(50));
    let closed = format!("session closed for local user {} from [UNKNOWN]", user());
    in_order(
        &log,
        &[
            IDLE,
            "forced close \"f\" bytes read 0 written 12",
            "forced closedir \".\"",
            &closed,
        ],
    );
    assert_eq!(tree.read("f"), b"acknowledged");
}

#[test]
fn before_init_a_session_is_idle_too_however_it_is_started() {
    let tree = Tree::new();
    let mut server = launch(&tree, &["--idle-timeout", SHORT]).socket().start();
    server.send_raw(b"\0\0").unwrap();
    in_order(&ended(server, Instant::now(), Duration::ZERO), &[IDLE]);
    for connection in [None, Some("192.0.2.7 5555 192.0.2.1 22")] {
        for sent in [&b""[..], b"\0\0\0\x05\x01"] {
            let mut launch = launch(&tree, &["--idle-timeout", SHORT]);
            if let Some(connection) = connection {
                launch = launch.env("SSH_CONNECTION", connection);
            }
            let begun = Instant::now();
            let mut server = launch.start();
            server.send_raw(sent).unwrap();
            in_order(&ended(server, begun, MOMENT), &[IDLE]);
        }
    }
}

#[test]
fn of_the_greeting_s_time_and_this_one_whichever_ends_first_counts() {
    let tree = Tree::new();
    let refusal = "This account is restricted to SFTP; 'uptime' was refused.\n";
    let seconds = Duration::from_millis(2_900);
    for (flag, at_least) in [
        (["--idle-timeout", "500s"], seconds),
        (["--session-timeout", "500s"], seconds),
        // It is no less refused, so the status must not say that the command succeeded.
        (["--idle-timeout", SHORT], MOMENT),
        (["--session-timeout", SHORT], MOMENT),
    ] {
        let begun = Instant::now();
        let mut server = Launch::new(&tree)
            .args(flag)
            .env("SSH_ORIGINAL_COMMAND", "uptime")
            .start();
        assert_eq!(server.wait().code(), Some(1));
        let took = begun.elapsed();
        assert!(took >= at_least, "{flag:?}: after {took:?}");
        assert!(at_least == seconds || took < seconds, "after {took:?}");
        assert_eq!(server.stderr(), refusal);
    }
}

#[test]
fn requests_keep_a_session_alive_and_so_do_bytes_of_one_that_keep_coming() {
    let tree = Tree::new();
    let mut server = launch(&tree, &["--idle-timeout", "2s"]).connect();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        server.call(&request::stat("/")).attrs();
        std::thread::sleep(Duration::from_millis(100));
    }
    // A packet of a slow client, as long as sftp's WRITEs.
    let handle = server.open("f", CREATE);
    let content = vec![b'x'; 261_120];
    let frame = request::write(&handle, 0, &content).frame(7);
    for piece in frame.chunks(32 * 1024) {
        server.send_raw(piece).unwrap();
        std::thread::sleep(Duration::from_millis(600));
    }
    assert_eq!(server.receive().1.code(), code::OK);
    assert!(tree.read("f") == content);
    // One that stops in the middle is idle from then on.
    let begun = Instant::now();
    let (half, _) = frame.split_at(frame.len() / 2);
    server.send_raw(half).unwrap();
    let log = ended(server, begun, Duration::from_millis(1_800));
    in_order(&log, &["timeout: no request for 2s (--idle-timeout)"]);
}

#[test]
fn a_request_that_comes_byte_by_byte_for_ever_ends_with_the_session_s_time() {
    let tree = Tree::new();
    let flags = ["--idle-timeout", "2s", "--session-timeout", "4s"];
    let begun = Instant::now();
    let mut server = launch(&tree, &flags).connect();
    for byte in request::stat("x".repeat(400)).frame(1) {
        if server.send_raw(&[byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = ended(server, begun, Duration::from_secs(4));
    in_order(&log, &["timeout: 4s since the start (--session-timeout)"]);
}

#[test]
fn a_request_under_way_is_not_idle_however_long_it_takes() {
    let tree = Tree::new();
    let mut server = Fault::traced("fsync:delay_enter=2000000", under_test(), &tree)
        .args(["-e", "-l", "INFO", "--idle-timeout", "1s"])
        .connect();
    let handle = server.open("f", CREATE);
    server.ok(&request::fsync(&handle));
    let answered = Instant::now();
    // And the time begins only then.
    std::thread::sleep(MOMENT / 5);
    server.ok(&request::write(&handle, 0, "x"));
    let log = ended(server, answered, MOMENT * 2);
    in_order(&log, &["timeout: no request for 1s (--idle-timeout)"]);
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_idle() {
    let tree = Tree::new();
    tree.file("f", vec![b'x'; 1 << 20]);
    // What fits the pipe, and what does not.
    for count in [1, 100] {
        let mut server = launch(&tree, &["--idle-timeout", SHORT]).connect();
        let handle = server.open("f", pflags::READ);
        server.reading = false;
        for _ in 0..count {
            server.send(&request::read(&handle, 0, 32_768));
        }
        std::thread::sleep(MOMENT * 4);
        assert!(server.is_running());
        server.reading = true;
        for _ in 0..count {
            assert_eq!(server.receive().1.data().len(), 32_768);
        }
        let log = ended(server, Instant::now(), Duration::ZERO);
        in_order(&log, &[IDLE]);
    }
}

#[test]
fn to_wait_costs_no_cpu() {
    let tree = Tree::new();
    let flags = ["--idle-timeout", "1h", "--session-timeout", "2h"];
    let mut server = launch(&tree, &flags).connect();
    server.call(&request::stat("/")).attrs();
    let before = server.ticks();
    std::thread::sleep(Duration::from_secs(1));
    assert!(server.ticks() - before <= 5);
    assert!(server.is_running());
}

#[test]
fn a_session_ends_at_its_time_whatever_it_does() {
    let tree = Tree::new();
    tree.file("f", vec![b'x'; 1 << 20]);
    let flags = ["--session-timeout", SHORT];
    let begun = Instant::now();

    // Nothing, not even INIT.
    let server = launch(&tree, &flags).start();
    in_order(&ended(server, begun, MOMENT), &[EXPIRED]);

    // READs without end.
    let begun = Instant::now();
    let mut server = launch(&tree, &flags).connect();
    let handle = server.open("f", pflags::READ);
    let reads = request::read(&handle, 0, 261_120).frame(7).repeat(100);
    while server.send_raw(&reads).is_ok() {
        server.forget();
        assert!(begun.elapsed() < LATE, "it goes on serving");
    }
    in_order(&ended(server, begun, MOMENT), &[EXPIRED]);

    // Small requests without end, which leave no pause.
    let begun = Instant::now();
    let mut server = launch(&tree, &flags).connect();
    let stats = request::stat("/").frame(7).repeat(1_000);
    while server.send_raw(&stats).is_ok() {
        server.forget();
        assert!(begun.elapsed() < LATE, "it goes on serving");
    }
    in_order(&ended(server, begun, MOMENT), &[EXPIRED]);

    // Half a packet.
    let begun = Instant::now();
    let mut server = launch(&tree, &flags).connect();
    let stat = request::stat("/").frame(7);
    server.send_raw(&stat[..stat.len() / 2]).unwrap();
    in_order(&ended(server, begun, MOMENT), &[EXPIRED]);

    // Answers that nobody reads.
    let begun = Instant::now();
    let mut server = launch(&tree, &flags).connect();
    let handle = server.open("f", pflags::READ);
    server.reading = false;
    server
        .send_raw(&request::read(&handle, 0, 261_120).frame(7).repeat(20))
        .unwrap();
    let log = ended(server, begun, MOMENT);
    in_order(&log, &[EXPIRED]);
    assert!(log.contains("forced close \"f\" bytes read "), "{log}");
}

#[test]
fn a_session_ends_at_its_time_with_requests_under_way() {
    let tree = Tree::new();
    let mut server = Fault::traced("fsync:delay_enter=500000", under_test(), &tree)
        .args(["-e", "-l", "INFO", "--session-timeout", "1s"])
        .connect();
    let begun = Instant::now();
    let handle = server.open("f", CREATE);
    // Of 64 at the same time: more than 20 seconds.
    server
        .send_raw(&request::fsync(&handle).frame(7).repeat(3_000))
        .unwrap();
    let log = ended(server, begun, Duration::ZERO);
    in_order(
        &log,
        &[
            "timeout: 1s since the start (--session-timeout)",
            "forced close \"f\" bytes read 0 written 0",
        ],
    );
}

#[test]
fn what_was_done_is_answered() {
    let tree = Tree::new();
    let mut server = Fault::traced("mkdir,mkdirat:delay_enter=10000", under_test(), &tree)
        .args(["--session-timeout", "1s"])
        .connect();
    // One burst of 10 s: in the middle of it there are always answers that have not left yet.
    let mkdirs: Vec<u8> = (0..1_000)
        .flat_map(|n| request::mkdir(format!("{n}"), &Attrs::NONE).frame(n))
        .collect();
    server.send_raw(&mkdirs).unwrap();
    assert_eq!(server.wait().code(), Some(0));
    let answers = server.drain();
    assert!(answers.len() > 10, "{}", answers.len());
    let made = std::fs::read_dir(tree.root()).unwrap().count();
    let done = answers.iter().filter(|(_, reply)| reply.code() == code::OK);
    assert_eq!(done.count(), made);
    for (n, (id, reply)) in answers.iter().enumerate() {
        // What was dropped stands behind all that was done.
        let code = if n < made { code::OK } else { code::FAILURE };
        assert_eq!((*id as usize, reply.code()), (n, code));
    }
}

#[test]
fn nothing_and_none_are_off_and_nonsense_is_refused() {
    let tree = Tree::new();
    for flag in ["--idle-timeout", "--session-timeout"] {
        for value in ["0", "none"] {
            let mut server = launch(&tree, &[flag, value]).connect();
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(server.code(&request::stat("missing")), code::NO_SUCH_FILE);
        }
        // Longer than any clock runs.
        let mut server = launch(&tree, &[flag, "100000000000d"]).connect();
        server.call(&request::stat("/")).attrs();
        let finished = launch(&tree, &[flag, "soon"]).run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1));
        assert!(
            finished.stderr_text().contains(&format!("Invalid {flag}")),
            "{finished:?}"
        );
    }
}
