//! Where a path leads: a directory and a name in it, on which every system call acts.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use rustix::fs::{AtFlags as StatxAt, StatxAttributes, StatxFlags, statx};

use super::stat::Follow;
use crate::fs::{Answer, Error, Result, again};

/// A directory by its descriptor: one that the view holds, or one opened on the way.
#[derive(Debug)]
pub(in crate::fs) enum Dirfd<'v> {
    Held(BorrowedFd<'v>),
    Opened(OwnedFd),
    Shared(Arc<Shared>),
}

/// A directory that several requests act in, and which one it is, asked for once.
#[derive(Debug)]
pub(in crate::fs) struct Shared {
    fd: OwnedFd,
    id: OnceLock<Id>,
}

impl From<OwnedFd> for Shared {
    fn from(fd: OwnedFd) -> Self {
        Self {
            fd,
            id: OnceLock::new(),
        }
    }
}

impl Dirfd<'_> {
    /// Which directory it is.
    pub(in crate::fs) fn id(&self) -> Result<Id> {
        let Self::Shared(shared) = self else {
            return Id::of_fd(self);
        };
        match shared.id.get() {
            Some(id) => Ok(*id),
            None => Id::of_fd(&shared.fd).map(|id| *shared.id.get_or_init(|| id)),
        }
    }
}

impl AsFd for Dirfd<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Held(fd) => *fd,
            Self::Opened(fd) => fd.as_fd(),
            Self::Shared(shared) => shared.fd.as_fd(),
        }
    }
}

/// A file by its device and inode, whatever its names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Id(u64, u64);

impl Id {
    /// That of this device and this inode.
    #[must_use]
    pub fn new(device: u64, inode: u64) -> Self {
        Self(device, inode)
    }

    pub(in crate::fs) fn of(stat: &FileStat) -> Self {
        Self(stat.st_dev, stat.st_ino)
    }

    pub(in crate::fs) fn device(self) -> u64 {
        self.0
    }

    /// Of what a descriptor is open on.
    pub(in crate::fs) fn of_fd(fd: impl AsFd) -> Result<Self> {
        nix::sys::stat::fstat(fd).map(|stat| Self::of(&stat))
    }
}

/// What the last component of a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Last {
    Name,
    /// `.`, `..` or nothing behind the root: the directory itself.
    Itself,
}

/// What is known of a place in a jail, beside the directory and the name.
#[derive(Clone, Debug)]
pub(in crate::fs) struct Jailed {
    /// Which of the view's trees it is in.
    pub(in crate::fs) tree: usize,
    /// Whether that tree is read-only.
    pub(in crate::fs) read_only: bool,
    /// Whether a tree is bound here.
    pub(in crate::fs) bound: bool,
    /// The attributes of the directory above, for a place that is a directory itself.
    pub(in crate::fs) above: Option<FileStat>,
    /// The canonical path in the view; empty for the root. None where one system call did without.
    pub(in crate::fs) canonical: Option<Vec<u8>>,
}

/// A directory and a name in it.
#[derive(Debug)]
pub(in crate::fs) struct Place<'v> {
    pub(in crate::fs) dir: Dirfd<'v>,
    pub(in crate::fs) name: Cow<'v, [u8]>,
    pub(in crate::fs) last: Last,
    /// Whether a slash stood behind the name: only a directory will do.
    pub(in crate::fs) slash: bool,
    /// The name that was asked for, where an upload that is not finished will stand; then `name` is the one that it has.
    pub(in crate::fs) covers: Option<Cow<'v, [u8]>>,
    /// None in the host's tree, where the name is the whole path.
    pub(in crate::fs) jailed: Option<Jailed>,
}

impl<'v> Place<'v> {
    /// The host's tree: the kernel resolves the path.
    pub(in crate::fs) fn host(path: &'v Path) -> Self {
        Self {
            dir: Dirfd::Held(AT_FDCWD),
            name: Cow::Borrowed(path.as_os_str().as_bytes()),
            last: Last::Name,
            slash: false,
            covers: None,
            jailed: None,
        }
    }

