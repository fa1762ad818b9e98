//! The differences on purpose, in one table: what ours does otherwise than OpenSSH's server, and why.

use crate::operation::Operation as O;
use crate::support::openssh::Release;
use crate::support::wire::{Reply, code};

pub(crate) struct Known {
    pub(crate) reason: &'static str,
    /// The first release of OpenSSH that does as ours does
    until: Option<Release>,
    /// The operation, our reply, theirs
    applies: fn(&O, &Reply, &Reply) -> bool,
}

/// What OpenSSH copies at a time.
const COPY_CHUNK: u64 = 65_536;

const KNOWN: [Known; 11] = [
    Known {
        reason: "what a handle is not open for is a FAILURE; OpenSSH says that there is no such file",
        until: None,
        applies: |operation, ours, theirs| {
            matches!(operation, O::Read(..) | O::Write(..) | O::CopyData(..))
                && is_not_open(ours)
                && codes(ours, theirs) == Some((code::FAILURE, code::NO_SUCH_FILE))
        },
    },
    Known {
        reason: "a bad handle is a FAILURE everywhere; OpenSSH answers CLOSE, fsync and, from 10.4 on, copy-data by NO_SUCH_FILE",
        until: None,
        applies: |operation, ours, theirs| {
            matches!(operation, O::Close(_) | O::Fsync(_) | O::CopyData(..))
                && matches!(ours, Reply::Status(status) if status.text == "Failure: no such handle")
                && codes(ours, theirs) == Some((code::FAILURE, code::NO_SUCH_FILE))
        },
    },
    Known {
        reason: "SETSTAT and its kin report the first failure; OpenSSH the last",
        until: None,
        applies: |operation, ours, theirs| {
            let several = |attrs: &crate::support::Attrs| {
                let set = [
                    attrs.size.is_some(),
                    attrs.owner.is_some(),
                    attrs.permissions.is_some(),
                    attrs.times.is_some(),
                ];
                set.into_iter().filter(|is| *is).count() >= 2
            };
            let attrs = match operation {
                O::Setstat(_, attrs) | O::Fsetstat(_, attrs) | O::Lsetstat(_, attrs) => attrs,
                _ => return false,
            };
            several(attrs)
                && codes(ours, theirs)
                    .is_some_and(|(ours, theirs)| ours != code::OK && theirs != code::OK)
        },
    },
    Known {
        reason: "REALPATH is physical: nothing comes after a file; OpenSSH drops what does by text",
        until: None,
        applies: |operation, ours, theirs| {
            matches!(operation, O::Realpath(_) | O::ExpandPath(_))
                // Theirs goes on, to an answer or to another reason to fail.
                && matches!(ours, Reply::Status(status) if status.text == "No such file: Not a directory")
                && !matches!(theirs, Reply::Status(status) if status.code == code::OK)
        },
    },
    Known {
        reason: "home-directory is that of the user who is named; OpenSSH before 9.8 answers the session's own",
        until: Some((9, 8)),
        applies: |operation, ours, theirs| match operation {
            O::HomeDirectory("") => matches!((ours, theirs), (Reply::Names(_), Reply::Status(_))),
            O::HomeDirectory(_) => matches!((ours, theirs), (Reply::Names(_), Reply::Names(_))),
            _ => false,
        },
    },
    Known {
        reason: "copy-data tells of the end of its source and of failures; OpenSSH says OK of the last 64 KiB whatever happens",
        until: None,
        applies: |operation, _, theirs| {
            let last = matches!(operation, O::CopyData(_, _, 1..=COPY_CHUNK, _, _));
            let ok = matches!(theirs, Reply::Status(status) if status.code == code::OK);
            last && ok
        },
    },
    Known {
        reason: "copy-data past the end of its source is EOF; OpenSSH says OK where the end falls into the last 64 KiB",
        until: None,
        applies: |operation, ours, theirs| {
            matches!(operation, O::CopyData(..))
                && codes(ours, theirs) == Some((code::EOF, code::OK))
        },
    },
    Known {
        reason: "a RENAME that has two reasons to fail: renameat2 looks at the target first, OpenSSH at the source",
        until: None,
        applies: |operation, ours, theirs| {
            let failures = |(ours, theirs)| ours != code::OK && theirs != code::OK;
            matches!(operation, O::Rename(..)) && codes(ours, theirs).is_some_and(failures)
        },
    },
    Known {
        reason: "copy-data refuses what is not open for it at once; OpenSSH reads first, and may find nothing to copy",
        until: None,
        applies: |operation, ours, theirs| {
            matches!(operation, O::CopyData(..))
                && is_not_open(ours)
                && matches!(theirs, Reply::Status(_))
        },
    },
    Known {
        reason: "pread(2) and pwrite(2) see offsets that lseek(2), which OpenSSH uses, refuses on this file system",
        until: None,
        applies: |operation, ours, theirs| {
            let (O::Read(_, offset, _) | O::Write(_, offset, _)) = operation else {
                return false;
            };
            let empty = matches!(operation, O::Write(_, _, data) if data.0.is_empty());
            let refused =
                empty || !matches!(ours, Reply::Status(status) if status.code == code::OK);
            (1 << 44..1 << 63).contains(offset) && refused && is_bad_message(theirs)
        },
    },
    Known {
        reason: "READDIR of a window: OpenSSH looks entries up by a path that may lead elsewhere by now, 100 at a time",
        until: None,
        applies: |operation, ours, theirs| {
            let listing = |reply: &Reply| match reply {
                Reply::Names(_) => true,
                Reply::Status(status) => status.code == code::EOF,
                _ => false,
            };
            matches!(operation, O::Readdir(_)) && listing(ours) && listing(theirs)
        },
    },
];

/// The reason why two replies that are not equal are in order, if there is one.
pub(crate) fn reason(
    release: Release,
    operation: &O,
    ours: &Reply,
    theirs: &Reply,
) -> Option<&'static str> {
    KNOWN
        .iter()
        .filter(|known| known.until.is_none_or(|first| release < first))
        .find(|known| (known.applies)(operation, ours, theirs))
        .map(|known| known.reason)
}

fn codes(ours: &Reply, theirs: &Reply) -> Option<(u32, u32)> {
    match (ours, theirs) {
        (Reply::Status(ours), Reply::Status(theirs)) => Some((ours.code, theirs.code)),
        _ => None,
    }
}

fn is_not_open(ours: &Reply) -> bool {
    matches!(ours, Reply::Status(status) if status.text.starts_with("Failure: not open for "))
}

fn is_bad_message(reply: &Reply) -> bool {
    matches!(reply, Reply::Status(status) if status.code == code::BAD_MESSAGE)
}
