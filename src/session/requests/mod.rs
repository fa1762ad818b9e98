//! The requests of version 3 and the extensions: a file each, which says all of it, and the table that alone names them all.
//!
//! A packet is decoded once, into the request that it is. Whoever wants to know something of a request asks that: what it touches, whether it
//! may take long, what its time teaches, whether it is permitted. A request's file knows no other request, and not whether the session's own
//! thread carries it out or another: that is for [`ways`].

mod close;
mod copy;
mod copy_data;
mod copy_file;
mod expand_path;
mod fsync;
mod hardlink;
mod home_directory;
mod init;
mod limits;
mod mkdir;
mod open;
mod opendir;
mod read;
mod readdir;
mod readlink;
mod realpath;
mod remove;
mod rename;
mod request;
mod rmdir;
mod setstat;
mod space_available;
mod stat;
mod statvfs;
mod symlink;
mod users_groups_by_id;
mod vendor_id;
mod ways;
mod write;

use std::time::Duration;

pub use init::BeforeInit;
use request::Request;
pub use request::{Rehearsal, Row, Wire};
pub(super) use ways::Way;

use super::Session;
use super::answers::response::Response;
use super::answers::status::Status;
use super::overlap::lesson::Lesson;
use super::overlap::pipeline::Admitted;
use super::overlap::touch::Touch;
use crate::log::{self, Event};
use crate::protocol::{Fields, Malformed, Packet, Payload, StatusCode, Write, kind, request_id};

/// The table: each row, and what reads it. `-Q requests` prints it in this order, in which OpenSSH has it; the extensions are announced in it.
macro_rules! table {
    ($($name:ident($request:ty) = $row:path,)*) => {
        /// All rows.
        pub static ROWS: &[&Row] = &[$(&$row,)*];

        /// What a packet says.
        enum What<'p> {
            $($name($request),)*
            /// Its fields do not parse; whose they were to be, if that is known.
            Malformed(Option<&'static Row>),
            UnknownKind(u8),
            UnknownExtension(&'p [u8]),
        }

        impl<'p> What<'p> {
            /// A packet of this type.
            fn of_kind(kind: u8, payload: Payload<'p>) -> Self {
                $(if const { $row.wire.kind() } == Some(kind) {
                    return match <$request>::decode(payload) {
                        Ok(request) => Self::$name(request),
                        Err(Malformed) => Self::Malformed(Some(&$row)),
                    };
                })*
                Self::UnknownKind(kind)
            }

            /// An extension of this name.
            fn of_extension(asked: &'p [u8], payload: Payload<'p>) -> Self {
                $(if $row.wire.name().is_some_and(|name| name.as_bytes() == asked) {
                    return match <$request>::decode(payload) {
                        Ok(request) => Self::$name(request),
                        Err(Malformed) => Self::Malformed(Some(&$row)),
                    };
                })*
                Self::UnknownExtension(asked)
            }

            fn row(&self) -> Option<&'static Row> {
                match self {
                    $(Self::$name(_) => Some(&$row),)*
                    Self::Malformed(row) => *row,
                    Self::UnknownKind(_) | Self::UnknownExtension(_) => None,
                }
            }

            fn work(&self) -> Duration {
                match self {
                    $(Self::$name(_) => <$request>::WORK,)*
                    _ => Duration::ZERO,
                }
            }

            fn is_long(&self) -> bool {
                match self {
                    $(Self::$name(_) => <$request>::LONG,)*
                    _ => false,
                }
            }
        }

        /// Asks a request, whichever it is; what is none is answered for by the last word.
        macro_rules! each {
            ($what:expr, $asked:ident => $question:expr, $none:expr) => {
                match $what {
                    $(What::$name($asked) => $question,)*
                    _ => $none,
                }
            };
        }
    };
}

table! {
    Open(open::Open) = open::OPEN,
    Close(close::Close) = close::CLOSE,
    Read(read::Read) = read::READ,
    Write(Write<'p>) = write::WRITE,
    Lstat(stat::Lstat) = stat::LSTAT,
    Fstat(stat::Fstat) = stat::FSTAT,
    Setstat(setstat::Setstat) = setstat::SETSTAT,
    Fsetstat(setstat::Fsetstat) = setstat::FSETSTAT,
    Opendir(opendir::Opendir) = opendir::OPENDIR,
    Readdir(readdir::Readdir) = readdir::READDIR,
    Remove(remove::Remove) = remove::REMOVE,
    Mkdir(mkdir::Mkdir) = mkdir::MKDIR,
    Rmdir(rmdir::Rmdir) = rmdir::RMDIR,
    Realpath(realpath::Realpath) = realpath::REALPATH,
    Stat(stat::Stat) = stat::STAT,
    Rename(rename::Rename) = rename::RENAME,
    Readlink(readlink::Readlink) = readlink::READLINK,
    Symlink(symlink::Symlink) = symlink::SYMLINK,
    // OpenSSH's extensions, and ours behind them.
    PosixRename(rename::PosixRename) = rename::POSIX_RENAME,
    Statvfs(statvfs::Statvfs) = statvfs::STATVFS,
    Fstatvfs(statvfs::Fstatvfs) = statvfs::FSTATVFS,
    Hardlink(hardlink::Hardlink) = hardlink::HARDLINK,
    Fsync(fsync::Fsync) = fsync::FSYNC,
    Lsetstat(setstat::Lsetstat) = setstat::LSETSTAT,
    Limits(limits::Limits) = limits::LIMITS,
    ExpandPath(expand_path::ExpandPath) = expand_path::EXPAND_PATH,
    CopyData(copy_data::CopyData) = copy_data::COPY_DATA,
    HomeDirectory(home_directory::HomeDirectory) = home_directory::HOME_DIRECTORY,
    UsersGroupsById(users_groups_by_id::UsersGroupsById) = users_groups_by_id::USERS_GROUPS_BY_ID,
    CopyFile(copy_file::CopyFile) = copy_file::COPY_FILE,
    SpaceAvailable(space_available::SpaceAvailable) = space_available::SPACE_AVAILABLE,
    VendorId(vendor_id::VendorId) = vendor_id::VENDOR_ID,
}

/// The extensions, in the order in which they are announced: the row, its name and its version.
fn extensions() -> impl Iterator<Item = (&'static Row, &'static str, &'static str)> {
    ROWS.iter().filter_map(|row| match row.wire {
        Wire::Extension(name, version) => Some((*row, name, version)),
        Wire::Kind(_) | Wire::Unannounced(_) => None,
    })
}

/// What a client asks for.
pub(super) struct Asked<'p> {
    /// For the response; 0 where the packet has none.
    pub(super) id: u32,
    what: What<'p>,
}

