//! What is done by (directory descriptor, name): one function a request, each the system call that its doc names.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, readlinkat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmodat, mkdirat, utimensat};
use nix::sys::statvfs::{Statvfs, fstatvfs, statvfs};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, ftruncate, linkat, symlinkat};

use super::dir::Dir;
use super::exact::{DIR_MODE, exactly};
use crate::fs::judging::held::Held;
use crate::fs::judging::judge::{Deed, Effect, told};
use crate::fs::judging::protect::{Change, way_mode};
use crate::fs::kernel::file_limit::within;
use crate::fs::kernel::made::Made;
use crate::fs::kernel::opening::open;
use crate::fs::kernel::patience::{frees, frees_with_name};
use crate::fs::kernel::place::{Id, Last, Place, flags, kind};
use crate::fs::kernel::stat::{FileStat, Follow, fstat, seconds};
use crate::fs::view::View;
use crate::fs::view::resolve::{Aim, Intent};
use crate::fs::view::step::PATH_MAX;
use crate::fs::view::verdict::{free, one_tree};
use crate::fs::{Answer, Error, Result, again};

/// Figures of a file system, and what the view makes of them.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// As the kernel tells them.
    pub kernel: Statvfs,
    /// Whether the view makes it read-only.
    pub read_only: bool,
    /// How many of the free bytes are not for the client.
    pub reserve: u64,
}

impl Figures {
    /// Those of a file system of which all is for the client.
    fn of(kernel: Statvfs) -> Self {
        Self {
            kernel,
            read_only: false,
            reserve: 0,
        }
    }
}

impl View {
    /// Opens a directory for listing.
    ///
    /// # Errors
    /// As openat(2); `ENOTDIR`.
    pub fn opendir(&self, path: &Path) -> Answer<Dir> {
        self.act(path, Aim::Target, Intent::Reach, |place| {
            // O_NONBLOCK as opendir(3) has it: what is no directory must not block before the kernel sees that.
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
            self.ask_about(Effect::List, place, Follow::Yes)?;
            let fd = place.open(flags, Mode::empty())?;
            let (Some(jail), Some(jailed)) = (self.jail(), &place.jailed) else {
                return Ok(Dir::new(fd));
            };
            let above = match jailed.above {
                Some(above) => above,
                None => fstat(&place.dir())?,
            };
            let bound = if jail.has_binds() {
                jail.bound_in(jailed.tree, fd.as_fd())?
            } else {
                Vec::new()
            };
            let dir = Dir::in_jail(fd, above, &bound);
            Ok(match self.judge() {
                Some(judge) => dir.judged(judge, place.canonical()),
                None => dir,
            })
        })
    }

    /// The attributes of what `path` names.
    ///
    /// System calls: in the host's tree one newfstatat(2). In a jail openat2(2), newfstatat(2) and close(2), or the latter alone where the path
    /// is one name.
    ///
    /// # Errors
    /// As fstatat(2).
    pub fn stat(&self, path: &Path, follow: Follow) -> Answer<FileStat> {
        self.act(path, aim(follow), Intent::Reach, |place| {
            let stat = place.stat(follow)?;
            self.allows(&[Deed::at(Effect::Look, place, Some(&stat))])?;
            Ok(match self.judge() {
                Some(judge) => told(judge, &stat),
                None => stat,
            })
        })
    }

    /// Sets the size, in bytes. Only a regular file is ever opened for it: opening a device may act.
    ///
    /// # Errors
    /// As truncate(2): `EISDIR`, `EINVAL` for what is no regular file.
    pub fn truncate(&self, path: &Path, size: u64) -> Answer<()> {
        let size = i64::try_from(size).map_err(|_| Errno::EINVAL)?;
        self.act(path, Aim::Target, Intent::Reach, |place| {
            // Held, so that no other file gets its inode before it is open.
            let held = match self.is_judged() {
                true => Some(place.hold(Follow::Yes)?),
                false => None,
            };
            let stat = match &held {
                Some(held) => held.stat,
                None => place.stat(Follow::Yes)?,
            };
            match kind(&stat) {
                SFlag::S_IFREG => {}
                SFlag::S_IFDIR => return Err(Errno::EISDIR.into()),
                _ => return Err(Errno::EINVAL.into()),
            }
            self.changeable(place, Some(&stat), Change::Alter)?;
            let goes = self.allows(&[Deed::at(Effect::Resize(size as u64), place, Some(&stat))])?;
            if goes && size < stat.st_size {
                frees(&stat)?;
            }
            self.spares_processes(&stat, true, || place.open(OFlag::O_PATH, Mode::empty()))?;
            let file = open(place, OFlag::O_WRONLY | OFlag::O_NOCTTY, Mode::empty())?;
            if place.jailed.is_some() {
                let opened = fstat(&file)?;
                if Id::of(&opened) != Id::of(&stat) || kind(&opened) != SFlag::S_IFREG {
                    return Err(Error::Link);
                }
            }
            let most = self.judge().and_then(|judge| judge.longest());
            match goes {
                true => Ok(within(most, || again(|| ftruncate(&file, size)))?),
                false => Ok(()),
            }
        })
    }

