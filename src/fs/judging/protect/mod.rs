//! Self-protection: what would turn a locked key into a shell stays as it is, whichever way leads there.
//!
//! Any change is judged by the identity (device and inode) of the directory in which it happens and by the name there, and by the identity
//! of the object that it happens to. So links, binds, mounts, further names and the short way of the resolver make no difference. What the
//! identities are is found by following the protected paths ([`look`]), when a change is asked for first.
//!
//! It stays true while the session lasts. All that a client can do to it is to make a directory that is missing on a way, such as `.config`:
//! these few names are looked at before each change in a directory that is not known. What other processes of the user do is noticed by the
//! times of the directories, every few milliseconds in which something is changed. Storage that another process or host serves is looked at
//! by a thread, which no request waits for longer than [`PATIENCE`].
//!
//! inotify(7) would tell the same, but the kernel makes whoever ends with a watch wait for 5 to 25 ms.

mod first;
mod fold;
mod known;
mod look;
mod names;
mod paths;
mod spelled;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use first::may_hold_links;
use fold::{Ground, fold, known_by};
use known::{Known, Rule};
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
pub use paths::Trace;

use crate::fs::kernel::mounts::Mounts;
use crate::fs::kernel::place::Id;
use crate::fs::{Answer, Error};

/// Whether names differing by their spelling can be one in the directory at `path`.
pub(in crate::fs) fn may_fold(path: &Path) -> bool {
    Ground::of(path).folds
}

/// What a name is known by where names fold.
pub(in crate::fs) fn spelling(name: &[u8]) -> Vec<u8> {
    known_by(fold(name))
}

/// What is to be protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// The user's home directories, as passwd(5) has them.
    pub homes: Vec<PathBuf>,
    /// The paths by which this program is started. Absolute.
    pub programs: Vec<PathBuf>,
    /// Files that say what a session may do. Absolute.
    pub files: Vec<PathBuf>,
    /// What the environment names in place of a file in the home. Absolute.
    pub replacing: Vec<PathBuf>,
    /// What the names of a home begin with that are looked for elsewhere, and the directory where that is. Absolute.
    pub moved: Vec<(&'static str, PathBuf)>,
}

/// What is about to happen to a name, or to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Change {
    /// The name is given to something that is no new directory.
    Make,
    /// A new directory is made by this name.
    MakeDir,
    /// The name goes away, or to another object.
    Take,
    /// The content or an attribute of the object, or a further name for it.
    Alter,
    /// Its permissions become these.
    Mode(u32),
    /// Its owner or group changes.
    Owner,
}

impl Change {
    /// Whether others may write in a directory afterwards, if it is one.
    fn opens(self) -> bool {
        match self {
            Self::Mode(mode) => mode != way_mode(mode),
            Self::Owner => true,
            Self::Make | Self::MakeDir | Self::Take | Self::Alter => false,
        }
    }
}

/// Who knows what is protected.
#[derive(Debug)]
pub(in crate::fs) struct Protect {
    guarded: Guarded,
    mounts: Arc<Mounts>,
    state: Mutex<State>,
    looked: Condvar,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Arc<Known>>,
    /// How often it was looked.
    looks: u64,
    /// When it is to be looked again whether anything has changed.
    next: Option<Instant>,
    /// How long what is known counts.
    pause: Duration,
    /// Whether a thread looks now.
    looking: bool,
}

impl Protect {
    pub(in crate::fs) fn new(guarded: Guarded, mounts: &Arc<Mounts>) -> Self {
        Self {
            guarded,
            mounts: Arc::clone(mounts),
            state: Mutex::default(),
            looked: Condvar::new(),
        }
    }

    /// Looks now, however long that takes: where it could not be done later, and before anybody is served.
    pub(in crate::fs) fn prepare(&self) {
        self.look(&mut self.lock(), None);
    }

    /// Whether part of what is protected may lie where nothing can be listed later; `is_seen` says which homes are in the view.
    pub(in crate::fs) fn may_lead_out(&self, is_seen: impl Fn(&Path) -> bool) -> bool {
        let Guarded {
            homes,
            moved,
            replacing,
            ..
        } = &self.guarded;
        // Of what the environment names nothing is known: any of it may be a directory elsewhere.
        let named = !moved.is_empty() || !replacing.is_empty();
        named
            || homes
                .iter()
                .map(PathBuf::as_path)
                .any(|home| !is_seen(home) || may_hold_links(home))
    }

    /// How each protected path is followed.
    pub(in crate::fs) fn traces(&self) -> Vec<Trace> {
        Known::traces(&self.guarded)
    }

