//! The requests of version 3: one row and one function each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::transfer;
use crate::fs::{Answer, Dir, Error, File, Follow, Listed, Listing, View};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{
    Attrs, Handle, MAX_NAMES, NewPath, Payload, SetAttrs, SetAttrsByHandle, StatusCode, TwoPaths,
    WirePath, kind,
};
use crate::session::answers::attrs;
use crate::session::answers::attrs::{Change, log_changes, set};
use crate::session::answers::lines::{log_path, log_two_paths, trace, trace_ignored};
use crate::session::answers::status::Status;
use crate::session::handles::{Entry, OpenDir};
use crate::session::{Response, Session};

/// A request of version 3.
#[derive(Debug)]
pub struct Request {
    /// Its packet type.
    pub kind: u8,
    /// What it is called and whether it writes.
    pub operation: Operation,
    /// What it does. The id is for the log and for responses that are written in place.
    pub run: Run,
}

/// How a request is carried out.
#[derive(Clone, Copy, Debug)]
pub enum Run {
    /// By the session.
    Here(fn(&mut Session, u32, Payload<'_>) -> Result<Response, Status>),
    /// By whichever thread, since it needs nothing but the view.
    Anywhere(fn(u32, Payload<'_>) -> Result<Act, Status>),
}

/// What is left to do of a request that was decoded and logged. Done twice, where descriptors lacked, it does what it does once.
pub type Act = Box<dyn Fn(&View) -> Answer<Response> + Send>;

impl Run {
    /// Carries a request out, here and now.
    pub(in crate::session) fn run(
        self,
        session: &mut Session,
        id: u32,
        payload: Payload<'_>,
    ) -> Result<Response, Status> {
        match self {
            Self::Here(run) => run(session, id, payload),
            Self::Anywhere(asked) => session.look_now(asked(id, payload)?),
        }
    }
}

use Run::{Anywhere, Here};

/// In OpenSSH's order, which `-Q requests` prints.
pub static REQUESTS: [Request; 18] = [
    // Read-only mode judges OPEN by its flags.
    request(kind::OPEN, "open", false, Here(transfer::open)),
    request(kind::CLOSE, "close", false, Here(transfer::close)),
    request(kind::READ, "read", false, Here(transfer::read)),
    request(kind::WRITE, "write", true, Here(transfer::write)),
    request(kind::LSTAT, "lstat", false, Here(lstat)),
    request(kind::FSTAT, "fstat", false, Here(fstat)),
    request(kind::SETSTAT, "setstat", true, Anywhere(setstat)),
    request(kind::FSETSTAT, "fsetstat", true, Here(fsetstat)),
    request(kind::OPENDIR, "opendir", false, Here(opendir)),
    request(kind::READDIR, "readdir", false, Here(readdir)),
    request(kind::REMOVE, "remove", true, Anywhere(remove)),
    request(kind::MKDIR, "mkdir", true, Anywhere(mkdir)),
    request(kind::RMDIR, "rmdir", true, Anywhere(rmdir)),
    request(kind::REALPATH, "realpath", false, Here(realpath)),
    request(kind::STAT, "stat", false, Here(stat)),
    request(kind::RENAME, "rename", true, Anywhere(rename)),
    request(kind::READLINK, "readlink", false, Here(readlink)),
    request(kind::SYMLINK, "symlink", true, Anywhere(symlink)),
];

const fn request(kind: u8, name: &'static str, writes: bool, run: Run) -> Request {
    Request {
        kind,
        operation: Operation { name, writes },
        run,
    }
}

fn lstat(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let path = asked_lstat(id, payload)?;
    session.look_now(stat_of(path, Follow::No))
}

/// System calls: one newfstatat(2).
fn stat(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let path = asked_stat(id, payload)?;
    session.look_now(stat_of(path, Follow::Yes))
}

/// What STAT and LSTAT do.
pub(in crate::session) fn stat_of(
    path: WirePath,
    follow: Follow,
) -> impl Fn(&View) -> Answer<Response> + Send {
    move |view| {
        let stat = view.stat(path.as_path(), follow)?;
        Ok(Response::Attrs(stat))
    }
}

fn fstat(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let file = asked_fstat(session, id, payload)?;
    Ok(Response::Attrs(file.told()?))
}

fn setstat(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let SetAttrs { path, attrs } = payload.decode()?;
    trace_ignored(&attrs);
    trace(Level::Debug1, || Trace::Setstat {
        id,
        path: path.as_bytes().to_vec(),
    });
    log_changes(path.as_bytes(), &attrs);
    Ok(Box::new(move |view| {
        let name = path.as_path();
        set(&attrs, |change| match change {
            Change::Size(size) => view.truncate(name, size),
            Change::Permissions(mode) => view.chmod(name, mode, Follow::Yes),
            Change::Times(atime, mtime) => view.utimes(name, atime, mtime, Follow::Yes),
            Change::Owner(uid, gid) => view.chown(name, uid, gid, Follow::Yes),
        })
    }))
}

fn fsetstat(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let (file, attrs) = asked_fsetstat(session, id, payload)?;
    Ok(set_by_handle(&file, &attrs)?)
}

pub(in crate::session) fn asked_fsetstat(
    session: &Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<(Arc<File>, Attrs), Status> {
    let SetAttrsByHandle { handle, attrs } = payload.decode()?;
    trace_ignored(&attrs);
    let slot = session.handles.slot(handle);
    trace(Level::Debug1, || Trace::Fsetstat { id, slot });
    let file = session.handles.shared_file(handle).cloned();
    let file = file.ok_or_else(Status::bad_handle)?;
    // The handle may be that of a directory.
    session.view.forget();
    log_changes(&session.handles.path(handle).unwrap_or_default(), &attrs);
    Ok((file, attrs))
}

/// What FSETSTAT does.
pub(in crate::session) fn set_by_handle(file: &File, attrs: &Attrs) -> Answer<Response> {
    set(attrs, |change| match change {
        Change::Size(size) => file.truncate(size),
        Change::Permissions(mode) => file.chmod(mode),
        Change::Times(atime, mtime) => file.utimes(atime, mtime),
        Change::Owner(uid, gid) => file.chown(uid, gid),
    })
}

fn opendir(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let path = asked_opendir(id, payload)?;
    session.handles.check_room()?;
    match session.view.opendir(path.as_path()) {
        Err(Error::Long) => Ok(Response::Later(session.opendir_later(path))),
        dir => Ok(opened(session, dir?, path)),
    }
}

/// Answers an OPENDIR: `dir` is open now.
pub(in crate::session) fn opened(session: &mut Session, dir: Dir, path: WirePath) -> Response {
    let remote = session.is_far(&dir);
    let open = OpenDir::new(dir, path.into_bytes(), remote);
    let (slot, handle) = session.handles.insert(Entry::Dir(open));
    Response::Handle { slot, handle }
}

fn readdir(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let handle = asked_readdir(session, id, payload)?;
    list(session, id, handle, false)
}

pub(in crate::session) fn asked_readdir(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Handle, Status> {
    let handle = payload.decode()?;
    trace(Level::Debug1, || Trace::Readdir {
        id,
        path: session.handles.path(handle),
        slot: session.handles.slot(handle),
    });
    if let Some(open) = session.handles.dir(handle) {
        lock(&open.dir).forget_ahead();
    }
    Ok(handle)
}

/// As many entries as fit what every client takes; where each is long in coming, those that came in a while. Where none is there yet, a
/// thread looks for one, or for the names of its user and group, and then it goes on here: no client is sent a listing without an entry. What
/// comes next was looked at `ahead` then.
pub(in crate::session) fn list(
    session: &mut Session,
    id: u32,
    handle: Handle,
    ahead: bool,
) -> Result<Response, Status> {
    let open = session.handles.dir(handle).ok_or_else(Status::bad_handle)?;
    let longnames = &mut session.longnames;
    longnames.begin();
    let mut names = session.outbox.names(id);
    let begun = Instant::now();
    let mut count = 0_u32;
    let mut unasked = None;
    let mut dir = lock(&open.dir);
    let earlier = &session.earlier;
    let result = session.view.list(&mut dir, open.remote, |filename, stat| {
        let stat = earlier.of(stat);
        let Ok(longname) = longnames.line(filename, stat) else {
            unasked = Some((stat.st_uid, stat.st_gid));
            return Listed::Full;
        };
        count += 1;
        // Not at each of them: to ask takes a tenth of the time that an entry does.
        let late = count % 16 == 0 && begun.elapsed() >= LONG;
        if late || names.len() + NAME_FIELDS + filename.len() + longname.len() > MAX_NAMES {
            return Listed::Full;
        }
        names.push(filename, longname, &attrs::from_stat(stat));
        Listed::Taken
    });
    if names.is_empty() {
        names.abandon();
        let owners = dir.owners_ahead().chain(unasked).unzip();
        drop(dir);
        return match (result?, unasked) {
            (Listing::Done, None) => Err(Status::new(StatusCode::Eof)),
            (_, Some(_)) if ahead => Ok(session.names_later(id, handle, owners)),
            _ => session.listing_later(id, handle),
        };
    }
    // What failed behind the entries that are there fails again at the next READDIR.
    let count = names.finish();
    trace(Level::Debug1, || Trace::SentNames { id, count });
    Ok(Response::Sent)
}

fn lock(dir: &Mutex<Dir>) -> MutexGuard<'_, Dir> {
    dir.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let path: WirePath = payload.decode()?;
    trace(Level::Debug3, || Trace::Request { id, what: "remove" });
    log_path(Level::Info, "remove name", &path);
    Ok(Box::new(move |view| {
        view.unlink(path.as_path())?;
        Ok(Response::Ok)
    }))
}

fn mkdir(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let NewPath { path, attrs } = payload.decode()?;
    trace_ignored(&attrs);
    let mode = attrs.permissions.map_or(0o777, |mode| mode & 0o7777);
    trace(Level::Debug3, || Trace::Request { id, what: "mkdir" });
    log::emit(Level::Info, || Event::Mkdir {
        path: path.as_bytes().to_vec(),
        mode,
    });
    Ok(Box::new(move |view| {
        view.mkdir(path.as_path(), mode)?;
        Ok(Response::Ok)
    }))
}

fn rmdir(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let path: WirePath = payload.decode()?;
    trace(Level::Debug3, || Trace::Request { id, what: "rmdir" });
    log_path(Level::Info, "rmdir name", &path);
    Ok(Box::new(move |view| {
        view.rmdir(path.as_path())?;
        Ok(Response::Ok)
    }))
}

fn realpath(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let path = asked_realpath(id, payload)?;
    session.look_now(canonical_of(path))
}

/// What REALPATH does.
pub(in crate::session) fn canonical_of(
    path: WirePath,
) -> impl Fn(&View) -> Answer<Response> + Send {
    move |view| view.canonical(path.as_path()).map(Response::name)
}

fn rename(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let TwoPaths { oldpath, newpath } = payload.decode()?;
    trace(Level::Debug3, || Trace::Request { id, what: "rename" });
    log_two_paths("rename", &oldpath, &newpath);
    Ok(Box::new(move |view| {
        view.rename(oldpath.as_path(), newpath.as_path())?;
        Ok(Response::Ok)
    }))
}

fn readlink(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let path = asked_readlink(id, payload)?;
    session.look_now(target_of(path))
}

/// What READLINK does.
pub(in crate::session) fn target_of(path: WirePath) -> impl Fn(&View) -> Answer<Response> + Send {
    move |view| view.readlink(path.as_path()).map(Response::name)
}

fn symlink(id: u32, payload: Payload<'_>) -> Result<Act, Status> {
    let TwoPaths { oldpath, newpath } = payload.decode()?;
    trace(Level::Debug3, || Trace::Request {
        id,
        what: "symlink",
    });
    log_two_paths("symlink", &oldpath, &newpath);
    Ok(Box::new(move |view| {
        view.symlink(oldpath.as_path(), newpath.as_path())?;
        Ok(Response::Ok)
    }))
}

pub(in crate::session) fn asked_lstat(id: u32, payload: Payload<'_>) -> Result<WirePath, Status> {
    asked(id, payload, "lstat", Level::Verbose, "lstat name")
}

pub(in crate::session) fn asked_stat(id: u32, payload: Payload<'_>) -> Result<WirePath, Status> {
    asked(id, payload, "stat", Level::Verbose, "stat name")
}

pub(in crate::session) fn asked_opendir(id: u32, payload: Payload<'_>) -> Result<WirePath, Status> {
    asked(id, payload, "opendir", Level::Info, "opendir")
}

pub(in crate::session) fn asked_readlink(
    id: u32,
    payload: Payload<'_>,
) -> Result<WirePath, Status> {
    asked(id, payload, "readlink", Level::Verbose, "readlink")
}

pub(in crate::session) fn asked_realpath(
    id: u32,
    payload: Payload<'_>,
) -> Result<WirePath, Status> {
    let mut path: WirePath = payload.decode()?;
    if path.as_bytes().is_empty() {
        path = WirePath::dot();
    }
    log_asked(id, &path, "realpath", Level::Verbose, "realpath");
    Ok(path)
}

pub(in crate::session) fn asked_fstat(
    session: &Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Arc<File>, Status> {
    let handle: Handle = payload.decode()?;
    trace(Level::Debug1, || Trace::Fstat {
        id,
        path: session.handles.path(handle),
        slot: session.handles.slot(handle),
    });
    let file = session.handles.shared_file(handle);
    file.cloned().ok_or_else(Status::bad_handle)
}

/// The path of a request that has nothing but a path, and its log lines.
fn asked(
    id: u32,
    payload: Payload<'_>,
    what: &'static str,
    threshold: Level,
    line: &'static str,
) -> Result<WirePath, Status> {
    let path = payload.decode()?;
    log_asked(id, &path, what, threshold, line);
    Ok(path)
}

fn log_asked(id: u32, path: &WirePath, what: &'static str, threshold: Level, line: &'static str) {
    trace(Level::Debug3, || Trace::Request { id, what });
    log_path(threshold, line, path);
}

/// Longer than any listing takes that needs not wait: the next ones will go another way then.
const LONG: Duration = Duration::from_millis(20);
/// The lengths of two strings, and ATTRS with all that version 3 has.
const NAME_FIELDS: usize = 4 + 4 + 32;
