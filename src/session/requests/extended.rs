//! The extensions: one row and one function each. The row serves dispatch, the announcement, `-Q requests`, `-p`, `-P` and read-only mode.

use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::statvfs::FsFlags;

use super::accounts::{EXPAND_PATH, HOME_DIRECTORY, USERS_GROUPS_BY_ID};
use super::copy;
use super::copy_file::COPY_FILE;
use super::dispatch::{Act, Run};
use crate::fs::{Figures, File, Follow};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{
    Handle, Limits, MAX_DATA, MAX_PACKET, Payload, SetAttrs, StatusCode, Statvfs, TwoPaths,
    WirePath,
};
use crate::session::answers::attrs::{Change, log_changes, set};
use crate::session::answers::lines::{log_path, log_two_paths, trace, trace_ignored};
use crate::session::answers::status::Status;
use crate::session::{Response, Session};

/// An extension.
#[derive(Debug)]
pub struct Extension {
    /// What it is called on the command line, and whether it writes.
    pub operation: Operation,
    /// What it is called on the wire.
    pub wire: &'static str,
    /// Its version, as announced.
    pub version: &'static str,
    /// What it does. The id is for the log.
    pub run: Run,
}

/// In the order in which they are announced: OpenSSH's, and ours behind them.
pub static EXTENSIONS: [Extension; 12] = [
    POSIX_RENAME,
    STATVFS,
    FSTATVFS,
    HARDLINK,
    FSYNC,
    LSETSTAT,
    LIMITS,
    EXPAND_PATH,
    COPY_DATA,
    HOME_DIRECTORY,
    USERS_GROUPS_BY_ID,
    COPY_FILE,
];

/// So many of them are OpenSSH's.
pub const THEIRS: usize = 11;

/// `posix-rename@openssh.com`: rename, replacing what stands at the new name.
///
/// | field   | type   | meaning      |
/// |---------|--------|--------------|
/// | oldpath | string |              |
/// | newpath | string |              |
///
/// Source: PROTOCOL §4.3; rename(2).
pub(in crate::session) const POSIX_RENAME: Extension = Extension {
    operation: Operation {
        name: "posix-rename",
        writes: true,
    },
    wire: "posix-rename@openssh.com",
    version: "1",
    run: Run::Anywhere(posix_rename),
};

fn posix_rename(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let TwoPaths { oldpath, newpath } = payload.decode()?;
    trace(Level::Debug3, || Trace::Request {
        id,
        what: "posix-rename",
    });
    log_two_paths("posix-rename", &oldpath, &newpath);
    Ok(Box::new(move |view| {
        view.replace(oldpath.as_path(), newpath.as_path())?;
        Ok(Response::Ok)
    }))
}

/// `statvfs@openssh.com`: figures of the file system on which a path lies.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: PROTOCOL §4.4; statvfs(3).
pub(in crate::session) const STATVFS: Extension = Extension {
    operation: Operation {
        name: "statvfs",
        writes: false,
    },
    wire: "statvfs@openssh.com",
    version: "2",
    run: Run::Anywhere(statvfs),
};

fn statvfs(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let path: WirePath = payload.decode()?;
    trace(Level::Debug3, || Trace::Request {
        id,
        what: "statvfs",
    });
    log_path(Level::Info, "statvfs", &path);
    Ok(Box::new(move |view| {
        let found = view.statvfs(path.as_path())?;
        Ok(Response::Statvfs(figures(&found)))
    }))
}

/// `fstatvfs@openssh.com`: figures of the file system on which an open file lies.
///
/// | field  | type   | meaning |
/// |--------|--------|---------|
/// | handle | string |         |
///
/// Source: PROTOCOL §4.4; fstatvfs(3).
pub(in crate::session) const FSTATVFS: Extension = Extension {
    operation: Operation {
        name: "fstatvfs",
        writes: false,
    },
    wire: "fstatvfs@openssh.com",
    version: "2",
    run: Run::Here(fstatvfs),
};

fn fstatvfs(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let file = asked_fstatvfs(session, id, payload)?;
    Ok(of_file(&file)?)
}

