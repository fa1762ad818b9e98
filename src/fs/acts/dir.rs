//! An open directory: its entries, each with what the kernel tells of it.

mod ahead;

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{fstat, fstatat};
use rustix::fs::{AtFlags as StatxAt, FileType, RawDir};

use crate::fs::Result;
use crate::fs::judging::judge::{Judge, told};
use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::mounts::device_of;
use crate::fs::kernel::patience::Patience;
use crate::fs::kernel::stat::FileStat;
use crate::fs::kernel::unlisted::is_unfinished;
use crate::fs::view::View;
use crate::fs::view::jail::Tree;
use crate::fs::view::point::Name;

/// An open directory and how far it was listed.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    /// Names that the kernel gave already, each ended by NUL; those before `taken` were given on.
    pending: Vec<u8>,
    taken: usize,
    ended: bool,
    jailed: Option<Jailed>,
    /// Who is asked which entries are listed, and the canonical path in the view.
    judged: Option<Judged>,
    /// What the kernel told of the first of the pending names; none of one that it failed.
    seen: Vec<Option<FileStat>>,
    /// What reading ahead met; it is told once.
    failed: Option<Errno>,
}

/// What the view shows where the disk has something else.
#[derive(Debug)]
struct Jailed {
    /// The attributes of the directory above: never those of one that lies outside.
    above: FileStat,
    /// What is bound here; listed in place of what stands there on the disk.
    bound: Vec<(Name, Arc<OwnedFd>)>,
    /// How many of these were listed.
    listed: usize,
    /// What the kernel told of each, where that was asked for ahead.
    seen: Vec<Option<FileStat>>,
}

/// What the receiver of an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Taken; the next one, please.
    Taken,
    /// No room for it now.
    Full,
}

/// How far a listing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// The receiver is full, or the directory ended.
    Done,
    /// To go on may take long: another thread is to call [`Dir::look_ahead`] first.
    Long,
}

/// What may keep waiting who lists a directory.
#[derive(Clone, Copy)]
pub(in crate::fs) struct Far<'f> {
    /// Whether all of it lies with another process or host.
    pub(in crate::fs) all: bool,
    /// Whether an entry does, where that is possible at all: something may be mounted on it.
    pub(in crate::fs) entry: Option<&'f IsFar<'f>>,
}

/// Whether a name in a directory is one of those.
type IsFar<'f> = dyn Fn(BorrowedFd<'_>, &[u8]) -> bool + 'f;

