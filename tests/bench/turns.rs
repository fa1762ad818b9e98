//! One workload on all servers, taking turns.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use crate::client::Client;
use crate::fixture::Fixture;
use crate::options::Options;
use crate::report::{Report, Run};
use crate::work::Work;

/// A workload: its name on the command line, its title in the table, and what it does.
pub(crate) type Workload = (&'static str, &'static str, Work);

/// Parses the command line, does what `run` does, and tells of what went wrong.
pub(crate) fn main(
    head: &str,
    names: &[&str],
    run: impl FnOnce(&Options) -> io::Result<()>,
) -> ExitCode {
    let options = match Options::parse(head, names) {
        Ok(options) => options,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(if words.starts_with(head) { 0 } else { 1 });
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs those of `workloads` that are wanted, the servers started in `folder`.
pub(crate) fn compare(
    options: &Options,
    fixture: &Fixture,
    folder: &Path,
    report: &mut Report,
    workloads: &[Workload],
) -> io::Result<()> {
    for (name, title, work) in workloads {
        if !options.wants(name) {
            continue;
        }
        eprintln!("{name} …");
        let once = |server: usize, verify| {
            work.prepare(fixture)?;
            let command = &options.servers[server].command;
            let mut client = Client::start(command, folder, options.transport)?;
            let clock = Instant::now();
            work.run(&mut client, fixture, verify)?;
            let seconds = clock.elapsed().as_secs_f64();
            Ok::<_, io::Error>(Run {
                seconds,
                cpu: client.finish()?,
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