pub(in crate::session) fn asked_fstatvfs(
    session: &Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Arc<File>, Status> {
    let handle: Handle = payload.decode()?;
    trace(Level::Debug1, || Trace::Fstatvfs {
        id,
        path: session.handles.path(handle),
        slot: session.handles.slot(handle),
    });
    let file = session.handles.shared_file(handle).cloned();
    file.ok_or_else(Status::bad_handle)
}

/// The answer to fstatvfs.
pub(in crate::session) fn of_file(file: &File) -> Result<Response, Errno> {
    Ok(Response::Statvfs(figures(&file.statvfs()?)))
}

fn figures(found: &Figures) -> Statvfs {
    let fs = &found.kernel;
    const READ_ONLY: u64 = 1;
    const NO_SUID: u64 = 2;
    let flag = |flag, bit| if fs.flags().contains(flag) { bit } else { 0 };
    let read_only = if found.read_only { READ_ONLY } else { 0 };
    // Some file systems tell no fragment size.
    let reserve = found.reserve.div_ceil(fs.fragment_size().max(1));
    Statvfs {
        f_bsize: fs.block_size(),
        f_frsize: fs.fragment_size(),
        f_blocks: fs.blocks(),
        f_bfree: fs.blocks_free().saturating_sub(reserve),
        f_bavail: fs.blocks_available().saturating_sub(reserve),
        f_files: fs.files(),
        f_ffree: fs.files_free(),
        f_favail: fs.files_available(),
        f_fsid: fs.filesystem_id(),
        f_flag: read_only | flag(FsFlags::ST_RDONLY, READ_ONLY) | flag(FsFlags::ST_NOSUID, NO_SUID),
        f_namemax: fs.name_max(),
    }
}

/// `hardlink@openssh.com`: a second name for a file.
///
/// | field   | type   | meaning            |
/// |---------|--------|--------------------|
/// | oldpath | string | the existing file  |
/// | newpath | string | the name to create |
///
/// Source: PROTOCOL §4.5; linkat(2).
pub(in crate::session) const HARDLINK: Extension = Extension {
    operation: Operation {
        name: "hardlink",
        writes: true,
    },
    wire: "hardlink@openssh.com",
    version: "1",
    run: Run::Anywhere(hardlink),
};

fn hardlink(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let TwoPaths { oldpath, newpath } = payload.decode()?;
    trace(Level::Debug3, || Trace::Request {
        id,
        what: "hardlink",
    });
    log_two_paths("hardlink", &oldpath, &newpath);
    Ok(Box::new(move |view| {
        view.link(oldpath.as_path(), newpath.as_path())?;
        Ok(Response::Ok)
    }))
}

/// `fsync@openssh.com`: wait until a file is on the disk.
///
/// | field  | type   | meaning |
/// |--------|--------|---------|
/// | handle | string |         |
///
/// Source: PROTOCOL §4.6; fsync(2).
pub(in crate::session) const FSYNC: Extension = Extension {
    // It changes nothing, but OpenSSH refuses it in read-only mode.
    operation: Operation {
        name: "fsync",
        writes: true,
    },
    wire: "fsync@openssh.com",
    version: "1",
    run: Run::Here(fsync),
};

fn fsync(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    asked_fsync(session, id, payload)?.sync()?;
    Ok(Response::Ok)
}

pub(in crate::session) fn asked_fsync(
    session: &Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Arc<File>, Status> {
    let handle: Handle = payload.decode()?;
    trace(Level::Debug3, || Trace::Fsync {
        id,
        slot: session.handles.slot(handle),
    });
    log::emit(Level::Verbose, || Event::Path {
        threshold: Level::Verbose,
        what: "fsync",
        path: session
            .handles
            .path(handle)
            .unwrap_or_else(|| b"(null)".to_vec()),
    });
    let file = session.handles.shared_file(handle).cloned();
    file.ok_or_else(Status::bad_handle)
}

/// `lsetstat@openssh.com`: SETSTAT that does not follow a symbolic link. A size makes no sense then: BAD_MESSAGE.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
/// | attrs | ATTRS  |         |
///
/// Source: PROTOCOL §4.7.
const LSETSTAT: Extension = Extension {
    operation: Operation {
        name: "lsetstat",
        writes: true,
    },
    wire: "lsetstat@openssh.com",
    version: "1",
    run: Run::Anywhere(lsetstat),
};

fn lsetstat(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let SetAttrs { path, attrs } = payload.decode()?;
    trace_ignored(&attrs);
    trace(Level::Debug1, || Trace::Lsetstat {
        id,
        path: path.as_bytes().to_vec(),
    });
    if attrs.size.is_some() {
        return Err(Status::new(StatusCode::BadMessage));
    }
    log_changes(path.as_bytes(), &attrs);
    Ok(Box::new(move |view| {
        let name = path.as_path();
        set(&attrs, |change| match change {
            Change::Size(_) => Err(Errno::EINVAL.into()),
            Change::Permissions(mode) => view.chmod(name, mode, Follow::No),
            Change::Times(atime, mtime) => view.utimes(name, atime, mtime, Follow::No),
            Change::Owner(uid, gid) => view.chown(name, uid, gid, Follow::No),
        })
    }))
}

/// `limits@openssh.com`: how long packets, reads and writes may be, and how many handles can be open; of these never fewer than sftp has requests
/// under way, since some of its versions have no more than so many.
///
/// No fields.
///
/// Source: PROTOCOL §4.8.
const LIMITS: Extension = Extension {
    operation: Operation {
        name: "limits",
        writes: false,
    },
    wire: "limits@openssh.com",
    version: "1",
    run: Run::Here(limits),
};

fn limits(session: &mut Session, id: u32, _: Payload<'_>) -> Result<Response, Status> {
    trace(Level::Debug1, || Trace::Request { id, what: "limits" });
    Ok(Response::Limits(Limits {
        max_packet_length: MAX_PACKET as u64,
        max_read_length: MAX_DATA as u64,
        max_write_length: MAX_DATA as u64,
        max_open_handles: session.handles.limit().max(WINDOW) as u64,
    }))
}

/// `copy-data`: copy from one open file to another, within the server.
///
/// The fields are those of [`CopyData`]. Past the end of the source it answers EOF, and what was copied stays.
///
/// Source: PROTOCOL §4.10; draft-ietf-secsh-filexfer-extensions-00 §7.
pub(in crate::session) const COPY_DATA: Extension = Extension {
    operation: Operation {
        name: "copy-data",
        writes: true,
    },
    wire: "copy-data",
    version: "1",
    run: Run::Here(copy_data),
};

fn copy_data(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let (request, copy) = copy::asked(session, id, payload)?;
    let (copied, result) = copy.run();
    copy::answer(session, &request, copied, result)
}

/// sftp has so many requests under way, but from OpenSSH 8.6 to 10.2 no more than it is told that handles can be open.
const WINDOW: usize = 64;
