//! Atomic uploads, and copies: a file is written under a name that no session lists, and takes its place when it is closed.
//!
//! The session that writes it reaches it by the name that it will have; for all others what was there stays there. Whatever ends it
//! before it is closed removes it; the unlisted name is left behind only by SIGKILL, by storage that answers no more, and in a directory that
//! another process has moved to where the locks let nothing be removed.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, SFlag};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::fs::judging::held::Held;
use crate::fs::judging::judge::{Deed, Effect, Judge, Verdict};
use crate::fs::judging::own::OwnMade;
use crate::fs::judging::protect::{Change, Protect};
use crate::fs::kernel::dress::dress;
use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::linked::Arrived;
use crate::fs::kernel::made::Made;
use crate::fs::kernel::mounts::is_mounted;
use crate::fs::kernel::moving::{Moved, Moving, move_known, move_to_fresh, replace_name};
use crate::fs::kernel::opening::OpenHow;
use crate::fs::kernel::patience::is_large;
use crate::fs::kernel::place::{Dirfd, Id, Place, kind};
use crate::fs::kernel::stat::{FileStat, fstat};
use crate::fs::kernel::unlisted::{claim, release, unlisted};
use crate::fs::{Answer, Result};

/// The uploads of a session that are not finished.
#[derive(Debug, Default)]
pub(in crate::fs) struct Uploads {
    /// Locked for moments only: whoever held it during a system call on storage that stalls would keep the session's own thread waiting.
    unfinished: Mutex<Unfinished>,
    /// Wakes who waits for none to be in the making.
    made: Condvar,
}

#[derive(Debug, Default)]
struct Unfinished {
    uploads: Vec<Upload>,
    /// Files that are being created or moved by other threads, and are not among the uploads yet as they will stand.
    making: usize,
    /// Whether the session is at its end: no more are begun.
    ended: bool,
}

#[derive(Clone, Debug)]
struct Upload {
    serial: u64,
    /// Where it goes.
    dir: Arc<OwnedFd>,
    id: Id,
    name: Vec<u8>,
    path: Vec<u8>,
    /// The name that it has until then, in the same directory.
    hidden: Vec<u8>,
    /// What was made by that name.
    file: Id,
    /// Whether it may take nothing's place.
    exclusive: bool,
    /// Whether something stood there when it was opened.
    over: bool,
}

impl Upload {
    fn place<'a>(&'a self, name: &'a [u8]) -> Place<'a> {
        Place::of_upload(Dirfd::Held(self.dir.as_fd()), name, &self.path)
    }

    /// Whether the file still has its unlisted name: another process may have put something of its own there.
    ///
    /// # Errors
    /// `ESTALE` where it has not; as fstatat(2).
    fn stands(&self) -> Result<()> {
        match Id::of(&self.place(&self.hidden).lstat()?) == self.file {
            true => Ok(()),
            false => Err(Errno::ESTALE),
        }
    }

    /// Removes the file, and nothing else that has its name.
    fn remove(&self) {
        if self.stands().is_ok() {
            unname(&self.dir, &self.hidden);
        }
    }
}

/// While it lasts, a file is being created or moved. What came of it is among the uploads before it ends.
struct Making<'u>(&'u Uploads);

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.0.lock().making -= 1;
        self.0.made.notify_all();
    }
}

/// The end of an upload: it is committed, or it never was.
#[derive(Debug)]
pub(in crate::fs) struct Pending {
    uploads: Arc<Uploads>,
    serial: u64,
    /// Whether what stood there was large.
    over_large: bool,
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(upload) = self.uploads.take(self.serial) {
            upload.remove();
        }
    }
}

impl Pending {
    /// The file, as what the session has made.
    pub(in crate::fs) fn made(&self, file: &OwnedFd) -> Option<Made> {
        let upload = self.uploads.get(self.serial)?;
        let identity = Identity::of(file.as_fd())?;
        Some(Made::at(upload.dir.as_fd(), &upload.hidden, identity))
    }

    /// Whether a large file goes when this takes its place.
    pub(in crate::fs) fn frees_much(&self) -> bool {
        self.over_large
    }

