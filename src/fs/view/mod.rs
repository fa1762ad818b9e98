//! The view: the host's tree, or the root and the binds that a client is locked into; and how a client's path leads to a place in it.
//!
//! It asks judges and knows what is protected. What is done in a place is none of its business.

pub(super) mod act;
pub(super) mod direct;
pub(super) mod home;
pub(super) mod jail;
pub(super) mod near;
pub(super) mod point;
pub(super) mod resolve;
pub(super) mod served;
pub(super) mod setup;
pub(super) mod step;
pub(super) mod upload;
pub(super) mod verdict;
pub(super) mod way;

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use jail::Jail;
use nix::unistd::getcwd;
use upload::Uploads;
use way::OPEN;

use crate::fs::judging::judge::{Deed, Judge, Verdict};
use crate::fs::judging::procfs::Procfs;
use crate::fs::kernel::mounts::Mounts;
use crate::fs::{Answer, Error, Result};

/// The tree that the client sees.
#[derive(Debug)]
pub struct View {
    pub(in crate::fs) kind: Kind,
    pub(in crate::fs) judging: Judging,
    pub(in crate::fs) mounts: Arc<Mounts>,
    pub(in crate::fs) procfs: Procfs,
}

/// What is asked and kept to, beside what the trees themselves say.
#[derive(Debug, Default)]
pub(in crate::fs) struct Judging {
    judge: Option<Arc<dyn Judge>>,
    modes: Modes,
    /// Whether the tree is the host's all the same, and is resolved here only for the judge.
    pub(in crate::fs) host: bool,
    /// Where uploads are atomic.
    uploads: Option<Arc<Uploads>>,
    /// Copies under way, which are atomic always.
    copies: Arc<Uploads>,
    /// Whether files get setuid, setgid and sticky bits that a client asks for.
    keeps_bits: bool,
}

/// The exact modes of what is created, octal; where there is none, the client's, less the umask.
#[derive(Clone, Copy, Debug, Default)]
pub struct Modes {
    /// Of files.
    pub file: Option<u32>,
    /// Of directories.
    pub dir: Option<u32>,
}

#[derive(Debug)]
pub(in crate::fs) enum Kind {
    /// The host's, as with OpenSSH: the kernel resolves. The cell is for what only the resolver can tell.
    Host(OnceLock<Jail>),
    /// A root and binds, as chroot(2) and bind mounts would have it.
    Jail(Jail),
}

impl View {
    /// The tree of the host. Relative paths start at the directory of the process.
    #[must_use]
    pub fn host() -> Self {
        Self {
            kind: Kind::Host(OnceLock::new()),
            judging: Judging {
                keeps_bits: true,
                ..Judging::default()
            },
            mounts: Arc::default(),
            procfs: Procfs::of_host(),
        }
    }

    /// Asks `judge` from now on before anything is done, and gives what is created these modes.
    ///
    /// The host's tree is resolved step by step then, since the kernel tells no canonical paths.
    ///
    /// # Errors
    /// As open(2) of `/`.
    pub fn ask(&mut self, judge: Arc<dyn Judge>, modes: Modes) -> Result<()> {
        if matches!(self.kind, Kind::Host(_)) {
            let mut host = Jail::of_host()?;
            // A directory that was removed is none to start in.
            if let Ok(way) = getcwd()
                .map_err(Error::from)
                .and_then(|here| host.way_to(&here))
            {
                host.start = way;
            }
            self.kind = Kind::Jail(host);
            self.judging.host = true;
        }
        if let Kind::Jail(jail) = &mut self.kind {
            jail.judge = Some(Arc::clone(&judge));
            // What is hidden is no place to start in either.
            if judge.pass(&jail.start_path(), false).is_err() {
                jail.start.truncate(1);
            }
        }
        self.judging.judge = Some(judge);
        self.judging.modes = modes;
        Ok(())
    }

    /// Has files that are new or truncated take their place when they are closed.
    pub fn upload_atomically(&mut self) {
        self.judging.uploads = Some(Arc::default());
    }

