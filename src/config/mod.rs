//! The configuration file, and whose value wins: a flag, then the `[[match]]` tables that apply, from the top, then the top level.
//!
//! A key is a flag's long name, and its value becomes the words that one would type; the one parser of flags reads them.
//! So no key can mean anything else than its flag, and a flag that is added is a key at once.

mod check;
mod defaults;
mod disk;
mod error;
mod explain;
mod file;
mod guarded;
mod host;
mod keys;
mod matching;
mod question;
mod report;
mod syntax;
mod told;

use std::ffi::OsString;

use crate::cli::{self, Line, Request};
use crate::identity::Login;

pub use error::Error;
pub use file::Invalid;
pub use guarded::view;
pub use host::crippled;
pub use matching::Who;
pub use told::DEFAULT;
use told::{Told, exists};

/// What the command line and the configuration file ask for together.
///
/// # Errors
/// What cannot be, in words.
pub fn read(mut arguments: Vec<OsString>, login: &Login) -> Result<Request, Error> {
    // The first word alone: what a client asks for comes behind -c, or in the environment.
    let question = arguments.get(1).and_then(|word| match word.to_str() {
        Some("check") => Some(check::check as fn(_) -> _),
        Some("explain") => Some(explain::explain as fn(_) -> _),
        _ => None,
    });
    if let Some(answer) = question {
        arguments.remove(1);
        return answer(arguments);
    }
    if arguments.len() < 2 && !exists()? {
        return Ok(cli::bare(arguments.first(), login)?);
    }
    let mut line = Line::new(arguments);
    if let Some(end) = line.ends(login) {
        return Ok(end?);
    }
    let mut told = Told::new(line, login)?;
    told.apply(&Who::of_session(login))?;
    told.request(login)
}
