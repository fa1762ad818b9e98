//! Opening files: without waiting for a peer, and, where a judge is asked, without a moment between verdict and deed.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag, fchmod, umask};
use nix::unistd::{UnlinkatFlags, ftruncate};

use super::exact::{FILE_MODE, exactly};
use super::file::{File, Guard};
use crate::fs::judging::judge;
use crate::fs::judging::judge::{Deed, Effect, Writing};
use crate::fs::judging::protect::Change;
use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::linkless::{Opened, look_at, wait};
use crate::fs::kernel::made::Made;
use crate::fs::kernel::opening::{OpenHow, is_plain, open};
use crate::fs::kernel::patience::{frees, is_hurried};
use crate::fs::kernel::place::{Id, Place, kind};
use crate::fs::kernel::stat::{FileStat, Follow, fstat};
use crate::fs::view::View;
use crate::fs::view::resolve::{Aim, Intent};
use crate::fs::view::upload::{Pending, Uploads};
use crate::fs::{Answer, Error, Refusal, again};

impl OpenHow {
    /// What it does to a file that is there, or to the name where none is.
    fn effects(&self, exists: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.creates() {
            effects.push(Effect::Create);
        }
        // The handle that creates a file may do with it as it likes.
        if exists {
            if self.access() != OFlag::O_WRONLY {
                effects.push(Effect::Read);
            }
            if self.access() != OFlag::O_RDONLY {
                effects.push(Effect::Content);
            }
            if self.has(OFlag::O_TRUNC) {
                effects.push(Effect::Truncate);
            }
        }
        effects
    }
}

