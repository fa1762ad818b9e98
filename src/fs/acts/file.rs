//! An open file: positioned reads and writes, attributes, copies.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::sys::stat::{Mode, SFlag, fchmod, futimens};
use nix::sys::statfs::fstatfs;
use nix::sys::statvfs::fstatvfs;
use nix::sys::uio::{pread, pwrite};
use nix::unistd::{Gid, Uid, Whence, fchown, fsync, ftruncate, lseek, write};

use super::names::Figures;
use crate::fs::judging::judge;
use crate::fs::judging::judge::{Deed, Effect, Judge, Verdict, Writing};
use crate::fs::judging::protect::{Change, Protect};
use crate::fs::kernel::file_limit;
use crate::fs::kernel::mounts::is_remote_type;
use crate::fs::kernel::opening::is_plain;
use crate::fs::kernel::patience::{frees_when_closed, is_large};
use crate::fs::kernel::place::{Id, kind};
use crate::fs::kernel::stat::{FileStat, fstat, seconds};
use crate::fs::view::permitted;
use crate::fs::view::upload::Pending;
use crate::fs::{Answer, Error, Refusal, Result, again, close};

/// An open file.
#[derive(Debug)]
pub struct File {
    fd: OwnedFd,
    /// `O_APPEND`: the kernel writes at the end, wherever it is told to.
    append: bool,
    guard: Guard,
    /// Asked for once.
    id: OnceLock<Id>,
    /// Whether something could not be written to it; and whether that was a piece behind which others were to come.
    spoiled: AtomicBool,
    lost: AtomicBool,
    /// How far it is known to reach, in bytes: by what it was when it was opened, and by what was written.
    reach: AtomicU64,
}

/// What may not be done by a descriptor, whatever its mode: in a jail, files of a read-only bind and protected ones stay as they are.
#[derive(Debug, Default)]
pub(in crate::fs) struct Guard {
    pub(in crate::fs) read_only: bool,
    /// Whether the way to it was judged: what was opened for reading alone is judged by its identity, when it is to be changed.
    pub(in crate::fs) cleared: bool,
    /// What tells whether the file has become protected since.
    pub(in crate::fs) protect: Option<Arc<Protect>>,
    /// Whether a client's setuid, setgid and sticky bits are set.
    pub(in crate::fs) keeps_bits: bool,
    pub(in crate::fs) judged: Option<Judged>,
    /// The name that it gets when it is closed.
    pub(in crate::fs) pending: Option<Pending>,
}

/// Who is asked before the file is changed, and what is to be known for it.
#[derive(Clone, Debug)]
pub(in crate::fs) struct Judged {
    judge: Arc<dyn Judge>,
    /// The canonical path in the view by which it was opened.
    path: Vec<u8>,
    /// Whether the client opened it for appending.
    appends: bool,
    /// Whether the OPEN created it.
    made: bool,
}

