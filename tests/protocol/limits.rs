//! `limits@openssh.com`: four 64-bit fields that tell the truth.

use crate::support::request;
use crate::support::wire::Fields;
use crate::support::{Launch, Tree, is_jailed};

fn limits(launch: Launch) -> [u64; 4] {
    let reply = launch.connect().call(&request::limits());
    let mut fields = Fields(reply.extended());
    let all = [
        fields.uint64(),
        fields.uint64(),
        fields.uint64(),
        fields.uint64(),
    ];
    fields.end();
    all
}

#[test]
fn packets_reads_and_writes_are_as_long_as_openssh_s() {
    let tree = Tree::new();
    let [packet, read, write, _] = limits(Launch::new(&tree));
    assert_eq!((packet, read, write), (262_144, 261_120, 261_120));
}

/// That the promise holds is proven in handles.rs.
#[test]
fn open_handles_follow_the_limit_of_the_process() {
    let tree = Tree::new();
    for limit in [100, 256, 1000] {
        let handles =
            limits(Launch::new(&tree).through(&["prlimit", &format!("--nofile={limit}:{limit}")]))
                [3];
        // In a jail the way to a file takes some for a moment.
        let spared = if is_jailed() { 30 } else { 20 };
        assert!(
            (limit - spared..limit).contains(&handles),
            "{handles} of {limit}"
        );
    }
}
