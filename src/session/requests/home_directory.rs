//! home-directory.

use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::rc::Rc;

use serde::Deserialize;

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::identity::{self, Unasked};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{StatusCode, WirePath};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const HOME_DIRECTORY: Row = Row {
    operation: Operation::looks("home-directory"),
    wire: Wire::Extension("home-directory", "1"),
    rehearsal: Rehearsal::Nothing,
};

/// `home-directory`: the home directory of a user; of the session's own where the name is empty.
///
/// | field    | type   | meaning |
/// |----------|--------|---------|
/// | username | string |         |
///
/// Source: PROTOCOL §4.12; draft-ietf-secsh-filexfer-extensions-00 §5.
#[derive(Debug, Deserialize)]
pub(super) struct HomeDirectory {
    username: WirePath,
}

impl Request<'_> for HomeDirectory {
    const ROW: &'static Row = &HOME_DIRECTORY;

    fn touch(&self, _: &mut Session) -> Option<Touch> {
        Some(Touch::Names)
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let user = mem::take(&mut self.username);
        session.in_turn(way, move |session| home_of(session, id, user))
    }
}

/// Who is known to a name service alone, which may keep us waiting, is asked for by another thread.
fn home_of(session: &Session, id: u32, user: WirePath) -> Result<Response, Status> {
    trace(Level::Debug3, || Trace::HomeDirectory {
        id,
        user: user.as_bytes().to_vec(),
    });
    if !user.as_bytes().is_empty() {
        return match identity::home_at_hand(user.as_bytes()) {
            Ok(home) => home_told(session, home.as_deref()),
            Err(Unasked) => Ok(Response::later(move || {
                let home = identity::home_of(user.as_bytes());
                finish(move |session| home_told(session, home.as_deref()))
            })),
        };
    }
    let login = Rc::clone(&session.login);
    match login.unasked() {
        None => home_told(session, Some(login.home())),
        Some(ask) => Ok(Response::later(move || {
            let account = ask();
            finish(move |session| {
                let login = Rc::clone(&session.login);
                login.learn(account);
                home_told(session, Some(login.home()))
            })
        })),
    }
}

/// The answer to home-directory.
fn home_told(session: &Session, home: Option<&Path>) -> Result<Response, Status> {
    let home = home.ok_or_else(|| Status::because(StatusCode::Failure, "no such user"))?;
    let home = session.view.home(home);
    log::emit(Level::Verbose, || Event::Path {
        threshold: Level::Verbose,
        what: "home-directory",
        path: home.as_os_str().as_bytes().to_vec(),
    });
    Ok(Response::name(home))
}
