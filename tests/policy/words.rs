//! The words of the matrix: places, objects, ways to name them, requests.

use crate::support::Attrs;
use crate::support::wire::pflags;

/// Where the tree is, as the session sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// Without `--root`
    Host,
    Root,
    /// In a `--bind` of another root
    Bind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    /// A file that was there before
    Foreign,
    /// A file that this session made and closed
    Own,
    Absent,
    /// A directory with a file in it
    Dir,
    Empty,
    OwnDir,
    /// A symbolic link that was there before
    Link,
    /// A file that another put where the session's own was
    Taken,
    /// Made by the very handle that is used
    Fresh,
    /// The directory of all the others
    Here,
}

/// How a request names the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Plain,
    Dots,
    Absolute,
    /// Through a link to its directory
    DirLink,
    /// Through a symbolic link to itself
    Link,
    /// By its second name
    Hard,
}

/// Where a rename, a link or a copy puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Free,
    Other,
    Own,
    Dangling,
    EmptyDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Start,
    Inside,
    End,
    Beyond,
}

/// How the handle was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum By {
    Reader,
    Writer,
    Appender,
    Creator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Attr {
    Less,
    Same,
    More,
    Perms,
    Times,
    Owner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Handled {
    Read,
    Fstat,
    Fstatvfs,
    Write(At),
    Fsetstat(Attr),
    Copy(At),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Open(u32),
    Read,
    List,
    Stat,
    Lstat,
    Readlink,
    Realpath,
    Statvfs,
    Setstat(Attr),
    Lsetstat(Attr),
    Remove,
    Rmdir,
    Mkdir,
    Symlink,
    Rename(Target),
    PosixRename(Target),
    Hardlink(Target),
    /// Of the session's `own2`, onto the object
    RenameOnto,
    PosixRenameOnto,
    HardlinkOnto,
    /// copy-file of the object; true where it overwrites
    CopyFile(Target, bool),
    /// The same of `own2`, onto the object
    CopyFileOnto(bool),
    Handled(By, Handled),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Absent,
    File,
    Dir,
    Link,
}

/// What is known of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Thing {
    pub(crate) kind: Kind,
    pub(crate) own: bool,
    /// In bytes, of a file
    pub(crate) size: u64,
    /// A GLOB of the matrix matches its name
    pub(crate) named: bool,
}

impl Attr {
    pub(crate) fn attrs(self, size: u64) -> Attrs {
        match self {
            Self::Less => Attrs::NONE.size(size.saturating_sub(4)),
            Self::Same => Attrs::NONE.size(size),
            Self::More => Attrs::NONE.size(size + 20),
            Self::Perms => Attrs::NONE.permissions(0o611),
            Self::Times => Attrs::NONE.times(400_000_000, 400_000_000),
            Self::Owner => Attrs::NONE.owner(12345, 12346),
        }
    }
}

impl By {
    pub(crate) fn flags(self) -> u32 {
        match self {
            Self::Reader => pflags::READ,
            Self::Writer => pflags::READ | pflags::WRITE,
            Self::Appender => pflags::WRITE | pflags::APPEND,
            Self::Creator => pflags::READ | pflags::WRITE | pflags::CREAT | pflags::EXCL,
        }
    }
}

impl Target {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Other => "other",
            Self::Own => "own2",
            Self::Dangling => "dangling",
            Self::EmptyDir => "fempty",
        }
    }
}