    /// Gives the file the name that it was opened by.
    ///
    /// # Errors
    /// `EEXIST` for an exclusive one, where something has appeared; `ESTALE` where another process has put something in the place of the
    /// file; what the judge says of taking the place of what is there; [`Error::Protected`](crate::fs::Error::Protected) where the directory has
    /// been moved to; as rename(2). What was uploaded is gone then.
    pub(in crate::fs) fn commit(
        self,
        judge: Option<&Arc<dyn Judge>>,
        protect: Option<&Arc<Protect>>,
        file: &OwnedFd,
    ) -> Answer<()> {
        // Removed by its name meanwhile: it ends with its handle, as any file does.
        let Some(upload) = self.uploads.get(self.serial) else {
            return Ok(());
        };
        // It stays known until it has its name: a session that ends meanwhile removes it.
        upload.commit(judge, protect, file)?;
        release(file);
        self.uploads.take(self.serial);
        Ok(())
    }
}

impl Upload {
    fn commit(
        &self,
        judge: Option<&Arc<dyn Judge>>,
        protect: Option<&Arc<Protect>>,
        file: &OwnedFd,
    ) -> Answer<()> {
        let (from, to) = (self.place(&self.hidden), self.place(&self.name));
        self.stands()?;
        for _ in 0..RETRIES {
            let there = to.lstat();
            if let Some(protect) = protect {
                let at = (self.dir.as_fd(), self.id, &*self.name);
                protect.judge(at, there.as_ref().ok().map(Id::of), Change::Make)?;
            }
            match there {
                Err(Errno::ENOENT) => match self.take_free(judge, (&from, &to), file) {
                    Err(Errno::EEXIST) => {}
                    result => return Ok(result?),
                },
                Ok(_) if self.exclusive => return Err(Errno::EEXIST.into()),
                Ok(there) => {
                    // Its content goes, whatever system call does it.
                    let deeds = [Effect::Content, Effect::Truncate]
                        .map(|effect| Deed::at(effect, &to, Some(&there)));
                    judge.map_or(Ok(Verdict::Go), |judge| judge.judge(&deeds))?;
                    let held = judge.and_then(|_| to.hold_entry().ok());
                    let old = held.as_ref().and_then(Held::identity);
                    replace_name(&from, &to)?;
                    // If another process has changed it meanwhile, what was replaced is not known.
                    let old = old.filter(|_| held.as_ref().is_some_and(Held::is_nameless));
                    self.arrived(&to)?;
                    if let Some(judge) = judge.filter(|judge| judge.keeps() > 0) {
                        if let Some(file) = Identity::of(file.as_fd()) {
                            judge.replaced(Made::at(to.dir(), &to.name, file), old);
                        }
                    }
                    return Ok(());
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        Err(Errno::EAGAIN.into())
    }

    /// Gives it its name, which nothing has.
    ///
    /// # Errors
    /// `ESTALE` where something else has it by now; as renameat2(2).
    fn take_free(
        &self,
        judge: Option<&Arc<dyn Judge>>,
        (from, to): (&Place<'_>, &Place<'_>),
        file: &OwnedFd,
    ) -> Result<()> {
        let own = OwnMade::of(judge, file.as_fd());
        match move_known(from, to, Moving::Upload(file.as_fd(), own.is_some()))? {
            Moved::Renamed => self.arrived(to),
            Moved::Linked(Arrived::Another) => Err(Errno::ESTALE),
            Moved::Linked(arrived) => {
                if let Some(own) = own {
                    own.is_now(arrived);
                }
                Ok(())
            }
        }
    }

    /// Whether it is what has its name now: a rename goes by names, and the last look at the unlisted one was before.
    ///
    /// Who puts something else there in between could as well rename that to where it stands now; so it stays, but the client is told. A
    /// link to the open file would leave no such moment; it needs /proc, though, and who waits for files waits for the event of a rename.
    /// Who takes the file away at once does what uploads are for.
    ///
    /// # Errors
    /// `ESTALE` where something else has its name.
    fn arrived(&self, to: &Place<'_>) -> Result<()> {
        match to.lstat() {
            Ok(there) if Id::of(&there) != self.file => Err(Errno::ESTALE),
            _ => Ok(()),
        }
    }
}

impl Uploads {
    /// Begins one: creates the file that will stand in `place`; where one stands there already, with its mode, owner and ACL.
    ///
    /// None where that file has to be written as it stands: it has other names, is a mount point, or has an owner that cannot be given to
    /// another file.
    ///
    /// # Errors
    /// As openat(2), of the file that is there as well: `EACCES` and `EPERM` where the directory cannot be written.
    pub(in crate::fs) fn begin(
        self: &Arc<Self>,
        place: &Place<'_>,
        how: OpenHow,
        over: Option<&OwnedFd>,
    ) -> Answer<Option<(OwnedFd, Pending)>> {
        let old = match over {
            Some(old) => Some((old, fstat(old)?)),
            None => None,
        };
        let stays = |(old, stat): (&OwnedFd, FileStat)| {
            stat.st_nlink != 1 || kind(&stat) != SFlag::S_IFREG || is_mounted(old, b"")
        };
        if old.is_some_and(stays) {
            return Ok(None);
        }
        // Whatever can fail comes before there is a file to be left behind.
        if place.keeps_names() {
            return Err(Errno::EPERM.into());
        }
        let dir = Arc::new(place.dir().try_clone_to_owned().map_err(to_errno)?);
        let id = Id::of_fd(&dir)?;
        let hidden = unlisted();
        let at = Place::of_upload(Dirfd::Held(place.dir()), &hidden, place.canonical());
        let flags = how.flags | OFlag::O_CREAT | OFlag::O_EXCL;
        // Nobody else opens it before it has the mode of what it is to replace.
        let mode = if old.is_some() { 0o600 } else { how.mode };
        let making = self.make()?;
        let file = at.open(flags - OFlag::O_TRUNC, Mode::from_bits_truncate(mode))?;
        claim(&file);
        let made = Id::of_fd(&file).inspect_err(|_| unname(&dir, &hidden))?;
        let upload = Upload {
            serial: RandomState::new().build_hasher().finish(),
            id,
            dir,
            name: place.name.to_vec(),
            path: place.canonical().to_vec(),
            hidden,
            file: made,
            exclusive: how.flags.contains(OFlag::O_EXCL),
            over: old.is_some(),
        };
        let pending = Pending {
            uploads: Arc::clone(self),
            serial: upload.serial,
            over_large: old.is_some_and(|(_, stat)| is_large(&stat)),
        };
        // Whatever fails from now on removes it, and so does the end of the session.
        self.lock().uploads.push(upload);
        drop(making);
        if let Some((old, stat)) = old {
            match dress(&file, old, &stat) {
                Ok(()) => {}
                // The file system or the user cannot.
                Err(
                    Errno::EPERM
                    | Errno::EACCES
                    | Errno::EINVAL
                    | Errno::ENOSYS
                    | Errno::EOPNOTSUPP,
                ) => return Ok(None),
                // To write the old file as it stands would lose what it holds: the next failure is near.
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(Some((file, pending)))
    }

    /// Takes note that a file is about to be created or moved.
    ///
    /// # Errors
    /// `EINTR` at the end of the session: nobody would remove it.
    fn make(&self) -> Result<Making<'_>> {
        let mut unfinished = self.lock();
        if unfinished.ended {
            return Err(Errno::EINTR);
        }
        unfinished.making += 1;
        Ok(Making(self))
    }

    /// Removes all of them, and lets none begin, whoever still writes to them. Storage that does not answer may keep what it has.
    pub(in crate::fs) fn end(&self, deadline: Instant) {
        let mut unfinished = self.lock();
        unfinished.ended = true;
        let rest = || deadline.saturating_duration_since(Instant::now());
        let (mut unfinished, _) = self
            .made
            .wait_timeout_while(unfinished, rest(), |unfinished| unfinished.making > 0)
            .unwrap_or_else(PoisonError::into_inner);
        let uploads = Arc::new(std::mem::take(&mut unfinished.uploads));
        drop(unfinished);
        if uploads.is_empty() {
            return;
        }
        let remove = |uploads: &[Upload]| uploads.iter().for_each(Upload::remove);
        let (tell, told) = mpsc::channel::<()>();
        let aside = {
            let uploads = Arc::clone(&uploads);
            thread::Builder::new().spawn(move || {
                remove(&uploads);
                drop(tell);
            })
        };
        match aside {
            Ok(_) => drop(told.recv_timeout(rest().max(LEAST))),
            Err(_) => remove(&uploads),
        }
    }

    /// The name under which that which is to stand in `place` is being written, the last one if there are several.
    pub(in crate::fs) fn hidden(&self, place: &Place<'_>) -> Option<Vec<u8>> {
        self.find(place, |upload| upload.hidden.clone())
    }

    /// Gives up what is to stand in `place`: by its handle it is there until that is closed. Whether anything was.
    pub(in crate::fs) fn cancel(&self, place: &Place<'_>) -> bool {
        let Some(serial) = self.find(place, |upload| upload.serial) else {
            return false;
        };
        if let Some(upload) = self.take(serial) {
            upload.remove();
        }
        true
    }

    /// Whether what is to stand in `place` stands on nothing.
    pub(in crate::fs) fn is_new(&self, place: &Place<'_>) -> Option<bool> {
        self.find(place, |upload| !upload.over)
    }

    /// Has what was to stand in `old` go to `new`, in the place of what is there, if `over`.
    ///
    /// # Errors
    /// As rename(2), where that is another directory; `EINTR` at the end of the session.
    pub(in crate::fs) fn redirect(
        &self,
        old: &Place<'_>,
        new: &Place<'_>,
        over: bool,
    ) -> Result<()> {
        let dir = new.dir().try_clone_to_owned().map_err(to_errno)?;
        let id = Id::of_fd(&dir)?;
        let serial = self.find(old, |upload| upload.serial);
        let mut moved = serial
            .and_then(|serial| self.get(serial))
            .ok_or(Errno::ENOENT)?;
        let making = self.make()?;
        if moved.id != id {
            moved.stands()?;
            let to = Place::of_upload(Dirfd::Held(dir.as_fd()), &moved.hidden, new.canonical());
            move_to_fresh(&moved.place(&moved.hidden), &to)?;
        }
        moved.dir = Arc::new(dir);
        moved.id = id;
        moved.name = new.name.to_vec();
        moved.path = new.canonical().to_vec();
        moved.exclusive = !over;
        moved.over = over;
        let mut unfinished = self.lock();
        let mut uploads = unfinished.uploads.iter_mut();
        let Some(upload) = uploads.find(|upload| upload.serial == moved.serial) else {
            // The session has ended meanwhile, and has looked for it where it stood before.
            drop(unfinished);
            moved.remove();
            return Err(Errno::EINTR);
        };
        *upload = moved;
        drop(unfinished);
        drop(making);
        Ok(())
    }

    fn find<T>(&self, place: &Place<'_>, tell: impl Fn(&Upload) -> T) -> Option<T> {
        // A slash behind the name asks for a directory.
        if place.slash || self.lock().uploads.is_empty() {
            return None;
        }
        let id = place.dir.id().ok()?;
        let unfinished = self.lock();
        let mut latest = unfinished.uploads.iter().rev();
        latest
            .find(|upload| upload.id == id && upload.name == *place.name)
            .map(tell)
    }

    fn get(&self, serial: u64) -> Option<Upload> {
        let unfinished = self.lock();
        let mut uploads = unfinished.uploads.iter();
        uploads.find(|upload| upload.serial == serial).cloned()
    }

    fn take(&self, serial: u64) -> Option<Upload> {
        let mut unfinished = self.lock();
        let uploads = &mut unfinished.uploads;
        let at = uploads.iter().position(|upload| upload.serial == serial)?;
        Some(uploads.remove(at))
    }

    fn lock(&self) -> MutexGuard<'_, Unfinished> {
        self.unfinished
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn unname(dir: &OwnedFd, name: &[u8]) {
    let _ = unlinkat(dir, name, UnlinkatFlags::NoRemoveDir);
}

fn to_errno(error: std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or_default())
}

/// Of which so much is left to remove what was begun in time.
const LEAST: Duration = Duration::from_millis(100);
/// How often an upload tries to take its place while another process puts things there and takes them away.
const RETRIES: usize = 16;