impl Guard {
    /// Asks `judge` from now on.
    pub(in crate::fs) fn judged(
        &mut self,
        judge: &Arc<dyn Judge>,
        path: &[u8],
        appends: bool,
        made: bool,
    ) {
        self.judged = Some(Judged {
            judge: Arc::clone(judge),
            path: path.to_vec(),
            appends,
            made,
        });
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl File {
    pub(in crate::fs) fn new(fd: OwnedFd, append: bool, guard: Guard) -> Self {
        Self {
            fd,
            append,
            guard,
            id: OnceLock::new(),
            spoiled: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            reach: AtomicU64::new(0),
        }
    }

    /// The same of what was opened in a jail, where it has to be a file or a directory. Which one it is needs no further call then.
    ///
    /// # Errors
    /// `EOPNOTSUPP` for all else; as fstat(2).
    pub(in crate::fs) fn plain(fd: OwnedFd, append: bool, guard: Guard) -> Result<Self> {
        let stat = fstat(&fd)?;
        is_plain(&stat)?;
        let file = Self::new(fd, append, guard);
        let _ = file.id.set(Id::of(&stat));
        file.reaches(stat.st_size as u64);
        Ok(file)
    }

    /// Whether what the file holds, and its attributes, may be changed now; another process may have moved it to where it is protected.
    ///
    /// # Errors
    /// `EROFS` in a read-only bind; [`Error::Protected`].
    pub fn changeable(&self) -> Answer<()> {
        self.may(Change::Alter)
    }

    fn may(&self, change: Change) -> Answer<()> {
        if self.guard.read_only {
            return Err(Errno::EROFS.into());
        }
        let cleared = self.guard.cleared;
        match &self.guard.protect {
            Some(protect) if !cleared && protect.is_partial() => Err(Error::Protected),
            Some(protect) => protect.judge_open(self.as_fd(), self.id(), change, cleared),
            None => Ok(()),
        }
    }

    /// Whether so many bytes may be written there now.
    ///
    /// # Errors
    /// Those of [`File::changeable`], and those of a judge.
    pub fn writable(&self, offset: u64, length: u64) -> Answer<()> {
        self.changeable()?;
        let Some(judged) = &self.guard.judged else {
            return Ok(());
        };
        let stat = self.stat()?;
        if is_plain(&stat).is_err() {
            return Ok(());
        }
        let writing = Writing {
            from: offset,
            length,
            size: stat.st_size as u64,
            stored: (stat.st_blocks as u64).saturating_mul(512),
            appends: judged.appends,
        };
        judged.judge.write(&writing, &|| judge::free(self.as_fd()))
    }

    /// Whether an attribute, or the size, is to be set.
    pub(in crate::fs) fn sets(&self, effect: Effect, change: Change) -> Answer<bool> {
        self.may(change)?;
        let Some(judged) = &self.guard.judged else {
            return Ok(true);
        };
        let stat = self.stat()?;
        let deed = Deed::of(effect, &judged.path, &stat, self.as_fd(), judged.made);
        Ok(judged.judge.judge(&[deed])? == Verdict::Go)
    }

    /// Which file it is.
    #[must_use]
    pub fn id(&self) -> Id {
        *self
            .id
            .get_or_init(|| Id::of_fd(&self.fd).unwrap_or_default())
    }

    /// Whether a judge is asked before it is changed.
    pub(in crate::fs) fn is_judged(&self) -> bool {
        self.guard.judged.is_some()
    }

    /// Whether it gets its name when it is closed.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.guard.pending.is_some()
    }

    /// Whether writes go to the end of the file.
    #[must_use]
    pub fn appends(&self) -> bool {
        self.append
    }

    /// Reads at `offset`; 0 at the end of the file. Whoever reads nothing because `offset` is past what the file system can hold hears so, as by lseek(2).
    ///
    /// # Errors
    /// As pread(2) and lseek(2).
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        let at = i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        let count = again(|| pread(&self.fd, buffer, at))?;
        if count == 0 && !buffer.is_empty() {
            self.seek(at)?;
        }
        Ok(count)
    }

    /// Writes all of `data` at `offset`, or at the end of a file opened for appending. A short write is continued.
    ///
    /// # Errors
    /// As pwrite(2); part of the data may then be written. Not so where a judge limits the length of files and others have appended meanwhile:
    /// nothing is written past that limit, and nothing up to it.
    pub fn write_at(&self, data: &[u8], offset: u64) -> Result<()> {
        if data.is_empty() && !self.append {
            // pwrite(2) of nothing is content with any offset.
            self.check_offset(offset)?;
        }
        let most = self.longest();
        let (mut written, mut pieces) = (0, 0);
        loop {
            let rest = data.get(written..).unwrap_or_default();
            // An appending descriptor may be a FIFO, which has no positions.
            let count = if self.append {
                let appended = file_limit::within(most, || again(|| write(&self.fd, rest)));
                appended.inspect_err(|errno| {
                    // Others may have appended between two pieces.
                    if *errno == Errno::EFBIG && most.is_some() && pieces == 1 {
                        self.take_back(written);
                    }
                })?
            } else {
                let at = offset.checked_add(written as u64).ok_or(Errno::EINVAL)?;
                let at = i64::try_from(at).map_err(|_| Errno::EINVAL)?;
                again(|| pwrite(&self.fd, rest, at)).map_err(|errno| self.cause_of(errno, at))?
            };
            written += count;
            pieces += 1;
            if written >= data.len() {
                self.reaches(offset.saturating_add(written as u64));
                return Ok(());
            }
            if count == 0 {
                return Err(Errno::EIO);
            }
        }
    }

