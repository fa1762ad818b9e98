//! What was measured, as JSON lines while it goes, as a Markdown table and as a picture at the end.

use std::fs::File;
use std::io::{self, Write};

use crate::options::Options;
use crate::plot;

/// Wall time and CPU time of one run, in seconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) cpu: f64,
}

pub(crate) struct Report {
    json: Box<dyn Write>,
    /// The names of the servers: ours, the others.
    servers: Vec<String>,
    rows: Vec<Row>,
    memory: Vec<[u64; 3]>,
}

/// A workload, and its rounds: in each, a run of every server.
struct Row {
    title: &'static str,
    rounds: Vec<Vec<Run>>,
}

/// What the pairs of ours and another server say: the median, the lowest and the highest of their ratios.
pub(crate) struct Ratio {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Rows that nothing disturbed stayed within 1.3 in the runs that this was chosen by; with a build beside them rows of 5 pairs
/// began at 1.5 and went to many times that.
const WIDE: f64 = 1.5;

impl Report {
    pub(crate) fn new(options: &Options) -> io::Result<Report> {
        let json: Box<dyn Write> = match &options.json {
            Some(path) => Box::new(File::create(path)?),
            None => Box::new(io::stdout()),
        };
        Ok(Report {
            json,
            servers: options.servers.iter().map(|s| s.name.clone()).collect(),
            rows: Vec::new(),
            memory: Vec::new(),
        })
    }

    /// One run of every server.
    pub(crate) fn pair(&mut self, workload: &str, title: &'static str, runs: Vec<Run>) {
        if self.rows.last().is_none_or(|row| row.title != title) {
            self.rows.push(Row {
                title,
                rounds: Vec::new(),
            });
        }
        let pair = self.rows.last().map_or(0, |row| row.rounds.len());
        for (server, Run { seconds, cpu }) in self.servers.iter().zip(&runs) {
            let line = format!(
                r#"{{"workload":"{workload}","server":{server:?},"pair":{pair},"seconds":{seconds:.6},"cpu":{cpu:.6}}}"#
            );
            writeln!(self.json, "{line}").expect("the JSON lines can be written");
        }
        if let Some(row) = self.rows.last_mut() {
            row.rounds.push(runs);
        }
    }

    /// Resident and proportional when idle, resident at most; in KiB.
    pub(crate) fn memory(&mut self, server: &str, figures: [u64; 3]) {
        let [resident, proportional, peak] = figures;
        writeln!(
            self.json,
            r#"{{"workload":"memory","server":{server:?},"rss_kib":{resident},"pss_kib":{proportional},"peak_kib":{peak}}}"#
        )
        .expect("the JSON lines can be written");
        self.memory.push(figures);
    }

    /// Prints what was found, and draws it if that is asked for.
    pub(crate) fn finish(&self, options: &Options) -> io::Result<()> {
        self.print();
        let Some(path) = &options.svg else {
            return Ok(());
        };
        let rows = self.rows.iter().map(|row| (row.title, row.speed(1)));
        let rows: Vec<_> = rows.collect();
        std::fs::write(path, plot::svg(&self.servers[1], &rows))
    }

    /// Speed is their time over ours, so more is better; CPU is ours over theirs, so less is. Medians of the pairs' ratios;
    /// the times themselves are in the JSON lines, and mean little on another machine.
    fn print(&self) {
        if !self.rows.is_empty() {
            print!("\n| workload |");
            for (other, name) in self.servers.iter().enumerate().skip(1) {
                // The first one's columns are those of README.
                let of = if other == 1 {
                    String::new()
                } else {
                    format!("{name}: ")
                };
                print!(" {of}speed | CPU |");
            }
            println!("\n|---|{}", "---|---|".repeat(self.servers.len() - 1));
        }
        for row in &self.rows {
            print!("| {} |", row.title);
            for other in 1..self.servers.len() {
                let (speed, cpu) = (row.speed(other), row.cpu(other));
                print!(" {} | {:.2} |", speed.words(), cpu.median);
            }
            println!();
        }
        self.print_noise();
        if !self.memory.is_empty() {
            println!("\n| memory of a session | {} |", self.servers.join(" | "));
            println!("|---|{}", "---|".repeat(self.servers.len()));
            let titles = [
                "idle, resident",
                "idle, its share (PSS)",
                "at most, while busy",
            ];
            for (which, title) in titles.iter().enumerate() {
                print!("| {title} |");
                self.memory
                    .iter()
                    .for_each(|figures| print!(" {} KiB |", figures[which]));
                println!();
            }
        }
    }

    /// Which medians say little, as the machine had other things to do.
    fn print_noise(&self) {
        let rows = self.rows.iter();
        let wide: Vec<String> = rows
            .flat_map(|row| (1..self.servers.len()).map(move |other| (row, other)))
            .filter(|(row, other)| row.speed(*other).is_wide())
            .map(|(row, other)| format!("- {} ({})", row.title, self.servers[other]))
            .collect();
        if !wide.is_empty() {
            println!(
                "\nToo noisy to judge, as the highest ratio of the pairs is more than {WIDE} times the lowest:\n\n{}",
                wide.join("\n")
            );
        }
    }
}

impl Ratio {
    /// As `4.45× (4.31–4.60)`: the median, the lowest and the highest of the pairs.
    fn words(&self) -> String {
        let Ratio { median, low, high } = self;
        format!("{median:.2}× ({low:.2}–{high:.2})")
    }

    fn is_wide(&self) -> bool {
        self.high > WIDE * self.low
    }
}

impl Row {
    /// The time of the server `other` over ours.
    fn speed(&self, other: usize) -> Ratio {
        self.ratio(|runs| runs[other].seconds / runs[0].seconds)
    }

    /// Our CPU seconds over those of the server `other`.
    fn cpu(&self, other: usize) -> Ratio {
        self.ratio(|runs| runs[0].cpu / runs[other].cpu)
    }

    fn ratio(&self, of: impl Fn(&Vec<Run>) -> f64) -> Ratio {
        let ratios = || self.rounds.iter().map(&of);
        Ratio {
            median: median(ratios()),
            low: ratios().fold(f64::INFINITY, f64::min),
            high: ratios().fold(0.0, f64::max),
        }
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        (values[middle - 1] + values[middle]) / 2.0
    }
}
