//! Ours beside other servers where the storage is slow: 5 ms before each operation, but many operations at the same time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run fails by panicking"
)]
#![allow(dead_code, reason = "the other benchmark uses the rest")]

mod client;
mod fixture;
mod listing;
mod machine;
mod options;
mod plot;
mod report;
mod storage;
mod turns;
mod work;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use client::Client;
use fixture::{Fixture, Size};
use options::Options;
use report::Report;
use storage::Storage;
use turns::{Workload, compare};
use work::Work;

const USAGE: &str = r#"usage: cargo bench --bench slow --features slow-storage -- [--quick] [--pairs N] [--socketpair] [--one-processor]
           [--dir DIR] [--json FILE] [--svg FILE] [--ours SERVER] [--theirs SERVER]... [WORKLOAD...]

Runs each WORKLOAD (all, if none is named) on ours and on other servers in turn, after a pass that compares every byte
and is not measured. Ends with a Markdown table of the medians. The files are seen through FUSE (/dev/fuse, and fusermount3
where one is not root), which sleeps 5 ms before each operation; a server that waits for one before it begins the next needs
minutes here. Where it is interrupted the mount stays: fusermount3 -u DIR/sftp-bench.*.slow.
"#;

const DELAY: Duration = Duration::from_millis(5);

const WORKLOADS: &[Workload] = &[
    (
        "read-64",
        "READ, 32 KiB × 64 outstanding, anywhere",
        Work::ReadAnywhere {
            length: 32_768,
            window: 64,
        },
    ),
    ("stat-64", "STAT × 64", Work::StatEach { window: 64 }),
    (
        "get-files-16",
        "get small files, 16 at a time",
        Work::GetFiles { window: 16 },
    ),
    (
        "put-files-16",
        "put small files into one directory, 16 at a time",
        Work::PutFiles {
            window: 16,
            folders: 1,
        },
    ),
    // The kernel creates one name at a time in a directory, which bounds what is won in one of them.
    (
        "put-folders-16",
        "put small files into 16 directories, 16 at a time",
        Work::PutFiles {
            window: 16,
            folders: 16,
        },
    ),
    ("list", "list a directory, 3 times", Work::List { times: 3 }),
];

fn main() -> ExitCode {
    let names: Vec<&str> = WORKLOADS.iter().map(|(name, ..)| *name).collect();
    turns::main(USAGE, &names, [Size::SLOW, Size::SLOW_QUICK], run)
}

fn run(options: &Options, fixture: &Fixture, report: &mut Report) -> io::Result<()> {
    let storage = Storage::mount(fixture.top(), DELAY)?;
    let session = |server: usize| {
        let command = &options.servers[server].command;
        Client::start(command, storage.path(), options.transport)
    };
    compare(options, fixture, report, WORKLOADS, session, Client::finish)
}