    /// Takes note that there is something up to here.
    pub(in crate::fs) fn reaches(&self, end: u64) {
        self.reach.fetch_max(end, Ordering::Relaxed);
    }

    /// Whether to close it may take long, since that frees a large file: this one, which has no name any more, or the one whose place it takes.
    ///
    /// System calls: one fstat(2), where it is known to reach far.
    #[must_use]
    pub fn frees_much_when_closed(&self, end: u64) -> bool {
        let pending = self.guard.pending.as_ref();
        pending.is_some_and(Pending::frees_much)
            || frees_when_closed(&self.fd, self.reach.load(Ordering::Relaxed).max(end))
    }

    /// Whether to give it this size, in bytes, may take long.
    #[must_use]
    pub fn frees_much_when_cut(&self, size: u64) -> bool {
        let cut = |stat: &FileStat| size < stat.st_size as u64;
        self.stat().is_ok_and(|stat| cut(&stat) && is_large(&stat))
    }

    /// The length past which a judge lets no file grow, in bytes.
    fn longest(&self) -> Option<u64> {
        self.guard.judged.as_ref()?.judge.longest()
    }

    /// Takes away the `count` bytes that were just appended, if they are the end of the file: the limit has cut off what belongs behind them.
    ///
    /// They end at the limit, so that nobody whom it binds appends behind them. Who appends without it, between this look and the cut, loses
    /// what was appended: the kernel has no call that cuts a file only if it has a certain length.
    fn take_back(&self, count: usize) {
        let end = lseek(&self.fd, 0, Whence::SeekCur);
        if let (Ok(end), Ok(stat)) = (end, self.stat()) {
            if stat.st_size == end {
                let _ = again(|| ftruncate(&self.fd, end - count as i64));
            }
        }
    }

    /// Where an offset is past what the file system can hold, lseek(2) says `EINVAL` and pwrite(2) `EFBIG`; OpenSSH's clients know the former.
    fn cause_of(&self, errno: Errno, at: i64) -> Errno {
        if errno == Errno::EFBIG {
            self.seek(at).err().unwrap_or(errno)
        } else {
            errno
        }
    }

    /// Whether this file can have something at `offset`.
    ///
    /// # Errors
    /// As lseek(2): `EINVAL` past what the file system can hold, `ESPIPE` for what has no positions.
    pub fn check_offset(&self, offset: u64) -> Result<()> {
        self.seek(i64::try_from(offset).map_err(|_| Errno::EINVAL)?)
    }

    fn seek(&self, offset: i64) -> Result<()> {
        lseek(&self.fd, offset, Whence::SeekSet).map(drop)
    }

    /// Its attributes.
    ///
    /// # Errors
    /// As fstat(2).
    pub fn stat(&self) -> Result<FileStat> {
        fstat(&self.fd)
    }

    /// The same, as a client may know them.
    ///
    /// # Errors
    /// As fstat(2).
    pub fn told(&self) -> Result<FileStat> {
        let stat = self.stat()?;
        Ok(match &self.guard.judged {
            Some(judged) => judge::told(&judged.judge, &stat),
            None => stat,
        })
    }

    /// Figures of the file system on which it lies.
    ///
    /// # Errors
    /// As fstatvfs(3).
    pub fn statvfs(&self) -> Result<Figures> {
        let judged = self.guard.judged.as_ref();
        Ok(Figures {
            kernel: again(|| fstatvfs(&self.fd))?,
            read_only: self.guard.read_only,
            reserve: judged.map_or(0, |judged| judged.judge.reserve()),
        })
    }

    /// Sets its size, in bytes.
    ///
    /// # Errors
    /// As ftruncate(2).
    pub fn truncate(&self, size: u64) -> Answer<()> {
        let size = i64::try_from(size).map_err(|_| Errno::EINVAL)?;
        let effect = Effect::Resize(size as u64);
        if !self.sets(effect, Change::Alter)? {
            return Ok(());
        }
        match file_limit::within(self.longest(), || again(|| ftruncate(&self.fd, size))) {
            // Another process has made it shorter since it was judged; what was to be less is more now.
            Err(Errno::EFBIG) => self
                .sets(effect, Change::Alter)
                .and(Err(Errno::EFBIG.into())),
            result => Ok(result?),
        }
    }