impl View {
    /// Opens a file; a FIFO or a device without a peer never blocks.
    ///
    /// # Errors
    /// As openat(2). `ENXIO` for a FIFO that nobody reads, and for a socket; `EOPNOTSUPP` for all that is neither file nor directory, in a jail and where a
    /// judge confines the client.
    pub fn open(&self, path: &Path, how: OpenHow) -> Answer<File> {
        let creates = how.creates();
        // The host's kernel says the same by itself.
        let slash = path.as_os_str().as_bytes().ends_with(b"/");
        if creates && slash && self.jail().is_some() {
            return self.act(path, Aim::Entry, Intent::Make, |place| {
                match place.lstat() {
                    Err(Errno::EACCES) => Err(Errno::EACCES.into()),
                    _ => Err(Errno::EISDIR.into()),
                }
            });
        }
        let aim = if creates && how.has(OFlag::O_EXCL) {
            Aim::Link
        } else {
            Aim::Target
        };
        let writes = how.access() != OFlag::O_RDONLY || how.has(OFlag::O_TRUNC);
        let intent = if creates { Intent::Make } else { Intent::Reach };
        let open = |place: &Place<'_>| {
            // What truncates begins another upload; all else goes to the one that is under way.
            let uncovered = how.has(OFlag::O_TRUNC).then(|| place.uncovered());
            let place = uncovered.as_ref().unwrap_or(place);
            let mut flags = how.flags | OFlag::O_NOCTTY;
            if place.slash {
                // Behind a link.
                if creates {
                    return Err(Errno::EISDIR.into());
                }
                flags |= OFlag::O_DIRECTORY;
            }
            let mut how = OpenHow { flags, ..how };
            let Some(jailed) = &place.jailed else {
                let guard = Guard {
                    keeps_bits: true,
                    ..Guard::default()
                };
                let appends = how.has(OFlag::O_APPEND);
                let fd = self.opened(place, how, || create_at_once(place, how))?;
                if self.guards_processes() {
                    self.spares_processes(&fstat(&fd)?, writes, || Ok(&fd))?;
                }
                return Ok(File::new(fd, appends, guard));
            };
            let follow = if aim == Aim::Link {
                Follow::No
            } else {
                Follow::Yes
            };
            // Where whose it is decides it is held, so that no other file gets its inode before it is open.
            let by_owner = self.judge().is_some_and(|judge| judge.shows_only_own());
            let (_held, found) = match by_owner.then(|| place.hold(follow)) {
                Some(Ok(held)) => {
                    let stat = held.stat;
                    (Some(held), Ok(stat))
                }
                Some(Err(error)) => (None, Err(error)),
                None => (None, place.stat(follow)),
            };
            let there = match found {
                Ok(stat) => Some(stat),
                Err(Error::Kernel(Errno::ENOENT)) if creates => None,
                Err(error) => return Err(error),
            };
            let target = there.as_ref().filter(|_| aim == Aim::Target);
            let special = target.is_some_and(|stat| is_plain(stat).is_err());
            let plain = match special && (how.whole.is_some() || self.opens_only_plain()) {
                true => Err(Errno::EOPNOTSUPP),
                false => Ok(()),
            };
            // Where another's file is no more than a name that is taken, nothing tells what it is.
            if !by_owner {
                plain?;
            }
            let change = match there {
                Some(_) => Change::Alter,
                None => Change::Make,
            };
            if writes || there.is_none() {
                self.changeable(place, there.as_ref(), change)?;
            }
            if let Some(stat) = there.as_ref().filter(|_| how.has(OFlag::O_TRUNC)) {
                frees(stat)?;
            }
            how.mode = self.permitted(how.mode, false);
            let mut guard = Guard {
                read_only: jailed.read_only,
                cleared: writes || there.is_none(),
                protect: self.protect().cloned(),
                keeps_bits: self.keeps_bits(),
                ..Guard::default()
            };
            let appends = how.has(OFlag::O_APPEND);
            let spares = || match &there {
                Some(stat) => {
                    self.spares_processes(stat, writes, || place.open(OFlag::O_PATH, Mode::empty()))
                }
                None => Ok(()),
            };
            let Some(judge) = self.judge() else {
                spares()?;
                if how.whole.is_some() {
                    return self.open_whole(place, how, there.as_ref(), guard);
                }
                // By the name it was plain a moment ago; another process may have put a FIFO there since.
                if !(writes || creates) || guard.protect.is_none() {
                    let fd = self.opened(place, how, || create(place, how))?;
                    return Ok(File::plain(fd, appends, guard)?);
                }
                // Or what is protected.
                let fd =
                    self.opened(place, how, || self.open_judged(place, how, there.as_ref()))?;
                return Ok(File::plain(fd, appends, guard)?);
            };
            let deeds = how.effects(there.is_some()).into_iter();
            let deeds: Vec<_> = deeds
                .map(|effect| Deed::at(effect, place, there.as_ref()))
                .collect();
            // Of a copy its length is asked for before what is there is emptied; who only wonders what would be said hears it first.
            let fits = match how.whole {
                Some(length) if there.is_none() || !how.has(OFlag::O_EXCL) => {
                    judge.write(&Writing::of_new(length), &|| judge::free(place.dir()))
                }
                _ => Ok(()),
            };
            judge.judge(&deeds)?;
            fits?;
            plain?;
            spares()?;
            guard.judged(judge, place.canonical(), appends, there.is_none());
            if how.whole.is_some() {
                return self.open_whole(place, how, there.as_ref(), guard);
            }
            if judge.appends_only() && writes {
                how.flags |= OFlag::O_APPEND;
            }
            if let Some(uploads) = self.uploads().filter(|_| !judge.appends_only()) {
                if writes && !special && (there.is_none() || how.has(OFlag::O_TRUNC)) {
                    // A file that may not be written says so itself: then the directory is not to blame.
                    let old = to_replace(place, how, there.as_ref())?;
                    let begun = self.begin_upload(uploads, place, how, old.as_ref());
                    let begun = begun.map_err(|error| match error {
                        Error::Kernel(Errno::EACCES | Errno::EPERM) => CLOSED.into(),
                        error => error,
                    })?;
                    if let Some((fd, pending)) = begun {
                        guard.pending = Some(pending);
                        return Ok(File::new(fd, appends, guard));
                    }
                }
            }
            let fd = self.opened(place, how, || self.open_judged(place, how, there.as_ref()))?;
            let file = File::new(fd, how.has(OFlag::O_APPEND), guard);
            file.reaches(there.map_or(0, |stat| stat.st_size as u64));
            Ok(file)
        };
        if how.whole.is_some() {
            if path.as_os_str().is_empty() {
                return Err(Errno::ENOENT.into());
            }
            let (jail, path) = self.resolver(path)?;
            self.act_in_steps(jail, &path, aim, intent, open)
        } else {
            self.act(path, aim, intent, open)
        }
    }

    /// What `open` opens for writing; again where that only has its name until another session has renamed a file there.
    fn opened(
        &self,
        place: &Place<'_>,
        how: OpenHow,
        open: impl Fn() -> Answer<OwnedFd>,
    ) -> Answer<OwnedFd> {
        let mut fd = open()?;
        // The kernel's own file systems need no such files.
        if how.access() == OFlag::O_RDONLY || self.serves_remotely(&fd) != Some(true) {
            return Ok(fd);
        }
        for tries in 0..RENAMING {
            match look_at(&fd, place) {
                Opened::Stays => break,
                // Numbers that differ for ever tell nothing.
                Opened::Replaced if tries >= REPLACED => break,
                Opened::Replaced | Opened::Reserved => {}
            }
            if is_hurried() {
                return Err(Error::Long);
            }
            drop(fd);
            wait();
            fd = open()?;
        }
        Ok(fd)
    }

    /// Opens, and empties, what was judged and nothing else; creates where nothing stood.
    fn open_judged(
        &self,
        place: &Place<'_>,
        how: OpenHow,
        there: Option<&FileStat>,
    ) -> Answer<OwnedFd> {
        match there {
            None => self.open_new(place, how),
            Some(_) if how.creates() && how.has(OFlag::O_EXCL) => Err(Errno::EEXIST.into()),
            // The kernel's answer to O_CREAT, which is taken off below.
            Some(stat) if how.creates() && kind(stat) == SFlag::S_IFDIR => {
                Err(Errno::EISDIR.into())
            }
            Some(stat) => open_known(place, how, stat),
        }
    }

    /// Opens a file that takes its place when it is closed; what has to be written as it stands is opened, and not emptied.
    fn open_whole(
        &self,
        place: &Place<'_>,
        how: OpenHow,
        there: Option<&FileStat>,
        mut guard: Guard,
    ) -> Answer<File> {
        let begun = to_replace(place, how, there)
            .and_then(|old| self.begin_upload(self.copies(), place, how, old.as_ref()));
        let fd = match (begun, there) {
            (Ok(Some((fd, pending))), _) => {
                guard.pending = Some(pending);
                fd
            }
            (Ok(None) | Err(Error::Kernel(Errno::EACCES | Errno::EPERM)), Some(there)) => {
                let flags = how.flags - OFlag::O_TRUNC;
                open_known(place, OpenHow { flags, ..how }, there)?
            }
            (Err(error), _) => return Err(error),
            (Ok(None), None) => return Err(Errno::EEXIST.into()),
        };
        Ok(File::new(fd, false, guard))
    }

    /// Begins to write a file unseen, if it can be.
    fn begin_upload(
        &self,
        uploads: &Arc<Uploads>,
        place: &Place<'_>,
        mut how: OpenHow,
        old: Option<&OwnedFd>,
    ) -> Answer<Option<(OwnedFd, Pending)>> {
        let exact = self.modes().file.or(how.exact.then_some(how.mode));
        let exact = exact.filter(|_| old.is_none());
        how.mode = exact.unwrap_or(how.mode);
        let begun = uploads.begin(place, how, old)?;
        if let (Some((fd, _)), None) = (&begun, old) {
            set_exactly(fd, exact)?;
        }
        if let (Some((fd, pending)), None, Some(judge)) = (&begun, old, self.judge_of_own()) {
            if let Some(made) = pending.made(fd) {
                judge.made(made);
            }
        }
        Ok(begun)
    }

    /// Creates what did not exist when it was judged.
    fn open_new(&self, place: &Place<'_>, mut how: OpenHow) -> Answer<OwnedFd> {
        let exact = self.modes().file;
        how.flags |= OFlag::O_EXCL;
        how.mode = exact.unwrap_or(how.mode);
        let fd = match create(place, how) {
            // It has appeared meanwhile.
            Err(Error::Kernel(Errno::EEXIST)) => return Err(Error::Link),
            opened => opened?,
        };
        set_exactly(&fd, exact)
            .inspect_err(|_| self.unmake(place, &fd, UnlinkatFlags::NoRemoveDir))?;
        if let Some(judge) = self.judge_of_own() {
            if let Some(identity) = Identity::of(fd.as_fd()) {
                judge.made(Made::at(place.dir(), &place.name, identity));
            }
        }
        Ok(fd)
    }
}

