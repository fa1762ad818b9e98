//! What `check` is asked, and `explain` could be: any flag, and for whom.

use std::ffi::OsString;
use std::net::IpAddr;

use super::Error;
use super::matching::{Who, address_of};
use super::told::Told;
use crate::cli::Line;
use crate::identity::Login;

/// A question about the session that somebody would have.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) line: Line,
    user: Option<OsString>,
    address: Option<OsString>,
    /// Whether the answer is to be JSON.
    pub(super) json: bool,
    /// What was typed beside the flags.
    pub(super) operands: Vec<OsString>,
}

/// The session that is asked about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) told: Told,
    pub(super) login: Login,
    pub(super) address: Option<IpAddr>,
}

/// Why there is no such session.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unasked {
    #[error(transparent)]
    Said(#[from] Error),
    #[error("there is no user \"{}\"", .0.to_string_lossy())]
    NoSuchUser(OsString),
    #[error("cannot look up \"{}\": {}", .0.to_string_lossy(), .1)]
    NoAnswer(OsString, &'static str),
    #[error("only root can look with the eyes of another user")]
    NotRoot,
    #[error("\"{}\" is no address", .0.to_string_lossy())]
    NoAddress(OsString),
    #[error("cannot become the user: {0}")]
    Barred(&'static str),
}

impl Unasked {
    /// What to do about it.
    pub(super) fn remedy(&self) -> &str {
        match self {
            Self::Said(error) => error.remedy(),
            Self::NoSuchUser(_) => "create the user, or correct --user",
            Self::NoAnswer(..) => "see that getent(1) answers",
            Self::NotRoot => "run it with sudo",
            Self::NoAddress(_) => "write it as 192.0.2.7 or 2001:db8::7, without a port",
            Self::Barred(_) => "run it as root, outside of containers",
        }
    }
}

impl Question {
    /// `arguments` without the name of the subcommand.
    pub(super) fn new(arguments: Vec<OsString>) -> Self {
        let line = Line::question(arguments);
        Self {
            user: line.value("user"),
            address: line.value("address"),
            json: line.has("json"),
            operands: line.values("operands"),
            line,
        }
    }

    /// Becomes the user, so that the kernel says who may do what from here on; reads the configuration as that session would,
    /// chooses the tables that apply to it, and enters the directory where sshd would start it.
    ///
    /// # Errors
    /// [`Unasked`].
    pub(super) fn ask(self) -> Result<Asked, Unasked> {
        let named = self.user.is_some();
        let login = match self.user {
            None => Login::of_process(),
            Some(name) => {
                let named = match Login::named(&name) {
                    Ok(named) => named.ok_or(Unasked::NoSuchUser(name))?,
                    Err(errno) => return Err(Unasked::NoAnswer(name, errno.desc())),
                };
                let own = Login::of_process().uid();
                if named.uid() != own && own != 0 {
                    return Err(Unasked::NotRoot);
                }
                named
            }
        };
        let address = match self.address {
            None => None,
            Some(text) => {
                let address = text.to_str().and_then(address_of);
                Some(address.ok_or(Unasked::NoAddress(text))?)
            }
        };
        let barred = |errno: nix::errno::Errno| Unasked::Barred(errno.desc());
        login.become_it().map_err(barred)?;
        let mut told = Told::new(self.line, &login)?;
        told.apply(&Who::new(&login, address))?;
        if named {
            login.go_home();
        }
        Ok(Asked {
            told,
            login,
            address,
        })
    }
}