    pub(in crate::fs) fn uploads(&self) -> Option<&Arc<Uploads>> {
        self.judging.uploads.as_ref()
    }

    pub(in crate::fs) fn copies(&self) -> &Arc<Uploads> {
        &self.judging.copies
    }

    /// Gives files the setuid, setgid and sticky bits that a client asks for, in a jail too.
    pub fn keep_bits(&mut self) {
        self.judging.keeps_bits = true;
    }

    pub(in crate::fs) fn judge(&self) -> Option<&Arc<dyn Judge>> {
        self.judging.judge.as_ref()
    }

    /// Whether only files and directories are opened: in a root, and where a judge keeps anything from the client.
    pub(in crate::fs) fn opens_only_plain(&self) -> bool {
        !self.judging.host || self.judge().is_some_and(|judge| judge.confines())
    }

    /// Who is asked, where it matters what the session made.
    pub(in crate::fs) fn judge_of_own(&self) -> Option<&Arc<dyn Judge>> {
        self.judge().filter(|judge| judge.keeps() > 0)
    }

    /// Whether somebody is asked before anything is done.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.judging.judge.is_some()
    }

    pub(in crate::fs) fn modes(&self) -> Modes {
        self.judging.modes
    }

    pub(in crate::fs) fn keeps_bits(&self) -> bool {
        self.judging.keeps_bits
    }

    /// What a file or a directory gets of a mode that a client asks for.
    pub(in crate::fs) fn permitted(&self, mode: u32, directory: bool) -> u32 {
        permitted(mode, directory || self.keeps_bits())
    }

    /// Whether `deeds` are to be done.
    pub(in crate::fs) fn allows(&self, deeds: &[Deed<'_>]) -> Answer<bool> {
        match self.judge() {
            Some(judge) => Ok(judge.judge(deeds)? == Verdict::Go),
            None => Ok(true),
        }
    }

    /// The root and the binds, for a lock in the kernel: the directory, and whether anything beneath it may be changed. None for the host's tree.
    #[must_use]
    pub fn trees(&self) -> Option<Vec<(BorrowedFd<'_>, bool)>> {
        let jail = self.jail().filter(|_| !self.judging.host)?;
        let trees = jail.trees.iter();
        Some(
            trees
                .map(|tree| (tree.fd.as_fd(), !tree.read_only))
                .collect(),
        )
    }

    /// How many descriptors a request may need for a moment.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        match &self.kind {
            Kind::Host(_) => 2,
            // Two paths are walked for a rename, and what stands there is held.
            Kind::Jail(_) => 2 * OPEN + 4 + self.judge().map_or(0, |judge| judge.keeps()),
        }
    }

    /// How many descriptors an open file may take: an upload that is not finished holds its directory, too.
    #[must_use]
    pub fn per_file(&self) -> usize {
        1 + usize::from(self.uploads().is_some())
    }

    pub(in crate::fs) fn jail(&self) -> Option<&Jail> {
        match &self.kind {
            Kind::Host(_) => None,
            Kind::Jail(jail) => Some(jail),
        }
    }

    /// Forgets which directory was opened last: when new requests have arrived, and when a directory may have been moved or closed.
    pub fn forget(&self) {
        if let Some(jail) = self.jail() {
            jail.near.forget();
        }
    }

    /// Ends all uploads and copies that are not finished, whoever still writes to them.
    pub fn discard_uploads(&self) {
        let deadline = Instant::now() + PATIENCE;
        for uploads in self.uploads().into_iter().chain([self.copies()]) {
            uploads.end(deadline);
        }
    }
}

/// A mode, with all of its bits or without setuid, setgid and sticky.
pub(in crate::fs) fn permitted(mode: u32, all: bool) -> u32 {
    if all { mode } else { mode & !0o7000 }
}

/// How long the end of a session waits for storage that is to remove what is not finished.
const PATIENCE: Duration = Duration::from_millis(800);
