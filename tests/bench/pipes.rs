//! Ours beside OpenSSH's server, in turn, over pipes: wall time, CPU time and memory. `cargo bench -- --help` says how.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run fails by panicking"
)]

mod client;
mod fixture;
mod listing;
mod report;
mod work;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use client::{Client, Field, NAME, REALPATH, Transport};
use fixture::{Fixture, Size};
use report::{Report, Run, median};
use work::Work;

const USAGE: &str = r#"usage: cargo bench -- [--quick] [--pairs N] [--socketpair] [--dir DIR] [--json FILE]
                      [--ours SERVER] [--theirs SERVER] [WORKLOAD...]

Runs each WORKLOAD (all, if none is named) on ours and on OpenSSH's server in turn, N pairs of runs (5),
after a pass that compares every byte and is not measured. One JSON line a run goes to FILE, or to stdout,
and a Markdown table of the medians to stdout at the end.

  --quick         a tenth of the work, to see that it works
  --socketpair    one socket as stdin and stdout, as with sftp -D, in place of two pipes
  --dir DIR       where the files are made and removed ($TMPDIR)
  --ours, --theirs  other servers, each with its flags in one word; they start in the directory of the files: the price of a jail
                  is told by --ours "target/release/sftp-server --root ." --theirs target/release/sftp-server
"#;

struct Options {
    quick: bool,
    pairs: usize,
    transport: Transport,
    folder: PathBuf,
    json: Option<PathBuf>,
    servers: [(&'static str, Vec<String>); 2],
    names: Vec<String>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(if words == USAGE { 0 } else { 1 });
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pipes: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        quick: false,
        pairs: 5,
        transport: Transport::Pipes,
        folder: std::env::temp_dir(),
        json: None,
        servers: [
            ("ours", words_of(env!("CARGO_BIN_EXE_sftp-server"))),
            ("openssh", words_of("/usr/lib/openssh/sftp-server")),
        ],
        names: Vec::new(),
    };
    let known: Vec<&str> = work::ALL
        .iter()
        .map(|(name, ..)| *name)
        .chain(["start", "memory"])
        .collect();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} wants a value"));
        match word.as_str() {
            // cargo says so to every benchmark.
            "--bench" => {}
            "--help" | "-h" => return Err(USAGE.to_owned()),
            "--quick" => options.quick = true,
            "--socketpair" => options.transport = Transport::Socketpair,
            "--pairs" => options.pairs = value()?.parse().map_err(|_| "--pairs wants a number")?,
            "--dir" => options.folder = value()?.into(),
            "--json" => options.json = Some(value()?.into()),
            "--ours" => options.servers[0].1 = words_of(&value()?),
            "--theirs" => options.servers[1].1 = words_of(&value()?),
            name if known.contains(&name) => options.names.push(word),
            _ => {
                return Err(format!(
                    "no workload \"{word}\"; there are: {}",
                    known.join(" ")
                ));
            }
        }
    }
    if options.pairs == 0 {
        return Err("--pairs wants at least 1".to_owned());
    }
    Ok(options)
}

fn words_of(server: &str) -> Vec<String> {
    server.split_whitespace().map(str::to_owned).collect()
}

fn run(options: &Options) -> io::Result<()> {
    let size = if options.quick {
        Size::QUICK
    } else {
        Size::FULL
    };
    let fixture = Fixture::new(&options.folder, size)?;
    let mut report = Report::new(options.json.as_deref())?;
    let wanted = |name: &str| options.names.is_empty() || options.names.iter().any(|n| n == name);
    for (name, title, work) in work::ALL {
        if wanted(name) {
            eprintln!("{name} …");
            compare(options, &fixture, &mut report, (name, title), *work)?;
        }
    }
    if wanted("start") {
        eprintln!("start …");
        start(options, &fixture, &mut report)?;
    }
    if wanted("memory") {
        eprintln!("memory …");
        memory(options, &fixture, &mut report)?;
    }
    report.print();
    Ok(())
}

fn compare(
    options: &Options,
    fixture: &Fixture,
    report: &mut Report,
    name: (&'static str, &'static str),
    work: Work,
) -> io::Result<()> {
    let once = |server: &[String], verify| {
        work.prepare(fixture)?;
        let mut client = Client::start(server, fixture.top(), options.transport)?;
        let clock = Instant::now();
        work.run(&mut client, fixture, verify)?;
        let seconds = clock.elapsed().as_secs_f64();
        Ok::<_, io::Error>(Run {
            seconds,
            cpu: client.finish()?,
        })
    };
    for (_, program) in &options.servers {
        once(program, true)?;
    }
    for pair in 0..options.pairs {
        let mut runs = [Run::default(), Run::default()];
        // Who goes first changes from pair to pair: the second finds warmer caches.
        for turn in [pair % 2, 1 - pair % 2] {
            let (server, program) = &options.servers[turn];
            runs[turn] = once(program, false)?;
            report.line(name.0, server, pair, runs[turn]);
        }
        report.pair(name, runs);
    }
    Ok(())
}

/// Spawn, INIT, REALPATH, end of input, gone: the servers in turn, and the medians of all starts compared.
fn start(options: &Options, fixture: &Fixture, report: &mut Report) -> io::Result<()> {
    let name = ("start", "start: spawn, INIT, REALPATH, end");
    let mut taken = [const { Vec::new() }; 2];
    for round in 0..fixture.size.starts as usize {
        for turn in [round % 2, 1 - round % 2] {
            let clock = Instant::now();
            let client = opened(&options.servers[turn].1, fixture, options.transport)?;
            let cpu = client.finish()?;
            taken[turn].push(Run {
                seconds: clock.elapsed().as_secs_f64(),
                cpu,
            });
        }
    }
    let medians = taken.map(|runs| Run {
        seconds: median(runs.iter().map(|run| run.seconds)),
        cpu: runs.iter().map(|run| run.cpu).sum::<f64>() / runs.len() as f64,
    });
    for (turn, (server, _)) in options.servers.iter().enumerate() {
        report.line(name.0, server, 0, medians[turn]);
    }
    report.pair(name, medians);
    Ok(())
}

fn opened(server: &[String], fixture: &Fixture, transport: Transport) -> io::Result<Client> {
    let mut client = Client::start(server, fixture.top(), transport)?;
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
    for (server, program) in &options.servers {
        let mut client = opened(program, fixture, options.transport)?;
        let pid = client.pid();
        let [resident, proportional] =
            [("status", "VmRSS:"), ("smaps_rollup", "Pss:")].map(|(file, key)| kib(pid, file, key));
        for work in works {
            work.prepare(fixture)?;
            work.run(&mut client, fixture, false)?;
        }
        let peak = kib(pid, "status", "VmHWM:");
        client.finish()?;
        report.memory(server, [resident?, proportional?, peak?]);
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