impl AsFd for Dir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Dir {
    pub(in crate::fs) fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            pending: Vec::new(),
            taken: 0,
            ended: false,
            jailed: None,
            judged: None,
            seen: Vec::new(),
            failed: None,
        }
    }

    /// A directory of a jail, with the directory above it and what is bound in it.
    pub(in crate::fs) fn in_jail(fd: OwnedFd, above: FileStat, bound: &[(&Name, &Tree)]) -> Self {
        let bound = bound.iter();
        Self {
            jailed: Some(Jailed {
                above,
                bound: bound
                    .map(|(name, tree)| ((*name).clone(), Arc::clone(&tree.fd)))
                    .collect(),
                listed: 0,
                seen: Vec::new(),
            }),
            ..Self::new(fd)
        }
    }

    /// The same, of which only those entries are listed that `judge` lists; `path` is its own.
    pub(in crate::fs) fn judged(self, judge: &Arc<dyn Judge>, path: &[u8]) -> Self {
        Self {
            judged: Some((Arc::clone(judge), path.to_vec())),
            ..self
        }
    }

    /// Gives entry after entry to `take`, with its attributes (of a link, the link's), until it is full or the directory ends.
    ///
    /// An entry that cannot be stat'ed, since it has gone meanwhile or the file system fails it, is left out.
    ///
    /// System calls: one fstatat(2) an entry, one getdents64(2) for some hundreds of them.
    ///
    /// # Errors
    /// As getdents64(2).
    pub fn list(&mut self, take: impl FnMut(&[u8], &FileStat) -> Listed) -> Result<()> {
        let near = Far {
            all: false,
            entry: None,
        };
        self.list_near(near, take).map(drop)
    }

    /// The same, up to what may take long: what is `far`, and more entries than can be looked at in a while of which none is shown.
    ///
    /// # Errors
    /// As getdents64(2).
    pub(in crate::fs) fn list_near(
        &mut self,
        far: Far<'_>,
        mut take: impl FnMut(&[u8], &FileStat) -> Listed,
    ) -> Result<Listing> {
        let mut seen = std::mem::take(&mut self.seen).into_iter();
        let mut patience = Patience::default();
        let mut shown = Shown {
            jailed: self.jailed.as_ref(),
            judged: self.judged.as_ref(),
            far,
        };
        let pending = self.pending.get(self.taken..).unwrap_or_default();
        for name in names(pending) {
            let (_, bare) = name.split_last().unwrap_or((&0, &[]));
            let known = seen.next();
            let given = if known.is_none() && far.all {
                Given::Long
            } else {
                shown.give(&self.fd, bare, known, true, &mut take)
            };
            let long = given == Given::Hidden && patience.ends();
            match given {
                Given::Full => {
                    self.seen = known.into_iter().chain(seen).collect();
                    return Ok(Listing::Done);
                }
                Given::Long => return Ok(Listing::Long),
                Given::Taken | Given::Hidden => self.taken += name.len(),
            }
            if long {
                return Ok(Listing::Long);
            }
        }
        // What is kept for a client that lists half a directory is no more than what waits.
        self.pending = Vec::new();
        self.taken = 0;
        if self.ended {
            return Ok(self.list_bound(far, &mut take));
        }
        if let Some(errno) = self.failed.take() {
            return Err(errno);
        }
        if far.all {
            return Ok(Listing::Long);
        }
        let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
        let mut entries = RawDir::new(&self.fd, &mut buffer);
        let mut stopped = None;
        loop {
            if let Some(listing) = stopped.filter(|_| entries.is_buffer_empty()) {
                return Ok(listing);
            }
            match entries.next() {
                Some(Ok(entry)) => {
                    let name = entry.file_name();
                    let bare = name.to_bytes();
                    if stopped.is_none() {
                        shown.jailed = self.jailed.as_ref();
                        shown.judged = self.judged.as_ref();
                        let may_be_mount =
                            matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
                        match shown.give(&self.fd, bare, None, may_be_mount, &mut take) {
                            Given::Taken => continue,
                            Given::Hidden if !patience.ends() => continue,
                            Given::Hidden => {
                                stopped = Some(Listing::Long);
                                continue;
                            }
                            Given::Full => stopped = Some(Listing::Done),
                            Given::Long => stopped = Some(Listing::Long),
                        }
                    }
                    self.pending.extend_from_slice(name.to_bytes_with_nul());
                }
                // A directory that was removed meanwhile has no more entries, as readdir(3) has it.
                Some(Err(rustix::io::Errno::NOENT)) | None => {
                    self.ended = true;
                    return Ok(match stopped {
                        Some(listing) => listing,
                        None => self.list_bound(far, &mut take),
                    });
                }
                Some(Err(errno)) => return Err(Errno::from_raw(errno.raw_os_error())),
            }
        }
    }

    /// The names that are bound here come last.
    fn list_bound(
        &mut self,
        far: Far<'_>,
        take: &mut impl FnMut(&[u8], &FileStat) -> Listed,
    ) -> Listing {
        let Some(jailed) = &mut self.jailed else {
            return Listing::Done;
        };
        let judged = self.judged.as_ref();
        for (index, (name, fd)) in jailed.bound.iter().enumerate().skip(jailed.listed) {
            let name = name.written.as_slice();
            let stat = match jailed.seen.get(index) {
                Some(seen) => *seen,
                None if far.entry.is_some_and(|far| far(fd.as_fd(), b"")) => return Listing::Long,
                None => {
                    let identity = || Identity::of(fd.as_fd());
                    fstat(fd).ok().filter(|_| lists(judged, name, &identity))
                }
            };
            if let Some(stat) = stat {
                if take(name, &as_told(judged, &stat)) == Listed::Full {
                    return Listing::Done;
                }
            }
            jailed.listed += 1;
        }
        Listing::Done
    }
}

