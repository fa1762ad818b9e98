//! OPEN, CLOSE, READ, WRITE: the way of a file's content.

use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::handles::{Entry, OpenFile};
use super::lines::{trace, trace_ignored};
use super::status::{Status, cause};
use super::{Response, Session};
use crate::fs::OpenHow;
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::protocol::{Handle, MAX_DATA, Open, OpenFlags, Payload, Read, StatusCode, Write};

pub(super) fn open(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
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
    let flags = open_flags(pflags);
    let changes = flags & OFlag::O_ACCMODE != OFlag::O_RDONLY
        || flags.intersects(OFlag::O_CREAT | OFlag::O_TRUNC);
    session.policy.permit_open(changes)?;
    session.handles.check_room()?;

    let how = OpenHow {
        flags,
        mode,
        exact: forced.is_some(),
    };
    let file = session.view.open(filename.as_path(), how)?;
    let (slot, handle) = session.handles.insert(Entry::File(OpenFile {
        file,
        path: filename.into_bytes(),
        read: 0,
        written: 0,
        since: Instant::now(),
        writable: flags & OFlag::O_ACCMODE != OFlag::O_RDONLY,
        failed: false,
        ended: false,
        long: false,
        reached: 0,
    }));
    Ok(Response::Handle { slot, handle })
}

pub(super) fn close(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let handle: Handle = payload.decode()?;
    let slot = session.handles.slot(handle);
    trace(Level::Debug3, || Trace::Close { id, slot });
    match session.handles.remove(handle) {
        Some(entry) => {
            super::log_close(&entry, false);
            if let Entry::File(file) = entry {
                file.file.close()?;
            }
            Ok(Response::Ok)
        }
        None => {
            log::emit(Level::Info, || Event::CloseDir {
                forced: false,
                path: None,
            });
            Err(Status::bad_handle())
        }
    }
}

/// System calls: into a pipe splice(2), write(2) of the head and splice(2); else one pread(2), into the buffer from which the response leaves.
pub(super) fn read(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let Read {
        handle,
        offset,
        len,
    } = payload.decode()?;
    trace(Level::Debug1, || Trace::Read {
        id,
        path: session.handles.path(handle),
        slot: session.handles.slot(handle),
        offset,
        len,
    });
    let open = session
        .handles
        .file(handle)
        .ok_or_else(Status::bad_handle)?;
    let most = (len as usize).min(MAX_DATA);
    if most < len as usize {
        trace(Level::Debug2, || Trace::ReadClamped {
            len,
            to: MAX_DATA as u32,
        });
    }
    if len == 0 {
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
        return Ok(have_read(open, id, offset, count));
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
            Ok(have_read(open, id, offset, count))
        }
        Err(None) => {
            open.ended = true;
            Err(Status::new(StatusCode::Eof))
        }
        Err(Some(errno)) => Err(read_failed(open, errno)),
    }
}

fn have_read(open: &mut OpenFile, id: u32, offset: u64, count: usize) -> Response {
    open.read += count as u64;
    open.reached = open.reached.max(offset.saturating_add(count as u64));
    trace(Level::Debug1, || Trace::SentData { id, len: count });
    Response::Sent
}

fn read_failed(open: &OpenFile, errno: Errno) -> Status {
    log::emit(Level::Error, || {
        transfer_failed("process_read", "read", open, errno)
    });
    errno.into()
}

/// System calls: one pwrite(2), out of the buffer into which the request arrived.
pub(super) fn write(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let Write {
        handle,
        offset,
        data,
    } = Write::decode(payload)?;
    trace(Level::Debug1, || Trace::Write {
        id,
        path: session.handles.path(handle),
        slot: session.handles.slot(handle),
        offset,
        len: data.len(),
    });
    let open = session
        .handles
        .file(handle)
        .ok_or_else(Status::bad_handle)?;
    open.file.changeable()?;
    match open.file.write_at(data, offset) {
        Ok(()) => {
            open.written += data.len() as u64;
            Ok(Response::Ok)
        }
        Err(errno) => {
            open.failed = true;
            log::emit(Level::Error, || {
                transfer_failed("process_write", "write", open, errno)
            });
            Err(errno.into())
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
    let (path, cause) = (open.path.clone(), cause(errno));
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
