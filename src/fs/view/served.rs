//! What of the view another process or another host serves: whoever asks them may wait for ever.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

use super::{Kind, View};
use crate::fs::kernel::mounts::device;
use crate::fs::{Result, again};

impl View {
    /// Whether any file system may make requests wait for ever; none if that cannot be told.
    #[must_use]
    pub fn has_remote(&self) -> Option<bool> {
        self.mounts.is_any_remote()
    }

    /// Whether an open file is on one of them; none if that cannot be told.
    #[must_use]
    pub fn serves_remotely(&self, file: impl AsFd) -> Option<bool> {
        let device = device(file);
        self.mounts.serves_remotely(device.ok()?)
    }

    /// Has the list read again where something was mounted or unmounted since: whether that is so.
    pub fn look_at_mounts(&self) -> bool {
        let changed = self.mounts.look_again();
        if changed {
            self.procfs.forget();
        }
        changed
    }

    /// Whether `path` leads to a file on none of them, by way of none of them, for all that the kernel has at hand. Where that does not say,
    /// or it takes more than one look, it does not.
    ///
    /// System calls: one openat2(2), one statx(2), close(2).
    #[must_use]
    pub fn is_near(&self, path: &Path) -> bool {
        match self.at_hand(path) {
            Ok(fd) => self.is_on_near(fd),
            // What is about to be created has a parent.
            Err(Errno::ENOENT) => {
                let parent = path.parent().filter(|parent| *parent != Path::new(""));
                let parent = parent.unwrap_or(Path::new("."));
                self.at_hand(parent).is_ok_and(|fd| self.is_on_near(fd))
            }
            Err(_) => false,
        }
    }

    fn is_on_near(&self, fd: OwnedFd) -> bool {
        device(fd).is_ok_and(|device| self.mounts.serves_remotely(device) == Some(false))
    }

    fn at_hand(&self, path: &Path) -> Result<OwnedFd> {
        let cached = ResolveFlags::NO_MAGICLINKS | ResolveFlags::CACHED;
        match &self.kind {
            Kind::Host(_) => opened(CWD, path.as_os_str().as_bytes(), cached),
            Kind::Jail(jail) => {
                let (from, below) = jail.plainly(path).ok_or(Errno::EXDEV)?;
                let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
                opened(from.as_fd(), below, within | cached)
            }
        }
    }
}

fn opened(from: BorrowedFd<'_>, path: &[u8], resolve: ResolveFlags) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    again(|| {
        openat2(from, path, flags, Mode::empty(), resolve)
            .map_err(|errno| Errno::from_raw(errno.raw_os_error()))
    })
}
