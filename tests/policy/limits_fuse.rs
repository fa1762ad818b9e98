//! `--max-file-size` on FUSE, where a session's writes run beside each other: the limit that one of them sets holds until the last is done.

use std::path::Path;
use std::sync::Barrier;

use crate::limits_raced::{LIMIT, REFUSED, ROUNDS, SESSIONS, piece, race};
use crate::support::bindfs::Bindfs;
use crate::support::packet::pflags::{APPEND, CREAT, WRITE};
use crate::support::request::*;
use crate::support::{Server, Tree};

/// How many other files each of the sessions appends to at the same moment.
const OTHERS: usize = 4;

/// A session with a handle on the log that all of them have, and with handles on files of its own.
struct Appender {
    server: Server,
    log: Vec<u8>,
    others: Vec<Vec<u8>>,
}

impl Appender {
    fn new(tree: &Tree, session: usize) -> Self {
        let limit = LIMIT.to_string();
        let mut server = Server::with(tree, ["--max-file-size", &limit]);
        let log = server.open("log", WRITE | APPEND);
        let other = |other| server.open(format!("{session}-{other}"), WRITE | APPEND | CREAT);
        let others = (0..OTHERS).map(other).collect();
        Self {
            server,
            log,
            others,
        }
    }

    /// Appends to the log, beside writes that are begun before and after it. Whether it was appended.
    fn append(&mut self, session: usize) -> bool {
        let mut requests: Vec<_> = (self.others.iter())
            .map(|other| write(other, 0, "little"))
            .collect();
        let at = requests.len() / 2;
        requests.insert(at, write(&self.log, 0, piece(session)));
        let replies = self.server.pipeline(&requests);
        for (index, reply) in replies.iter().enumerate() {
            let status = reply.status();
            let refused = index == at && status.text == REFUSED;
            assert!(status.code == 0 || refused, "{index}: {reply:?}");
        }
        let appended = replies[at].code() == 0;
        if !appended {
            let log = self.server.open("log", WRITE | APPEND);
            let old = std::mem::replace(&mut self.log, log);
            self.server.close(&old);
        }
        appended
    }
}

#[test]
fn what_sessions_append_on_fuse_beside_other_files_stays_within_the_limit() {
    let behind = Tree::below("/dev/shm");
    let mount = Bindfs::of(behind.root());
    let file = mount.point.at("log");
    let append = |session: usize, barrier: &Barrier| {
        let mut appender = Appender::new(&mount.point, session);
        let rounds = (0..ROUNDS).map(|_| {
            barrier.wait();
            let appended = appender.append(session);
            barrier.wait();
            appended
        });
        rounds.filter(|appended| *appended).count()
    };
    let (appended, wrong) = race(Path::new(&file), append);
    assert_eq!(wrong, None);
    println!("{appended} of {} were appended", SESSIONS * ROUNDS);
    assert!(appended > ROUNDS / 2 && appended <= ROUNDS, "{appended}");
}
