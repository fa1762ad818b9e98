//! Files of procfs are opened for reading alone, and the memory of a process is not opened at all.
//!
//! Root writes by them into the memory of any process, this one too, where `PR_SET_DUMPABLE` keeps out other users alone; sets what the
//! kernel runs (`/proc/sys/kernel/core_pattern`); and restarts the machine. A session of SFTP has nothing to write there.
//!
//! What counts is the file system, which a view asks the kernel for, not the path: links, binds and mounts elsewhere lead there too.
//! In a jail, and where rules are asked, that is free: the attributes of the file are known already, and no file on a disk has a device
//! without a driver. In the host's tree, where the kernel resolves the path, it takes one system call, which is made only where no
//! other lock holds: for root, and without the locks that keep a session out of the memory of processes.
//!
//! Source: proc(5); linux/fs/proc/base.c.

use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, major};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};

use super::judge::{At, Deed, Effect};
use crate::fs::kernel::place::kind;
use crate::fs::kernel::stat::FileStat;
use crate::fs::{Answer, again};

/// What is known of devices without a driver.
#[derive(Debug, Default)]
pub(in crate::fs) struct Procfs {
    /// Whether files in the host's tree are looked at as well.
    pub(in crate::fs) in_host: bool,
    /// Those that are not procfs: tmpfs, btrfs, overlayfs, NFS and the like.
    others: Mutex<Vec<u64>>,
}

impl Procfs {
    pub(in crate::fs) fn of_host() -> Self {
        Self {
            in_host: nix::unistd::geteuid().is_root(),
            ..Self::default()
        }
    }

    /// Forgets what is known, since something was mounted.
    pub(in crate::fs) fn forget(&self) {
        self.others().clear();
    }

    fn others(&self) -> MutexGuard<'_, Vec<u64>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, device: u64, file: impl AsFd) -> Answer<bool> {
        if major(device) != 0 {
            return Ok(false);
        }
        if self.others().contains(&device) {
            return Ok(false);
        }
        // Without the lock: what FUSE serves asks its daemon, which may not answer, and others are not to wait for that.
        let found = again(|| fstatfs(&file))?.filesystem_type() == PROC_SUPER_MAGIC;
        let mut others = self.others();
        if !found && !others.contains(&device) {
            others.push(device);
        }
        Ok(found)
    }

    /// Whether `file`, of which the attributes are known, may be opened, for writing or not.
    ///
    /// # Errors
    /// `EACCES` in procfs; as fstatfs(2).
    pub(in crate::fs) fn spares<F: AsFd>(
        &self,
        stat: &FileStat,
        writes: bool,
        file: impl FnOnce() -> Answer<F>,
    ) -> Answer<()> {
        // Of links that are not followed, and of directories, nothing is written.
        if kind(stat) != SFlag::S_IFREG || major(stat.st_dev) != 0 {
            return Ok(());
        }
        // `mem` is the one file of a process with this mode, which cannot be changed; its name is another where it is mounted by itself.
        let memory = stat.st_mode & 0o777 == 0o600;
        if (writes || memory) && self.has(stat.st_dev, file()?)? {
            return Err(Errno::EACCES.into());
        }
        Ok(())
    }
}

impl Deed<'_> {
    /// Whether a view that looks for processes lets the object be opened for it: for `explain`, which opens nothing.
    ///
    /// # Errors
    /// As a session says it: `EACCES` in procfs; as fstatfs(2).
    pub fn spares_processes(&self) -> Answer<()> {
        let writes = match self.effect {
            Effect::Read => false,
            Effect::Content | Effect::Truncate | Effect::Resize(_) => true,
            _ => return Ok(()),
        };
        let file = || match self.at {
            At::Name(dir, name) => {
                let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                Ok(openat(dir, name, flags, Mode::empty())?)
            }
            At::Open(file) => Ok(file.try_clone_to_owned().map_err(|_| Errno::EMFILE)?),
        };
        match self.there {
            Some(stat) => Procfs::default().spares(stat, writes, file),
            None => Ok(()),
        }
    }
}
