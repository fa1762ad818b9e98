//! What requests touch, and which of them conflict: where it could be seen in which order they ran.
//!
//! | beside                 | names looked up | reading a file | writing a file        | listing a directory | changing names |
//! |------------------------|-----------------|----------------|-----------------------|---------------------|----------------|
//! | names followed         | yes             | yes            | yes, but no attribute | yes                 | no             |
//! | names looked up        | yes             | yes            | if sent later         | yes                 | no             |
//! | reading a file         |                 | yes            | another file          | yes                 | content alone  |
//! | writing a file         | no              |                | another file or range | no                  | no             |
//! | listing a directory    |                 |                | if sent later         | another handle      | no             |
//! | changing names         |                 |                |                       |                     | no             |
//!
//! Names are followed where nothing is told of the file behind them: READLINK, REALPATH, OPENDIR, statvfs, in a jail OPEN for reading. Which file
//! it is that a name is looked up for is not known before, by links it can be any. A WRITE to a file of this host that is sent later need not wait:
//! what its file was like is kept, and told where the name leads to it ([`Pipeline::admits_past_looks`]).
//!
//! To change names frees room that a WRITE may want. CLOSE goes beside what concerns neither its handle nor, if that could write, its file or
//! any name. Files are created beside each other. Whoever asks what users are called touches no file. All else runs alone.

use std::ops::Range;

use crate::fs::FileId;

/// What a request looks at or changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Anything.
    Alone,
    /// What users are called, and where they are at home: no file.
    Names,
    /// Names, and whether what they lead to may be opened; nothing that writing to a file changes.
    Follow,
    /// Names, and the attributes of what they lead to.
    Look,
    /// The content of a file.
    Read {
        /// The slot of its handle.
        slot: u32,
        /// Which one.
        file: FileId,
    },
    /// The attributes of a file, of which one is how many names it has.
    Attributes {
        /// The slot of its handle.
        slot: u32,
        /// Which one.
        file: FileId,
    },
    /// Names, and what they lead to.
    Change,
    /// The attributes of a file are set, its length among them.
    Set {
        /// The slot of its handle.
        slot: u32,
        /// Which one.
        file: FileId,
    },
    /// A part of the content of a file.
    Write {
        /// The slot of its handle.
        slot: u32,
        /// Which one.
        file: FileId,
        /// In bytes; all of it where the handle appends.
        range: Range<u64>,
    },
    /// The place in a directory up to which a handle has listed it, and the attributes of its entries.
    List {
        /// The slot of the handle.
        slot: u32,
    },
    /// A file that is made, if it is not there; otherwise it is opened when all before are answered. Where two names turn out to be one file, it
    /// is empty yet, and who made it cannot be seen: of its mode the owner has reading and writing.
    Create {
        /// Octal.
        mode: u32,
    },
    /// Two files, one of them read and all of the other written.
    Copy {
        /// The slot of the handle to read from.
        from_slot: u32,
        /// The file to read.
        from: FileId,
        /// The slot of the handle to write to.
        to_slot: u32,
        /// The file to write.
        to: FileId,
    },
    /// A handle that ends.
    Close {
        /// Its slot.
        slot: u32,
        /// The file that it could write; closing may do what writing has put off.
        written: Option<FileId>,
    },
}

impl Touch {
    /// Whether it could be seen which of the two was carried out first.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        match (self.halves(), other.halves()) {
            (Some(halves), _) => halves.iter().any(|half| half.conflicts(other)),
            (None, Some(halves)) => halves.iter().any(|half| self.conflicts(half)),
            (None, None) => self.precludes(other) || other.precludes(self),
        }
    }

    /// Whether it changes nothing but what the client is told.
    #[must_use]
    pub fn looks(&self) -> bool {
        matches!(
            self,
            Self::Names
                | Self::Follow
                | Self::Look
                | Self::Read { .. }
                | Self::Attributes { .. }
                | Self::List { .. }
        )
    }

    /// Whether it tells attributes of what names lead to.
    #[must_use]
    pub fn tells(&self) -> bool {
        matches!(self, Self::Look | Self::List { .. })
    }

    /// A copy is a READ and a WRITE.
    fn halves(&self) -> Option<[Self; 2]> {
        let Self::Copy {
            from_slot,
            from,
            to_slot,
            to,
        } = *self
        else {
            return None;
        };
        Some([
            Self::Read {
                slot: from_slot,
                file: from,
            },
            Self::Write {
                slot: to_slot,
                file: to,
                range: 0..u64::MAX,
            },
        ])
    }

    /// That of its handle, if it is of one.
    pub(in crate::session) fn slot(&self) -> Option<u32> {
        match self {
            Self::Alone
            | Self::Names
            | Self::Follow
            | Self::Look
            | Self::Change
            | Self::Create { .. }
            | Self::Copy { .. } => None,
            Self::Read { slot, .. }
            | Self::Attributes { slot, .. }
            | Self::Set { slot, .. }
            | Self::Write { slot, .. }
            | Self::List { slot }
            | Self::Close { slot, .. } => Some(*slot),
        }
    }

    /// One half of the table; the other half is its mirror.
    fn precludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Alone, _) => true,
            (Self::Names, _) | (_, Self::Names) => false,
            (Self::Create { mode }, Self::Create { mode: other }) => mode != other,
            (Self::Create { .. }, _) => true,
            (Self::Close { slot, .. }, _) if other.slot() == Some(*slot) => true,
            (Self::Change, Self::Read { .. } | Self::Close { written: None, .. }) => false,
            (Self::Change, _) => true,
            // All of its content, and whether it may be opened.
            (&Self::Set { slot, file }, other) => {
                let written = Some(file);
                *other == Self::Follow || Self::Close { slot, written }.precludes(other)
            }
            (
                Self::Close {
                    written: Some(file),
                    ..
                },
                Self::Set { file: other, .. },
            )
            | (Self::Write { file, .. }, Self::Set { file: other, .. }) => file == other,
            (
                Self::Close {
                    written: Some(_), ..
                },
                Self::Follow,
            ) => true,
            (
                Self::Write { .. }
                | Self::Close {
                    written: Some(_), ..
                },
                Self::Look | Self::List { .. },
            ) => true,
            (
                Self::Write { file, .. },
                Self::Read { file: read, .. } | Self::Attributes { file: read, .. },
            )
            | (
                Self::Close {
                    written: Some(file),
                    ..
                },
                Self::Read { file: read, .. }
                | Self::Attributes { file: read, .. }
                | Self::Write { file: read, .. },
            ) => file == read,
            (Self::Close { written, .. }, Self::Close { written: other, .. }) => {
                written.is_some() && written == other
            }
            (
                Self::Write { file, range, .. },
                Self::Write {
                    file: other,
                    range: with,
                    ..
                },
            ) => file == other && range.start < with.end && with.start < range.end,
            (Self::List { slot }, Self::List { slot: other }) => slot == other,
            _ => false,
        }
    }
}
