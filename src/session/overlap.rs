//! The requests that may run beside others: what each touches, and its work in a form that any thread can do.
//!
//! They are the same requests as in [`super::dispatch`] and [`super::transfer`], where each runs at once. They come here while storage is slow:
//! what a session does on fast storage costs nothing for it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use nix::errno::Errno;

use super::copy;
use super::cost::{Cost, SLOW};
use super::dispatch::{self, REQUESTS};
use super::extended::{self, COPY_DATA, Extension, FSYNC};
use super::handles::{Entry, OpenDir, OpenFile};
use super::pipeline::{Finish, Request, Touch, Work};
use super::status::Status;
use super::transfer::{self, Asked};
use super::{Response, Session, attrs};
use crate::fs::{File, Follow, View};
use crate::log;
use crate::protocol::{
    CopyData, Handle, MAX_NAMES, Malformed, Open, OpenFlags, Packet, Payload, Read, StatusCode,
    WirePath, Write, kind, request_id,
};

impl Session {
    /// What the request in `packet` touches. What is malformed, or means nothing that is open, runs alone: it is answered at once.
    pub(super) fn touch(&mut self, packet: &Packet<'_>) -> Touch {
        self.touched(packet).unwrap_or(Touch::Alone)
    }

    fn touched(&mut self, packet: &Packet<'_>) -> Option<Touch> {
        let (_, payload) = request_id(packet.body).ok()?;
        match packet.kind? {
            kind::STAT | kind::LSTAT | kind::READLINK | kind::REALPATH => Some(Touch::Look),
            kind::OPENDIR => self.has_room().then_some(Touch::Look),
            kind::OPEN => {
                let open: Open = payload.decode().ok()?;
                if !self.has_room() {
                    None
                } else if (open.pflags - OpenFlags::READ).is_empty() {
                    Some(Touch::Look)
                } else {
                    self.creation(&open)
                }
            }
            kind::READ => {
                let Read { handle, .. } = payload.decode().ok()?;
                let (slot, file) = self.open_file(handle)?;
                Some(Touch::Read {
                    slot,
                    file: file.file.id(),
                })
            }
            kind::FSTAT => {
                let (slot, file) = self.open_file(payload.decode().ok()?)?;
                Some(Touch::Read {
                    slot,
                    file: file.file.id(),
                })
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
            kind::EXTENDED => self.touched_long(payload),
            _ => None,
        }
    }

    /// An extension that may take long wherever the files lie.
    fn touched_long(&self, payload: Payload<'_>) -> Option<Touch> {
        let (extension, payload) = long(payload)?;
        if extension.wire == FSYNC.wire {
            // What was written before is on the disk then; what is written later does not matter, but may not come first either.
            let (slot, open) = self.open_file(payload.decode().ok()?)?;
            return Some(Touch::Read {
                slot,
                file: open.file.id(),
            });
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
            kind::READ | kind::WRITE => CONTENT,
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
                // To be asked for as long as it is open.
                self.alert = u32::MAX;
                return Cost::of_remote();
            }
            self.local = Some(parent.to_vec());
        }
        self.names
    }

    fn open_file(&self, handle: Handle) -> Option<(u32, &OpenFile)> {
        match self.handles.get(handle)? {
            (slot, Entry::File(open)) => Some((slot, open)),
            (_, Entry::Dir(_)) => None,
        }
    }

    /// Whether there is room for all handles that requests under way may still open.
    fn has_room(&mut self) -> bool {
        self.handles.room() > super::pipeline::MOST
    }

    /// Begins the request in `packet`, which touches what it was admitted for: this may still answer it without any work.
    pub(super) fn begin(&mut self, packet: &Packet<'_>) -> Request {
        let lesson = self.lesson(packet);
        let (Some(kind), Ok((id, payload))) = (packet.kind, request_id(packet.body)) else {
            return Request {
                id: 0,
                lesson,
                weight: 0,
                work: done(Err(Malformed.into())),
            };
        };
        let request = REQUESTS.iter().find(|request| request.kind == kind);
        let operation = match request {
            Some(request) => Some(request.operation),
            None => long(payload).map(|(extension, _)| extension.operation),
        };
        let permitted = operation.map_or(Ok(()), |operation| self.policy.permit(operation));
        let work = permitted
            .map_err(Status::from)
            .and_then(|()| self.work(kind, id, payload));
        let (work, weight) = work.unwrap_or_else(|status| (done(Err(status)), 0));
        Request {
            id,
            lesson,
            weight,
            work,
        }
    }

