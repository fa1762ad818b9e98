//! Ours beside other servers, in turn, over pipes: wall time, CPU time and memory. `cargo bench -- --help` says how.
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
mod turns;
mod work;

use std::fs;
use std::io;
use std::process::ExitCode;
use std::time::Instant;

use client::{Client, Field, NAME, REALPATH, Transport};
use fixture::{Fixture, Size};
use options::{Options, Server};
use report::{Report, Run, median};
use turns::{Workload, compare, turns};
use work::Work;

const USAGE: &str = r#"usage: cargo bench -- [--quick] [--pairs N] [--socketpair] [--one-processor] [--dir DIR] [--json FILE] [--svg FILE]
                      [--ours SERVER] [--theirs SERVER]... [WORKLOAD...]

Runs each WORKLOAD (all, if none is named) on ours and on other servers in turn, after a pass that compares every byte
and is not measured. Ends with a Markdown table of the medians.
"#;

const WORKLOADS: &[Workload] = &[
    (
        "get-32k-64",
        "get, 32 KiB × 64 outstanding",
        Work::Get {
            length: 32_768,
            window: 64,
        },
    ),
    (
        "get-255k-64",
        "get, 255 KiB × 64",
        Work::Get {
            length: 261_120,
            window: 64,
        },
    ),
    (
        "get-32k-1",
        "get, 32 KiB × 1",
        Work::Get {
            length: 32_768,
            window: 1,
        },
    ),
    (
        "put-32k-64",
        "put, 32 KiB × 64",
        Work::Put {
            length: 32_768,
            window: 64,
        },
    ),
    (
        "put-255k-64",
        "put, 255 KiB × 64",
        Work::Put {
            length: 261_120,
            window: 64,
        },
    ),
    (
        "put-32k-1",
        "put, 32 KiB × 1",
        Work::Put {
            length: 32_768,
            window: 1,
        },
    ),
    (
        "get-files-16",
        "get small files, 16 at a time",
        Work::GetFiles { window: 16 },
    ),
    (
        "get-files-1",
        "get small files, one at a time",
        Work::GetFiles { window: 1 },
    ),
    (
        "put-files-16",
        "put small files, 16 at a time",
        Work::PutFiles {
            window: 16,
            folders: 1,
        },
    ),
    (
        "put-files-1",
        "put small files, one at a time",
        Work::PutFiles {
            window: 1,
            folders: 1,
        },
    ),
    (
        "stat-64",
        "STAT × 64",
        Work::Stat {
            deep: false,
            window: 64,
        },
    ),
    (
        "stat-deep-64",
        "STAT × 64, ten directories down",
        Work::Stat {
            deep: true,
            window: 64,
        },
    ),
    (
        "stat-1",
        "STAT × 1",
        Work::Stat {
            deep: false,
            window: 1,
        },
    ),
    ("list", "list a large directory", Work::List { times: 1 }),
    ("walk", "walk a tree of directories", Work::Walk),
];

fn main() -> ExitCode {
    let mut names: Vec<&str> = WORKLOADS.iter().map(|(name, ..)| *name).collect();
    names.extend(["start", "memory"]);
    turns::main(USAGE, &names, [Size::FULL, Size::QUICK], run)
}

fn run(options: &Options, fixture: &Fixture, report: &mut Report) -> io::Result<()> {
    let session = |server: usize| {
        let command = &options.servers[server].command;
        Client::start(command, fixture.top(), options.transport)
    };
    compare(options, fixture, report, WORKLOADS, session, Client::finish)?;
    if options.wants("start") {
        eprintln!("start …");
        start(options, fixture, report)?;
    }
    if options.wants("memory") {
        eprintln!("memory …");
        memory(options, fixture, report)?;
    }
    Ok(())
}

/// Spawn, INIT, REALPATH, end of input, gone: as many pairs as elsewhere, each of the medians of many starts in turn.
fn start(options: &Options, fixture: &Fixture, report: &mut Report) -> io::Result<()> {
    for _ in 0..options.pairs {
        let mut taken = vec![Vec::new(); options.servers.len()];
        for round in 0..fixture.size.starts as usize {
            for server in turns(round, taken.len()) {
                let clock = Instant::now();
                let client = opened(&options.servers[server], fixture, options.transport)?;
                let cpu = client.finish()?;
                taken[server].push(Run {
                    seconds: clock.elapsed().as_secs_f64(),
                    cpu,
                });
            }
        }
        let medians = taken.iter().map(|runs| Run {
            seconds: median(runs.iter().map(|run| run.seconds)),
            cpu: runs.iter().map(|run| run.cpu).sum::<f64>() / runs.len() as f64,
        });
        report.pair(
            "start",
            "start: spawn, INIT, REALPATH, end",
            medians.collect(),
        );
    }
    Ok(())
}

fn opened(server: &Server, fixture: &Fixture, transport: Transport) -> io::Result<Client> {
    let mut client = Client::start(&server.command, fixture.top(), transport)?;
    client.request(REALPATH, &[Field::Bytes(b".")]);
    client.call(NAME)?;
    Ok(client)
}

/// What an idle session occupies, and what the most of a busy one was.
fn memory(options: &Options, fixture: &Fixture, report: &mut Report) -> io::Result<()> {
    let works = [
        Work::Get {
            length: 261_120,
            window: 64,
        },
        Work::Put {
            length: 261_120,
            window: 64,
        },
    ];
    for server in &options.servers {
        let mut client = opened(server, fixture, options.transport)?;
        let pid = client.pid();
        let [resident, proportional] =
            [("status", "VmRSS:"), ("smaps_rollup", "Pss:")].map(|(file, key)| kib(pid, file, key));
        for work in works {
            work.prepare(fixture)?;
            work.run(&mut client, fixture, false)?;
        }
        let peak = kib(pid, "status", "VmHWM:");
        client.finish()?;
        report.memory(&server.name, [resident?, proportional?, peak?]);
    }
    Ok(())
}

/// A figure of /proc/PID, in KiB.
fn kib(pid: u32, file: &str, key: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    text.lines()
        .find_map(|line| {
            line.strip_prefix(key)?
                .trim()
                .strip_suffix(" kB")?
                .parse()
                .ok()
        })
        .ok_or(io::Error::other(format!("/proc/{pid}/{file} has no {key}")))
}
