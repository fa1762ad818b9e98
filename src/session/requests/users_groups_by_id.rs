//! users-groups-by-id@openssh.com.

use std::mem;

use serde::{Deserialize, Serialize};

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::{Way, finish};
use crate::identity::Answers;
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{Ids, MAX_DATA, StatusCode};
use crate::session::Session;
use crate::session::answers::lines::trace;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const USERS_GROUPS_BY_ID: Row = Row {
    operation: Operation::looks("users-groups-by-id"),
    wire: Wire::Extension("users-groups-by-id@openssh.com", "1"),
    rehearsal: Rehearsal::Nothing,
};

/// `users-groups-by-id@openssh.com`: names of users and groups, empty where there is none.
///
/// | field | type   | meaning       |
/// |-------|--------|---------------|
/// | uids  | string | row of uint32 |
/// | gids  | string | row of uint32 |
///
/// Source: PROTOCOL §4.11.
#[derive(Debug, Default, Deserialize)]
pub(super) struct UsersGroupsById {
    uids: Ids,
    gids: Ids,
}

impl Request<'_> for UsersGroupsById {
    const ROW: &'static Row = &USERS_GROUPS_BY_ID;

    fn touch(&self, _: &mut Session) -> Option<Touch> {
        Some(Touch::Names)
    }

    fn run(&mut self, session: &mut Session, _: u32, way: Way) -> Result<Response, Status> {
        let Self { uids, gids } = mem::take(self);
        session.in_turn(way, move |session| named(session, uids.0, gids.0))
    }
}

/// Who is known to a name service alone, which may keep us waiting, is asked for by another thread.
fn named(session: &mut Session, uids: Vec<u32>, gids: Vec<u32>) -> Result<Response, Status> {
    trace(Level::Debug1, || Trace::IdsAsked {
        uids: uids.len() * 4,
        gids: gids.len() * 4,
    });
    let known = &mut session.longnames.names;
    let mut question = known.lacking(&uids, &gids);
    known.answer_few(&mut question);
    let mut answers = known.answered(&uids, &gids);
    if question.is_empty() {
        return names_of(&uids, &gids, &answers);
    }
    Ok(Response::later(move || {
        let asked = question.ask();
        finish(move |session| {
            session.longnames.names.learn(&asked);
            answers.extend(asked);
            names_of(&uids, &gids, &answers)
        })
    }))
}

/// The answer to users-groups-by-id, once all are known.
fn names_of(uids: &[u32], gids: &[u32], known: &Answers) -> Result<Response, Status> {
    let mut names = Reply::default();
    for id in uids {
        let name = known.user(*id);
        trace(Level::Debug3, || Trace::IdNamed {
            what: "uid",
            id: *id,
            name: name.to_vec(),
        });
        push(&mut names.usernames, name);
        within_packet(&names)?;
    }
    for id in gids {
        let name = known.group(*id);
        trace(Level::Debug3, || Trace::IdNamed {
            what: "gid",
            id: *id,
            name: name.to_vec(),
        });
        push(&mut names.groupnames, name);
        within_packet(&names)?;
    }
    log::emit(Level::Verbose, || Event::UsersGroups {
        users: uids.len(),
        groups: gids.len(),
    });
    Ok(Response::reply(&names))
}

/// The answer: two strings, each a row of strings, empty where an id has no name.
#[derive(Default, Serialize)]
struct Reply {
    #[serde(with = "serde_bytes")]
    usernames: Vec<u8>,
    #[serde(with = "serde_bytes")]
    groupnames: Vec<u8>,
}

impl Reply {
    /// Bytes on the wire, so far.
    fn len(&self) -> usize {
        8 + self.usernames.len() + self.groupnames.len()
    }
}

/// Adds the name of the next user or group.
fn push(row: &mut Vec<u8>, name: &[u8]) {
    row.extend_from_slice(&u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
    row.extend_from_slice(name);
}

/// A response never grows past what a client takes.
fn within_packet(names: &Reply) -> Result<(), Status> {
    if names.len() > MAX_DATA {
        return Err(Status::because(StatusCode::Failure, "too many names"));
    }
    Ok(())
}