    /// Sets the permissions: the lower twelve bits of `mode`.
    ///
    /// # Errors
    /// As fchmodat(2); `EOPNOTSUPP` for a symbolic link itself.
    pub fn chmod(&self, path: &Path, mode: u32, follow: Follow) -> Answer<()> {
        self.forget();
        self.act(path, aim(follow), Intent::Reach, |place| {
            if place.jailed.is_some() {
                let change = Change::Mode(mode);
                return self.set_held((Effect::Permissions, change), place, follow, |held| {
                    let mode = self.permitted(mode, held.is_directory());
                    held.chmod(place, Mode::from_bits_truncate(mode))
                });
            }
            let mode = Mode::from_bits_truncate(mode);
            let flag = match follow {
                Follow::Yes => FchmodatFlags::FollowSymlink,
                Follow::No => FchmodatFlags::NoFollowSymlink,
            };
            Ok(fchmodat(place.dir(), &*place.name, mode, flag)?)
        })
    }

    /// Sets access and modification time, in seconds since the Epoch.
    ///
    /// # Errors
    /// As utimensat(2).
    pub fn utimes(&self, path: &Path, atime: u32, mtime: u32, follow: Follow) -> Answer<()> {
        self.act(path, aim(follow), Intent::Reach, |place| {
            if place.jailed.is_some() {
                let set = |held: &Held| Ok(held.utimes(atime, mtime)?);
                return self.set_held((Effect::Times, Change::Alter), place, follow, set);
            }
            let flag = match follow {
                Follow::Yes => UtimensatFlags::FollowSymlink,
                Follow::No => UtimensatFlags::NoFollowSymlink,
            };
            let (atime, mtime) = (seconds(atime), seconds(mtime));
            Ok(utimensat(place.dir(), &*place.name, &atime, &mtime, flag)?)
        })
    }

    /// Sets owner and group.
    ///
    /// # Errors
    /// As fchownat(2).
    pub fn chown(&self, path: &Path, uid: u32, gid: u32, follow: Follow) -> Answer<()> {
        self.forget();
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        self.act(path, aim(follow), Intent::Reach, |place| {
            if place.jailed.is_some() {
                let set = |held: &Held| Ok(held.chown(uid, gid)?);
                return self.set_held((Effect::Owner, Change::Owner), place, follow, set);
            }
            let (uid, gid) = (Some(uid), Some(gid));
            Ok(fchownat(
                place.dir(),
                &*place.name,
                uid,
                gid,
                flags(follow),
            )?)
        })
    }

