//! `explain`: what would become of a request in a fresh session, which rule decides, and which objects it would touch.
//!
//! It goes the way of every request ([`rehearse`]), as the user who is asked about, and locked in so that nothing can change.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use super::Error;
use super::keys;
use super::question::{Asked, Question, Unasked};
use super::report::{array, printable, quoted};
use crate::cli::Request;
use crate::fs::{SetUp, View};
use crate::identity::Login;
use crate::sandbox::{self, Tree};
use crate::session::cause;
use crate::session::rehearse::{Rehearsed, Unclear, rehearse};

/// The answer to `arguments`, without the word `explain`.
///
/// # Errors
/// A flag, a user or a request that does not exist, or makes no sense.
pub(super) fn explain(arguments: Vec<OsString>) -> Result<Request, Error> {
    let mut question = Question::new(arguments);
    if let Some(end) = question.line.ends(&Login::of_process()) {
        return Ok(end?);
    }
    let json = question.json;
    // The locks let nobody ask a terminal.
    let colour = std::io::stdout().is_terminal();
    let operands = question.operands.clone();
    let unclear = |why: String| Error::Question(format!("explain: {why}"));
    let Some((request, paths)) = operands.split_first() else {
        return Err(unclear(
            "which request? for example: explain put /upload/file".to_owned(),
        ));
    };
    let request = request.to_string_lossy().into_owned();
    let asked = question.ask().map_err(|error| {
        unclear(match error {
            Unasked::Said(error) => error.to_string(),
            error => format!("{error}; {}", error.remedy()),
        })
    })?;
    let names: Vec<&[u8]> = paths.iter().map(|path| path.as_bytes()).collect();
    let rehearsed = rehearsed(asked, &request, &names)?.map_err(unclear)?;
    let answer = Answer {
        request,
        paths: paths.iter().map(|path| shown(path)).collect(),
        rehearsed,
    };
    Ok(Request::Report {
        text: match json {
            true => answer.json(),
            false => answer.text(colour),
        },
        status: u8::from(answer.rehearsed.refusal.is_some()),
    })
}

/// What would become of the request; without a session, that there is none.
fn rehearsed(
    asked: Asked,
    request: &str,
    paths: &[&[u8]],
) -> Result<Result<Rehearsed, String>, Error> {
    let Asked {
        mut told, login, ..
    } = asked;
    let settings = match told.request(&login)? {
        Request::Serve(settings) => settings,
        // What prints was answered before.
        _ => return Ok(Err("this line starts no session".to_owned())),
    };
    let mut view = match &settings.jail {
        None => View::host(),
        Some(jail) => match super::view(jail, &login) {
            Ok(view) => view,
            Err(error) => return Ok(Ok(no_session(&error))),
        },
    };
    if let Some(path) = &settings.start_directory {
        if view.start_at(path).is_err() && view.trees().is_some() {
            // As a session does.
            let _ = view.start_at("/".as_ref());
        }
    }
    let trees = view.trees().map(|trees| {
        let trees = trees.into_iter();
        let closed = trees.map(|(top, _)| Tree {
            top,
            writable: false,
        });
        closed.collect::<Vec<_>>()
    });
    // Whatever holds is more than is needed.
    let held = sandbox::enter(sandbox::Mode::Auto, trees.as_deref());
    drop(trees);
    let closed = held.is_ok_and(|held| held.keeps_out_of_memory());
    if settings.sandbox == sandbox::Mode::Off || !closed {
        // As a session without these locks.
        view.guard_processes();
    }
    let query = [OsString::from("--query=requests")];
    let printed = told.line.judge(&query, None, &login);
    let rehearsed = rehearse(view, settings.policy, Rc::new(login), request, paths);
    Ok(match rehearsed {
        Ok(Err(unclear @ Unclear::Request(_))) => {
            let printed = match &printed {
                Ok(Request::Print(names)) => names.as_str(),
                _ => "",
            };
            let known = printed.lines().chain(["get", "put", "append"]);
            Err(match keys::nearest(request, known) {
                Some(nearest) => format!("{unclear}; is {nearest} meant?"),
                None => unclear.to_string(),
            })
        }
        Ok(rehearsed) => rehearsed.map_err(|unclear| unclear.to_string()),
        Err(errno) => Err(format!("cannot open /: {}", cause(errno))),
    })
}

fn no_session(error: &SetUp) -> Rehearsed {
    Rehearsed {
        refusal: Some((FAILURE, format!("no session: {error}"))),
        silent: None,
        objects: Vec::new(),
    }
}

struct Answer {
    request: String,
    paths: Vec<String>,
    rehearsed: Rehearsed,
}

impl Answer {
    fn text(&self, colour: bool) -> String {
        let (word, shade) = match self.rehearsed.refusal {
            None => ("allow", "\x1b[32m"),
            Some(_) => ("deny", "\x1b[31m"),
        };
        let (on, off) = if colour { (shade, "\x1b[0m") } else { ("", "") };
        let mut text = format!("{on}{word:5}{off}  {}", self.request);
        for path in &self.paths {
            let _ = write!(text, " {}", printable(path));
        }
        text.push('\n');
        let mut line = |words: &str| {
            let _ = writeln!(text, "       {words}");
        };
        if let Some((_, message)) = &self.rehearsed.refusal {
            line(message);
        }
        if let Some(flag) = self.rehearsed.silent {
            line(&format!(
                "{flag} decides, and the client is told of no rule"
            ));
        }
        for object in &self.rehearsed.objects {
            let path = printable(&shown(OsStr::from_bytes(&object.path)));
            let left = match object.left {
                Some(flag) => format!(": answered with success and not done ({flag})"),
                None => String::new(),
            };
            line(&format!("{path}, {}, {}{left}", object.kind, object.effect));
        }
        text
    }

    fn json(&self) -> String {
        let Rehearsed {
            refusal,
            silent,
            objects,
        } = &self.rehearsed;
        let verdict = if refusal.is_some() { "deny" } else { "allow" };
        let paths = array(self.paths.iter().map(|path| quoted(path)));
        let objects = array(objects.iter().map(|object| {
            let path = quoted(&shown(OsStr::from_bytes(&object.path)));
            let (kind, effect) = (quoted(object.kind), quoted(object.effect));
            let left = or_null(object.left);
            format!("{{\"path\":{path},\"is\":{kind},\"effect\":{effect},\"left\":{left}}}")
        }));
        let left = || {
            self.rehearsed
                .objects
                .iter()
                .any(|object| object.left.is_some())
        };
        let (status, message, rule) = match refusal {
            None => ("0".to_owned(), "null".to_owned(), "null".to_owned()),
            Some((status, message)) => {
                let rule = rule(message).or(*silent);
                (status.to_string(), quoted(message), or_null(rule))
            }
        };
        format!(
            "{{\"verdict\":\"{verdict}\",\"request\":{},\"paths\":{paths},\"status\":{status},\"message\":{message},\
             \"rule\":{rule},\"done\":{},\"objects\":{objects}}}\n",
            quoted(&self.request),
            refusal.is_none() && !left()
        )
    }
}

fn shown(path: &OsStr) -> String {
    path.to_string_lossy().into_owned()
}

fn or_null(text: Option<&str>) -> String {
    text.map_or("null".to_owned(), quoted)
}

/// The flag that a refusal names.
fn rule(message: &str) -> Option<&str> {
    let mut words = message.split([' ', '(', ')']);
    words.find(|word| word.starts_with("--"))
}

/// `SSH_FX_FAILURE`
const FAILURE: u32 = 4;
