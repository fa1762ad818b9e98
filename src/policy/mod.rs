//! What may run and what may happen: requests by their names, and rules that judge by effect.
//!
//! A rule is a file. It knows deeds ([`crate::fs::Deed`]), nothing of requests or sessions; the verdict on all of them is
//! [`Rules::judge`], in the order of the manual's table.

pub mod append_only;
pub mod atomic_upload;
pub mod deny;
pub mod drop_box;
pub mod glob;
pub mod hide;
pub mod ignore_setstat;
pub mod keep_setuid;
pub mod max_file_size;
pub mod modes;
pub mod no_delete;
pub mod no_overwrite;
pub mod own;
pub mod reserve_free;
pub mod rules;
pub mod units;

pub use rules::Rules;

use std::sync::Arc;

use crate::log::{self, Event, Level};

/// The flags of all rules.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
#[allow(missing_docs, reason = "each says it")]
pub struct Args {
    #[command(flatten)]
    pub no_overwrite: no_overwrite::Args,
    #[command(flatten)]
    pub no_delete: no_delete::Args,
    #[command(flatten)]
    pub append_only: append_only::Args,
    #[command(flatten)]
    pub drop_box: drop_box::Args,
    #[command(flatten)]
    pub hide: hide::Args,
    #[command(flatten)]
    pub deny: deny::Args,
    #[command(flatten)]
    pub modes: modes::Args,
    #[command(flatten)]
    pub ignore_setstat: ignore_setstat::Args,
    #[command(flatten)]
    pub atomic_upload: atomic_upload::Args,
    #[command(flatten)]
    pub max_file_size: max_file_size::Args,
    #[command(flatten)]
    pub reserve_free: reserve_free::Args,
    #[command(flatten)]
    pub keep_setuid: keep_setuid::Args,
}

/// A flag's value makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("Invalid {flag} \"{value}\": {why}")]
pub struct Invalid {
    flag: &'static str,
    value: String,
    why: &'static str,
}

impl Invalid {
    fn new(flag: &'static str, value: &str, why: &'static str) -> Self {
        Self {
            flag,
            value: value.to_owned(),
            why,
        }
    }

    /// What `read` says of a value, if there is one.
    fn of<T>(
        flag: &'static str,
        value: Option<&String>,
        read: impl FnOnce(&str) -> Result<Option<T>, &'static str>,
    ) -> Result<Option<T>, Self> {
        let Some(value) = value else {
            return Ok(None);
        };
        read(value).map_err(|why| Self::new(flag, value, why))
    }
}

/// What a request is called on the command line, and whether it changes anything.
///
/// Source: sftp-server.c `handlers[]`, `does_write`.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// As `-Q requests` prints it.
    pub name: &'static str,
    /// Whether read-only mode refuses it. OPEN is judged by its flags instead.
    pub writes: bool,
}

/// A refusal, by the flag that says so; the log has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub &'static str);

/// What the system manager allows.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `-R`: nothing changes.
    pub read_only: bool,
    /// `-P`: names that are refused.
    pub denylist: Option<String>,
    /// `-p`: names that alone are allowed.
    pub allowlist: Option<String>,
    /// What may happen to what.
    pub rules: Arc<Rules>,
    /// `--keep-setuid`.
    pub keep_setuid: bool,
}

impl Policy {
    /// Whether `operation` may run.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn permit(&self, operation: Operation) -> Result<(), Refused> {
        let request = operation.name;
        if self.read_only && operation.writes {
            log::emit(Level::Verbose, || Event::RefusedReadOnly { request });
            return Err(READ_ONLY);
        }
        if self
            .denylist
            .as_deref()
            .is_some_and(|list| lists(list, request))
        {
            log::emit(Level::Verbose, || Event::RefusedDenied { request });
            return Err(Refused("--deny-requests"));
        }
        match self.allowlist.as_deref() {
            None => Ok(()),
            Some(list) if lists(list, request) => {
                log::emit(Level::Debug2, || Event::Allowed { request });
                Ok(())
            }
            Some(_) => {
                log::emit(Level::Verbose, || Event::RefusedNotAllowed { request });
                Err(Refused("--allow-requests"))
            }
        }
    }

    /// Whether a file may be opened in a way that can change it or create it.
    ///
    /// # Errors
    /// [`Refused`] in read-only mode.
    pub fn permit_open(&self, changes: bool) -> Result<(), Refused> {
        if self.read_only && changes {
            log::emit(Level::Verbose, || Event::RefusedReadOnly {
                request: "open",
            });
            return Err(READ_ONLY);
        }
        Ok(())
    }
}

const READ_ONLY: Refused = Refused("--read-only");

fn lists(list: &str, name: &str) -> bool {
    list.split(',').any(|listed| listed == name)
}
