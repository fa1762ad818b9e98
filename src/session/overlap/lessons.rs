//! Which requests may run beside others: what each of them touches, and whether it may wait.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::cost::{Cost, SLOW};
use super::pipeline::Touch;
use crate::fs::{Dir, File};
use crate::protocol::{
    CopyData, CopyFile, Handle, Open, OpenFlags, Packet, Payload, Read, SetAttrsByHandle, Write,
    kind, request_id,
};
use crate::session::Session;
use crate::session::handles::{Entry, OpenFile};
use crate::session::requests::accounts::{HOME_DIRECTORY, USERS_GROUPS_BY_ID};
use crate::session::requests::copy_file::COPY_FILE;
use crate::session::requests::dispatch::{REQUESTS, Run};
use crate::session::requests::extended::{
    COPY_DATA, EXTENSIONS, Extension, FSTATVFS, FSYNC, HARDLINK, POSIX_RENAME, STATVFS,
};

impl Session {
    /// What the request in `packet` touches. What is malformed, or means nothing that is open, runs alone: it is answered at once.
    pub(in crate::session) fn touch(&mut self, packet: &Packet<'_>) -> Touch {
        let touched = self.touched(packet).unwrap_or(Touch::Alone);
        if !self.view.is_judged() || self.is_told_alike(&touched) {
            return touched;
        }
        Touch::Alone
    }

