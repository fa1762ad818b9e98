//! Which requests may run beside others: what each of them touches, and whether it may wait.

use std::time::Duration;

use super::Session;
use super::cost::{Cost, SLOW};
use super::extended::{COPY_DATA, Extension, FSYNC};
use super::handles::{Entry, OpenFile};
use super::pipeline::Touch;
use crate::fs::File;
use crate::protocol::{
    CopyData, Handle, Open, OpenFlags, Packet, Payload, Read, Write, kind, request_id,
};

impl Session {
    /// What the request in `packet` touches. What is malformed, or means nothing that is open, runs alone: it is answered at once.
    pub(super) fn touch(&mut self, packet: &Packet<'_>) -> Touch {
        // What a rule says may depend on all that came before.
        if self.view.is_judged() {
            return Touch::Alone;
        }
        self.touched(packet).unwrap_or(Touch::Alone)
    }

    fn touched(&mut self, packet: &Packet<'_>) -> Option<Touch> {
        let (_, payload) = request_id(packet.body).ok()?;
        match packet.kind? {
            kind::STAT | kind::LSTAT | kind::READLINK | kind::REALPATH => {
                self.has_room().then_some(Touch::Look)
            }
            kind::OPENDIR => {
                (self.has_room() && self.handles.may_open_beside()).then_some(Touch::Look)
            }
            kind::OPEN => {
                let open: Open = payload.decode().ok()?;
                if !self.has_room() || !self.handles.may_open_beside() {
                    None
                } else if (open.pflags - OpenFlags::READ).is_empty() {
                    Some(Touch::Look)
                } else {
                    self.creation(&open)
                }
            }
            kind::READ => {
                let Read { handle, .. } = payload.decode().ok()?;
                self.reading(handle)
            }
            kind::FSTAT => self.reading(payload.decode().ok()?),
            kind::WRITE => {
                let write = Write::decode(payload).ok()?;
                let (slot, open) = self.open_file(write.handle)?;
                let end = write.offset.saturating_add(write.data.len() as u64);
                Some(Touch::Write {
                    slot,
                    file: open.file.id(),
                    range: if open.file.appends() {
                        0..u64::MAX
                    } else {
                        write.offset..end
                    },
                })
            }
            kind::READDIR => match self.handles.get(payload.decode().ok()?)? {
                (slot, Entry::Dir(_)) => Some(Touch::List { slot }),
                (_, Entry::File(_)) => None,
            },
            kind::CLOSE => match self.handles.get(payload.decode().ok()?)? {
                (slot, Entry::File(open)) => Some(Touch::Close {
                    slot,
                    written: open.tally.writable.then(|| open.file.id()),
                }),
                (slot, Entry::Dir(_)) => Some(Touch::Close {
                    slot,
                    written: None,
                }),
            },
            kind::EXTENDED => self.touched_long(payload),
            _ => None,
        }
    }

    /// An extension that may take long wherever the files lie.
    fn touched_long(&self, payload: Payload<'_>) -> Option<Touch> {
        let (extension, payload) = long(payload)?;
        if extension.wire == FSYNC.wire {
            // What was written before is on the disk then; what is written later does not matter, but may not come first either.
            return self.reading(payload.decode().ok()?);
        }
        let copy: CopyData = payload.decode().ok()?;
        let (from_slot, from) = self.open_file(copy.read_from_handle)?;
        let (to_slot, to) = self.open_file(copy.write_to_handle)?;
        Some(Touch::Copy {
            from_slot,
            from: from.file.id(),
            to_slot,
            to: to.file.id(),
        })
    }

    fn reading(&self, handle: Handle) -> Option<Touch> {
        let (slot, open) = self.open_file(handle)?;
        Some(Touch::Read {
            slot,
            file: open.file.id(),
        })
    }

    /// An OPEN that creates what is not there, in the way of an upload.
    fn creation(&self, open: &Open) -> Option<Touch> {
        let mode = open.attrs.permissions.unwrap_or(0o666);
        let overlaps = open.pflags.contains(OpenFlags::CREATE)
            && !open.pflags.contains(OpenFlags::EXCLUDE)
            && mode & 0o600 == 0o600
            // An exact mode is had by a umask that is the whole process's.
            && self.force_file_mode.is_none();
        overlaps.then_some(Touch::Create { mode })
    }