    /// Judges a change of `name` in the directory `dir`, whose identity is `id`, and of the object that stands there.
    ///
    /// # Errors
    /// [`Error::Protected`].
    pub(in crate::fs) fn judge(
        self: &Arc<Self>,
        (dir, id, name): (BorrowedFd<'_>, Id, &[u8]),
        there: Option<Id>,
        change: Change,
    ) -> Answer<()> {
        let known = self.known_until(self.current(), id.device(), |known| {
            known.knows(id)
                && there.is_none_or(|there| !change.opens() || known.ways.contains(&there))
        })?;
        let standing = known.standing(dir, id).map_err(|_| Error::Protected)?;
        let id = match &standing {
            Some(standing) if known.whole.contains_key(&standing.dir) => {
                return Err(Error::Protected);
            }
            Some(standing) if standing.below.is_empty() => standing.dir,
            _ => id,
        };
        let name_stays = known.whole.contains_key(&id)
            || match known.rule(id, name) {
                Some(Rule::Fixed) => true,
                Some(Rule::Way) => matches!(change, Change::Make | Change::Take),
                None => false,
            };
        let beneath = || known.partial && is_beneath(&known, dir);
        match name_stays
            || there.is_some_and(|there| object_stays(&known, there, change))
            || beneath()
        {
            true => Err(Error::Protected),
            false => Ok(()),
        }
    }

    /// Judges a change of the directory `dir` itself.
    ///
    /// # Errors
    /// [`Error::Protected`].
    pub(in crate::fs) fn judge_dir(
        self: &Arc<Self>,
        dir: BorrowedFd<'_>,
        id: Id,
        change: Change,
    ) -> Answer<()> {
        let known = self.known_until(self.current(), id.device(), |known| {
            !change.opens() || known.ways.contains(&id)
        })?;
        known.judge_standing(dir, id, change, Err(Error::Protected))?;
        match object_stays(&known, id, change) || known.partial && is_beneath(&known, dir) {
            true => Err(Error::Protected),
            false => Ok(()),
        }
    }

    /// Judges a change of an open file or directory; of a file, if it was opened for writing.
    ///
    /// # Errors
    /// [`Error::Protected`].
    pub(in crate::fs) fn judge_open(
        self: &Arc<Self>,
        fd: BorrowedFd<'_>,
        id: Id,
        change: Change,
        writable: bool,
    ) -> Answer<()> {
        let known = self.known_until(self.known_for(OPEN_PAUSE), id.device(), |known| {
            writable || !change.opens() || known.ways.contains(&id)
        })?;
        // To refuse what was judged by its name when it was opened would come after it was emptied.
        let untold = match writable {
            true => Ok(()),
            false => Err(Error::Protected),
        };
        known.judge_standing(fd, id, change, untold)?;
        match object_stays(&known, id, change) {
            true => Err(Error::Protected),
            false => Ok(()),
        }
    }

    /// Whether `name` in the directory `dir` is that of a directory on a way.
    pub(in crate::fs) fn is_way(self: &Arc<Self>, dir: Id, name: &[u8]) -> bool {
        self.current().rule(dir, name) == Some(Rule::Way)
    }

    /// Whether more is protected than is known by its identity: then it counts by which way it was found.
    pub(in crate::fs) fn is_partial(self: &Arc<Self>) -> bool {
        self.current().partial
    }

    /// `known`, or what a look has found since, where `tells` says that it is not enough and another directory stands on a way than was seen:
    /// the directory in question was found before, so what led to it through a way that was missing stands by now.
    ///
    /// # Errors
    /// [`Error::Protected`] where storage does not answer in time, and where ways appear again and again.
    fn known_until(
        self: &Arc<Self>,
        mut known: Arc<Known>,
        device: u64,
        tells: impl Fn(&Known) -> bool,
    ) -> Answer<Arc<Known>> {
        let mut looks = 0;
        while !tells(&known) && known.is_outdated(device) {
            if looks == MOST_LOOKS {
                return Err(Error::Protected);
            }
            known = self.look_again(&known)?;
            looks += 1;
        }
        Ok(known)
    }

    /// What is known, at most some milliseconds old; older only where storage does not answer.
    fn current(self: &Arc<Self>) -> Arc<Known> {
        self.known_for(Duration::ZERO)
    }

    /// The same, so much older at most.
    fn known_for(self: &Arc<Self>, longer: Duration) -> Arc<Known> {
        let now = Instant::now();
        let mut state = self.lock();
        let known = match &state.known {
            Some(known) => Arc::clone(known),
            None => return self.look(&mut state, None),
        };
        if state.looking && known.remote || state.next.is_some_and(|next| now < next + longer) {
            return known;
        }
        if !known.remote && !known.has_changed() {
            state.pause = PAUSE;
            state.next = Some(now + PAUSE);
            return known;
        }
        drop(state);
        self.look_again(&known).unwrap_or(known)
    }

    /// Looks again, since `known` is outdated.
    ///
    /// # Errors
    /// [`Error::Protected`] where storage does not answer in time: then nobody knows what is protected.
    fn look_again(self: &Arc<Self>, known: &Arc<Known>) -> Answer<Arc<Known>> {
        let mut state = self.lock();
        if let Some(newer) = state
            .known
            .as_ref()
            .filter(|newer| !Arc::ptr_eq(newer, known))
        {
            return Ok(Arc::clone(newer));
        }
        if self.mounts.is_any_remote() == Some(false) {
            return Ok(self.look(&mut state, Some(known)));
        }
        if !state.looking {
            let (me, previous) = (Arc::clone(self), Arc::clone(known));
            let look = move || {
                let begun = Instant::now();
                let known = Known::look(&me.guarded, Some(&previous));
                let mut state = me.lock();
                state.looking = false;
                state.pause = match known.remote {
                    true => REMOTE_PAUSE.max(begun.elapsed() * SHARE),
                    false => PAUSE.max(share(&known)),
                };
                state.learn(known);
                me.looked.notify_all();
            };
            state.looking = thread::Builder::new().spawn(look).is_ok();
            if !state.looking {
                // No thread can be had. To be heard late is better than to let something in.
                return Ok(self.look(&mut state, Some(known)));
            }
        }
        let looks = state.looks;
        let waits = |state: &mut State| state.looking && state.looks == looks;
        // Where all of it was near a moment ago, what takes long is a busy processor.
        let patience = if known.remote {
            PATIENCE
        } else {
            LONG_PATIENCE
        };
        let waited = self.looked.wait_timeout_while(state, patience, waits);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &state.known {
            Some(known) if state.looks > looks => Ok(Arc::clone(known)),
            _ => Err(Error::Protected),
        }
    }

    fn look(&self, state: &mut State, previous: Option<&Known>) -> Arc<Known> {
        let known = Known::look(&self.guarded, previous);
        // While more and more changes, less and less of the time goes into looks.
        state.pause = match previous {
            Some(_) => (state.pause * 2)
                .clamp(PAUSE, LONGEST_PAUSE)
                .max(share(&known)),
            None => Duration::ZERO,
        };
        state.learn(known)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes note of what a look has found.
    fn learn(&mut self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        self.known = Some(Arc::clone(&known));
        self.looks += 1;
        self.next = Some(Instant::now() + self.pause);
        known
    }
}

/// How long what a look has found has to count, that looks take a small share of the time.
fn share(known: &Known) -> Duration {
    AN_ENTRY * u32::try_from(known.found).unwrap_or(u32::MAX)
}

impl Known {
    /// Judges a change of what is open by where it stands, if that says more than its identity; `untold` where nothing says it.
    ///
    /// # Errors
    /// [`Error::Protected`].
    fn judge_standing(
        &self,
        fd: BorrowedFd<'_>,
        id: Id,
        change: Change,
        untold: Answer<()>,
    ) -> Answer<()> {
        let standing = match self.standing(fd, id) {
            Ok(Some(standing)) => standing,
            Ok(None) => return Ok(()),
            Err(_) => return untold,
        };
        let stays = match standing.below.as_slice() {
            _ if self.whole.contains_key(&standing.dir) => true,
            [] => object_stays(self, standing.dir, change),
            [name] => self.rule(standing.dir, name) == Some(Rule::Fixed),
            _ => false,
        };
        match stays {
            true => Err(Error::Protected),
            false => Ok(()),
        }
    }
}

/// Whether an object is protected against a change, whatever its name.
fn object_stays(known: &Known, id: Id, change: Change) -> bool {
    if known.objects.contains(&id) || known.whole.contains_key(&id) {
        return true;
    }
    let on_way = || known.ways.contains(&id);
    match change {
        Change::Make | Change::MakeDir | Change::Alter => false,
        Change::Take | Change::Owner => on_way(),
        Change::Mode(mode) => mode != way_mode(mode) && on_way(),
    }
}

/// Whether a directory lies beneath a protected one.
fn is_beneath(known: &Known, dir: BorrowedFd<'_>) -> bool {
    let Ok(mut id) = Id::of_fd(dir) else {
        return true;
    };
    let above = |dir: BorrowedFd<'_>| -> Option<OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        openat(dir, "..", flags, Mode::empty()).ok()
    };
    let mut next = above(dir);
    for _ in 0..MOST_ABOVE {
        if known.whole.contains_key(&id) {
            return true;
        }
        let Some(fd) = next else {
            return false;
        };
        match Id::of_fd(&fd) {
            Ok(parent) if parent != id => id = parent,
            _ => return false,
        }
        next = above(fd.as_fd());
    }
    true
}

/// The mode nearest to `mode` that a directory on a way may have. Who else may write there could put names there; and what its owner may not
/// search, nobody can look through.
pub(in crate::fs) fn way_mode(mode: u32) -> u32 {
    mode & !0o022 | 0o700
}

/// So long what is known counts without a look; and where every look finds something new.
const PAUSE: Duration = Duration::from_micros(300);
const LONGEST_PAUSE: Duration = Duration::from_millis(4);
/// So much longer for what is open: no client can move it to where it is protected.
const OPEN_PAUSE: Duration = Duration::from_millis(5);
/// The same where storage of others is to be looked at, and how many times as long as such a look took.
const REMOTE_PAUSE: Duration = Duration::from_millis(20);
/// Some ten times as long as one entry of a protected directory takes.
const AN_ENTRY: Duration = Duration::from_micros(10);
const SHARE: u32 = 4;
/// So long a request waits for storage of others.
const PATIENCE: Duration = Duration::from_millis(100);
const LONG_PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked again before a change, while other directories appear again and again.
const MOST_LOOKS: usize = 16;
/// How far a directory that is not known is followed up.
const MOST_ABOVE: usize = 4096;
