//! A row of the table, played: one sshd under the rule, every client's day on it, side by side.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::day::{Deed, Fate, fate, files, lay_out};
use super::hands::Hand;
use crate::ground::*;
use crate::support::is_jailed;
use crate::support::sshd::Sshd;

/// What every client's day is under a rule: all is done but what is `refused`; `but` some clients fare otherwise.
#[derive(Default)]
pub(crate) struct Row {
    /// The rule, in flags.
    pub(crate) rule: &'static str,
    pub(crate) refused: &'static [Deed],
    /// What a refused client is told, in its own words or the server's; in any case.
    pub(crate) words: &'static [&'static str],
    /// What comes of deeds with every client, said or not: an answer that is no refusal, or one that comes too late.
    pub(crate) left: &'static [(Deed, Fate)],
    pub(crate) but: &'static [(Hand, Deed, Fate)],
    /// What else the disk has to show.
    pub(crate) also: Option<fn(&After)>,
    /// In a root whatever is run.
    pub(crate) jailed: bool,
}

/// A client's day, when it is over.
pub(crate) struct After<'a> {
    pub(crate) ground: &'a Ground,
    pub(crate) hand: Hand,
    pub(crate) said: String,
    pub(crate) took: Duration,
    /// What the file that is uploaded over was before.
    pub(crate) inode: u64,
}

impl After<'_> {
    pub(crate) fn can(&self, deed: Deed) -> bool {
        self.hand.deeds().contains(&deed)
    }

    pub(crate) fn there(&self, name: &str) -> PathBuf {
        self.ground.remote.join(name)
    }

    /// Whether the file that was uploaded over is another one than before.
    pub(crate) fn is_replaced(&self) -> bool {
        fs::metadata(self.there("over")).unwrap().ino() != self.inode
    }
}

/// The clients are many and wait for most of the time; the tests beside this one have theirs.
const AT_ONCE: usize = 3;

impl Row {
    #[track_caller]
    pub(crate) fn play(&self) {
        let base = Base::new(self.rule, self.jailed);
        let queue = Mutex::new(Hand::ALL.to_vec());
        let wrong = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let Some(hand) = queue.lock().unwrap().pop() else {
                            return;
                        };
                        let found = self.day(&base.ground(hand), hand);
                        wrong.lock().unwrap().extend(found);
                    }
                });
            }
        });
        let wrong = wrong.into_inner().unwrap();
        assert!(wrong.is_empty(), "{}\n{}", self.rule, wrong.join("\n"));
    }

    /// One client's day; what of it was not as the row has it.
    fn day(&self, ground: &Ground, hand: Hand) -> Vec<String> {
        let inode = lay_out(ground);
        let start = Instant::now();
        let said = hand.work(ground);
        let took = start.elapsed();
        println!("--- {} {hand:?} {took:?}\n{said}", self.rule);
        let mut wrong = Vec::new();
        for &deed in hand.deeds() {
            let expected = self.expected(hand, deed);
            let found = fate(ground, deed, &said);
            if found != expected {
                wrong.push(format!("{hand:?} {deed:?}: {found:?}, not {expected:?}"));
            }
        }
        let refused = hand.deeds().iter().any(|deed| self.refused.contains(deed));
        let said_so = |words: &&str| said.to_lowercase().contains(&words.to_lowercase());
        if refused && !self.words.iter().any(said_so) {
            wrong.push(format!("{hand:?} does not say {:?}", self.words));
        }
        for path in files(&ground.remote) {
            let name = path.file_name().unwrap().to_string_lossy();
            if name.starts_with(".sftp-server-upload.") {
                wrong.push(format!("{hand:?} leaves {}", path.display()));
            }
        }
        if let (true, Some(also)) = (wrong.is_empty(), self.also) {
            also(&After {
                ground,
                hand,
                said,
                took,
                inode,
            });
        }
        wrong
    }

    fn expected(&self, hand: Hand, deed: Deed) -> Fate {
        let cell = self.but.iter().find(|(h, d, _)| (*h, *d) == (hand, deed));
        let column = self.left.iter().find(|(d, _)| *d == deed);
        match (cell, column) {
            (Some((_, _, fate)), _) | (None, Some((_, fate))) => *fate,
            (None, None) if self.refused.contains(&deed) => Fate::Not,
            (None, None) => Fate::Done,
        }
    }
}

/// An sshd whose sessions are under a rule, with a place for each client.
pub(crate) struct Base {
    sshd: Arc<Sshd>,
    jailed: bool,
}

impl Base {
    pub(crate) fn new(rule: &str, jailed: bool) -> Self {
        let jailed = jailed || is_jailed();
        let sshd = match jailed {
            true => Ground::under(rule).0.sshd.clone(),
            false => Arc::new(Sshd::ordinary(&format!("{{server}} {rule}"))),
        };
        Self { sshd, jailed }
    }

    /// In a jail, half of the clients act in the bind.
    pub(crate) fn ground(&self, hand: Hand) -> Ground {
        let place = self.sshd.place().path();
        let above = match (self.jailed, hand as usize % 2) {
            (false, _) => place.to_owned(),
            (true, half) => place.join(["jail.root", "jail.outside"][half]),
        };
        let (remote, local) = (
            above.join(format!("by-{hand:?}")),
            place.join(format!("local-{hand:?}")),
        );
        self.sshd.account().make_dir(&remote);
        fs::create_dir(&local).unwrap();
        Ground {
            sshd: Arc::clone(&self.sshd),
            remote,
            local,
        }
    }
}
