//! Races: while another thread swaps directories and links at full speed, no request may act outside.
//!
//! `JAIL_TESTS_ATTEMPTS` sets another number of attempts than a million. The same swapping and the same judge catch a naive resolver (`naive.rs`), so that they are known to bite.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::ground::{BAIT, BAIT_SIZE, BAIT_TIME, Ground, Node, Plan, find};
use crate::naive::Naive;
use crate::sides::{Bind, KIT_DIRS, Setup, Side, Who};
use crate::support::request;
use crate::support::wire::{Attrs, Packet, Reply, pflags};
use crate::swapper::Swapper;

/// How many requests with a path a run makes by default.
const ATTEMPTS: usize = 1_000_000;
/// How many requests are on their way at once.
const WINDOW: usize = 64;
/// How long the naive resolver may take to be caught.
const PATIENCE: Duration = Duration::from_secs(60);

/// Something that answers requests, all of a window before the first reply is looked at.
pub(crate) trait Subject {
    fn window(&mut self, packets: &[Packet]) -> Vec<Reply>;
}

impl Subject for Side {
    fn window(&mut self, packets: &[Packet]) -> Vec<Reply> {
        self.server.pipeline(packets)
    }
}

/// What a run did, and the first thing that was wrong.
#[derive(Debug, Default)]
struct Run {
    attempts: usize,
    done: usize,
    refused: usize,
    caught: Option<String>,
}

fn attempts() -> usize {
    std::env::var("JAIL_TESTS_ATTEMPTS").map_or(ATTEMPTS, |number| number.parse().unwrap())
}

/// The root and the source of a bind, each with the same things to be swapped.
fn plan() -> Plan {
    let mut plan: Plan = vec![(b"jail".to_vec(), Node::Dir(0o755))];
    for dir in KIT_DIRS {
        plan.push((format!("jail/{dir}").into_bytes(), Node::Dir(0o755)));
    }
    plan.push((b"jail/b".to_vec(), Node::Dir(0o755)));
    plan.push((b"jail/f".to_vec(), Node::File(b"inside", 0o644)));
    plan.push((b"ext".to_vec(), Node::Dir(0o755)));
    plan
}

const BINDS: &[Bind] = &[Bind {
    at: "/b",
    source: "ext",
    read_only: false,
}];

/// A request with a path through something that is being swapped.
fn attempt(rng: &mut Rng, ground: &Ground) -> Packet {
    let path = path(rng);
    let other = self::path(rng);
    let flags = rng.u32(..) & 0x3f;
    let flags = if flags & 3 == 0 { flags | 1 } else { flags };
    let outside = [ground.path(), b"/outside/secret".to_vec()].concat();
    match rng.u8(0..23) {
        0..=3 => request::open(&path, pflags::READ, &Attrs::NONE),
        4 => request::open(&path, flags, &Attrs::NONE),
        5 => request::stat(&path),
        6 => request::lstat(&path),
        7 | 8 => request::opendir(&path),
        9 => request::setstat(&path, &Attrs::NONE.size(1)),
        10 => request::setstat(&path, &Attrs::NONE.permissions(0o750)),
        11 => request::setstat(&path, &Attrs::NONE.times(5, 5)),
        12 => request::lsetstat(&path, &Attrs::NONE.times(6, 6)),
        13 => request::remove(&path),
        14 => request::mkdir(&path, &Attrs::NONE),
        15 => request::rmdir(&path),
        16 => request::realpath(&path),
        17 => request::readlink(&path),
        18 => request::symlink(&outside, &path),
        19 => match rng.u8(0..3) {
            0 => request::rename(&path, &other),
            1 => request::posix_rename(&path, &other),
            _ => request::hardlink(&path, &other),
        },
        20 => request::statvfs(&path),
        21 => request::copy_file(&path, &other, rng.u8(0..2)),
        _ => request::expand_path(&path),
    }
}

/// Through a directory that is at times a link to outside, through one that moves up and down, or a last name that changes.
fn path(rng: &mut Rng) -> String {
    let top = ["", "/b"][rng.usize(0..2)];
    let swapped = ["x", "y"][rng.usize(0..2)];
    let inner = [
        "secret",
        "dir/secret",
        "empty",
        "link",
        "new",
        "new/",
        "dir/new",
        "dir",
        ".",
    ][rng.usize(0..9)];
    match rng.u8(0..8) {
        0..=3 => format!("{top}/{swapped}/{inner}"),
        4 => format!("{top}/{swapped}/../{swapped}/{inner}"),
        // Where s has moved up meanwhile, so many steps lead past the root.
        5 => format!("{top}/q/r/s/../../../outside/{inner}"),
        6 => format!("{top}/q/r/s/t/../../../../../outside/{inner}"),
        _ => format!(
            "{top}/{}",
            ["z", "w", "z/", "s/../../outside/secret"][rng.usize(0..4)]
        ),
    }
}

