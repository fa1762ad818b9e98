//! What was learned of how long requests take: of those with names, and of those on each open file.

use std::time::Duration;

use super::cost::{Cost, SLOW};
use crate::fs::{Dir, File};
use crate::protocol::Handle;
use crate::session::Session;

impl Session {
    /// What the time of a request on a file teaches about.
    pub(in crate::session) fn subject_of(&self, handle: Handle) -> Option<Subject> {
        let (slot, _) = self.handles.open_file(handle)?;
        Some(Subject::File(slot))
    }

    /// Asks again what others serve, where something was mounted or unmounted.
    pub(in crate::session) fn look_at_mounts(&mut self) {
        if self.view.look_at_mounts() {
            self.alert = self.alert.max(1);
        }
    }

    /// Takes note of what a request has taken.
    pub(in crate::session) fn learn(&mut self, lesson: Lesson, took: Duration) {
        let took = took.saturating_sub(lesson.work);
        if took >= SLOW {
            self.alert = self.alert.max(ALERT);
        }
        if let Some(cost) = lesson.subject.and_then(|subject| self.cost(subject)) {
            cost.learn(took);
        }
    }

    /// What requests of this kind have cost.
    pub(in crate::session) fn cost(&mut self, subject: Subject) -> Option<&mut Cost> {
        match subject {
            Subject::Names => Some(&mut self.names),
            Subject::File(slot) => self.handles.file_in(slot).map(|open| &mut open.cost),
        }
    }

    /// Whether requests on `file`, opened by this path just now, may wait.
    pub(in crate::session) fn cost_of(&mut self, file: &File, path: &[u8]) -> Cost {
        let remote = match self.view.has_remote() {
            Some(false) => false,
            Some(true) => self.view.serves_remotely(file) == Some(true),
            None => self.seems_remote(file, path),
        };
        if !remote {
            return self.names;
        }
        // To be asked for as long as it is open; and which file it is while that can still be told.
        self.alert = u32::MAX;
        let _ = file.id();
        Cost::of_remote()
    }

    /// The same without a list of mounts: asked once a directory, not once a file.
    fn seems_remote(&mut self, file: &File, path: &[u8]) -> bool {
        let name = path.rsplit(|byte| *byte == b'/').next();
        let parent = path.strip_suffix(name.unwrap_or_default());
        let parent = parent.unwrap_or_default();
        if self.local.as_deref() == Some(parent) {
            return false;
        }
        let remote = file.is_remote();
        if !remote {
            self.local = Some(parent.to_vec());
        }
        remote
    }

    /// Whether requests on `dir` may wait for another process or host.
    pub(in crate::session) fn is_far(&self, dir: &Dir) -> bool {
        self.view.has_remote() == Some(true) && self.view.serves_remotely(dir) == Some(true)
    }
}

/// What a request teaches, by the time that it takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Lesson {
    /// What it is about.
    pub(in crate::session) subject: Option<Subject>,
    /// So much of the time is work that has to be done anyway.
    pub(in crate::session) work: Duration,
}

/// What a lesson is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Subject {
    /// Requests with names.
    Names,
    /// Requests on the file in this slot.
    File(u32),
}

/// So many requests after a slow one it is asked of each whether it may wait.
const ALERT: u32 = 4096;
