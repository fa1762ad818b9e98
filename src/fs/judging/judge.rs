//! Deeds: what a request is about to do to which object. A judge hears of them before they are done, and may forbid them.
//!
//! The view says what will happen, whoever asks for it and by whatever name; what is allowed is decided elsewhere.

use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use nix::sys::stat::SFlag;
use nix::sys::statvfs::fstatvfs;

use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::made::Made;
use crate::fs::kernel::place::{Id, Place, kind};
use crate::fs::kernel::stat::FileStat;
use crate::fs::{Answer, again};

/// What happens to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Its attributes are told.
    Look,
    /// What a file or a link holds is told.
    Read,
    /// The names in a directory are told.
    List,
    /// A file is opened to be written, wherever in it.
    Content,
    /// A file is emptied.
    Truncate,
    /// A file gets this size, in bytes.
    Resize(u64),
    /// A new file or directory gets this name. Where something stands there already, nothing happens.
    Create,
    /// A new symbolic link gets this name.
    CreateLink,
    /// A file gets a second name.
    Alias,
    /// An object loses this name, and gets another one.
    Move,
    /// That other name: the path is the new one, the object the one that moves.
    MoveTo,
    /// An object loses this name.
    Remove,
    /// An object loses this name to another one.
    Replace,
    /// The permissions are set.
    Permissions,
    /// Access and modification time are set.
    Times,
    /// Owner and group are set.
    Owner,
}

/// An effect, and the object that it is about to have.
pub struct Deed<'a> {
    /// What will happen.
    pub effect: Effect,
    path: &'a [u8],
    pub(in crate::fs) there: Option<&'a FileStat>,
    pub(in crate::fs) at: At<'a>,
    /// The directory in which a name comes or goes, where one does.
    pub(in crate::fs) names: Option<BorrowedFd<'a>>,
    /// Whether it is done by the handle that created the object.
    pub by_maker: bool,
}

/// Where the kernel can be asked for more.
pub(in crate::fs) enum At<'a> {
    Name(BorrowedFd<'a>, &'a [u8]),
    Open(BorrowedFd<'a>),
}

impl fmt::Debug for Deed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.effect, self.path.escape_ascii())
    }
}

impl<'a> Deed<'a> {
    /// What will happen to `there`, which stands in `place`; to nothing, if nothing does.
    pub(in crate::fs) fn at(
        effect: Effect,
        place: &'a Place<'_>,
        there: Option<&'a FileStat>,
    ) -> Self {
        Self {
            effect,
            path: place.canonical(),
            there,
            at: At::Name(place.dir(), &place.name),
            names: Some(place.dir()),
            by_maker: false,
        }
    }

    /// The same, of what is held by a descriptor.
    pub(in crate::fs) fn held(self, fd: BorrowedFd<'a>) -> Self {
        Self {
            at: At::Open(fd),
            ..self
        }
    }

    /// Where `moved`, which stands in `old`, will go.
    pub(in crate::fs) fn to(new: &'a Place<'_>, old: &'a Place<'_>, moved: &'a FileStat) -> Self {
        Self {
            effect: Effect::MoveTo,
            path: new.canonical(),
            there: Some(moved),
            at: At::Name(old.dir(), &old.name),
            names: Some(new.dir()),
            by_maker: false,
        }
    }

    /// What will happen to an open file.
    pub(in crate::fs) fn of(
        effect: Effect,
        path: &'a [u8],
        there: &'a FileStat,
        file: BorrowedFd<'a>,
        by_maker: bool,
    ) -> Self {
        Self {
            effect,
            path,
            there: Some(there),
            at: At::Open(file),
            names: None,
            by_maker,
        }
    }

    /// The canonical path in the view; empty for its root.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.path
    }

    /// Whether there is such an object.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.there.is_some()
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.there.is_some_and(|stat| kind(stat) == SFlag::S_IFDIR)
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.there.is_some_and(|stat| kind(stat) == SFlag::S_IFLNK)
    }

    /// Its present size, in bytes.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.there.map(|stat| stat.st_size as u64)
    }

    /// Which object it is.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        let id = Id::of(self.there?);
        let found = match self.at {
            At::Name(dir, name) => Identity::at(dir, name),
            At::Open(file) => Identity::of(file),
        };
        found.filter(|found| found.is_of(id))
    }

    /// How many bytes of its file system are free for the user.
    #[must_use]
    pub fn free(&self) -> Option<u64> {
        match self.at {
            At::Name(fd, _) | At::Open(fd) => free(fd),
        }
    }
}

