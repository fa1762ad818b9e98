//! statvfs@openssh.com and fstatvfs@openssh.com.

use std::mem;

use nix::sys::statvfs::FsFlags;
use serde::{Deserialize, Serialize};

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::fs::Figures;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::{Handle, WirePath};
use crate::session::Session;
use crate::session::answers::lines::{log_path, trace};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const STATVFS: Row = Row {
    operation: Operation::looks("statvfs"),
    wire: Wire::Extension("statvfs@openssh.com", "2"),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

pub(super) const FSTATVFS: Row = Row {
    operation: Operation::looks("fstatvfs"),
    wire: Wire::Extension("fstatvfs@openssh.com", "2"),
    rehearsal: Rehearsal::As("statvfs"),
};

/// `statvfs@openssh.com`: figures of the file system on which a path lies.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: PROTOCOL §4.4; statvfs(3).
#[derive(Debug, Deserialize)]
pub(super) struct Statvfs {
    path: WirePath,
}

/// `fstatvfs@openssh.com`: figures of the file system on which an open file lies.
///
/// | field  | type   | meaning |
/// |--------|--------|---------|
/// | handle | string |         |
///
/// Source: PROTOCOL §4.4; fstatvfs(3).
#[derive(Debug, Deserialize)]
pub(super) struct Fstatvfs {
    handle: Handle,
}

impl Request<'_> for Statvfs {
    const ROW: &'static Row = &STATVFS;
    /// What others write changes these figures, too.
    const BY_NAME: Option<Touch> = Some(Touch::Follow);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "statvfs",
        });
        log_path(Level::Info, "statvfs", &path);
        session.with_view(way, move |view| {
            let found = view.statvfs(path.as_path())?;
            Ok(Response::reply(&figures(&found)))
        })
    }
}

impl Request<'_> for Fstatvfs {
    const ROW: &'static Row = &FSTATVFS;

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        session.touches_attributes(self.handle)
    }

    fn subject(&self, session: &Session) -> Option<Subject> {
        session.subject_of(self.handle)
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        trace(Level::Debug1, || Trace::Fstatvfs {
            id,
            path: session.handles.path(self.handle),
            slot: session.handles.slot(self.handle),
        });
        session.with_file(way, self.handle, |file| {
            Ok(Response::reply(&figures(&file.statvfs()?)))
        })
    }
}

/// The answer to both.
///
/// | field     | type   | meaning                                        |
/// |-----------|--------|------------------------------------------------|
/// | f_bsize   | uint64 | block size, bytes                              |
/// | f_frsize  | uint64 | fundamental block size, bytes                  |
/// | f_blocks  | uint64 | blocks, in units of f_frsize                   |
/// | f_bfree   | uint64 | free blocks                                    |
/// | f_bavail  | uint64 | free blocks for those without privilege        |
/// | f_files   | uint64 | inodes                                         |
/// | f_ffree   | uint64 | free inodes                                    |
/// | f_favail  | uint64 | free inodes for those without privilege        |
/// | f_fsid    | uint64 |                                                |
/// | f_flag    | uint64 | 1: read-only, 2: no setuid                     |
/// | f_namemax | uint64 | longest filename, bytes                        |
#[derive(Serialize)]
struct Reply {
    f_bsize: u64,
    f_frsize: u64,
    f_blocks: u64,
    f_bfree: u64,
    f_bavail: u64,
    f_files: u64,
    f_ffree: u64,
    f_favail: u64,
    f_fsid: u64,
    f_flag: u64,
    f_namemax: u64,
}

fn figures(found: &Figures) -> Reply {
    let fs = &found.kernel;
    const READ_ONLY: u64 = 1;
    const NO_SUID: u64 = 2;
    let flag = |flag, bit| if fs.flags().contains(flag) { bit } else { 0 };
    let read_only = if found.read_only { READ_ONLY } else { 0 };
    // Some file systems tell no fragment size.
    let reserve = found.reserve.div_ceil(fs.fragment_size().max(1));
    Reply {
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
