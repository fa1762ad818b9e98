//! The generated matrix: every request and extension, by every way to name a thing, ours in its jail beside the oracle.
//!
//! A cell is one probe and one way; it is equal when the replies are and, where something was done, the disks are.
//! Differences on purpose are a table with reasons (`known.rs`).

use std::collections::BTreeMap;

use crate::compare::{brief, equal, masked};
use crate::ground::Plan;
use crate::known;
use crate::plan;
use crate::probes::{Effect, PAIRS, PROBES, Probe, succeeded};
use crate::sides::{Setup, Side, Who};
use crate::support::wire::{Packet, Reply};
use crate::support::{Snapshot, show};
use crate::ways;

/// How many cells that differ are printed.
const SHOWN: usize = 60;

/// One request of a cell and its replies.
struct Exchange {
    packet: Packet,
    reply: Reply,
}

/// Both sides, what they looked like at first, and what came of the cells.
struct Matrix {
    sides: [Side; 2],
    pins: [Vec<Option<u64>>; 2],
    /// The disk before the first request.
    first: Snapshot,
    cells: usize,
    changes: usize,
    known: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

impl Matrix {
    fn new(setup: Setup, plan: &Plan, oracle: Who) -> Self {
        let sides = subject_and(oracle).map(|who| Side::new(who, setup, plan));
        let pins = [0, 1].map(|side| sides[side].ground.pins());
        Self {
            first: sides[0].ground.snapshot(),
            sides,
            pins,
            cells: 0,
            changes: 0,
            known: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    /// One cell; `run` sends its requests to a side.
    fn cell(
        &mut self,
        label: &str,
        way: &[u8],
        effect: Effect,
        run: &dyn Fn(&mut Side) -> Vec<Exchange>,
    ) {
        self.cells += 1;
        let mut exchanges = [0, 1].map(|side| run(&mut self.sides[side]));
        let done = |exchange: &Exchange| succeeded(&exchange.reply);
        let touched = match effect {
            Effect::Never => false,
            Effect::IfDone => exchanges.iter().flatten().any(done),
            Effect::Perhaps => true,
        };
        let mut differences = Vec::new();
        let mut excused = None;
        let [ours, theirs] = &mut exchanges;
        for (ours, theirs) in ours.iter().zip(theirs.iter()) {
            let (left, right) = (
                masked(&ours.packet, &ours.reply, &self.sides[0].ground),
                masked(&theirs.packet, &theirs.reply, &self.sides[1].ground),
            );
            if equal(&left, &right) {
                continue;
            }
            if let Some(reason) = known::reason(label, way, &ours.packet, &left, &right) {
                excused = Some(reason);
                // What follows differs in consequence.
                break;
            }
            differences.push(format!(
                "    ours   {}\n    oracle {}",
                brief(&left),
                brief(&right)
            ));
        }
        if excused.is_none() && ours.len() != theirs.len() {
            differences.push(format!(
                "    {} replies, {} of the oracle",
                ours.len(),
                theirs.len()
            ));
        }
        for side in &self.sides {
            side.ground
                .bait_is_untouched(&format!("{label} \"{}\"", show(way)));
        }
        if touched {
            self.changes += 1;
            let disks = [0, 1].map(|side| self.sides[side].ground.snapshot());
            let lines = disks[1].differences(&disks[0]);
            if excused.is_none() && !lines.is_empty() {
                let lines = lines[..lines.len().min(12)].join("\n    ");
                differences.push(format!("    disk: - oracle, + ours\n    {lines}"));
            }
            for ((side, pins), disk) in self.sides.iter_mut().zip(&mut self.pins).zip(&disks) {
                side.restore(pins, disk, &self.first);
            }
        }
        if let Some(reason) = excused {
            *self.known.entry(reason).or_default() += 1;
        }
        if !differences.is_empty() {
            let way = &way[..way.len().min(120)];
            self.wrong.push(format!(
                "{label} \"{}\"\n{}",
                show(way),
                differences.join("\n")
            ));
        }
    }

    /// What answered by a failure, or only reads, left everything as it was.
    fn all_is_as_at_first(&mut self, after: &[u8]) {
        for (side, who) in self.sides.iter().zip(["ours", "the oracle's"]) {
            let lines = self.first.differences(&side.ground.snapshot());
            if !lines.is_empty() {
                let lines = lines.join("\n    ");
                self.wrong.push(format!(
                    "{who} disk, after all at \"{}\"\n    {lines}",
                    show(after)
                ));
            }
        }
    }

    fn probe(&mut self, probe: &Probe, way: &[u8]) {
        self.cell(probe.name, way, probe.effect, &|side| {
            let way = side.ground.expand(way);
            let mut exchanges = Vec::new();
            let mut call = |packet: Packet| {
                let reply = side.call(&packet);
                record(&mut exchanges, packet, reply.clone());
                reply
            };
            (probe.run)(&mut call, &way);
            exchanges
        });
    }

    fn every_probe(&mut self, ways: &[Vec<u8>]) {
        for way in ways {
            for probe in PROBES {
                self.probe(probe, way);
            }
            self.all_is_as_at_first(way);
        }
    }

    fn every_pair(&mut self, core: &[&[u8]]) {
        for one in core {
            for two in core {
                for (name, pair) in PAIRS {
                    let both = [one, &b"\" \""[..], two].concat();
                    self.cell(name, &both, Effect::IfDone, &|side| {
                        let packet = pair(&side.ground.expand(one), &side.ground.expand(two));
                        let reply = side.call(&packet);
                        vec![Exchange { packet, reply }]
                    });
                }
            }
            self.all_is_as_at_first(one);
        }
    }

    /// Prints what was done, and fails the test where a cell differs for no known reason.
    #[track_caller]
    fn report(self, name: &str) {
        println!(
            "{name}: {} cells, {} of them changed the disk",
            self.cells, self.changes
        );
        for (reason, count) in &self.known {
            println!("  {count} differ on purpose: {reason}");
        }
        let shown = self.wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>();
        assert!(
            self.wrong.is_empty(),
            "{} cells differ from the oracle:\n{}",
            self.wrong.len(),
            shown.join("\n")
        );
    }
}

/// Notes a reply; the replies to one READDIR after another are one, since the servers do not fill packets alike.
fn record(exchanges: &mut Vec<Exchange>, packet: Packet, reply: Reply) {
    if let (Reply::Names(names), Some(last)) = (&reply, exchanges.last_mut()) {
        if let (true, Reply::Names(all)) = (last.packet == packet, &mut last.reply) {
            all.extend(names.iter().cloned());
            return;
        }
    }
    exchanges.push(Exchange { packet, reply });
}

/// Ours in its jail, and the oracle. `JAIL_TESTS_CHECK_ORACLES` puts the second oracle in the place of ours, to see that
/// the expectations themselves are right.
fn subject_and(oracle: Who) -> [Who; 2] {
    if std::env::var_os("JAIL_TESTS_CHECK_ORACLES").is_some() {
        [Who::OursInChroot, Who::OpensshInChroot]
    } else {
        [Who::Jailed, oracle]
    }
}

fn in_root(args: &'static [&'static str], oracle: Who, name: &str) {
    let setup = Setup {
        args,
        ..Setup::default()
    };
    let mut matrix = Matrix::new(setup, &plan::plan(), oracle);
    matrix.every_probe(&ways::in_root());
    matrix.report(name);
}

fn in_binds(args: &'static [&'static str], oracle: Who, name: &str) {
    let setup = Setup {
        binds: plan::BINDS,
        args,
        ..Setup::default()
    };
    let mut matrix = Matrix::new(setup, &plan::plan(), oracle);
    matrix.every_probe(&ways::in_binds());
    matrix.report(name);
}

#[test]
fn each_request_by_each_way_does_what_it_does_in_a_chroot() {
    in_root(&[], Who::OpensshInChroot, "root");
}

#[test]
fn each_request_through_binds_does_what_it_does_in_bind_mounts() {
    in_binds(&[], Who::OpensshInChroot, "binds");
}

#[test]
fn a_read_only_session_does_what_it_does_in_a_chroot() {
    in_root(&["-R"], Who::OpensshInChroot, "root, -R");
}

#[test]
fn a_read_only_session_through_binds_does_what_it_does_in_bind_mounts() {
    in_binds(&["-R"], Who::OpensshInChroot, "binds, -R");
}

#[test]
fn relative_paths_begin_in_the_start_directory() {
    in_root(&["-d", "/work"], Who::OpensshInChroot, "root, -d /work");
}

#[test]
fn each_request_of_two_paths_does_what_it_does_in_a_chroot() {
    let mut matrix = Matrix::new(Setup::default(), &plan::plan(), Who::OpensshInChroot);
    matrix.every_pair(ways::CORE);
    matrix.report("pairs");
}

#[test]
fn each_request_of_two_paths_does_what_it_does_across_bind_mounts() {
    let setup = Setup {
        binds: plan::BINDS,
        ..Setup::default()
    };
    let mut matrix = Matrix::new(setup, &plan::plan(), Who::OpensshInChroot);
    matrix.every_pair(ways::CORE_BOUND);
    matrix.report("pairs across binds");
}

#[test]
fn each_request_says_of_the_cause_what_the_kernel_says_in_a_chroot() {
    in_root(&[], Who::OursInChroot, "root, in words");
}

#[test]
fn each_request_through_binds_says_of_the_cause_what_the_kernel_says_in_bind_mounts() {
    in_binds(&[], Who::OursInChroot, "binds, in words");
}

#[test]
fn a_read_only_root_with_writable_binds_does_what_it_does_in_bind_mounts() {
    let setup = Setup {
        binds: plan::BINDS,
        read_only_root: true,
        args: &[],
    };
    let mut matrix = Matrix::new(setup, &plan::plan(), Who::OpensshInChroot);
    matrix.every_probe(&ways::in_binds());
    matrix.every_pair(ways::CORE_BOUND);
    matrix.report("read-only root with binds");
}