    /// Whether the request in `packet` may wait for storage, as far as is known.
    pub(super) fn may_wait(&mut self, packet: &Packet<'_>) -> bool {
        if packet.kind == Some(kind::EXTENDED) {
            let payload = request_id(packet.body).map(|(_, payload)| payload);
            return payload.ok().and_then(long).is_some();
        }
        // The usual answer first, since every request of a session asks.
        if self.alert == 0 {
            return false;
        }
        self.alert -= 1;
        let subject = self.lesson(packet).subject;
        let cost = subject.and_then(|subject| self.cost(subject));
        cost.is_some_and(|cost| cost.is_slow())
    }

    /// What the request in `packet` teaches about the next ones that are like it.
    pub(super) fn lesson(&self, packet: &Packet<'_>) -> Lesson {
        let file = || {
            let (_, payload) = request_id(packet.body).ok()?;
            let (handle, _) = payload.string().ok()?;
            let (slot, _) = self.open_file(Handle(handle.try_into().ok()))?;
            Some(Subject::File(slot))
        };
        let kind = packet.kind.unwrap_or_default();
        let subject = match kind {
            kind::READ | kind::WRITE | kind::FSTAT | kind::FSETSTAT => file(),
            // Of a directory the names are at stake.
            kind::CLOSE => file().or(Some(Subject::Names)),
            kind::INIT | kind::EXTENDED => None,
            _ => Some(Subject::Names),
        };
        let work = match kind {
            kind::READ => CONTENT,
            kind::WRITE => STORING,
            kind::READDIR => LISTING,
            _ => Duration::ZERO,
        };
        Lesson { subject, work }
    }

    /// Takes note of what a request has taken.
    pub(super) fn learn(&mut self, lesson: Lesson, took: Duration) {
        let took = took.saturating_sub(lesson.work);
        if took >= SLOW {
            self.alert = self.alert.max(ALERT);
        }
        if let Some(cost) = lesson.subject.and_then(|subject| self.cost(subject)) {
            cost.learn(took);
        }
    }

    fn cost(&mut self, subject: Subject) -> Option<&mut Cost> {
        match subject {
            Subject::Names => Some(&mut self.names),
            Subject::File(slot) => self.handles.file_in(slot).map(|open| &mut open.cost),
        }
    }

    /// Whether requests on `file`, opened by this path just now, may wait.
    pub(super) fn cost_of(&mut self, file: &File, path: &[u8]) -> Cost {
        let name = path.rsplit(|byte| *byte == b'/').next();
        let parent = path.strip_suffix(name.unwrap_or_default());
        let parent = parent.unwrap_or_default();
        // Asked once a directory, not once a file.
        if self.local.as_deref() != Some(parent) {
            if file.is_remote() {
                // To be asked for as long as it is open; and which file it is while that can still be told.
                self.alert = u32::MAX;
                let _ = file.id();
                return Cost::of_remote();
            }
            self.local = Some(parent.to_vec());
        }
        self.names
    }

    pub(super) fn open_file(&self, handle: Handle) -> Option<(u32, &OpenFile)> {
        match self.handles.get(handle)? {
            (slot, Entry::File(open)) => Some((slot, open)),
            (_, Entry::Dir(_)) => None,
        }
    }

    /// Whether there are descriptors for what requests under way may still open, for a moment or for the client.
    fn has_room(&mut self) -> bool {
        self.handles.room() > super::pipeline::MOST
    }
}

/// One of the extensions that may take long, and its own fields.
pub(super) fn long(payload: Payload<'_>) -> Option<(Extension, Payload<'_>)> {
    let (name, payload) = payload.string().ok()?;
    let long = [FSYNC, COPY_DATA];
    let extension = long
        .into_iter()
        .find(|extension| extension.wire.as_bytes() == name)?;
    Some((extension, payload))
}

/// What a request teaches, by the time that it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lesson {
    subject: Option<Subject>,
    /// So much of the time is work that has to be done anyway.
    work: Duration,
}

/// What a lesson is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    /// Requests with names.
    Names,
    /// Requests on the file in this slot.
    File(u32),
}

/// Copying the longest READ, where memory is slow.
const CONTENT: Duration = Duration::from_micros(500);
/// Storing the longest WRITE, where memory has to be found for it.
const STORING: Duration = Duration::from_millis(3);
/// A listing that fills a response.
const LISTING: Duration = Duration::from_millis(3);
/// So many requests after a slow one it is asked of each whether it may wait.
const ALERT: u32 = 4096;
