//! OPEN, CLOSE, READ, WRITE: the way of a file's content.

use std::convert::Infallible;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::fs::{Answer, Error, File, OpenHow};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::protocol::{
    Handle, MAX_DATA, Open, OpenFlags, Payload, Read, StatusCode, WirePath, Write,
};
use crate::session::answers::lines::{trace, trace_ignored};
use crate::session::answers::status::{Status, cause};
use crate::session::handles::{Entry, OpenFile};
use crate::session::{Response, Session};

/// An OPEN that may be carried out.
pub(in crate::session) struct Asked {
    pub(in crate::session) path: WirePath,
    pub(in crate::session) how: OpenHow,
}

impl Asked {
    fn writes(&self) -> bool {
        self.how.flags & OFlag::O_ACCMODE != OFlag::O_RDONLY
    }

    /// Answers it: what it names is open now.
    pub(in crate::session) fn opened(self, session: &mut Session, file: File) -> Response {
        let writable = self.writes();
        let path = self.path.into_bytes();
        let cost = session.cost_of(&file, &path);
        let open = OpenFile::new(file, path, writable, cost);
        let (slot, handle) = session.handles.insert(Entry::File(open));
        Response::Handle { slot, handle }
    }
}

pub(in crate::session) fn open(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let asked = asked_open(session, id, payload)?;
    session.handles.check_room()?;
    match session.view.open(asked.path.as_path(), asked.how) {
        Err(Error::Long) => Ok(Response::Later(session.open_later(asked))),
        file => Ok(asked.opened(session, file?)),
    }
}