/// What is there and is to be replaced by an upload; it has to be open to the user for that.
fn to_replace(
    place: &Place<'_>,
    how: OpenHow,
    there: Option<&FileStat>,
) -> Answer<Option<OwnedFd>> {
    let Some(stat) = there else {
        return Ok(None);
    };
    if how.creates() && how.has(OFlag::O_EXCL) {
        return Err(Errno::EEXIST.into());
    }
    let flags = how.flags - OFlag::O_ACCMODE - OFlag::O_TRUNC;
    let old = |flags| open_known(place, OpenHow { flags, ..how }, stat);
    match old(flags | OFlag::O_WRONLY) {
        // A program that is running: the kernel asks for the permission before it says so, and what runs is not changed.
        Err(Error::Kernel(Errno::ETXTBSY)) => Ok(Some(
            old(flags | OFlag::O_RDONLY).map_err(|_| Errno::ETXTBSY)?,
        )),
        opened => opened.map(Some),
    }
}

/// Gives a new file its exact mode.
fn set_exactly(fd: &OwnedFd, exact: Option<u32>) -> Answer<()> {
    if let Some(mode) = exact {
        // A default ACL has taken bits, or the umask.
        exactly(fd, mode, FILE_MODE, |mode| Ok(fchmod(fd, mode)?))?;
    }
    Ok(())
}

