//! Whose turn it is: whether a request that has arrived begins, at once or by a thread, and what it waits for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tokio::time::Instant;

use super::Connection;
use crate::fs::is_regular;
use crate::session::Session;
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::pipeline::Pipeline;
use crate::session::overlap::touch::Touch;
use crate::session::requests::Asked;

/// What is to be done next with a request that has arrived.
pub(super) enum Turn {
    /// It begins: whether it may wait for storage, and what it touches.
    Begin(bool, Touch),
    /// It is passed over: nobody will read what it would be told.
    Unheard,
    /// It waits until the client has read its answers,
    UntilRead,
    /// until the first of those under way is answered,
    UntilAnswered,
    /// or until what it brings is paid for.
    UntilPaid(Instant),
}

impl Connection {
    /// What is to be done next with a request.
    pub(super) fn turn(&mut self, asked: &Asked<'_>) -> Turn {
        if asked.endangers_unread(&self.session) {
            return Turn::UntilRead;
        }
        // What comes before INIT ends the session.
        let slow = self.session.is_initialised() && self.session.may_wait(asked);
        let gone = self.session.is_initialised() && self.client_gone.is_some();
        let touch = if slow || gone || !self.pipeline.is_empty() {
            self.session.touch(asked)
        } else {
            Touch::Alone
        };
        if gone {
            if touch.looks() {
                return Turn::Unheard;
            }
            let ends = self.session.ends(asked);
            if ends.is_some_and(|slot| self.pipeline.still_uses(slot)) {
                return Turn::UntilAnswered;
            }
        }
        if !self.pipeline.admits(&touch) && !self.session.goes_past(&self.pipeline, &touch) {
            return Turn::UntilAnswered;
        }
        match self.unpaid(asked) {
            Some(until) => Turn::UntilPaid(until),
            None => Turn::Begin(slow, touch),
        }
    }
}

impl Session {
    /// What a request touches. What is malformed, or means nothing that is open, runs alone: it is answered at once.
    pub(super) fn touch(&mut self, asked: &Asked<'_>) -> Touch {
        let touched = asked.touch(self);
        if !self.view.is_judged() || self.is_told_alike(&touched) {
            return touched;
        }
        Touch::Alone
    }

    /// The slot of a handle that could write, which a request closes: what stands in that slot has to be used by nobody else.
    pub(super) fn ends(&mut self, asked: &Asked<'_>) -> Option<u32> {
        match asked.touch(self) {
            Touch::Close {
                slot,
                written: Some(_),
            } => Some(slot),
            _ => None,
        }
    }

    /// Whether what the rules say of it does not depend on what else is under way.
    fn is_told_alike(&mut self, touched: &Touch) -> bool {
        match touched {
            Touch::Names
            | Touch::Follow
            | Touch::Look
            | Touch::Read { .. }
            | Touch::Attributes { .. }
            | Touch::List { .. }
            | Touch::Close { written: None, .. } => true,
            Touch::Set { .. } | Touch::Write { .. } => !self.policy.rules.reserves(),
            // It may take its place then.
            Touch::Close { slot, .. } => {
                let open = self.handles.file_in(*slot);
                open.is_some_and(|open| !open.file.is_pending())
            }
            Touch::Alone | Touch::Change | Touch::Create { .. } | Touch::Copy { .. } => false,
        }
    }

    /// Whether a request may wait for storage, as far as is known.
    pub(super) fn may_wait(&mut self, asked: &Asked<'_>) -> bool {
        if asked.is_long() || asked.frees_much(self) {
            return true;
        }
        // The usual answer first, since every request of a session asks.
        if self.alert == 0 {
            return false;
        }
        let Some(subject) = asked.lesson(self).subject else {
            return false;
        };
        if self.cost(subject).is_some_and(|cost| cost.is_slow()) {
            self.alert -= 1;
            return true;
        }
        if subject == Subject::Names {
            return self.leads_far(asked);
        }
        self.alert -= 1;
        false
    }

    /// Whether a request leads to what another process or host serves, for all that can be told without asking it.
    fn leads_far(&mut self, asked: &Asked<'_>) -> bool {
        if let Some(far) = asked.lists_far(self) {
            return far;
        }
        // Where it started a session need not look; most begin by asking for no more.
        if asked.paths().all(|path| path == b".") {
            return false;
        }
        if self.view.has_remote() != Some(true) {
            self.alert = self.alert.saturating_sub(1);
            return false;
        }
        self.alert = u32::MAX;
        let mut paths = asked.paths();
        !paths.all(|path| self.view.is_near(Path::new(OsStr::from_bytes(path))))
    }

    /// Whether a request can wait on a thread of its own, though nothing may run beside it: the session hears signals, and its end.
    pub(super) fn is_deferrable(&self, asked: &Asked<'_>) -> bool {
        asked.is_long() || asked.lesson(self).subject.is_some()
    }

    /// Whether it is a WRITE that may begin before what was sent before it has looked.
    pub(super) fn goes_past(&mut self, pipeline: &Pipeline, touch: &Touch) -> bool {
        let Touch::Write { slot, .. } = touch else {
            return false;
        };
        pipeline.admits_past_looks(touch) && self.keeps_earlier(*slot)
    }

    /// Once all of these are answered, nobody is told any more what files were like before.
    pub(super) fn forget_earlier(&mut self, pipeline: &Pipeline) {
        if !self.earlier.is_empty() && !pipeline.tells() {
            self.earlier.forget();
        }
    }

    /// Keeps what the file in this slot is like, before a WRITE; whether that could be had without waiting.
    ///
    /// What is no regular file may be a FIFO, and an OPEN sees whether somebody has written to that.
    fn keeps_earlier(&mut self, slot: u32) -> bool {
        let open = self.handles.file_in(slot);
        let Some(open) = open.filter(|open| !open.cost.is_remote()) else {
            return false;
        };
        let Some(stat) = open.file.told().ok().filter(is_regular) else {
            return false;
        };
        self.earlier.keep(stat);
        true
    }
}
