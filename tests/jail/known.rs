//! The differences on purpose from chroot(2) and bind mounts, in one table.

use crate::support::wire::{Packet, Reply, code, kind};

struct Known {
    reason: &'static str,
    applies: fn(&Cell<'_>) -> bool,
}

/// A request of a cell, and both replies, masked.
struct Cell<'a> {
    probe: &'a str,
    way: &'a [u8],
    packet: &'a Packet,
    ours: &'a Reply,
    theirs: &'a Reply,
}

const KNOWN: &[Known] = &[
    Known {
        reason: "home-directory is that of the user who is named; OpenSSH before 9.8 answers the session's own",
        applies: |cell| cell.probe == "home-directory",
    },
    Known {
        reason: "REALPATH is physical: nothing comes after a file; OpenSSH drops what does by text",
        applies: |cell| cell.is_realpath() && cell.ours_says("No such file: Not a directory"),
    },
    Known {
        reason: "REALPATH takes no path that no other request would take; OpenSSH's own walk drops slashes first",
        applies: |cell| cell.is_realpath() && cell.ours_says("Bad message: File name too long"),
    },
    Known {
        reason: "REALPATH follows 40 links, as all other requests do; OpenSSH's own walk gives up earlier",
        applies: |cell| {
            let many = [&b"/k1"[..], b"/k2", b"/l_d/../l_d/.."]
                .iter()
                .any(|way| cell.way.starts_with(way));
            cell.is_realpath() && many && cell.theirs_says("No such file")
        },
    },
    Known {
        reason: "RENAME never replaces a link that leads to nothing or in circles; OpenSSH puts what is no file in its place",
        applies: |cell| {
            // The plan's links alone are named so.
            let last = cell.packet.body.rsplit(|byte| *byte == b'/').next();
            let onto_link = last.is_some_and(|name| name.starts_with(b"l_"));
            cell.packet.kind == kind::RENAME && onto_link && cell.ours_says("Failure: File exists")
        },
    },
    Known {
        reason: "a request of two paths that has two reasons to fail tells either",
        applies: |cell| {
            let two = ["rename", "posix-rename", "hardlink", "symlink"];
            let first = cell.probe.split(' ').next().unwrap_or_default();
            two.contains(&first) && cell.both_fail()
        },
    },
    Known {
        reason: "a bind point is busy, before anything else is looked at, and onto itself",
        applies: |cell| {
            cell.ours_says("Failure: Device or resource busy") && is_bind_point(cell.way)
        },
    },
    Known {
        reason: "what is read-only says so before it says what else is wrong",
        applies: |cell| cell.ours_says("Failure: Read-only file system") && cell.both_fail(),
    },
    Known {
        reason: "OPEN with CREAT of a link to nothing, with a slash behind it, has two reasons to fail",
        applies: |cell| {
            let creates = cell.probe.starts_with("open") && cell.probe.contains("creat");
            creates && cell.way.ends_with(b"/") && cell.both_fail()
        },
    },
];

/// The reason why two replies that are not equal are in order, if there is one.
pub(crate) fn reason(
    probe: &str,
    way: &[u8],
    packet: &Packet,
    ours: &Reply,
    theirs: &Reply,
) -> Option<&'static str> {
    let cell = Cell {
        probe,
        way,
        packet,
        ours,
        theirs,
    };
    KNOWN
        .iter()
        .find(|known| (known.applies)(&cell))
        .map(|known| known.reason)
}

/// Whether one of the paths of a cell's way names a place where something is bound, but for a slash behind it.
fn is_bind_point(way: &[u8]) -> bool {
    let paths = way.split(|byte| *byte == b'"');
    paths
        .map(|path| path.strip_suffix(b"/").unwrap_or(path))
        .any(|path| {
            crate::plan::BINDS
                .iter()
                .any(|bind| bind.at.as_bytes() == path)
        })
}

impl Cell<'_> {
    fn both_fail(&self) -> bool {
        let fails =
            |reply: &Reply| matches!(reply, Reply::Status(status) if status.code != code::OK);
        fails(self.ours) && fails(self.theirs)
    }

    fn is_realpath(&self) -> bool {
        self.packet.kind == kind::REALPATH || self.probe.starts_with("expand-path")
    }

    fn ours_says(&self, text: &str) -> bool {
        matches!(self.ours, Reply::Status(status) if status.text == text)
    }

    fn theirs_says(&self, text: &str) -> bool {
        matches!(self.theirs, Reply::Status(status) if status.text == text)
    }
}