/// What is done with a handle, whatever it leads to.
fn with_handle(handle: &[u8]) -> [Packet; 6] {
    [
        request::fstat(handle),
        request::read(handle, 0, 512),
        request::readdir(handle),
        request::write(handle, 0, b"WRITTEN"),
        request::fsetstat(handle, &Attrs::NONE.times(7, 7)),
        request::close(handle),
    ]
}

/// What a reply tells of the outside, if it does.
fn tells(reply: &Reply) -> Option<String> {
    let of_bait = |attrs: &Attrs| {
        attrs.size == Some(BAIT_SIZE)
            || attrs
                .times
                .is_some_and(|(_, mtime)| i64::from(mtime) == BAIT_TIME)
    };
    let wrong = match reply {
        Reply::Data(data) => find(data, &BAIT[..20]).is_some(),
        Reply::Attrs(attrs) => of_bait(attrs),
        Reply::Names(names) => names.iter().any(|name| of_bait(&name.attrs)),
        _ => false,
    };
    wrong.then(|| format!("{reply:?}"))
}

/// Sends attempts while `swapper` is at work, until `enough` is reached, something was caught, or time is over.
///
/// Without `swapping` everything stands still, with one of each pair a link to outside.
fn race(
    subject: &mut impl Subject,
    ground: &Ground,
    enough: usize,
    limit: Option<Duration>,
    swapping: bool,
) -> Run {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut run = Run::default();
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let tops = [ground.base.at("jail"), ground.base.at("ext")];
    let swappers = tops.map(|top| Swapper::new(&top, ground.base.root()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        let (stop_now, swapped) = (&stop, &swaps);
        scope.spawn(move || {
            while swapping && !stop_now.load(Ordering::Relaxed) {
                for swapper in &swappers {
                    swapped.fetch_add(swapper.round(), Ordering::Relaxed);
                }
            }
        });
        let stopped = Stop(&stop);
        let mut handles: Vec<Vec<u8>> = Vec::new();
        while run.attempts < enough && run.caught.is_none() {
            if limit.is_some_and(|limit| began.elapsed() > limit) {
                break;
            }
            let mut packets: Vec<Packet> = handles
                .drain(..)
                .flat_map(|handle| with_handle(&handle))
                .collect();
            let first = packets.len();
            packets.extend((0..WINDOW).map(|_| attempt(&mut rng, ground)));
            let replies = subject.window(&packets);
            run.attempts += WINDOW;
            for (place, (packet, reply)) in packets.iter().zip(replies).enumerate() {
                if let Some(words) = tells(&reply) {
                    run.caught = Some(format!("{packet:?}: {words}"));
                }
                if place >= first {
                    match &reply {
                        Reply::Status(status) if status.code != 0 => run.refused += 1,
                        _ => run.done += 1,
                    }
                }
                if let Reply::Handle(handle) = reply {
                    handles.push(handle);
                }
            }
            if let (None, Some(change)) = (&run.caught, ground.bait_changes()) {
                run.caught = Some(change);
            }
        }
        drop(stopped);
    });
    println!(
        "{} attempts in {:?} beneath {} swaps: {} done, {} refused",
        run.attempts,
        began.elapsed(),
        swaps.into_inner(),
        run.done,
        run.refused
    );
    run
}

/// Ends the swapping, also where the test fails in between.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_request_acts_outside_whatever_is_swapped_beneath_it() {
    let setup = Setup {
        binds: BINDS,
        ..Setup::default()
    };
    let mut side = Side::new(Who::Jailed, setup, &plan());
    let ground = side.take_ground();
    let run = race(&mut side, &ground, attempts(), None, true);
    assert_eq!(run.caught, None, "{run:?}");
    // Both must have happened, often, or nothing was raced.
    assert!(
        run.done > run.attempts / 20 && run.refused > run.attempts / 20,
        "{run:?}"
    );
}

#[test]
fn a_resolver_that_compares_strings_is_caught_by_the_same_races() {
    let ground = Ground::new(plan(), &[b"jail", b"ext"]);
    let mut naive = Naive::new(ground.base.at("jail"), ground.base.at("ext"));
    let run = race(&mut naive, &ground, usize::MAX, Some(PATIENCE), true);
    println!("caught: {:?}", run.caught);
    assert!(run.caught.is_some(), "the races do not bite: {run:?}");
}

#[test]
fn the_same_resolver_holds_while_nothing_is_swapped() {
    let ground = Ground::new(plan(), &[b"jail", b"ext"]);
    let mut naive = Naive::new(ground.base.at("jail"), ground.base.at("ext"));
    let run = race(&mut naive, &ground, 20_000, None, false);
    assert_eq!(run.caught, None, "it is to be caught by races alone");
    assert!(run.done > 0, "{run:?}");
}
