//! OPEN.

use std::mem;
use std::sync::Arc;

use nix::fcntl::OFlag;
use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish, lacks_descriptors};
use crate::fs::{Answer, Error, File, OpenHow, View};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{Attrs, OpenFlags, WirePath, kind};
use crate::session::Session;
use crate::session::answers::lines::{trace, trace_ignored};
use crate::session::answers::response::{Finish, Response};
use crate::session::answers::status::Status;
use crate::session::opened::{Entry, OpenFile};
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

pub(super) const OPEN: Row = Row {
    // Read-only mode judges it by its flags.
    operation: Operation::looks("open"),
    wire: Wire::Kind(kind::OPEN),
    rehearsal: Rehearsal::Opens(&[OpenFlags::READ.bits()]),
};

/// OPEN.
///
/// | field    | type   | meaning                                    |
/// |----------|--------|--------------------------------------------|
/// | filename | string |                                            |
/// | pflags   | uint32 | `SSH_FXF_*`                                |
/// | attrs    | ATTRS  | permissions, if the file is to be created  |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.3.
#[derive(Debug, Deserialize)]
pub(super) struct Open {
    filename: WirePath,
    pflags: OpenFlags,
    attrs: Attrs,
}

impl Request<'_> for Open {
    const ROW: &'static Row = &OPEN;

    fn touch(&self, session: &mut Session) -> Option<Touch> {
        if !session.has_room() || !session.handles.may_open_beside() {
            return None;
        }
        if (self.pflags - OpenFlags::READ).is_empty() {
            // Outside of a jail it can be a FIFO, and whoever writes to that sees whether somebody reads.
            let in_jail = session.view.trees().is_some();
            return Some(if in_jail { Touch::Follow } else { Touch::Look });
        }
        // One that creates what is not there, in the way of an upload.
        let mode = self.attrs.permissions.unwrap_or(0o666);
        let overlaps = self.pflags.contains(OpenFlags::CREATE)
            && !self.pflags.contains(OpenFlags::EXCLUDE)
            && mode & 0o600 == 0o600
            // An exact mode is had by a umask that is the whole process's.
            && session.force_file_mode.is_none();
        overlaps.then_some(Touch::Create { mode })
    }

    fn subject(&self, _: &Session) -> Option<Subject> {
        Some(Subject::Names)
    }

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.filename.as_bytes()), None]
    }

    fn endangers_unread(&self, _: &Session) -> bool {
        self.pflags.contains(OpenFlags::TRUNCATE)
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let opening = self.opening(session, id)?;
        session.handles.check_room()?;
        match way {
            Way::Here => match session.view.open(opening.path.as_path(), opening.how) {
                Err(Error::Long) => {
                    session.handles.begin_opening();
                    Ok(opening.in_turn(session))
                }
                file => Ok(opening.opened(session, file?)),
            },
            Way::Beside => {
                session.handles.begin_opening();
                // Where there are rules it comes in its turn anyway.
                Ok(match session.view.is_judged() {
                    true => opening.in_turn(session),
                    false => opening.beside(session),
                })
            }
        }
    }
}

impl Open {
    /// What is to be opened, and its log lines.
    fn opening(&mut self, session: &Session, id: u32) -> Result<Opening, Status> {
        trace_ignored(&self.attrs);
        trace(Level::Debug3, || Trace::Open {
            id,
            pflags: self.pflags.bits(),
        });
        let forced = session.force_file_mode;
        let mode = forced.or(self.attrs.permissions).unwrap_or(0o666);
        log::emit(Level::Info, || Event::Open {
            path: self.filename.as_bytes().to_vec(),
            flags: flag_names(self.pflags),
            mode,
        });
        let opening = Opening {
            path: mem::take(&mut self.filename),
            how: OpenHow {
                flags: open_flags(self.pflags),
                mode,
                exact: forced.is_some(),
                whole: None,
            },
        };
        let makes = opening
            .how
            .flags
            .intersects(OFlag::O_CREAT | OFlag::O_TRUNC);
        session.policy.permit_open(opening.writes() || makes)?;
        Ok(opening)
    }
}

/// An OPEN that may be carried out.
struct Opening {
    path: WirePath,
    how: OpenHow,
}

impl Opening {
    fn writes(&self) -> bool {
        self.how.flags & OFlag::O_ACCMODE != OFlag::O_RDONLY
    }

    /// Answers it: what it names is open now.
    fn opened(self, session: &mut Session, file: File) -> Response {
        let writable = self.writes();
        let path = self.path.into_bytes();
        let cost = session.cost_of(&file, &path);
        let open = OpenFile::new(file, path, writable, cost);
        let (slot, handle) = session.handles.insert(Entry::File(open));
        Response::Handle { slot, handle }
    }

    fn open(&self, view: &View, how: OpenHow) -> Answer<File> {
        let file = view.open(self.path.as_path(), how);
        if let Ok(file) = &file {
            // Requests on it ask for this, in the session's own thread.
            let _ = file.id();
        }
        file
    }

    /// Beside others only what is new is created: it is nothing that others under way could have open.
    fn beside(self, session: &Session) -> Response {
        let view = Arc::clone(&session.view);
        Response::later(move || {
            let file = self.open(&view, self.how.only_new());
            finish(move |session| {
                // It is there already, or something else is the matter: now it is this request's turn.
                let again = file.is_err() && self.how.creates();
                if again || lacks_descriptors(&file) || matches!(file, Err(Error::Long)) {
                    return Ok(self.in_turn(session));
                }
                session.handles.end_opening();
                Ok(self.opened(session, file?))
            })
        })
    }

    /// All others before it have been answered.
    fn in_turn(self, session: &Session) -> Response {
        let view = Arc::clone(&session.view);
        Response::later(move || -> Finish {
            let file = self.open(&view, self.how);
            finish(move |session| {
                session.handles.end_opening();
                Ok(self.opened(session, file?))
            })
        })
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
