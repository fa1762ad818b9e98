//! A request before it has an id, a root and handles: the same operation for both servers, encoded for each.

use crate::support::wire::{Attrs, Packet};
use crate::support::{request, show};
use std::fmt;

/// A path relative to the start directory, or beneath the tree's own absolute path, which differs between the two.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) absolute: bool,
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Debug for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = show(&self.bytes[..self.bytes.len().min(80)]);
        let root = if self.absolute { "ROOT/" } else { "" };
        write!(out, "{root}\"{text}\"")?;
        match self.bytes.len() {
            0..=80 => Ok(()),
            length => write!(out, " and so on to {length} bytes"),
        }
    }
}

/// The handle of the n-th OPEN or OPENDIR that succeeded, or bytes that no server ever gave out.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Handle {
    Opened(usize),
    Forged(Vec<u8>),
}

impl fmt::Debug for Handle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(index) => write!(out, "#{index}"),
            Self::Forged(bytes) => write!(out, "forged of {} bytes", bytes.len()),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Open(Path, u32, Attrs),
    Close(Handle),
    Read(Handle, u64, u32),
    Write(Handle, u64, Data),
    Lstat(Path),
    Fstat(Handle),
    Setstat(Path, Attrs),
    Fsetstat(Handle, Attrs),
    Opendir(Path),
    Readdir(Handle),
    Remove(Path),
    Mkdir(Path, Attrs),
    Rmdir(Path),
    Realpath(Path),
    Stat(Path),
    Rename(Path, Path),
    Readlink(Path),
    Symlink(Path, Path),
    PosixRename(Path, Path),
    Statvfs(Path),
    Fstatvfs(Handle),
    Hardlink(Path, Path),
    Fsync(Handle),
    Lsetstat(Path, Attrs),
    Limits,
    ExpandPath(Path),
    CopyData(Handle, u64, u64, Handle, u64),
    HomeDirectory(&'static str),
    UsersGroupsById(Vec<u32>, Vec<u32>),
    UnknownExtension(Vec<u8>),
    /// Not a request: OPENDIR, READDIR to the end, CLOSE, the listing compared as a set.
    List(Path),
}

/// A WRITE's payload, printed by its length alone.
#[derive(Clone)]
pub(crate) struct Data(pub(crate) Vec<u8>);

impl fmt::Debug for Data {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} bytes", self.0.len())
    }
}

/// What one server makes of a path and of a handle.
pub(crate) struct Side<'a> {
    /// The start directory as an absolute path
    pub(crate) start: Vec<u8>,
    pub(crate) handle: &'a dyn Fn(usize) -> Vec<u8>,
}

impl Side<'_> {
    pub(crate) fn path(&self, path: &Path) -> Vec<u8> {
        if path.absolute {
            [&self.start[..], b"/", &path.bytes].concat()
        } else {
            path.bytes.clone()
        }
    }

    fn handle(&self, handle: &Handle) -> Vec<u8> {
        match handle {
            Handle::Opened(index) => (self.handle)(*index),
            Handle::Forged(bytes) => bytes.clone(),
        }
    }

    pub(crate) fn encode(&self, operation: &Operation) -> Packet {
        use Operation as O;
        let (path, handle) = (|path| self.path(path), |handle| self.handle(handle));
        match operation {
            O::Open(name, pflags, attrs) => request::open(path(name), *pflags, attrs),
            O::Close(of) => request::close(&handle(of)),
            O::Read(of, offset, length) => request::read(&handle(of), *offset, *length),
            O::Write(of, offset, data) => request::write(&handle(of), *offset, &data.0),
            O::Lstat(name) => request::lstat(path(name)),
            O::Fstat(of) => request::fstat(&handle(of)),
            O::Setstat(name, attrs) => request::setstat(path(name), attrs),
            O::Fsetstat(of, attrs) => request::fsetstat(&handle(of), attrs),
            O::Opendir(name) | O::List(name) => request::opendir(path(name)),
            O::Readdir(of) => request::readdir(&handle(of)),
            O::Remove(name) => request::remove(path(name)),
            O::Mkdir(name, attrs) => request::mkdir(path(name), attrs),
            O::Rmdir(name) => request::rmdir(path(name)),
            O::Realpath(name) => request::realpath(path(name)),
            O::Stat(name) => request::stat(path(name)),
            O::Rename(old, new) => request::rename(path(old), path(new)),
            O::Readlink(name) => request::readlink(path(name)),
            O::Symlink(target, name) => request::symlink(path(target), path(name)),
            O::PosixRename(old, new) => request::posix_rename(path(old), path(new)),
            O::Statvfs(name) => request::statvfs(path(name)),
            O::Fstatvfs(of) => request::fstatvfs(&handle(of)),
            O::Hardlink(old, new) => request::hardlink(path(old), path(new)),
            O::Fsync(of) => request::fsync(&handle(of)),
            O::Lsetstat(name, attrs) => request::lsetstat(path(name), attrs),
            O::Limits => request::limits(),
            O::ExpandPath(name) => request::expand_path(path(name)),
            O::CopyData(from, read, length, to, write) => {
                request::copy_data(&handle(from), *read, *length, &handle(to), *write)
            }
            O::HomeDirectory(user) => request::home_directory(user),
            O::UsersGroupsById(uids, gids) => request::users_groups_by_id(uids, gids),
            O::UnknownExtension(name) => request::extended(name, b"\0\0\0\x01x"),
        }
    }
}
