//! One workload on all servers, taking turns.

use std::io;
use std::process::ExitCode;
use std::time::Instant;

use crate::client::Client;
use crate::fixture::{Fixture, Size};
use crate::machine::share_one_processor;
use crate::options::Options;
use crate::report::{Report, Run};
use crate::work::Work;

/// A workload: its name on the command line, its title in the table, and what it does.
pub(crate) type Workload = (&'static str, &'static str, Work);

/// Parses the command line, does what `run` does with files of the full or the quick size, reports, and tells of what went wrong.
pub(crate) fn main(
    head: &str,
    names: &[&str],
    [full, quick]: [Size; 2],
    run: impl FnOnce(&Options, &Fixture, &mut Report) -> io::Result<()>,
) -> ExitCode {
    let options = match Options::parse(head, names) {
        Ok(options) => options,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(if words.starts_with(head) { 0 } else { 1 });
        }
    };
    let whole = || {
        let size = if options.quick { quick } else { full };
        let fixture = Fixture::new(&options.folder, size)?;
        let mut report = Report::new(&options)?;
        if options.one_processor {
            share_one_processor()?;
        }
        run(&options, &fixture, &mut report)?;
        report.finish(&options)
    };
    match whole() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs those of `workloads` that are wanted. `start` begins a session with the server of that number; `finish` ends it and
/// tells its CPU seconds.
pub(crate) fn compare(
    options: &Options,
    fixture: &Fixture,
    report: &mut Report,
    workloads: &[Workload],
    start: impl Fn(usize) -> io::Result<Client>,
    finish: impl Fn(Client) -> io::Result<f64>,
) -> io::Result<()> {
    for (name, title, work) in workloads {
        if !options.wants(name) {
            continue;
        }
        eprintln!("{name} …");
        let once = |server: usize, verify| {
            work.prepare(fixture)?;
            let mut client = start(server)?;
            let clock = Instant::now();
            work.run(&mut client, fixture, verify)?;
            let seconds = clock.elapsed().as_secs_f64();
            Ok::<_, io::Error>(Run {
                seconds,
                cpu: finish(client)?,
            })
        };
        for server in 0..options.servers.len() {
            once(server, true)?;
        }
        for pair in 0..options.pairs {
            let mut runs = vec![Run::default(); options.servers.len()];
            for server in turns(pair, runs.len()) {
                runs[server] = once(server, false)?;
            }
            report.pair(name, title, runs);
        }
    }
    Ok(())
}

/// Who runs when. Who goes first changes from round to round: the next one finds warmer caches.
pub(crate) fn turns(round: usize, servers: usize) -> impl Iterator<Item = usize> {
    (0..servers).map(move |turn| (turn + round) % servers)
}