    fn work(&mut self, kind: u8, id: u32, payload: Payload<'_>) -> Result<(Work, usize), Status> {
        let weightless = |work| Ok((work, 0));
        match kind {
            kind::STAT => weightless(self.stat(dispatch::asked_stat(id, payload)?, Follow::Yes)),
            kind::LSTAT => weightless(self.stat(dispatch::asked_lstat(id, payload)?, Follow::No)),
            kind::READLINK => {
                let path = dispatch::asked_readlink(id, payload)?;
                weightless(self.look(move |view| view.readlink(path.as_path()).map(Response::name)))
            }
            kind::REALPATH => {
                let path = dispatch::asked_realpath(id, payload)?;
                let canonical =
                    move |view: &View| view.canonical(path.as_path()).map(Response::name);
                weightless(self.look(canonical))
            }
            kind::OPENDIR => weightless(self.opendir(dispatch::asked_opendir(id, payload)?)),
            kind::OPEN => weightless(self.open(transfer::asked_open(self, id, payload)?)),
            kind::READ => self.read(id, payload),
            kind::WRITE => self.write(id, payload),
            kind::FSTAT => {
                let file = dispatch::asked_fstat(self, id, payload)?;
                weightless(Box::new(move || {
                    let stat = file.stat();
                    finish(move |_| Ok(Response::Attrs(attrs::from_stat(&stat?))))
                }))
            }
            kind::READDIR => self.readdir(id, payload),
            kind::CLOSE => weightless(self.close(id, payload)?),
            kind::EXTENDED => weightless(self.extended(id, payload)?),
            _ => Err(Status::new(StatusCode::OpUnsupported)),
        }
    }

    /// A request that looks something up, and is answered by what comes of it.
    fn look<F>(&self, look: F) -> Work
    where
        F: FnOnce(&View) -> crate::fs::Answer<Response> + Send + 'static,
    {
        let view = Arc::clone(&self.view);
        Box::new(move || {
            let result = look(&view);
            finish(|_| Ok(result?))
        })
    }

    fn stat(&self, path: WirePath, follow: Follow) -> Work {
        self.look(move |view| {
            let stat = view.stat(path.as_path(), follow)?;
            Ok(Response::Attrs(attrs::from_stat(&stat)))
        })
    }

    fn opendir(&self, path: WirePath) -> Work {
        let view = Arc::clone(&self.view);
        Box::new(move || {
            let dir = view.opendir(path.as_path());
            finish(move |session| {
                let dir = OpenDir::new(dir?, path.into_bytes());
                let (slot, handle) = session.handles.insert(Entry::Dir(dir));
                Ok(Response::Handle { slot, handle })
            })
        })
    }

    fn open(&self, asked: Asked) -> Work {
        let view = Arc::clone(&self.view);
        Box::new(move || {
            // Beside others only what is new is created: it is nothing that others under way could have open.
            let file = view.open(asked.path.as_path(), asked.how.only_new());
            if let Ok(file) = &file {
                // Requests on it ask for this, in the session's own thread.
                let _ = file.id();
            }
            finish(move |session| {
                let file = match file {
                    // It is there already, or something else is the matter: now it is this request's turn.
                    Err(_) if asked.how.creates() => {
                        session.view.open(asked.path.as_path(), asked.how)
                    }
                    file => file,
                };
                Ok(asked.opened(session, file?))
            })
        })
    }