pub(in crate::session) fn asked_open(
    session: &Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Asked, Status> {
    let Open {
        filename,
        pflags,
        attrs,
    } = payload.decode()?;
    trace_ignored(&attrs);
    trace(Level::Debug3, || Trace::Open {
        id,
        pflags: pflags.bits(),
    });
    let forced = session.force_file_mode;
    let mode = forced.or(attrs.permissions).unwrap_or(0o666);
    log::emit(Level::Info, || Event::Open {
        path: filename.as_bytes().to_vec(),
        flags: flag_names(pflags),
        mode,
    });
    let asked = Asked {
        path: filename,
        how: OpenHow {
            flags: open_flags(pflags),
            mode,
            exact: forced.is_some(),
            whole: None,
        },
    };
    let makes = asked.how.flags.intersects(OFlag::O_CREAT | OFlag::O_TRUNC);
    session.policy.permit_open(asked.writes() || makes)?;
    Ok(asked)
}

pub(in crate::session) fn close(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let mut entry = asked_close(session, id, payload)?;
    let committed = match &mut entry {
        Entry::File(open) => commit(open),
        Entry::Dir(_) => Ok(()),
    };
    crate::session::log_close(&entry, false);
    committed?;
    if let Entry::File(open) = entry {
        end(open.file)?;
    }
    Ok(Response::Ok)
}

/// Has an atomic upload that no request under way shares take its place.
pub(in crate::session) fn commit(open: &mut OpenFile) -> Answer<()> {
    let committed = Arc::get_mut(&mut open.file).map_or(Ok(()), File::commit);
    open.tally.failed |= committed.is_err();
    committed
}

/// Takes back what a CLOSE names.
pub(in crate::session) fn asked_close(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Entry, Status> {
    let handle: Handle = payload.decode()?;
    let slot = session.handles.slot(handle);
    trace(Level::Debug3, || Trace::Close { id, slot });
    session.handles.remove(handle).ok_or_else(|| {
        log::emit(Level::Info, || Event::CloseDir {
            forced: false,
            path: None,
        });
        Status::bad_handle()
    })
}

/// Closes a file that no request under way shares.
pub(in crate::session) fn end(file: Arc<File>) -> Result<(), Errno> {
    Arc::into_inner(file).map_or(Ok(()), File::close)
}

/// System calls: into a pipe splice(2), write(2) of the head and splice(2); else one pread(2), into the buffer from which the response leaves.
pub(in crate::session) fn read(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let (Read { handle, offset, .. }, most) = asked_read(session, id, payload)?;
    let open = session
        .handles
        .file(handle)
        .ok_or_else(Status::bad_handle)?;
    if most == 0 {
        // Weird, but OpenSSH answers it, whatever is there, if the offset is one.
        let checked = open.file.check_offset(offset);
        checked.map_err(|errno| read_failed(open, errno))?;
    }
    // Whether a file is long is known once a READ of it was answered in full; for a short one the detour costs more than the copy.
    let spliced = if open.long {
        session.conduit.fill(&open.file, offset, most)
    } else {
        None
    };
    if let Some(count) = spliced {
        session.outbox.data_elsewhere(id, count);
        return Ok(sent(open, id, offset, count));
    }
    let file = &open.file;
    match session.outbox.data(id, most, |buffer| match buffer.len() {
        0 => Ok(0),
        _ => match file.read_at(buffer, offset) {
            Ok(0) => Err(None),
            result => result.map_err(Some),
        },
    }) {
        Ok(count) => {
            open.long = count == most;
            Ok(sent(open, id, offset, count))
        }
        Err(None) => Err(at_end(open)),
        Err(Some(errno)) => Err(read_failed(open, errno)),
    }
}

/// A READ, and how many bytes it may return.
pub(in crate::session) fn asked_read(
    session: &Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<(Read, usize), Status> {
    let read: Read = payload.decode()?;
    let Read {
        handle,
        offset,
        len,
    } = read;
    trace(Level::Debug1, || Trace::Read {
        id,
        path: session.handles.path(handle),
        slot: session.handles.slot(handle),
        offset,
        len,
    });
    let most = (len as usize).min(MAX_DATA);
    if most < len as usize && session.handles.shared_file(handle).is_some() {
        trace(Level::Debug2, || Trace::ReadClamped {
            len,
            to: MAX_DATA as u32,
        });
    }
    Ok((read, most))
}

/// Answers a READ by what was read for it elsewhere.
pub(in crate::session) fn have_read(
    session: &mut Session,
    id: u32,
    read: &Read,
    most: usize,
    data: Result<Vec<u8>, Errno>,
) -> Result<Response, Status> {
    let open = session
        .handles
        .file(read.handle)
        .ok_or_else(Status::bad_handle)?;
    let data = match data {
        Ok(data) if data.is_empty() && most > 0 => return Err(at_end(open)),
        Ok(data) => data,
        Err(errno) => return Err(read_failed(open, errno)),
    };
    open.long = data.len() == most;
    let copied = session.outbox.data(id, data.len(), |buffer| {
        buffer.copy_from_slice(&data);
        Ok::<_, Infallible>(data.len())
    });
    let Ok(count) = copied;
    Ok(sent(open, id, read.offset, count))
}

fn sent(open: &mut OpenFile, id: u32, offset: u64, count: usize) -> Response {
    let tally = &mut open.tally;
    tally.read += count as u64;
    tally.reached = tally.reached.max(offset.saturating_add(count as u64));
    trace(Level::Debug1, || Trace::SentData { id, len: count });
    Response::Sent
}

fn at_end(open: &mut OpenFile) -> Status {
    open.tally.ended = true;
    Status::new(StatusCode::Eof)
}

fn read_failed(open: &OpenFile, errno: Errno) -> Status {
    log::emit(Level::Error, || {
        transfer_failed("process_read", "read", open, errno)
    });
    Status::of_read(errno)
}

/// System calls: one pwrite(2), out of the buffer into which the request arrived.
pub(in crate::session) fn write(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let Write {
        handle,
        offset,
        data,
    } = asked_write(session, id, payload)?;
    let file = session.handles.shared_file(handle);
    let file = file.ok_or_else(Status::bad_handle)?;
    let result = write_to(file, offset, data);
    have_written(session, handle, data.len(), result)
}

pub(in crate::session) fn asked_write<'p>(
    session: &Session,
    id: u32,
    payload: Payload<'p>,
) -> Result<Write<'p>, Status> {
    let write = Write::decode(payload)?;
    trace(Level::Debug1, || Trace::Write {
        id,
        path: session.handles.path(write.handle),
        slot: session.handles.slot(write.handle),
        offset: write.offset,
        len: write.data.len(),
    });
    Ok(write)
}

/// Writes all of `data`, if it may.
///
/// # Errors
/// The first half tells why it may not, the second what the kernel said.
pub(in crate::session) fn write_to(
    file: &File,
    offset: u64,
    data: &[u8],
) -> Answer<Result<(), Errno>> {
    let length = data.len() as u64;
    let written = file
        .follows()
        .and_then(|()| file.writable(offset, length))
        .and_then(|()| match file.write_at(data, offset) {
            // Others have appended meanwhile, and the limit of a rule is reached: it is told as if they had come before.
            Err(Errno::EFBIG) => file.writable(offset, length).map(|()| Err(Errno::EFBIG)),
            result => Ok(result),
        });
    // By a handle that is not open for writing nothing is lost.
    if !matches!(written, Ok(Ok(()) | Err(Errno::EBADF))) {
        file.lose();
    }
    written
}

/// Answers a WRITE of `len` bytes.
pub(in crate::session) fn have_written(
    session: &mut Session,
    handle: Handle,
    len: usize,
    result: Answer<Result<(), Errno>>,
) -> Result<Response, Status> {
    let open = session
        .handles
        .file(handle)
        .ok_or_else(Status::bad_handle)?;
    match result? {
        Ok(()) => {
            open.tally.written += len as u64;
            Ok(Response::Ok)
        }
        Err(errno) => {
            open.tally.failed = true;
            log::emit(Level::Error, || {
                transfer_failed("process_write", "write", open, errno)
            });
            Err(Status::of_write(errno))
        }
    }
}

/// OpenSSH seeks before it reads or writes, and its log says which of the two failed.
fn transfer_failed(
    function: &'static str,
    what: &'static str,
    open: &OpenFile,
    errno: Errno,
) -> Event {
    let (path, cause) = (open.tally.path.clone(), cause(errno));
    let seek = matches!(errno, Errno::ESPIPE | Errno::EINVAL | Errno::EOVERFLOW);
    if seek && !(open.file.appends() && what == "write") {
        return Event::SeekFailed {
            function,
            path,
            cause,
        };
    }
    Event::TransferFailed {
        function,
        what,
        path,
        cause,
    }
}

fn open_flags(pflags: OpenFlags) -> OFlag {
    let mut flags = match (
        pflags.contains(OpenFlags::READ),
        pflags.contains(OpenFlags::WRITE),
    ) {
        (true, true) => OFlag::O_RDWR,
        (false, true) => OFlag::O_WRONLY,
        // Erlang's clients ask for it so, and OpenSSH lets nothing be written by that handle.
        (false, false) if pflags.contains(OpenFlags::APPEND) => OFlag::O_WRONLY,
        // Neither, too: OpenSSH opens for reading then.
        (_, false) => OFlag::O_RDONLY,
    };
    for (pflag, flag) in [
        (OpenFlags::APPEND, OFlag::O_APPEND),
        (OpenFlags::CREATE, OFlag::O_CREAT),
        (OpenFlags::TRUNCATE, OFlag::O_TRUNC),
        (OpenFlags::EXCLUDE, OFlag::O_EXCL),
    ] {
        flags.set(flag, pflags.contains(pflag));
    }
    flags
}

/// The pflags that are set, as OpenSSH's log names them.
fn flag_names(pflags: OpenFlags) -> String {
    let names = [
        (OpenFlags::READ, "READ"),
        (OpenFlags::WRITE, "WRITE"),
        (OpenFlags::APPEND, "APPEND"),
        (OpenFlags::CREATE, "CREATE"),
        (OpenFlags::TRUNCATE, "TRUNCATE"),
        (OpenFlags::EXCLUDE, "EXCL"),
    ];
    let set: Vec<_> = names
        .into_iter()
        .filter(|(pflag, _)| pflags.contains(*pflag))
        .map(|(_, name)| name)
        .collect();
    set.join(",")
}