    /// The slot of a handle that could write, which the request in `packet` closes: what stands in that slot has to be used by nobody else.
    pub(in crate::session) fn ends(&mut self, packet: &Packet<'_>) -> Option<u32> {
        match self.touched(packet) {
            Some(Touch::Close {
                slot,
                written: Some(_),
            }) => Some(slot),
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

    fn touched(&mut self, packet: &Packet<'_>) -> Option<Touch> {
        let (_, payload) = request_id(packet.body).ok()?;
        match packet.kind? {
            kind::STAT | kind::LSTAT => self.has_room().then_some(Touch::Look),
            kind::READLINK | kind::REALPATH => self.has_room().then_some(Touch::Follow),
            kind::OPENDIR => {
                (self.has_room() && self.handles.may_open_beside()).then_some(Touch::Follow)
            }
            kind::OPEN => {
                let open: Open = payload.decode().ok()?;
                if !self.has_room() || !self.handles.may_open_beside() {
                    None
                } else if (open.pflags - OpenFlags::READ).is_empty() {
                    // Outside of a jail it can be a FIFO, and whoever writes to that sees whether somebody reads.
                    let in_jail = self.view.trees().is_some();
                    Some(if in_jail { Touch::Follow } else { Touch::Look })
                } else {
                    self.creation(&open)
                }
            }
            kind::READ => {
                let Read { handle, .. } = payload.decode().ok()?;
                self.reading(handle)
            }
            kind::FSTAT => self.attributes(payload.decode().ok()?),
            kind::FSETSTAT => {
                let SetAttrsByHandle { handle, .. } = payload.decode().ok()?;
                let (slot, open) = self.open_file(handle)?;
                let file = open.file.id();
                Some(Touch::Set { slot, file })
            }
            kind::REMOVE | kind::MKDIR | kind::RMDIR | kind::RENAME | kind::SYMLINK => {
                self.has_room().then_some(Touch::Change)
            }
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
            kind::EXTENDED => {
                let (extension, payload) = extension(payload)?;
                match extension.wire {
                    // What others write changes these figures, too.
                    wire if wire == STATVFS.wire => self.has_room().then_some(Touch::Follow),
                    wire if wire == FSTATVFS.wire => self.attributes(payload.decode().ok()?),
                    wire if wire == POSIX_RENAME.wire || wire == HARDLINK.wire => {
                        self.has_room().then_some(Touch::Change)
                    }
                    // What was written before is on the disk then; what is written later does not matter, but may not come first either.
                    wire if wire == FSYNC.wire => self.reading(payload.decode().ok()?),
                    wire if wire == COPY_DATA.wire => self.copying(payload),
                    wire if wire == HOME_DIRECTORY.wire || wire == USERS_GROUPS_BY_ID.wire => {
                        Some(Touch::Names)
                    }
                    // What it makes is seen when it is complete; what it may empty can be open.
                    wire if wire == COPY_FILE.wire => {
                        let copy: CopyFile = payload.decode().ok()?;
                        let makes = copy.overwrite == 0 && self.force_file_mode.is_none();
                        (makes && self.has_room()).then_some(Touch::Change)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn copying(&self, payload: Payload<'_>) -> Option<Touch> {
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

    fn attributes(&self, handle: Handle) -> Option<Touch> {
        let (slot, open) = self.open_file(handle)?;
        Some(Touch::Attributes {
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
    pub(in crate::session) fn may_wait(&mut self, packet: &Packet<'_>) -> bool {
        if is_long(packet) || self.frees_much(packet) {
            return true;
        }
        // The usual answer first, since every request of a session asks.
        if self.alert == 0 {
            return false;
        }
        let Some(subject) = self.lesson(packet).subject else {
            return false;
        };
        if self.cost(subject).is_some_and(|cost| cost.is_slow()) {
            self.alert -= 1;
            return true;
        }
        if subject == Subject::Names {
            return self.leads_far(packet);
        }
        self.alert -= 1;
        false
    }

    /// Whether the CLOSE or FSETSTAT in `packet` frees so much on a disk of this host that others are not to wait for it.
    fn frees_much(&self, packet: &Packet<'_>) -> bool {
        if !matches!(packet.kind, Some(kind::CLOSE | kind::FSETSTAT)) {
            return false;
        }
        let asked = || {
            let (_, payload) = request_id(packet.body).ok()?;
            let (handle, size) = match packet.kind? {
                kind::CLOSE => (payload.decode().ok()?, None),
                _ => {
                    let SetAttrsByHandle { handle, attrs } = payload.decode().ok()?;
                    (handle, Some(attrs.size?))
                }
            };
            let (_, open) = self.open_file(handle)?;
            // What others serve is not asked here, and a thread closes it anyway.
            Some(
                !open.cost.is_remote()
                    && match size {
                        Some(size) => open.file.frees_much_when_cut(size),
                        None => open.file.frees_much_when_closed(open.tally.reached),
                    },
            )
        };
        asked().unwrap_or(false)
    }

    /// Whether the request in `packet` leads to what another process or host serves, for all that can be told without asking it.
    fn leads_far(&mut self, packet: &Packet<'_>) -> bool {
        if let Some(remote) = self.listed(packet) {
            return remote;
        }
        let paths = paths(packet);
        // Where it started a session need not look; most begin by asking for no more.
        if paths.iter().all(|path| *path == b".") {
            return false;
        }
        if self.view.has_remote() != Some(true) {
            self.alert = self.alert.saturating_sub(1);
            return false;
        }
        self.alert = u32::MAX;
        let mut paths = paths.iter().map(|path| Path::new(OsStr::from_bytes(path)));
        !paths.all(|path| self.view.is_near(path))
    }

    /// Whether the directory of a READDIR lies there; none for other requests.
    fn listed(&self, packet: &Packet<'_>) -> Option<bool> {
        let (_, payload) = request_id(packet.body).ok()?;
        if packet.kind != Some(kind::READDIR) {
            return None;
        }
        match self.handles.get(payload.decode().ok()?)? {
            (_, Entry::Dir(dir)) => Some(dir.remote),
            (_, Entry::File(_)) => None,
        }
    }

    /// Asks again what others serve, where something was mounted or unmounted.
    pub(in crate::session) fn look_at_mounts(&mut self) {
        if self.view.look_at_mounts() {
            self.alert = self.alert.max(1);
        }
    }

    /// Whether the request in `packet` can wait on a thread of its own, though nothing may run beside it: the session hears signals, and its end.
    pub(in crate::session) fn is_deferrable(&self, packet: &Packet<'_>) -> bool {
        is_long(packet) || self.lesson(packet).subject.is_some()
    }

    /// What the request in `packet` teaches about the next ones that are like it.
    pub(in crate::session) fn lesson(&self, packet: &Packet<'_>) -> Lesson {
        let file = || {
            let (_, payload) = request_id(packet.body).ok()?;
            self.file_first(payload)
        };
        let kind = packet.kind.unwrap_or_default();
        let subject = match kind {
            kind::READ | kind::WRITE | kind::FSTAT | kind::FSETSTAT => file(),
            // Of a directory the names are at stake.
            kind::CLOSE => file().or(Some(Subject::Names)),
            kind::EXTENDED => self.subject_of_extension(packet),
            _ => REQUESTS
                .iter()
                .any(|request| request.kind == kind)
                .then_some(Subject::Names),
        };
        let work = match kind {
            kind::READ => CONTENT,
            kind::WRITE => STORING,
            kind::READDIR => LISTING,
            _ => Duration::ZERO,
        };
        Lesson { subject, work }
    }

    /// The file whose handle is the first field.
    fn file_first(&self, payload: Payload<'_>) -> Option<Subject> {
        let (handle, _) = payload.string().ok()?;
        let (slot, _) = self.open_file(Handle(handle.try_into().ok()))?;
        Some(Subject::File(slot))
    }

    /// That of an extension that any thread can carry out.
    fn subject_of_extension(&self, packet: &Packet<'_>) -> Option<Subject> {
        let (_, payload) = request_id(packet.body).ok()?;
        let (extension, payload) = extension(payload)?;
        match extension.run {
            Run::Anywhere(_) => Some(Subject::Names),
            Run::Here(_) if extension.wire == FSTATVFS.wire => self.file_first(payload),
            Run::Here(_) => None,
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

    fn cost(&mut self, subject: Subject) -> Option<&mut Cost> {
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

    pub(in crate::session) fn open_file(&self, handle: Handle) -> Option<(u32, &OpenFile)> {
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

/// An extension, and its own fields.
pub(in crate::session) fn extension(
    payload: Payload<'_>,
) -> Option<(&'static Extension, Payload<'_>)> {
    let (name, payload) = payload.string().ok()?;
    let known = EXTENSIONS.iter();
    let extension = known.clone().find(|known| known.wire.as_bytes() == name)?;
    Some((extension, payload))
}

/// Whether the extension in `packet` may take long wherever the files lie.
fn is_long(packet: &Packet<'_>) -> bool {
    if packet.kind != Some(kind::EXTENDED) {
        return false;
    }
    let payload = request_id(packet.body).map(|(_, payload)| payload);
    let long = [FSYNC.wire, COPY_DATA.wire, COPY_FILE.wire];
    let extension = payload.ok().and_then(extension);
    extension.is_some_and(|(extension, _)| long.contains(&extension.wire))
}

/// The paths in a request that is about names: one, or two.
fn paths<'p>(packet: &Packet<'p>) -> Vec<&'p [u8]> {
    let decoded = || {
        let (_, payload) = request_id(packet.body).ok()?;
        let (two, payload) = match packet.kind? {
            kind::RENAME | kind::SYMLINK => (true, payload),
            kind::READDIR | kind::CLOSE => return None,
            kind::EXTENDED => {
                let (extension, payload) = extension(payload)?;
                let two = [POSIX_RENAME.wire, HARDLINK.wire].contains(&extension.wire);
                (two, payload)
            }
            _ => (false, payload),
        };
        let (first, rest) = payload.string().ok()?;
        let mut paths = vec![first];
        if two {
            paths.push(rest.string().ok()?.0);
        }
        Some(paths)
    };
    decoded().unwrap_or_default()
}

/// What a request teaches, by the time that it takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct Lesson {
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