/// Opens what was judged, and nothing that has taken its place meanwhile; it is emptied when that is certain.
fn open_known(place: &Place<'_>, how: OpenHow, judged: &FileStat) -> Answer<OwnedFd> {
    let flags = how.flags - (OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_TRUNC);
    let open = |flags| {
        let fd = match open(place, flags, Mode::empty()) {
            // It has disappeared meanwhile.
            Err(Error::Kernel(Errno::ENOENT)) if how.creates() => return Err(Error::Link),
            opened => opened?,
        };
        let opened = fstat(&fd)?;
        // The inode may be another's by now.
        if Id::of(&opened) != Id::of(judged) || kind(&opened) != kind(judged) {
            return Err(Error::Link);
        }
        Ok(fd)
    };
    let fd = open(flags)?;
    // Of all else the kernel takes no notice of it.
    if how.has(OFlag::O_TRUNC) && is_plain(judged).is_ok() {
        if how.access() == OFlag::O_RDONLY {
            let writing = open(flags | OFlag::O_WRONLY)?;
            again(|| ftruncate(&writing, 0))?;
        } else {
            again(|| ftruncate(&fd, 0))?;
        }
    }
    Ok(fd)
}

/// Opens, and creates where nothing is there.
fn create(place: &Place<'_>, how: OpenHow) -> Answer<OwnedFd> {
    // One session is one process, and nothing else creates files while this call runs.
    let mask = how.exact.then(|| umask(Mode::empty()));
    let opened = open(place, how.flags, Mode::from_bits_truncate(how.mode));
    if let Some(mask) = mask {
        umask(mask);
    }
    opened
}

/// The same, unless a large file would be emptied while others wait. What is there is looked at only where something is.
fn create_at_once(place: &Place<'_>, how: OpenHow) -> Answer<OwnedFd> {
    if !is_hurried() || !how.has(OFlag::O_TRUNC) || how.has(OFlag::O_EXCL) {
        return create(place, how);
    }
    if how.creates() {
        match create(place, how.only_new()) {
            Err(Error::Kernel(Errno::EEXIST)) => {}
            result => return result,
        }
    }
    if let Ok(stat) = place.stat(Follow::Yes) {
        frees(&stat)?;
    }
    create(place, how)
}

/// How often a file is opened again while it is renamed over, each after a millisecond.
const RENAMING: usize = 1000;
/// How often of these because something else has its name.
const REPLACED: usize = 3;
const CLOSED: Refusal = Refusal::Forbidden("the directory cannot be written (--atomic-upload)");
