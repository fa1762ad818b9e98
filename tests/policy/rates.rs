//! `--download-rate` and `--upload-rate`: how long content takes at least, and what else goes on meanwhile.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::raw::Raw;
use crate::support::request;
use crate::support::wire::{Attrs, code, pflags};
use crate::support::{Launch, Packet, Server, Tree, under_test};

const CREATE: u32 = pflags::WRITE | pflags::CREAT;
const K: usize = 1024;

/// What a busy machine may add.
const LATE: Duration = Duration::from_secs(10);

/// The least time in which `bytes` pass at `rate` bytes a second, of which those of one second pass at once.
fn least(bytes: usize, rate: usize) -> Duration {
    Duration::from_secs_f64((bytes - rate) as f64 / rate as f64)
}

#[track_caller]
fn took(begun: Instant, least: Duration) {
    let took = begun.elapsed();
    assert!(took >= least, "{took:?}, not {least:?}");
    assert!(took < least + LATE, "{took:?}, not {least:?}");
}

/// Something that is nowhere the same.
fn content(bytes: usize) -> Vec<u8> {
    let words = (0..bytes / 4 + 1).flat_map(|n| (n as u32).to_be_bytes());
    words.take(bytes).collect()
}

fn reads(handle: &[u8], bytes: usize, each: usize) -> Vec<Packet> {
    let offsets = (0..bytes).step_by(each);
    offsets
        .map(|offset| request::read(handle, offset as u64, each as u32))
        .collect()
}

fn writes(handle: &[u8], content: &[u8], each: usize) -> Vec<Packet> {
    let pieces = content.chunks(each).enumerate();
    pieces
        .map(|(n, piece)| request::write(handle, (n * each) as u64, piece))
        .collect()
}

#[test]
fn a_download_takes_its_time_and_no_cpu() {
    let tree = Tree::new();
    let content = content(300 * K);
    tree.file("f", &content);
    let mut server = Server::with(&tree, ["--download-rate", "100K"]);
    let handle = server.open("f", pflags::READ);
    let before = server.ticks();
    let begun = Instant::now();
    let replies = server.pipeline(&reads(&handle, content.len(), 30 * K));
    took(begun, least(content.len(), 100 * K));
    let data: Vec<u8> = replies
        .iter()
        .flat_map(|reply| reply.data().to_vec())
        .collect();
    assert!(data == content);
    assert!(server.ticks() - before <= 10, "it spins");
    // One after the other, it is the same.
    let begun = Instant::now();
    for read in &reads(&handle, 100 * K, 20 * K) {
        server.call(read).data();
    }
    took(begun, Duration::from_millis(900));
}

#[test]
fn an_upload_takes_its_time_and_no_cpu() {
    let tree = Tree::new();
    let content = content(300 * K);
    let mut server = Server::with(&tree, ["--upload-rate", "100K"]);
    let handle = server.open("f", CREATE);
    let before = server.ticks();
    let begun = Instant::now();
    let mut bytes = Vec::new();
    for write in writes(&handle, &content, 30 * K) {
        bytes.extend(write.frame(7));
    }
    server.send_raw(&bytes).unwrap();
    // What waits is not on the disk yet.
    std::thread::sleep(Duration::from_millis(500));
    let early = tree.read("f").len();
    let allowed = 100 * K + (100 * K as u128 * begun.elapsed().as_millis() / 1000) as usize;
    assert!(early <= allowed, "{early}, not {allowed}");
    for _ in 0..10 {
        assert_eq!(server.receive().1.code(), code::OK);
    }
    took(begun, least(content.len(), 100 * K));
    assert!(server.ticks() - before <= 10, "it spins");
    assert!(tree.read("f") == content);
}

#[test]
fn what_is_longer_than_a_second_s_bytes_is_served_whole_and_what_is_behind_it_waits() {
    let tree = Tree::new();
    let content = content(261_120);
    tree.file("f", &content);
    let flags = ["--download-rate", "100K", "--upload-rate", "100K"];
    let mut server = Server::with(&tree, flags);
    let from = server.open("f", pflags::READ);
    let to = server.open("g", CREATE);
    let wait = least(content.len(), 100 * K);
    for long in [
        request::read(&from, 0, 261_120),
        request::write(&to, 0, &content),
    ] {
        let begun = Instant::now();
        let burst = [request::stat("f"), long, request::mkdir("d", &Attrs::NONE)];
        let sent = burst.map(|packet| server.send(&packet));
        let (id, reply) = server.receive();
        assert_eq!((id, reply.attrs().size), (sent[0], Some(261_120)));
        assert!(begun.elapsed() < wait, "what is before it does not wait");
        std::thread::sleep(wait / 2);
        assert!(begun.elapsed() > wait || !tree.at("d").exists());
        let (id, reply) = server.receive();
        took(begun, wait);
        assert_eq!(id, sent[1]);
        if let crate::support::Reply::Data(data) = reply {
            assert!(data == content);
        } else {
            assert_eq!(reply.code(), code::OK);
            assert!(tree.read("g") == content);
        }
        let (id, reply) = server.receive();
        assert_eq!((id, reply.code()), (sent[2], code::OK));
        server.ok(&request::rmdir("d"));
    }
}