/// Bytes that are free for the user where a descriptor is open.
pub(in crate::fs) fn free(fd: BorrowedFd<'_>) -> Option<u64> {
    let figures = again(|| fstatvfs(fd)).ok()?;
    figures
        .blocks_available()
        .checked_mul(figures.fragment_size())
}

/// Attributes as they are told: where something may be left out of listings, nothing in them says how much.
pub(in crate::fs) fn told(judge: &Arc<dyn Judge>, stat: &FileStat) -> FileStat {
    let mut stat = *stat;
    if judge.conceals() {
        stat.st_nlink = 1;
        if kind(&stat) == SFlag::S_IFDIR {
            stat.st_size = DIRECTORY;
        }
    }
    stat
}

/// The size of a small directory in bytes, as most file systems have it.
const DIRECTORY: i64 = 4096;

/// Data that is about to be written to an open file.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// Where it begins, in bytes from the start of the file.
    pub from: u64,
    /// How many bytes.
    pub length: u64,
    /// The present size of the file, in bytes.
    pub size: u64,
    /// What is stored of it, in bytes: less than its size where it has holes.
    pub stored: u64,
    /// Whether the client opened it for appending: then it begins at the end.
    pub appends: bool,
}

impl Writing {
    /// Of all that a file will hold, into nothing.
    pub(in crate::fs) fn of_new(length: u64) -> Self {
        Self {
            from: 0,
            length,
            size: 0,
            stored: 0,
            appends: false,
        }
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        let from = if self.appends { self.size } else { self.from };
        from.saturating_add(self.length)
    }
}

/// What becomes of deeds that are not forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are done.
    Go,
    /// They are not done, and the client is told that they were.
    Leave,
}

/// Who is asked before something is done.
pub trait Judge: fmt::Debug + Send + Sync {
    /// All that a request is about to do.
    ///
    /// # Errors
    /// It is forbidden. `ENOENT` where the client is to believe that there is no such object.
    fn judge(&self, deeds: &[Deed<'_>]) -> Answer<Verdict>;

    /// Whether a walk may pass by this path; or, where it is a link's, along that link.
    ///
    /// # Errors
    /// As for [`Judge::judge`].
    fn pass(&self, path: &[u8], link: bool) -> Answer<()>;

    /// Whether an entry of a directory is listed. `identity` asks the kernel.
    fn lists(&self, path: &[u8], identity: &dyn Fn() -> Option<Identity>) -> bool;

    /// Whether anything may be left out of a listing: then numbers of links and sizes of directories, which would tell how much, are not told.
    fn conceals(&self) -> bool;

    /// Whether anything is kept from the client, to which a device or what serves a FIFO could lead. Else these are opened as where nobody is
    /// asked, but for a root.
    fn confines(&self) -> bool;

    /// Whether of what exists only directories and what the session made are there for the client.
    fn shows_only_own(&self) -> bool;

    /// Data is about to be written. `free` asks the kernel how many bytes of the file system are.
    ///
    /// # Errors
    /// It is forbidden.
    fn write(&self, writing: &Writing, free: &dyn Fn() -> Option<u64>) -> Answer<()>;

    /// The length past which no file grows, in bytes.
    fn longest(&self) -> Option<u64>;

    /// How much of a file system stays free, in bytes.
    fn reserve(&self) -> u64;

    /// Whether all that is written goes to the end of a file, whatever the client says.
    fn appends_only(&self) -> bool;

    /// Whether these deeds, which are not forbidden, might be if another object had the name by the time that they are done.
    fn goes_by_object(&self, deeds: &[Deed<'_>]) -> bool;

    /// The object has lost its last name.
    fn gone(&self, object: Identity);

    /// The session has made this object.
    fn made(&self, object: Made);

    /// How many objects it keeps by descriptors; none where it does not matter who made them.
    fn keeps(&self) -> usize;

    /// Whether the session made this object, for all that can be told.
    fn owns(&self, object: Identity) -> bool;

    /// The object has taken the place of another, if that is known: whose that was, it is now.
    fn replaced(&self, object: Made, old: Option<Identity>);
}
