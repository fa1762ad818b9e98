//! An object held by a descriptor, from the look at it to what is done to it: whatever has its name by then, it is this one that a judge was asked
//! about.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, utimensat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};
use nix::unistd::{Gid, Uid, fchownat};
use rustix::fs::{AtFlags as Flags, RawDir, Timespec, Timestamps};

use super::judge::{Deed, Effect};
use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::opening::{is_plain, open};
use crate::fs::kernel::place::{Id, Last, Place, kind};
use crate::fs::kernel::stat::{FileStat, Follow, fstat, seconds};
use crate::fs::{Answer, Error, Result};

/// It cannot lose its inode to another one as long as this lives.
#[derive(Debug)]
pub(in crate::fs) struct Held {
    /// `O_PATH`: nothing of it needs to be readable.
    fd: OwnedFd,
    /// Its attributes when it was looked at.
    pub(in crate::fs) stat: FileStat,
}

impl Place<'_> {
    /// What stands here; of a link the link.
    pub(in crate::fs) fn hold_entry(&self) -> Answer<Held> {
        let fd = match self.last {
            // By the descriptor, since its owner needs no right to search it.
            Last::Itself => self.dir().try_clone_to_owned().map_err(|_| Errno::EMFILE)?,
            Last::Name => self.open(OFlag::O_PATH, Mode::empty())?,
        };
        let stat = fstat(&fd)?;
        Ok(Held { fd, stat })
    }

    /// The same, as [`Place::stat`] looks at it.
    pub(in crate::fs) fn hold(&self, follow: Follow) -> Answer<Held> {
        let held = self.hold_entry()?;
        match kind(&held.stat) {
            SFlag::S_IFLNK if follow == Follow::Yes || self.slash => Err(Error::Link),
            SFlag::S_IFDIR => Ok(held),
            _ if self.slash => Err(Errno::ENOTDIR.into()),
            _ => Ok(held),
        }
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Held {
    /// What will happen to it, by the name in `place`.
    pub(in crate::fs) fn deed<'a>(&'a self, effect: Effect, place: &'a Place<'_>) -> Deed<'a> {
        Deed::at(effect, place, Some(&self.stat)).held(self.as_fd())
    }

    pub(in crate::fs) fn is_directory(&self) -> bool {
        kind(&self.stat) == SFlag::S_IFDIR
    }

    /// Whether `found` are attributes of it. It is asked anew, since some file systems give another inode with another name.
    pub(in crate::fs) fn is(&self, found: &FileStat) -> bool {
        fstat(self).is_ok_and(|stat| Id::of(&stat) == Id::of(found))
    }

    pub(in crate::fs) fn identity(&self) -> Option<Identity> {
        Identity::of(self.as_fd())
    }

    /// Whether it has no name any more, for all that can be told.
    pub(in crate::fs) fn is_nameless(&self) -> bool {
        fstat(self).map_or(true, |stat| stat.st_nlink == 0)
    }

    /// Whether a directory has no entries; one that cannot be read may have none.
    pub(in crate::fs) fn seems_empty(&self, place: &Place<'_>) -> Result<bool> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
        let Ok(dir) = place.open(flags, Mode::empty()) else {
            return Ok(true);
        };
        let mut buffer = Vec::with_capacity(ENTRIES);
        let mut entries = RawDir::new(&dir, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Sets its permissions.
    ///
    /// It goes by /proc, which all kernels have for it, and for files that nobody may open as well: fchmodat2(2) takes a descriptor of `O_PATH` as
    /// of Linux 6.6, but nix and rustix have no call for it, and the C libraries' fchmodat(3) passes no `AT_EMPTY_PATH` on. Where there is no
    /// /proc the file has to be opened, by the name that it had.
    ///
    /// # Errors
    /// As fchmodat(2); `EOPNOTSUPP` for a symbolic link.
    pub(in crate::fs) fn chmod(&self, place: &Place<'_>, mode: Mode) -> Answer<()> {
        if kind(&self.stat) == SFlag::S_IFLNK {
            return Err(Errno::EOPNOTSUPP.into());
        }
        if let Some(path) = self.in_proc() {
            let flag = FchmodatFlags::FollowSymlink;
            return Ok(fchmodat(AT_FDCWD, path.as_str(), mode, flag)?);
        }
        is_plain(&self.stat)?;
        let file = open(place, OFlag::O_RDONLY | OFlag::O_NOCTTY, Mode::empty())?;
        if !self.is(&fstat(&file)?) {
            return Err(Error::Link);
        }
        Ok(fchmod(file, mode)?)
    }

    /// Sets its owner and group.
    ///
    /// # Errors
    /// As fchownat(2).
    pub(in crate::fs) fn chown(&self, uid: Uid, gid: Gid) -> Result<()> {
        fchownat(&self.fd, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)
    }

    /// Sets its access and modification time, in seconds since the Epoch.
    ///
    /// # Errors
    /// As utimensat(2): `EINVAL` for a symbolic link on kernels before 5.8, and for all without /proc there.
    pub(in crate::fs) fn utimes(&self, atime: u32, mtime: u32) -> Result<()> {
        let time = |time: u32| Timespec {
            tv_sec: i64::from(time),
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time(atime),
            last_modification: time(mtime),
        };
        match rustix::fs::utimensat(&self.fd, "", &times, Flags::EMPTY_PATH) {
            // A kernel that does not know the flag.
            Err(rustix::io::Errno::INVAL) if kind(&self.stat) != SFlag::S_IFLNK => {
                let path = self.in_proc().ok_or(Errno::EINVAL)?;
                let flag = UtimensatFlags::FollowSymlink;
                let (atime, mtime) = (seconds(atime), seconds(mtime));
                utimensat(AT_FDCWD, path.as_str(), &atime, &mtime, flag)
            }
            result => result.map_err(|errno| Errno::from_raw(errno.raw_os_error())),
        }
    }

    /// A path by which the kernel comes back to it, where it has one.
    fn in_proc(&self) -> Option<String> {
        let there = statfs(DESCRIPTORS).ok()?;
        (there.filesystem_type() == PROC_SUPER_MAGIC)
            .then(|| format!("{DESCRIPTORS}/{}", self.fd.as_raw_fd()))
    }
}

const DESCRIPTORS: &str = "/proc/self/fd";
/// Room for a few entries of a directory, in bytes: the third one tells.
const ENTRIES: usize = 1024;