    /// Sets its permissions: the lower twelve bits of `mode`.
    ///
    /// # Errors
    /// As fchmod(2).
    pub fn chmod(&self, mode: u32) -> Answer<()> {
        if !self.sets(Effect::Permissions, Change::Mode(mode))? {
            return Ok(());
        }
        let all = self.guard.keeps_bits || kind(&self.stat()?) == SFlag::S_IFDIR;
        let mode = Mode::from_bits_truncate(permitted(mode, all));
        Ok(fchmod(&self.fd, mode)?)
    }

    /// Sets access and modification time, in seconds since the Epoch.
    ///
    /// # Errors
    /// As futimens(3).
    pub fn utimes(&self, atime: u32, mtime: u32) -> Answer<()> {
        if !self.sets(Effect::Times, Change::Alter)? {
            return Ok(());
        }
        Ok(futimens(&self.fd, &seconds(atime), &seconds(mtime))?)
    }

    /// Sets owner and group.
    ///
    /// # Errors
    /// As fchown(2).
    pub fn chown(&self, uid: u32, gid: u32) -> Answer<()> {
        if !self.sets(Effect::Owner, Change::Owner)? {
            return Ok(());
        }
        Ok(fchown(
            &self.fd,
            Some(Uid::from_raw(uid)),
            Some(Gid::from_raw(gid)),
        )?)
    }

    /// Waits until what was written is on the disk.
    ///
    /// # Errors
    /// As fsync(2).
    pub fn sync(&self) -> Result<()> {
        again(|| fsync(&self.fd))
    }

    /// Whether what is written next belongs behind all that was written before: not where it is appended, and a piece before it was lost.
    ///
    /// # Errors
    /// [`Refusal::Lost`].
    pub fn follows(&self) -> Answer<()> {
        // Where files only grow all are opened so; each piece is judged by its offset then.
        let judged = self.guard.judged.as_ref();
        let appends = judged.map_or(self.append, |judged| judged.appends);
        match appends && self.lost.load(Ordering::Relaxed) {
            true => Err(Refusal::Lost.into()),
            false => Ok(()),
        }
    }

    /// Takes note that something could not be written: an atomic upload is worth nothing then.
    pub fn spoil(&self) {
        self.spoiled.store(true, Ordering::Relaxed);
    }

    /// The same of a piece of what is being written: nothing is appended behind it any more.
    pub fn lose(&self) {
        self.lost.store(true, Ordering::Relaxed);
        self.spoil();
    }

    /// Ends an atomic upload or a copy, before the file is closed: it takes its place.
    ///
    /// # Errors
    /// [`Refusal::Discarded`] after a write that failed; what a judge says of the file that is there by now; as rename(2).
    pub fn commit(&mut self) -> Answer<()> {
        let Some(pending) = self.guard.pending.take() else {
            return Ok(());
        };
        if self.spoiled.load(Ordering::Relaxed) {
            return Err(Refusal::Discarded.into());
        }
        // What the kernel keeps for the moment of closing has to fail now: behind the rename it would be too late for what stands there.
        // Where no descriptor is left for it, the last close tells.
        if let Ok(second) = self.fd.try_clone() {
            close(second)?;
        }
        let judge = self.guard.judged.as_ref().map(|judged| &judged.judge);
        pending.commit(judge, self.guard.protect.as_ref(), &self.fd)
    }

    /// Closes it, and tells what the kernel has kept for this moment (NFS, quotas).
    ///
    /// # Errors
    /// As close(2).
    pub fn close(self) -> Result<()> {
        close(self.fd)
    }

    /// Whether both are open on the same object.
    ///
    /// # Errors
    /// As fstat(2).
    pub fn is_same(&self, other: &Self) -> Result<bool> {
        Ok(Id::of(&self.stat()?) == Id::of(&other.stat()?))
    }

    /// Whether it lies on a file system that another process or another host serves: any answer of it may be long in coming, or never come.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        fstatfs(self).is_ok_and(|fs| is_remote_type(fs.filesystem_type().0 as u32))
    }
}
