//! SIGTERM and SIGHUP end a session in order: handles closed, lines logged, gone at once, dead by that signal.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::fault::Fault;
use crate::support::request;
use crate::support::server::user;
use crate::support::wire::pflags;
use crate::support::{Launch, Server, Tree, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT;
pub(crate) const ENDING: [Signal; 2] = [Signal::SIGTERM, Signal::SIGHUP];

/// "Within a second or so", on a machine that may be busy.
const SOON: Duration = Duration::from_secs(5);

fn start(tree: &Tree) -> Launch {
    Launch::new(tree).args(["-e", "-l", "INFO"])
}

/// Sends the signal; the server dies by it, soon. What it logged.
#[track_caller]
pub(crate) fn ended_by(mut server: Server, signal: Signal) -> String {
    let pid = Pid::from_raw(server.pid() as i32);
    kill(pid, signal).unwrap();
    let sent = Instant::now();
    let status = server.wait();
    assert_eq!(status.signal(), Some(signal as i32), "{status}");
    assert!(sent.elapsed() < SOON, "gone after {:?}", sent.elapsed());
    server.stderr()
}

#[test]
fn an_idle_session_closes_its_handles_logs_them_and_dies_by_the_signal() {
    for signal in ENDING {
        let tree = Tree::new();
        let mut server = start(&tree).connect();
        let file = server.open("f", CREATE);
        server.ok(&request::write(&file, 0, b"acknowledged"));
        server.opendir(".");
        let log = ended_by(server, signal);
        assert!(
            log.contains("forced close \"f\" bytes read 0 written 12\r\n"),
            "{log}"
        );
        assert!(log.contains("forced closedir \".\"\r\n"), "{log}");
        assert!(
            log.ends_with(&format!(
                "session closed for local user {} from [UNKNOWN]\r\n",
                user()
            )),
            "{log}"
        );
        assert_eq!(tree.read("f"), b"acknowledged");
    }
}

#[test]
fn a_session_before_its_first_packet_dies_by_the_signal() {
    for signal in ENDING {
        let tree = Tree::new();
        let server = start(&tree).start();
        // Its first line says that it has started; without one it may not listen to signals yet.
        std::thread::sleep(Duration::from_millis(300));
        let log = ended_by(server, signal);
        let line = format!("session closed for local user {} ", user());
        assert!(log.contains(&line), "{log}");
    }
}

#[test]
fn a_session_whose_client_does_not_read_dies_by_the_signal() {
    for signal in ENDING {
        let tree = Tree::new();
        tree.file("f", vec![b'x'; 1 << 20]);
        let mut server = start(&tree).connect();
        let handle = server.open("f", pflags::READ);
        server.reading = false;
        for _ in 0..20 {
            server.send(&request::read(&handle, 0, 200_000));
        }
        std::thread::sleep(Duration::from_millis(200));
        let log = ended_by(server, signal);
        assert!(log.contains("forced close \"f\""), "{log}");
        assert!(log.contains("session closed"), "{log}");
    }
}

#[test]
fn a_long_copy_is_broken_off() {
    for signal in ENDING {
        let tree = Tree::new();
        tree.file("from", b"").metadata().unwrap();
        std::fs::File::options()
            .write(true)
            .open(tree.at("from"))
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        // Each step takes a while, as from slow storage, and none can be skipped.
        let calls = "copy_file_range,pread64,pwrite64,sendfile:delay_enter=50000";
        let launch = Fault::traced(calls, under_test(), &tree).args(["-e", "-l", "INFO"]);
        let mut server = Fault::around(&[Fault::no_holes()], || launch.connect());
        let (from, to) = (server.open("from", pflags::READ), server.open("to", CREATE));
        server.send(&request::copy_data(&from, 0, 0, &to, 0));
        std::thread::sleep(Duration::from_millis(300));
        let log = ended_by(server, signal);
        assert!(log.contains("forced close \"from\""), "{log}");
        assert!(log.contains("forced close \"to\""), "{log}");
    }
}

#[test]
fn requests_that_keep_coming_do_not_put_it_off() {
    for signal in ENDING {
        let tree = Tree::new();
        let mut server = start(&tree).connect();
        let pid = Pid::from_raw(server.pid() as i32);
        let signaller = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            kill(pid, signal).unwrap();
        });
        let frame = request::stat("/").frame(7);
        let burst = frame.repeat(1_000);
        let began = Instant::now();
        // Until the server has left, and its end of the pipe with it.
        while server.send_raw(&burst).is_ok() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "it goes on serving"
            );
        }
        signaller.join().unwrap();
        assert_eq!(server.wait().signal(), Some(signal as i32));
        assert!(server.stderr().contains("session closed"));
    }
}

#[test]
fn a_burst_of_slow_requests_is_broken_off() {
    for signal in ENDING {
        let tree = Tree::new();
        // All arrive at once, and their responses are too short to be sent before the last is done: a minute later.
        let mut server = Fault::traced("fsync:delay_enter=60000", under_test(), &tree)
            .args(["-e", "-l", "INFO"])
            .connect();
        let handle = server.open("f", CREATE);
        let burst = request::fsync(&handle).frame(7).repeat(1_000);
        server.send_raw(&burst).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        let log = ended_by(server, signal);
        assert!(log.contains("forced close \"f\""), "{log}");
        assert!(log.contains("session closed"), "{log}");
    }
}

#[test]
fn a_signal_that_was_ignored_by_who_started_us_ends_the_session_all_the_same() {
    // sh and nohup(1) leave signals ignored; then nobody can die by them, but the session ends in order.
    let tree = Tree::new();
    let mut server = Launch::program("sh", &tree)
        .args(["-c", r#"trap '' TERM; exec "$0" -e -l INFO"#])
        .args([under_test()])
        .connect();
    server.open("f", CREATE);
    let pid = Pid::from_raw(server.pid() as i32);
    kill(pid, Signal::SIGTERM).unwrap();
    server.wait();
    let log = server.stderr();
    assert!(log.contains("forced close \"f\""), "{log}");
    assert!(log.contains("session closed"), "{log}");
}
