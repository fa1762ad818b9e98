//! The extensions about accounts: where users are at home, and what users and groups are called.
//!
//! Whom only a name service knows that may keep us waiting is asked for by another thread.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::dispatch::Run;
use super::extended::Extension;
use super::work::finish;
use crate::identity::{self, Answers, NoSuchUser, Unasked};
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Operation;
use crate::protocol::{IdLists, MAX_DATA, Payload, StatusCode, UserGroupNames, WirePath};
use crate::session::answers::lines::trace;
use crate::session::answers::status::Status;
use crate::session::{Response, Session};

/// `expand-path@openssh.com`: REALPATH that knows `~` (where the session started) and `~user`.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: PROTOCOL §4.9.
pub(in crate::session) const EXPAND_PATH: Extension = Extension {
    operation: Operation {
        name: "expand-path",
        writes: false,
    },
    wire: "expand-path@openssh.com",
    version: "1",
    run: Run::Here(expand_path),
};

fn expand_path(session: &mut Session, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
    let path: WirePath = payload.decode()?;
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
    session.look_at(expanded, |view, path| {
        view.canonical(path).map(Response::name)
    })
}

/// `home-directory`: the home directory of a user; of the session's own where the name is empty.
///
/// | field    | type   | meaning |
/// |----------|--------|---------|
/// | username | string |         |
///
/// Source: PROTOCOL §4.12; draft-ietf-secsh-filexfer-extensions-00 §5.
pub(in crate::session) const HOME_DIRECTORY: Extension = Extension {
    operation: Operation {
        name: "home-directory",
        writes: false,
    },
    wire: "home-directory",
    version: "1",
    run: Run::Here(home_directory),
};

fn home_directory(
    session: &mut Session,
    id: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let user: WirePath = payload.decode()?;
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

/// `users-groups-by-id@openssh.com`: names of users and groups, empty where there is none.
///
/// | field | type   | meaning       |
/// |-------|--------|---------------|
/// | uids  | string | row of uint32 |
/// | gids  | string | row of uint32 |
///
/// Source: PROTOCOL §4.11.
pub(in crate::session) const USERS_GROUPS_BY_ID: Extension = Extension {
    operation: Operation {
        name: "users-groups-by-id",
        writes: false,
    },
    wire: "users-groups-by-id@openssh.com",
    version: "1",
    run: Run::Here(users_groups_by_id),
};

fn users_groups_by_id(
    session: &mut Session,
    _: u32,
    payload: Payload<'_>,
) -> Result<Response, Status> {
    let IdLists { uids, gids } = IdLists::decode(payload)?;
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
    let mut names = UserGroupNames::default();
    for id in uids {
        let name = known.user(*id);
        trace(Level::Debug3, || Trace::IdNamed {
            what: "uid",
            id: *id,
            name: name.to_vec(),
        });
        names.push_user(name);
        within_packet(&names)?;
    }
    for id in gids {
        let name = known.group(*id);
        trace(Level::Debug3, || Trace::IdNamed {
            what: "gid",
            id: *id,
            name: name.to_vec(),
        });
        names.push_group(name);
        within_packet(&names)?;
    }
    log::emit(Level::Verbose, || Event::UsersGroups {
        users: uids.len(),
        groups: gids.len(),
    });
    Ok(Response::Names(names))
}

/// A response never grows past what a client takes.
fn within_packet(names: &UserGroupNames) -> Result<(), Status> {
    if names.len() > MAX_DATA {
        return Err(Status::because(StatusCode::Failure, "too many names"));
    }
    Ok(())
}