impl View {
    /// Lists a directory up to what may take long, which all of it may where it lies `far`: with another process or another host.
    ///
    /// # Errors
    /// As getdents64(2).
    pub fn list(
        &self,
        dir: &mut Dir,
        far: bool,
        take: impl FnMut(&[u8], &FileStat) -> Listed,
    ) -> Result<Listing> {
        let is_far = |dir: BorrowedFd<'_>, name: &[u8]| {
            let device = device_of(dir, name, StatxAt::SYMLINK_NOFOLLOW);
            device.is_ok_and(|device| self.mounts.serves_remotely(device) == Some(true))
        };
        let far = Far {
            all: far,
            entry: (self.has_remote() == Some(true)).then_some(&is_far),
        };
        dir.list_near(far, take)
    }
}

/// Each of them with the NUL at its end.
fn names(pending: &[u8]) -> impl Iterator<Item = &[u8]> {
    pending.split_inclusive(|byte| *byte == 0)
}

/// The judge of a directory, and its canonical path.
type Judged = (Arc<dyn Judge>, Vec<u8>);

/// What changes a listing on its way to the client.
struct Shown<'d> {
    jailed: Option<&'d Jailed>,
    judged: Option<&'d Judged>,
    far: Far<'d>,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Given {
    Taken,
    /// It is not shown.
    Hidden,
    Full,
    /// To look at it may take long.
    Long,
}

impl Shown<'_> {
    /// `known` is what was asked before.
    fn give(
        &self,
        dir: &OwnedFd,
        name: &[u8],
        known: Option<Option<FileStat>>,
        may_be_mount: bool,
        take: &mut impl FnMut(&[u8], &FileStat) -> Listed,
    ) -> Given {
        let mut take = |stat: &FileStat| match take(name, &as_told(self.judged, stat)) {
            Listed::Taken => Given::Taken,
            Listed::Full => Given::Full,
        };
        if let Some(jailed) = self.jailed {
            if name == b".." {
                return take(&jailed.above);
            }
            if jailed.bound.iter().any(|(bound, _)| bound.is(name)) {
                return Given::Hidden;
            }
        }
        let stat = match known {
            Some(known) => known,
            None => {
                let far = self.far.entry.filter(|_| may_be_mount);
                if far.is_some_and(|far| far(dir.as_fd(), name)) {
                    return Given::Long;
                }
                let identity = || Identity::at(dir.as_fd(), name);
                if !lists(self.judged, name, &identity) {
                    return Given::Hidden;
                }
                let stat = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok();
                stat.filter(|stat| !is_unfinished(dir.as_fd(), name, stat))
            }
        };
        stat.as_ref().map_or(Given::Hidden, take)
    }
}

/// Whether the judge lets an entry be listed.
fn lists(judged: Option<&Judged>, name: &[u8], identity: &dyn Fn() -> Option<Identity>) -> bool {
    let Some((judge, path)) = judged.filter(|_| !matches!(name, b"." | b"..")) else {
        return true;
    };
    judge.lists(&[path.as_slice(), b"/", name].concat(), identity)
}

/// Attributes as the judge lets them be told.
fn as_told(judged: Option<&Judged>, stat: &FileStat) -> FileStat {
    match judged {
        Some((judge, _)) => told(judge, stat),
        None => *stat,
    }
}

/// As glibc's readdir(3) has it.
const BUFFER: usize = 32 * 1024;
