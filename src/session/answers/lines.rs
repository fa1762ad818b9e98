//! Log lines that several requests share.

use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::protocol::{Attrs, WirePath};

/// A debug line.
pub(in crate::session) fn trace(level: Level, line: impl FnOnce() -> Trace) {
    log::emit(level, || Event::Trace {
        level,
        line: line(),
    });
}

/// Extended pairs of ATTRS change nothing; the debug log shows them.
pub(in crate::session) fn trace_ignored(attrs: &Attrs) {
    for (name, len) in &attrs.extended {
        trace(Level::Debug3, || Trace::AttrIgnored {
            name: name.clone(),
            len: *len,
        });
    }
}

/// The log line of a request with one path.
pub(in crate::session) fn log_path(threshold: Level, what: &'static str, path: &WirePath) {
    log::emit(threshold, || Event::Path {
        threshold,
        what,
        path: path.as_bytes().to_vec(),
    });
}

/// The log line of a request with two paths.
pub(in crate::session) fn log_two_paths(what: &'static str, old: &WirePath, new: &WirePath) {
    log::emit(Level::Info, || Event::TwoPaths {
        what,
        old: old.as_bytes().to_vec(),
        new: new.as_bytes().to_vec(),
    });
}
