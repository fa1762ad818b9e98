//! Many requests outstanding: answers in the order of the requests, and the outcome as if one had run after another.

use crate::start;
use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Launch, Packet, Reply, Tree, request};

#[test]
fn ten_thousand_requests_are_answered_in_their_order() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let handle = server.open("file", pflags::READ);
    let requests: Vec<Packet> = (0..10_000)
        .map(|n| match n % 4 {
            0 => request::stat("file"),
            1 => request::read(&handle, 0, 100),
            2 => request::realpath("file"),
            _ => request::stat("missing"),
        })
        .collect();
    for (n, reply) in server.pipeline(&requests).iter().enumerate() {
        match n % 4 {
            0 => assert_eq!(reply.attrs().size, Some(7)),
            1 => assert_eq!(reply.data(), b"content"),
            2 => assert_eq!(reply.name(), tree.path("file")),
            _ => assert_eq!(reply.code(), code::NO_SUCH_FILE),
        }
    }
}

/// A client that waits for the first of them is at work while the rest is served.
#[test]
fn answers_to_a_long_burst_leave_before_all_of_it_is_served() {
    let (tree, traces) = (Tree::new(), Tree::new());
    let trace = traces.at("trace").display().to_string();
    let strace = ["strace", "-D", "-qqq", "-e", "trace=write", "-o", &trace];
    let mut server = Launch::new(&tree).through(&strace).connect();
    let requests: Vec<Packet> = (0..200).map(|_| request::stat(".")).collect();
    assert_eq!(server.pipeline(&requests).len(), 200);
    server.finish();
    let trace = std::fs::read_to_string(trace).unwrap();
    let writes = trace.lines().filter(|line| line.starts_with("write(1,"));
    // One of them is VERSION.
    let writes = writes.count();
    assert!(
        writes > 4,
        "200 answers and VERSION left in {writes} writes"
    );
}

#[test]
fn writes_that_overlap_take_effect_in_their_order() {
    let (tree, mut server) = start();
    let handle = server.open("file", pflags::WRITE | pflags::CREAT);
    let mut expected = vec![0; 2000];
    let mut requests = Vec::new();
    for n in 0..1000_usize {
        let byte = (n % 251) as u8 + 1;
        let (start, length) = (n * 7 % 1000, 1 + n % 1000);
        expected[start..start + length].fill(byte);
        requests.push(request::write(&handle, start as u64, vec![byte; length]));
    }
    assert!(
        server
            .pipeline(&requests)
            .iter()
            .all(|reply| reply.code() == code::OK)
    );
    let length = expected.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    assert_eq!(tree.read("file"), expected[..length]);
}

#[test]
fn each_request_sees_what_the_one_before_it_did() {
    let (tree, mut server) = start();
    let mut requests = Vec::new();
    for n in 0..200 {
        requests.extend([
            request::mkdir("d", &Attrs::NONE),
            request::rename("d", format!("e{n}")),
            request::stat("d"),
            request::rmdir(format!("e{n}")),
        ]);
    }
    for round in server.pipeline(&requests).chunks(4) {
        let codes: Vec<u32> = round.iter().map(Reply::code).collect();
        assert_eq!(codes, [code::OK, code::OK, code::NO_SUCH_FILE, code::OK]);
    }
    assert!(tree.names("").is_empty());
}

/// lftp sends WRITEs, FSETSTAT and CLOSE before it reads a reply.
#[test]
fn write_set_times_and_close_without_waiting_leave_the_file_as_asked() {
    let (tree, mut server) = start();
    let handle = server.open("file", pflags::WRITE | pflags::CREAT | pflags::TRUNC);
    let mut requests: Vec<Packet> = (0..64)
        .map(|n| request::write(&handle, n * 32768, vec![n as u8; 32768]))
        .collect();
    requests.push(request::fsetstat(
        &handle,
        &Attrs::NONE.size(64 * 32768 - 5).times(1_000, 2_000),
    ));
    requests.push(request::close(&handle));
    requests.push(request::stat("file"));
    let replies = server.pipeline(&requests);
    assert_eq!(replies.last().unwrap().attrs().size, Some(64 * 32768 - 5));
    assert_eq!(replies.last().unwrap().attrs().times, Some((1_000, 2_000)));
    assert_eq!(tree.read("file").len(), 64 * 32768 - 5);
}

#[test]
fn reads_outstanding_by_the_hundred_return_the_right_bytes() {
    let (tree, mut server) = start();
    let content: Vec<u8> = (0..3_000_000_u32)
        .flat_map(|n| (n % 65521).to_be_bytes())
        .take(5_000_000)
        .collect();
    tree.file("file", &content);
    let handle = server.open("file", pflags::READ);
    let requests: Vec<Packet> = (0..160)
        .map(|n| request::read(&handle, n * 32768, 32768))
        .collect();
    let mut got: Vec<u8> = Vec::new();
    for (n, reply) in server.pipeline(&requests).iter().enumerate() {
        match content.len().checked_sub(n * 32768) {
            Some(left) if left > 0 => {
                assert_eq!(reply.data().len(), left.min(32768));
                got.extend(reply.data());
            }
            _ => assert_eq!(
                reply.code(),
                code::EOF,
                "psftp asks past the end as a matter of course"
            ),
        }
    }
    assert!(got == content);
}
