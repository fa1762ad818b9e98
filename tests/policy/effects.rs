//! Which request has which effect on the object that it names, or on what stands where it puts it.

use crate::support::wire::pflags;
use crate::words::{At, Attr, By, Handled, Kind, Op, Target, Thing};

/// The length of what a WRITE and a copy of `own2` bring.
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
    /// What is there of a new file, or of one that was cut
    Fill {
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
            // As an OPEN with EXCL
            Self::CopyFileOnto(over) => !over,
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
            Self::CopyFileOnto(_)
            | Self::Mkdir
            | Self::Symlink
            | Self::RenameOnto
            | Self::PosixRenameOnto
            | Self::HardlinkOnto => true,
            _ => false,
        }
    }

    pub(crate) fn target(self) -> Option<Target> {
        match self {
            Self::Rename(target)
            | Self::PosixRename(target)
            | Self::Hardlink(target)
            | Self::CopyFile(target, _) => Some(target),
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
                // What exists is refused without any rule.
                Target::Free => vec![Effect::Unname, Effect::MakeName],
                _ => vec![Effect::Unname, would_replace(target == Target::Own)],
            },
            Self::PosixRename(target) => match target {
                Target::Free => vec![Effect::Unname, Effect::MakeName],
                Target::Own => vec![Effect::Unname, replace(true)],
                _ => vec![Effect::Unname, replace(false)],
            },
            Self::Hardlink(_) | Self::HardlinkOnto => vec![Effect::MakeName],
            Self::CopyFile(target, over) => {
                let mut effects = vec![Effect::Read];
                effects.extend(match target {
                    Target::Free => copied(None, over, thing.size),
                    // A link to nothing is followed.
                    Target::Dangling if over => copied(None, over, thing.size),
                    _ => copied(Some(target == Target::Own), over, thing.size),
                });
                effects
            }
            Self::CopyFileOnto(over) => copied(exists.then_some(thing.own), over, COPIED),
            // The session's own name disappears, and may.
            Self::RenameOnto if exists => vec![would_replace(thing.own)],
            Self::PosixRenameOnto if exists => vec![replace(thing.own)],
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

/// What a copy of a whole file does to what is at its destination, `own` or another's: it is opened, as for an upload of so many bytes.
fn copied(own: Option<bool>, over: bool, length: u64) -> Vec<Effect> {
    let fill = Effect::Fill { length };
    match own {
        None => vec![Effect::MakeFile, fill],
        Some(_) if over => vec![Effect::ToWrite, Effect::Cut, fill],
        Some(own) => vec![Effect::WouldReplace { own }],
    }
}