impl<'p> Asked<'p> {
    /// What the packet says.
    pub(super) fn of(packet: &Packet<'p>) -> Self {
        let (Some(kind), Ok((id, payload))) = (packet.kind, request_id(packet.body)) else {
            // There is no id to answer to.
            let what = What::Malformed(None);
            return Self { id: 0, what };
        };
        if kind != kind::EXTENDED {
            let what = What::of_kind(kind, payload);
            return Self { id, what };
        }
        let what = match payload.string() {
            Ok((name, payload)) => What::of_extension(name, payload),
            Err(Malformed) => What::Malformed(None),
        };
        Self { id, what }
    }

    /// One that `explain` asks for: `row`, and its fields.
    pub(super) fn rehearsed(row: &'static Row, fields: &'p [u8]) -> Self {
        let payload = Payload::of(fields);
        let what = match row.wire {
            Wire::Kind(kind) => What::of_kind(kind, payload),
            Wire::Extension(name, _) | Wire::Unannounced(name) => {
                What::of_extension(name.as_bytes(), payload)
            }
        };
        Self { id: 0, what }
    }

    /// What it touches. What is malformed, or means nothing that is open, runs alone: it is answered at once.
    pub(super) fn touch(&self, session: &mut Session) -> Touch {
        each!(&self.what, request => request.touch(session), None).unwrap_or(Touch::Alone)
    }

    /// What its time teaches.
    pub(super) fn lesson(&self, session: &Session) -> Lesson {
        Lesson {
            subject: each!(&self.what, request => request.subject(session), None),
            work: self.what.work(),
        }
    }

    /// Whether it may take long wherever the files lie.
    pub(super) fn is_long(&self) -> bool {
        self.what.is_long()
    }

    /// Whether it frees so much on a disk of this host that others are not to wait for it.
    pub(super) fn frees_much(&self, session: &Session) -> bool {
        each!(&self.what, request => request.frees_much(session), false)
    }

    /// The paths by which it may lead to what another process or host serves.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        let paths = each!(&self.what, request => request.paths(), [None, None]);
        paths.into_iter().flatten()
    }

    /// Whether what it lists lies there; none where it lists nothing.
    pub(super) fn lists_far(&self, session: &Session) -> Option<bool> {
        each!(&self.what, request => request.lists_far(session), None)
    }

    /// Whether it may change what a client was answered but has not read yet.
    pub(super) fn endangers_unread(&self, session: &Session) -> bool {
        session.conduit.is_unread(None)
            && each!(&self.what, request => request.endangers_unread(session), false)
    }

    /// Bytes of content that it brings.
    pub(super) fn brings(&self) -> u64 {
        each!(&self.what, request => request.brings(), 0)
    }

    /// Carries it out, this `way`.
    pub(super) fn run(&mut self, session: &mut Session, way: Way) -> Result<Response, Status> {
        if let Some(row) = self.what.row() {
            session.policy.permit(row.operation)?;
        }
        match &mut self.what {
            What::UnknownKind(kind) => {
                let kind = *kind;
                log::emit(log::Level::Error, || Event::UnknownMessage { kind });
                Err(Status::new(StatusCode::OpUnsupported))
            }
            What::UnknownExtension(name) => {
                log::emit(log::Level::Error, || Event::UnknownExtension {
                    request: name.to_vec(),
                });
                Err(Status::new(StatusCode::OpUnsupported))
            }
            what => each!(
                what,
                request => request.run(session, self.id, way),
                Err(Malformed.into())
            ),
        }
    }

    /// Begins it beside others; this may still answer it without any work.
    pub(super) fn begin(&mut self, session: &mut Session) -> Admitted {
        let lesson = self.lesson(session);
        let weight = each!(&self.what, request => request.weight(), 0);
        ways::admitted(self.id, lesson, weight, self.run(session, Way::Beside))
    }
}