    /// Removes the file that `path` names; never a directory.
    ///
    /// # Errors
    /// As unlinkat(2).
    pub fn unlink(&self, path: &Path) -> Answer<()> {
        self.act(path, Aim::Entry, Intent::Reach, |place| {
            if place.last == Last::Itself {
                return Err(Errno::EISDIR.into());
            }
            self.removable(place)?;
            if let Some(uploads) = self.uploads() {
                if uploads.is_new(place) == Some(true) {
                    let written = self.uploaded(place.uncovered(), Aim::Link);
                    self.ask_about_name(Effect::Remove, &written)?;
                    uploads.cancel(place);
                    return Ok(());
                }
            }
            frees_with_name(|| place.lstat())?;
            self.remove(place, UnlinkatFlags::NoRemoveDir)?;
            if let Some(uploads) = self.uploads() {
                uploads.cancel(place);
            }
            Ok(())
        })
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// As unlinkat(2) with `AT_REMOVEDIR`.
    pub fn rmdir(&self, path: &Path) -> Answer<()> {
        self.forget();
        self.act(path, Aim::Entry, Intent::Reach, |place| {
            if place.last == Last::Itself {
                return Err(match &*place.name {
                    b"." => Errno::EINVAL,
                    b".." => Errno::ENOTEMPTY,
                    _ => Errno::EBUSY,
                }
                .into());
            }
            self.removable(place)?;
            self.holds_no_bind(place)?;
            self.remove(place, UnlinkatFlags::RemoveDir)
        })
    }

    /// Creates a directory with the lower twelve bits of `mode`, less the umask.
    ///
    /// # Errors
    /// As mkdirat(2).
    pub fn mkdir(&self, path: &Path, mode: u32) -> Answer<()> {
        self.act(path, Aim::Entry, Intent::Make, |place| {
            self.ask_about_new(Effect::Create, place)?;
            free(place)?;
            self.unprotected(place, None, Change::MakeDir)?;
            let on_way = self.is_way(place)?;
            let given = |mode| if on_way { way_mode(mode) } else { mode };
            let exact = self.modes().dir.map(given);
            let mode = Mode::from_bits_truncate(given(exact.unwrap_or(mode)));
            mkdirat(place.dir(), &*place.entry(), mode)?;
            match exact {
                Some(exact) => self.finish_dir(place, exact),
                None => {
                    self.made(place.dir(), &place.name, SFlag::S_IFDIR);
                    Ok(())
                }
            }
        })
    }

    /// Creates a symbolic link at `path` that holds `target`, any bytes.
    ///
    /// # Errors
    /// As symlinkat(2).
    pub fn symlink(&self, target: &Path, path: &Path) -> Answer<()> {
        match target.as_os_str().len() {
            0 => return Err(Errno::ENOENT.into()),
            PATH_MAX.. => return Err(Errno::ENAMETOOLONG.into()),
            _ => {}
        }
        self.act(path, Aim::Entry, Intent::Make, |place| {
            self.ask_about_new(Effect::CreateLink, place)?;
            free(place)?;
            self.unprotected(place, None, Change::Make)?;
            symlinkat(target, place.dir(), &*place.entry())?;
            self.made(place.dir(), &place.name, SFlag::S_IFLNK);
            Ok(())
        })
    }

    /// What a symbolic link holds.
    ///
    /// # Errors
    /// As readlinkat(2); `EINVAL` for what is no link.
    pub fn readlink(&self, path: &Path) -> Answer<OsString> {
        if path.as_os_str().is_empty() {
            // The kernel would ask the descriptor itself.
            return Err(Errno::ENOENT.into());
        }
        self.act(path, Aim::Link, Intent::Reach, |place| {
            if place.slash && !place.is_directory()? {
                return Err(Errno::ENOTDIR.into());
            }
            if !self.is_judged() {
                return Ok(readlinkat(place.dir(), &*place.name)?);
            }
            let held = place.hold_entry()?;
            self.allows(&[held.deed(Effect::Read, place)])?;
            match kind(&held.stat) {
                SFlag::S_IFLNK => Ok(readlinkat(&held, "")?),
                _ => Err(Errno::EINVAL.into()),
            }
        })
    }

    /// A second name for a file; a symbolic link is linked itself, as link(2) does it.
    ///
    /// # Errors
    /// As linkat(2); `EBUSY` for an atomic upload that is not finished.
    pub fn link(&self, oldpath: &Path, newpath: &Path) -> Answer<()> {
        self.act_on_two((oldpath, Aim::Link), (newpath, Aim::Entry), |old, new| {
            if old.slash && !old.is_directory()? {
                return Err(Errno::ENOTDIR.into());
            }
            let stat = old.stat(Follow::No)?;
            one_tree(old, new)?;
            if old.covers.is_some() {
                // What is being uploaded gets a name when it is closed, and none before.
                return Err(Errno::EBUSY.into());
            }
            if self.is_judged() {
                let taken = new.lstat().ok();
                self.allows(&[
                    Deed::at(Effect::Alias, old, Some(&stat)),
                    Deed::at(Effect::Create, new, taken.as_ref()),
                ])?;
            }
            free(new)?;
            self.unprotected(new, None, Change::Make)?;
            self.changeable(old, Some(&stat), Change::Alter)?;
            if old.jailed.is_some() && old.last == Last::Itself {
                // Landlock would have another word for it.
                let taken = new.lstat().is_ok();
                return Err(if taken { Errno::EEXIST } else { Errno::EPERM }.into());
            }
            let entry = new.entry();
            Ok(linkat(
                old.dir(),
                &*old.name,
                new.dir(),
                &*entry,
                AtFlags::empty(),
            )?)
        })
    }

    /// Figures of the file system on which `path` lies. One that is mounted on demand gets mounted.
    ///
    /// # Errors
    /// As statvfs(3).
    pub fn statvfs(&self, path: &Path) -> Answer<Figures> {
        self.act(path, Aim::Target, Intent::Reach, |place| {
            self.ask_about(Effect::Look, place, Follow::Yes)?;
            let Some(jailed) = &place.jailed else {
                // No descriptor does this: O_PATH leaves an automount as it is, and any other open may lack permission.
                return Ok(Figures::of(again(|| statvfs(&*place.name))?));
            };
            let stat = place.stat(Follow::Yes)?;
            let flags = match kind(&stat) {
                // O_DIRECTORY mounts on demand.
                SFlag::S_IFDIR => OFlag::O_PATH | OFlag::O_DIRECTORY,
                _ => OFlag::O_PATH,
            };
            let fd = place.open(flags, Mode::empty())?;
            if kind(&fstat(&fd)?) == SFlag::S_IFLNK {
                return Err(Error::Link);
            }
            Ok(Figures {
                kernel: again(|| fstatvfs(&fd))?,
                read_only: jailed.read_only,
                reserve: self.judge().map_or(0, |judge| judge.reserve()),
            })
        })
    }

    /// Sets an attribute of what stands in `place`, if it may be and is to be, by `set`.
    pub(in crate::fs) fn set_held(
        &self,
        (effect, change): (Effect, Change),
        place: &Place<'_>,
        follow: Follow,
        set: impl FnOnce(&Held) -> Answer<()>,
    ) -> Answer<()> {
        let held = place.hold(follow)?;
        self.changeable(place, Some(&held.stat), change)?;
        match self.allows(&[held.deed(effect, place)])? {
            true => set(&held),
            false => Ok(()),
        }
    }

    /// Whether a directory that is made there is on the way to what is protected.
    fn is_way(&self, place: &Place<'_>) -> Result<bool> {
        Ok(match self.protect().filter(|_| place.last == Last::Name) {
            Some(protect) => protect.is_way(place.dir.id()?, &place.name),
            None => false,
        })
    }

    /// Asks about an effect on what stands in `place`, if anybody is to be asked.
    fn ask_about(&self, effect: Effect, place: &Place<'_>, follow: Follow) -> Answer<()> {
        if self.is_judged() {
            let stat = place.stat(follow)?;
            self.allows(&[Deed::at(effect, place, Some(&stat))])?;
        }
        Ok(())
    }

    /// The same, of the object itself where that is a link.
    fn ask_about_name(&self, effect: Effect, place: &Place<'_>) -> Answer<()> {
        if self.is_judged() {
            let stat = place.lstat()?;
            self.allows(&[Deed::at(effect, place, Some(&stat))])?;
        }
        Ok(())
    }

    /// The same, of a name that is to be made.
    fn ask_about_new(&self, effect: Effect, place: &Place<'_>) -> Answer<()> {
        if self.is_judged() {
            let taken = place.lstat().ok();
            self.allows(&[Deed::at(effect, place, taken.as_ref())])?;
        }
        Ok(())
    }

    /// Tells of what was just made by this name, and whether it is still there.
    fn made(&self, dir: BorrowedFd<'_>, name: &[u8], kind: SFlag) -> bool {
        let made = Made::of_new(dir, name, kind);
        let stands = made.is_some();
        if let (Some(judge), Some(made)) = (self.judge_of_own(), made) {
            judge.made(made);
        }
        stands
    }

    /// Gives the directory that was just made in `place` its mode, whatever umask and default ACL have left of it.
    ///
    /// # Errors
    /// `EBUSY` where another process has put something else there: that keeps its mode, and what was made has what umask and ACL have left of it.
    fn finish_dir(&self, place: &Place<'_>, mode: u32) -> Answer<()> {
        let held = place.hold_entry()?;
        // Before anything changes it.
        if !self.made(held.as_fd(), b"", SFlag::S_IFDIR) {
            return Err(Errno::EBUSY.into());
        }
        exactly(&held, mode, DIR_MODE, |mode| held.chmod(place, mode))
            .inspect_err(|_| self.unmake(place, &held, UnlinkatFlags::RemoveDir))
    }
}

fn aim(follow: Follow) -> Aim {
    match follow {
        Follow::Yes => Aim::Target,
        Follow::No => Aim::Link,
    }
}