    /// The place of what stands, or stood, by the name that was asked for, whatever is being uploaded.
    pub(in crate::fs) fn uncovered(&self) -> Place<'_> {
        Place {
            dir: Dirfd::Held(self.dir()),
            name: Cow::Borrowed(self.covers.as_ref().unwrap_or(&self.name)),
            last: self.last,
            slash: self.slash,
            covers: None,
            jailed: self.jailed.clone(),
        }
    }

    /// A name in a directory of a jail, `path` of the view, for a file that the session writes there.
    pub(in crate::fs) fn of_upload(dir: Dirfd<'v>, name: &'v [u8], path: &[u8]) -> Self {
        Self {
            dir,
            name: Cow::Borrowed(name),
            last: Last::Name,
            slash: false,
            covers: None,
            jailed: Some(Jailed {
                tree: 0,
                read_only: false,
                bound: false,
                above: None,
                canonical: Some(path.to_vec()),
            }),
        }
    }

    pub(in crate::fs) fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The canonical path in the view, where it was asked for; empty for the root.
    pub(in crate::fs) fn canonical(&self) -> &[u8] {
        let known = self.jailed.as_ref();
        known
            .and_then(|known| known.canonical.as_deref())
            .unwrap_or_default()
    }

    /// The name, with its slash, for calls that never follow a link at the end: they know best what a slash means there.
    pub(in crate::fs) fn entry(&self) -> Cow<'_, [u8]> {
        if self.slash {
            Cow::Owned([&self.name, b"/".as_slice()].concat())
        } else {
            Cow::Borrowed(&self.name)
        }
    }

    /// Whether anything may be changed here.
    ///
    /// # Errors
    /// `EROFS` in a read-only tree.
    pub(in crate::fs) fn writable(&self) -> Answer<()> {
        match &self.jailed {
            Some(jailed) if jailed.read_only => Err(Errno::EROFS.into()),
            _ => Ok(()),
        }
    }

    /// Whether no name in the directory can be taken away or changed again, though new ones can be made (`chattr +a`).
    pub(in crate::fs) fn keeps_names(&self) -> bool {
        let found = statx(self.dir(), "", StatxAt::EMPTY_PATH, StatxFlags::empty());
        found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::APPEND))
    }

    /// The attributes of what stands here.
    pub(in crate::fs) fn stat(&self, follow: Follow) -> Answer<FileStat> {
        if self.jailed.is_none() {
            return Ok(fstatat(self.dir(), &*self.name, flags(follow))?);
        }
        if self.last == Last::Itself {
            // By the descriptor, since its owner needs no right to search it.
            return Ok(nix::sys::stat::fstat(self.dir())?);
        }
        let stat = fstatat(self.dir(), &*self.name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        match kind(&stat) {
            SFlag::S_IFLNK if follow == Follow::Yes || self.slash => Err(Error::Link),
            SFlag::S_IFDIR => Ok(stat),
            _ if self.slash => Err(Errno::ENOTDIR.into()),
            _ => Ok(stat),
        }
    }

    /// Opens it; in a jail, without following a link.
    pub(in crate::fs) fn open(&self, flags: OFlag, mode: Mode) -> Answer<OwnedFd> {
        let flags = flags | OFlag::O_CLOEXEC;
        if self.jailed.is_none() {
            return Ok(again(|| openat(self.dir(), &*self.name, flags, mode))?);
        }
        let flags = flags | OFlag::O_NOFOLLOW;
        match again(|| openat(self.dir(), &*self.name, flags, mode)) {
            Err(Errno::ELOOP) => Err(Error::Link),
            // O_DIRECTORY says so of links, too.
            Err(Errno::ENOTDIR) if self.is_link() => Err(Error::Link),
            result => Ok(result?),
        }
    }

    /// Whether what stands here is a directory.
    pub(in crate::fs) fn is_directory(&self) -> Answer<bool> {
        Ok(kind(&self.stat(Follow::No)?) == SFlag::S_IFDIR)
    }

    fn is_link(&self) -> bool {
        readlinkat(self.dir(), &*self.name).is_ok()
    }

    /// The attributes of a link, not of its target.
    pub(in crate::fs) fn lstat(&self) -> Result<FileStat> {
        fstatat(self.dir(), &*self.name, AtFlags::AT_SYMLINK_NOFOLLOW)
    }
}

/// The file type bits of a mode.
pub(in crate::fs) fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

/// Whether it is a regular file.
#[must_use]
pub fn is_regular(stat: &FileStat) -> bool {
    kind(stat) == SFlag::S_IFREG
}

pub(in crate::fs) fn flags(follow: Follow) -> AtFlags {
    match follow {
        Follow::Yes => AtFlags::empty(),
        Follow::No => AtFlags::AT_SYMLINK_NOFOLLOW,
    }
}
