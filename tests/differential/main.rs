//! Ours and OpenSSH's server side by side: seeded random sequences of requests, and every reply, the exit status and the
//! disk compared. `DIFFERENTIAL_SECONDS` says how long to go on with fresh seeds, `DIFFERENTIAL_SEED` replays one;
//! `SFTP_SERVER_REFERENCE=newest` compares with the newest OpenSSH instead of this machine's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod compare;
mod generate;
mod known;
mod model;
mod operation;
mod run;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use run::{Outcome, Sides, Who};
use support::openssh::{self, Release};
use support::{Tree, program, server, under_test};

/// Seeds that once failed, one a line: seed, `same` or `ordinary`, and after `#` what it found.
const SEEDS: &str = include_str!("seeds.txt");

/// Our program and OpenSSH's where an ordinary user can execute them.
struct Program {
    path: PathBuf,
    theirs: PathBuf,
    release: Release,
    _home: Tree,
}

impl Program {
    fn new() -> Self {
        let home = Tree::new();
        let theirs = openssh::reference();
        Self {
            path: server::copy_of(under_test(), &home),
            theirs: openssh::reachable(&theirs, &home),
            release: openssh::release(&theirs).expect("a release of OpenSSH"),
            _home: home,
        }
    }

    /// One to which every file is slow: so its requests overlap.
    fn on_slow_storage() -> Self {
        let fast = Self::new();
        let slow = fast.path.with_file_name("slow");
        let calls = "newfstatat,openat,pread64,pwrite64,getdents64,readlink,close";
        let script = format!(
            "#!/bin/sh\nexec strace -D -f -qqq -o /dev/null -e trace={calls} --inject={calls}:delay_enter=550 {} \"$@\"\n",
            fast.path.display()
        );
        program::script(&slow, &script);
        Self { path: slow, ..fast }
    }
}

/// Says which seed was running, however a test ends.
struct Running(u64, Who);

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!(
                "differential: it was seed {} as {:?}",
                self.0, self.1
            ));
        }
    }
}

/// Straight to stderr: libtest keeps back what a passing test prints.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|error| panic!("{name}={text}: {error}"))
    })
}

/// As whom sequences can be run here.
fn people() -> Vec<Who> {
    if nix::unistd::geteuid().is_root() {
        vec![Who::Same, Who::Ordinary]
    } else {
        vec![Who::Same]
    }
}

fn run(program: &Program, seed: u64, who: Who, other_args: &[&str]) -> Outcome {
    let _running = Running(seed, who);
    let sides = Sides {
        ours: &program.path,
        theirs: &program.theirs,
        release: program.release,
    };
    run::run(seed, who, &sides, other_args)
}

#[track_caller]
fn assert_equal(program: &Program, seed: u64, who: Who) -> BTreeMap<&'static str, u64> {
    match run(program, seed, who, &[]) {
        Ok(reasons) => reasons,
        Err(difference) => panic!("seed {seed} as {who:?}: {difference}"),
    }
}

#[test]
fn seeds_that_once_failed_find_no_difference() {
    let program = Program::new();
    for line in SEEDS
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let mut words = line.split_whitespace();
        let seed = words.next().unwrap().parse().unwrap();
        let who = match words.next() {
            Some("ordinary") => Who::Ordinary,
            Some("same") => Who::Same,
            other => panic!("seeds.txt says {other:?} of seed {seed}"),
        };
        if people().contains(&who) {
            assert_equal(&program, seed, who);
        } else {
            say(&format!(
                "differential: seed {seed} needs root to become an ordinary user"
            ));
        }
    }
}

#[test]
fn fresh_seeds_find_no_difference() {
    let program = Program::new();
    if let Some(seed) = variable("DIFFERENTIAL_SEED") {
        for who in people() {
            say(&format!(
                "differential: seed {seed} as {who:?}: {:?}",
                assert_equal(&program, seed, who)
            ));
        }
        return;
    }
    let first = fastrand::u64(..);
    let limit = Duration::from_secs(variable("DIFFERENTIAL_SECONDS").unwrap_or(20));
    say(&format!(
        "differential: seeds from {first} on, for {limit:?}; DIFFERENTIAL_SEED={first} replays the first"
    ));
    let end = Instant::now() + limit;
    let mut total: BTreeMap<&str, u64> = BTreeMap::new();
    let mut sequences = 0;
    while sequences == 0 || Instant::now() < end {
        for who in people() {
            for (reason, count) in assert_equal(&program, first.wrapping_add(sequences), who) {
                *total.entry(reason).or_default() += count;
            }
        }
        sequences += 1;
    }
    say(&format!(
        "differential: {sequences} sequences as each of {:?}; replies:",
        people()
    ));
    for (reason, count) in total {
        say(&format!("{count:>9} {reason}"));
    }
}

/// Requests that overlap have the outcome of one after another: as the one server that serves them so has it.
#[test]
fn on_slow_storage_there_is_no_difference() {
    let program = Program::on_slow_storage();
    let first = variable("DIFFERENTIAL_SEED").unwrap_or_else(|| fastrand::u64(..));
    let limit = Duration::from_secs(variable("DIFFERENTIAL_SECONDS").unwrap_or(20));
    say(&format!(
        "differential: on slow storage seeds from {first} on, for {limit:?}"
    ));
    let end = Instant::now() + limit;
    let mut sequences = 0;
    while sequences == 0 || Instant::now() < end {
        for who in people() {
            assert_equal(&program, first.wrapping_add(sequences), who);
        }
        sequences += 1;
    }
    say(&format!(
        "differential: {sequences} sequences on slow storage"
    ));
}

/// A comparison that never fails proves nothing: flags on one side alone have to be found.
#[test]
fn a_server_that_differs_is_caught() {
    let program = Program::new();
    for args in [
        &["-u", "027"][..],
        &["-R"],
        &["-P", "symlink"],
        &["-P", "limits"],
        &["-d", ".."],
    ] {
        let caught = (1..=20).find(|seed| run(&program, *seed, Who::Same, args).is_err());
        assert!(
            caught.is_some(),
            "20 sequences found no difference with {args:?} on one side"
        );
    }
}
