//! expand-path@openssh.com.

use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::identity::{self, NoSuchUser, Unasked};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{StatusCode, WirePath};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;

pub(super) const EXPAND_PATH: Row = Row {
    operation: Operation::looks("expand-path"),
    wire: Wire::Extension("expand-path@openssh.com", "1"),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

/// `expand-path@openssh.com`: REALPATH that knows `~` (where the session started) and `~user`.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: PROTOCOL §4.9.
#[derive(Debug, Deserialize)]
pub(super) struct ExpandPath {
    path: WirePath,
}

impl Request<'_> for ExpandPath {
    const ROW: &'static Row = &EXPAND_PATH;

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        session.in_turn(way, move |session| expand(session, id, path))
    }
}

/// Who is known to a name service alone, which may keep us waiting, is asked for by another thread.
fn expand(session: &Session, id: u32, path: WirePath) -> Result<Response, Status> {
    trace(Level::Debug3, || Trace::Expand {
        id,
        path: path.as_bytes().to_vec(),
    });
    let user = identity::tilde_of(path.as_bytes());
    match user.map(identity::home_at_hand) {
        None => expanded(session, &path, None),
        Some(Ok(home)) => expanded(session, &path, home.as_deref()),
        Some(Err(Unasked)) => Ok(Response::later(move || {
            let home = identity::tilde_of(path.as_bytes()).and_then(identity::home_of);
            finish(move |session| expanded(session, &path, home.as_deref()))
        })),
    }
}

/// The answer to expand-path; `home` is that of the user whom the path names.
fn expanded(session: &Session, path: &WirePath, home: Option<&Path>) -> Result<Response, Status> {
    let start = session.view.start()?;
    let expanded = match path.as_bytes() {
        b"" => PathBuf::from("."),
        bytes @ [b'~', ..] => {
            let home_of = |_: &[u8]| home.map(|home| session.view.home(home));
            identity::expand_tilde(bytes, &start, home_of).map_err(|NoSuchUser(user)| {
                log::emit(Level::Error, || Event::NoSuchUser { user });
                Status {
                    code: StatusCode::NoSuchFile,
                    message: "no such user".into(),
                }
            })?
        }
        _ => start.join(path.as_path()),
    };
    log::emit(Level::Verbose, || Event::Path {
        threshold: Level::Verbose,
        what: "expand",
        path: expanded.as_os_str().as_bytes().to_vec(),
    });
    session.with_path(expanded, |view, path| {
        view.canonical(path).map(Response::name)
    })
}
