//! Which request has which effect on the object that it names, or on what stands where it puts it.

use crate::support::wire::pflags;
use crate::words::{At, Attr, By, Handled, Kind, Op, Target, Thing};

/// The length of what a WRITE and a copy bring.
const WRITTEN: u64 = 10;
const COPIED: u64 = 6;

/// What is forbidden or not, of an object or of what stands where it is put.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// That it exists, its attributes
    Reveal,
    List,
    Read,
    /// An existing file opened for writing, nothing changed yet
    ToWrite,
    /// An existing file cut to nothing
    Cut,
    /// Bytes by a handle; `free` where the kernel appends wherever the client says
    Put {
        at: At,
        append: bool,
        length: u64,
    },
    /// A size set
    Size(Attr),
    /// Another attribute set
    Set,
    /// The name leads to nothing afterwards
    Unname,
    /// What stood at the other name is gone
    Replace {
        own: bool,
    },
    /// The same, if it were not refused without any rule
    WouldReplace {
        own: bool,
    },
    /// A name appears: where the object was absent, or at another name
    MakeFile,
    MakeDir,
    MakeLink,
    MakeName,
}

impl Op {
    /// True where the last link of a path is not followed.
    pub(crate) fn stays(self) -> bool {
        match self {
            Self::Open(flags) => flags & pflags::EXCL != 0,
            Self::Lstat
            | Self::Readlink
            | Self::Lsetstat(_)
            | Self::Remove
            | Self::Rmdir
            | Self::Mkdir
            | Self::Symlink
            | Self::Rename(_)
            | Self::PosixRename(_)
            | Self::Hardlink(_)
            | Self::RenameOnto
            | Self::PosixRenameOnto
            | Self::HardlinkOnto => true,
            _ => false,
        }
    }

    /// True where it puts something at the object's name.
    pub(crate) fn makes(self) -> bool {
        match self {
            Self::Open(flags) => flags & pflags::CREAT != 0,
            Self::Handled(by, _) => by == By::Creator,
            Self::Mkdir
            | Self::Symlink
            | Self::RenameOnto
            | Self::PosixRenameOnto
            | Self::HardlinkOnto => true,
            _ => false,
        }
    }

    pub(crate) fn target(self) -> Option<Target> {
        match self {
            Self::Rename(target) | Self::PosixRename(target) | Self::Hardlink(target) => {
                Some(target)
            }
            _ => None,
        }
    }

    /// True where a drop box tells the client that the name is taken, although it was not to be had anyway.
    pub(crate) fn meets_foreign(self) -> bool {
        let taken = [Target::Other, Target::Dangling, Target::EmptyDir];
        self.makes() || self.target().is_some_and(|target| taken.contains(&target))
    }

    /// The OPEN that has to go before.
    pub(crate) fn opener(self) -> Option<Self> {
        let Self::Handled(by, _) = self else {
            return None;
        };
        Some(Self::Open(by.flags()))
    }

    /// What it would do to `thing`.
    pub(crate) fn effects(self, thing: Thing) -> Vec<Effect> {
        let exists = thing.kind != Kind::Absent;
        let put = |at, by, length| {
            let append = by == By::Appender;
            vec![Effect::Put { at, append, length }]
        };
        let attribute = |attr| match attr {
            Attr::Less | Attr::Same | Attr::More => Effect::Size(attr),
            _ => Effect::Set,
        };
        let replace = |own| Effect::Replace { own };
        let would_replace = |own| Effect::WouldReplace { own };
        match self {
            Self::Open(flags) => {
                let mut effects = Vec::new();
                if !exists && flags & pflags::CREAT != 0 {
                    return vec![Effect::MakeFile];
                }
                if flags & pflags::TRUNC != 0 {
                    effects.push(Effect::Cut);
                }
                if flags & pflags::WRITE != 0 {
                    effects.push(Effect::ToWrite);
                }
                if flags & pflags::WRITE == 0 {
                    effects.push(Effect::Read);
                }
                effects
            }
            Self::Read => vec![Effect::Read],
            Self::List => vec![Effect::List],
            Self::Stat | Self::Lstat | Self::Readlink | Self::Realpath | Self::Statvfs => {
                vec![Effect::Reveal]
            }
            Self::Setstat(attr) | Self::Lsetstat(attr) => vec![attribute(attr)],
            Self::Remove | Self::Rmdir => vec![Effect::Unname],
            Self::Mkdir => vec![Effect::MakeDir],
            Self::Symlink => vec![Effect::MakeLink],
            Self::Rename(target) => match target {
                // What exists is refused without any rule; a link to nothing gives way.
                Target::Dangling => vec![Effect::Unname, replace(false)],
                Target::Free => vec![Effect::Unname, Effect::MakeName],
                _ => vec![Effect::Unname, would_replace(target == Target::Own)],
            },
            Self::PosixRename(target) => match target {
                Target::Free => vec![Effect::Unname, Effect::MakeName],
                Target::Own => vec![Effect::Unname, replace(true)],
                _ => vec![Effect::Unname, replace(false)],
            },
            Self::Hardlink(_) | Self::HardlinkOnto => vec![Effect::MakeName],
            // The session's own name disappears, and may.
            Self::RenameOnto if exists && thing.kind != Kind::Link => {
                vec![would_replace(thing.own)]
            }
            Self::RenameOnto | Self::PosixRenameOnto if exists => vec![replace(thing.own)],
            Self::RenameOnto | Self::PosixRenameOnto => vec![Effect::MakeName],
            Self::Handled(by, handled) => match handled {
                Handled::Read => vec![Effect::Read],
                Handled::Fstat | Handled::Fstatvfs => vec![Effect::Reveal],
                // Such a handle writes nothing: that fails without rules.
                Handled::Write(_) | Handled::Copy(_) if by == By::Reader => {
                    vec![would_replace(true)]
                }
                Handled::Write(at) => put(at, by, WRITTEN),
                Handled::Copy(at) => put(at, by, COPIED),
                Handled::Fsetstat(attr) => vec![attribute(attr)],
            },
        }
    }
}
