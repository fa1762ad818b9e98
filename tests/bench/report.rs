//! What was measured, as JSON lines while it goes and as a Markdown table at the end.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Wall time and CPU time of one run, in seconds.
#[derive(Clone, Copy, Default)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) cpu: f64,
}

pub(crate) struct Report {
    json: Box<dyn Write>,
    rows: Vec<Row>,
    memory: Vec<[u64; 3]>,
}

/// A workload, and its pairs of runs: ours, theirs.
struct Row {
    title: &'static str,
    pairs: Vec<[Run; 2]>,
}

impl Report {
    pub(crate) fn new(json: Option<&Path>) -> io::Result<Report> {
        let json: Box<dyn Write> = match json {
            Some(path) => Box::new(File::create(path)?),
            None => Box::new(io::stdout()),
        };
        Ok(Report {
            json,
            rows: Vec::new(),
            memory: Vec::new(),
        })
    }

    pub(crate) fn line(&mut self, workload: &str, server: &str, pair: usize, run: Run) {
        let Run { seconds, cpu } = run;
        self.json(&format!(
            r#"{{"workload":"{workload}","server":"{server}","pair":{pair},"seconds":{seconds:.6},"cpu":{cpu:.6}}}"#
        ));
    }

    pub(crate) fn pair(&mut self, (_, title): (&str, &'static str), runs: [Run; 2]) {
        match self.rows.iter_mut().find(|row| row.title == title) {
            Some(row) => row.pairs.push(runs),
            None => self.rows.push(Row {
                title,
                pairs: vec![runs],
            }),
        }
    }

    /// Resident and proportional when idle, resident at most; in KiB.
    pub(crate) fn memory(&mut self, server: &str, [resident, proportional, peak]: [u64; 3]) {
        self.json(&format!(
            r#"{{"workload":"memory","server":"{server}","rss_kib":{resident},"pss_kib":{proportional},"peak_kib":{peak}}}"#
        ));
        self.memory.push([resident, proportional, peak]);
    }

    fn json(&mut self, line: &str) {
        writeln!(self.json, "{line}").expect("the JSON lines can be written");
    }

    /// Speed is OpenSSH's time over ours, so more is better; CPU is ours over OpenSSH's, so less is. Medians of the pairs'
    /// ratios; the times themselves are in the JSON lines, and mean little on another machine.
    pub(crate) fn print(&self) {
        if !self.rows.is_empty() {
            println!("\n| workload | speed | CPU |\n|---|---|---|");
        }
        for Row { title, pairs } in &self.rows {
            let speed = median(
                pairs
                    .iter()
                    .map(|[ours, theirs]| theirs.seconds / ours.seconds),
            );
            let cpu = median(pairs.iter().map(|[ours, theirs]| ours.cpu / theirs.cpu));
            println!("| {title} | {speed:.2}× | {cpu:.2} |");
        }
        if let [ours, theirs] = self.memory[..] {
            println!("\n| memory of a session | ours | OpenSSH |\n|---|---|---|");
            let titles = [
                "idle, resident",
                "idle, its share (PSS)",
                "at most, while busy",
            ];
            for (title, (ours, theirs)) in titles.iter().zip(ours.iter().zip(theirs)) {
                println!("| {title} | {ours} KiB | {theirs} KiB |");
            }
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