#[test]
fn a_long_answer_comes_in_slices_as_it_is_paid_for() {
    let tree = Tree::new();
    let content = content(261_120);
    tree.file("f", &content);
    let (rate, header) = (64 * K, 13);
    for root in [&[][..], &["--root", "."]] {
        let flags = [&["--download-rate", "64K"], root].concat();
        let mut raw = Raw::start(&tree, &flags);
        raw.push(&request::open("f", pflags::READ, &Attrs::NONE).frame(0));
        let handle = raw.reply()[9..].to_vec();
        let begun = Instant::now();
        raw.push(&request::read(&handle, 0, 261_120).frame(1));
        raw.push(&request::stat("f").frame(2));
        let mut piece = vec![0; 64 * K];
        let (mut came, mut last, mut longest) = (Vec::new(), begun, Duration::ZERO);
        while came.len() < content.len() + header {
            let count = raw.read_some(&mut piece);
            came.extend_from_slice(&piece[..count]);
            let allowed = rate + (rate as f64 * begun.elapsed().as_secs_f64()) as usize + 64;
            assert!(came.len() <= allowed, "{} of {allowed}", came.len());
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        took(begun, least(content.len(), rate));
        assert!(
            longest < Duration::from_millis(1_500),
            "{longest:?} of silence"
        );
        assert!(came[header..][..content.len()] == content);
    }
}

#[test]
fn each_direction_has_its_own_rate_and_all_handles_share_it() {
    let tree = Tree::new();
    tree.file("f", content(200 * K));
    let mut server = Server::with(&tree, ["--upload-rate", "1K"]);
    let handle = server.open("f", pflags::READ);
    let begun = Instant::now();
    server.pipeline(&reads(&handle, 200 * K, 32 * K));
    took(begun, Duration::ZERO);

    let mut server = Server::with(&tree, ["--download-rate", "100K"]);
    let begun = Instant::now();
    for _ in 0..2 {
        let handle = server.open("f", pflags::READ);
        server.pipeline(&reads(&handle, 150 * K, 30 * K));
    }
    took(begun, least(300 * K, 100 * K));
    // Nor does it hold up what is no content, nor a copy within the server.
    tree.file("big", content(3_000 * K));
    let begun = Instant::now();
    let [from, to] =
        [("big", pflags::READ), ("g", CREATE)].map(|(name, flags)| server.open(name, flags));
    server.ok(&request::copy_data(&from, 0, 0, &to, 0));
    server.ok(&request::write(&to, 0, content(200 * K)));
    let dir = server.opendir(".");
    server.call(&request::readdir(&dir)).names();
    assert_eq!(
        server.code(&request::read(&from, 1 << 30, 32_768)),
        code::EOF
    );
    took(begun, Duration::ZERO);
}

/// A session that waits for a minute and more, in either direction, with an answer or a request on its way.
fn waiting(tree: &Tree, flags: &[&str]) -> [Server; 2] {
    tree.file("f", content(100 * K));
    ["--download-rate", "--upload-rate"].map(|rate| {
        let mut server = Launch::new(tree)
            .args(["-e", "-l", "INFO", rate, "1K"])
            .args(flags)
            .connect();
        let handle = server.open("f", pflags::READ | pflags::WRITE);
        server.send(&request::read(&handle, 0, 100 * K as u32));
        server.send(&request::write(&handle, 0, content(100 * K)));
        if rate == "--upload-rate" {
            server.receive().1.data();
        }
        server
    })
}

#[test]
fn signals_are_heard_meanwhile() {
    let tree = Tree::new();
    for mut server in waiting(&tree, &[]) {
        std::thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        kill(Pid::from_raw(server.pid() as i32), Signal::SIGTERM).unwrap();
        assert_eq!(server.wait().signal(), Some(Signal::SIGTERM as i32));
        took(begun, Duration::ZERO);
        assert!(server.stderr().contains("forced close \"f\""));
    }
}

#[test]
fn the_session_s_time_is_kept_meanwhile_and_it_is_not_idle() {
    let tree = Tree::new();
    let flags = ["--session-timeout", "1.5s", "--idle-timeout", "0.3s"];
    let begun = Instant::now();
    for mut server in waiting(&tree, &flags) {
        assert_eq!(server.wait().code(), Some(0));
        assert!(begun.elapsed() >= Duration::from_millis(1_500));
        let log = server.stderr();
        assert!(log.contains("timeout: 1.5s since the start"), "{log}");
        assert!(log.contains("forced close \"f\""), "{log}");
    }
    took(begun, Duration::ZERO);
}

#[test]
fn the_time_of_an_idle_client_begins_when_it_was_answered() {
    let tree = Tree::new();
    tree.file("f", content(300 * K));
    let flags = ["--download-rate", "100K", "--idle-timeout", "1.5s"];
    let mut server = Server::with(&tree, flags);
    let handle = server.open("f", pflags::READ);
    server.pipeline(&reads(&handle, 300 * K, 100 * K));
    std::thread::sleep(Duration::from_millis(100));
    server.call(&request::fstat(&handle)).attrs();
}

#[test]
fn a_client_that_leaves_is_not_waited_for() {
    let tree = Tree::new();
    tree.file("f", content(100 * K));
    for rate in ["--download-rate", "--upload-rate"] {
        let mut raw = Raw::start(&tree, &[rate, "1K"]);
        raw.push(&request::open("f", pflags::READ | pflags::WRITE, &Attrs::NONE).frame(0));
        let handle = raw.reply()[9..].to_vec();
        let request = if rate == "--upload-rate" {
            request::write(&handle, 0, content(50 * K))
        } else {
            request::read(&handle, 0, 50 * K as u32)
        };
        raw.push(&request.frame(1));
        std::thread::sleep(Duration::from_millis(300));
        assert!(raw.is_running());
        let begun = Instant::now();
        raw.stop_reading();
        assert_eq!(raw.ask_until_it_leaves().0.code(), Some(0));
        took(begun, Duration::ZERO);
    }
}

#[test]
fn a_client_that_goes_on_sending_is_not_read_from_and_memory_stays_small() {
    let tree = Tree::new();
    tree.file("f", content(261_120));
    for rate in ["--download-rate", "--upload-rate"] {
        let mut raw = Raw::start(&tree, &[rate, "1K"]);
        raw.push(&request::open("f", pflags::READ | pflags::WRITE, &Attrs::NONE).frame(0));
        let handle = raw.reply()[9..].to_vec();
        let request = if rate == "--upload-rate" {
            request::write(&handle, 0, content(200 * K))
                .frame(1)
                .repeat(50)
        } else {
            request::read(&handle, 0, 261_120).frame(1).repeat(200_000)
        };
        let taken = raw.push(&request);
        assert!(taken < 2 << 20, "{taken} of {}", request.len());
        raw.idles();
        let peak = raw.memory("VmHWM:");
        assert!(peak < 12 * 1024, "{peak} KiB");
    }
}

#[test]
fn requests_that_overlap_on_slow_storage_obey_and_keep_their_order() {
    let tree = Tree::new();
    let content = content(300 * K);
    tree.file("f", &content);
    let calls = "pread64,pwrite64";
    let [trace, inject] = [
        format!("trace={calls}"),
        format!("inject={calls}:delay_enter=5000"),
    ];
    let strace = ["strace", "-D", "-f", "-qqq", "-o", "/dev/null"];
    let mut server = Launch::program(under_test(), &tree)
        .through(&[&strace[..], &["-e", &trace, "-e", &inject]].concat())
        .args(["--download-rate", "100K", "--upload-rate", "100K"])
        .connect();
    let [from, to] =
        [("f", pflags::READ), ("g", CREATE)].map(|(name, flags)| server.open(name, flags));
    let begun = Instant::now();
    let replies = server.pipeline(&reads(&from, content.len(), 4 * K));
    took(begun, least(content.len(), 100 * K));
    let data: Vec<u8> = replies
        .iter()
        .flat_map(|reply| reply.data().to_vec())
        .collect();
    assert!(data == content);
    let begun = Instant::now();
    for reply in server.pipeline(&writes(&to, &content, 4 * K)) {
        assert_eq!(reply.code(), code::OK);
    }
    took(begun, least(content.len(), 100 * K));
    assert!(tree.read("g") == content);
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    assert!(!status.contains("\nThreads:\t1\n"), "nothing overlapped");
}

#[test]
fn at_the_end_of_input_what_has_arrived_is_answered_in_its_time() {
    let tree = Tree::new();
    let content = content(200 * K);
    tree.file("f", &content);
    let mut server = Server::with(&tree, ["--download-rate", "100K"]);
    let handle = server.open("f", pflags::READ);
    let begun = Instant::now();
    for read in &reads(&handle, content.len(), 50 * K) {
        server.send(read);
    }
    server.close_input();
    let answers = server.drain();
    took(begun, least(content.len(), 100 * K));
    let data: Vec<u8> = answers
        .iter()
        .flat_map(|(_, reply)| reply.data().to_vec())
        .collect();
    assert!(data == content);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn nothing_and_none_are_off_and_nonsense_is_refused() {
    let tree = Tree::new();
    let content = content(261_120);
    for value in ["0", "none"] {
        let flags = ["--download-rate", value, "--upload-rate", value];
        let mut server = Server::with(&tree, flags);
        let handle = server.open("f", CREATE | pflags::READ);
        server.ok(&request::write(&handle, 0, &content));
        assert!(server.call(&request::read(&handle, 0, 261_120)).data() == content);
    }
    for flag in ["--download-rate", "--upload-rate"] {
        let launch = Launch::new(&tree).args([flag, "fast"]);
        let finished = launch.run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1));
        assert!(
            finished.stderr_text().contains(&format!("Invalid {flag}")),
            "{finished:?}"
        );
    }
}