    fn read(&mut self, id: u32, payload: Payload<'_>) -> Result<(Work, usize), Status> {
        let (read, most) = transfer::asked_read(self, id, payload)?;
        let Read { handle, offset, .. } = read;
        let (_, open) = self.open_file(handle).ok_or_else(Status::bad_handle)?;
        let file = Arc::clone(&open.file);
        // Made here, and not by the threads: a C library keeps what each of them has freed.
        let room = vec![0; most];
        let work = Box::new(move || {
            let data = read_at(&file, offset, room);
            // Before the handle can be closed.
            drop(file);
            finish(move |session| transfer::have_read(session, id, &read, most, data))
        });
        Ok((work, most))
    }

    fn write(&mut self, id: u32, payload: Payload<'_>) -> Result<(Work, usize), Status> {
        let write = transfer::asked_write(self, id, payload)?;
        let (handle, offset, data) = (write.handle, write.offset, write.data.to_vec());
        let (_, open) = self.open_file(handle).ok_or_else(Status::bad_handle)?;
        let file = Arc::clone(&open.file);
        let (weight, len) = (data.len(), data.len());
        let work = Box::new(move || {
            let result = transfer::write_to(&file, offset, &data);
            drop((file, data));
            finish(move |session| transfer::have_written(session, handle, len, result))
        });
        Ok((work, weight))
    }

    fn readdir(&mut self, id: u32, payload: Payload<'_>) -> Result<(Work, usize), Status> {
        let handle: Handle = payload.decode()?;
        let open = self.handles.dir(handle).ok_or_else(Status::bad_handle)?;
        let dir = Arc::clone(&open.dir);
        let work = Box::new(move || {
            let mut listed = dir.lock().unwrap_or_else(PoisonError::into_inner);
            listed.look_ahead(MAX_NAMES);
            drop(listed);
            drop(dir);
            finish(move |session| dispatch::list(session, id, handle))
        });
        Ok((work, MAX_NAMES))
    }

    fn extended(&mut self, id: u32, payload: Payload<'_>) -> Result<Work, Status> {
        let (extension, payload) = long(payload).ok_or(Malformed)?;
        if extension.wire == FSYNC.wire {
            let file = extended::asked_fsync(self, id, payload)?;
            return Ok(Box::new(move || {
                let synced = file.sync();
                drop(file);
                finish(move |_| {
                    synced?;
                    Ok(Response::Ok)
                })
            }));
        }
        let (request, copy) = copy::asked(self, id, payload)?;
        Ok(Box::new(move || {
            let (copied, result) = copy.run();
            finish(move |session| copy::answer(session, &request, copied, result))
        }))
    }

    fn close(&mut self, id: u32, payload: Payload<'_>) -> Result<Work, Status> {
        let entry = transfer::asked_close(self, id, payload)?;
        Ok(Box::new(move || {
            let Entry::File(open) = entry else {
                return finish(move |_| {
                    super::log_close(&entry, false);
                    Ok(Response::Ok)
                });
            };
            let whole = log::tells_info() && open.was_read_to_its_end();
            let OpenFile { file, tally, .. } = open;
            let closed = transfer::end(file);
            finish(move |_| {
                super::log_transfer(&tally, false, || whole);
                closed?;
                Ok(Response::Ok)
            })
        }))
    }
}

/// One of the extensions that may take long, and its own fields.
fn long(payload: Payload<'_>) -> Option<(Extension, Payload<'_>)> {
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

/// Fills `data` with what one read gives.
fn read_at(file: &File, offset: u64, mut data: Vec<u8>) -> Result<Vec<u8>, Errno> {
    let count = if data.is_empty() {
        file.check_offset(offset).map(|()| 0)
    } else {
        file.read_at(&mut data, offset)
    }?;
    data.truncate(count);
    Ok(data)
}

fn finish<F>(finish: F) -> Finish
where
    F: FnOnce(&mut Session) -> Result<Response, Status> + Send + 'static,
{
    Box::new(finish)
}

/// The work of what needs none.
fn done(result: Result<Response, Status>) -> Work {
    Box::new(move || finish(|_| result))
}

/// Copying the longest READ or WRITE, where memory is slow.
const CONTENT: Duration = Duration::from_micros(500);
/// A listing that fills a response.
const LISTING: Duration = Duration::from_millis(3);
/// So many requests after a slow one it is asked of each whether it may wait.
const ALERT: u32 = 4096;
