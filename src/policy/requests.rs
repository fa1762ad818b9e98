//! What may run by its name: read-only mode, the denylist and the allowlist, in this order; and where the rules are kept.

use std::sync::Arc;

use super::read_only;
use super::{Rates, Rules, Timeouts};
use crate::log::{self, Event, Level};

/// What a request is called on the command line, and whether it changes anything.
///
/// Source: sftp-server.c `handlers[]`, `does_write`.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// As `-Q requests` prints it.
    pub name: &'static str,
    /// Whether read-only mode refuses it. OPEN is judged by its flags instead.
    pub writes: bool,
    /// What else has to be allowed for it: what it is made of, where OpenSSH's server does not know it. So a list that was written for OpenSSH's
    /// server, and leaves no way to have content copied, leaves none here.
    pub needs: &'static [&'static str],
}

impl Operation {
    /// One that changes nothing.
    #[must_use]
    pub const fn looks(name: &'static str) -> Self {
        Self {
            name,
            writes: false,
            needs: &[],
        }
    }

    /// One that changes something.
    #[must_use]
    pub const fn writes(name: &'static str) -> Self {
        Self {
            writes: true,
            ..Self::looks(name)
        }
    }

    /// The same, which is made of others.
    #[must_use]
    pub const fn made_of(self, needs: &'static [&'static str]) -> Self {
        Self { needs, ..self }
    }

    /// The names that have to be allowed.
    fn names(self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.needs.iter().copied())
    }
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
    /// How much content may move in a second.
    pub rates: Rates,
    /// How long a session may do nothing, and how long it may last.
    pub timeouts: Timeouts,
    /// `--max-handles`: how much may be open at once.
    pub max_handles: Option<usize>,
    /// `--keep-setuid`.
    pub keep_setuid: bool,
}

impl Policy {
    /// Whether `operation` may run; the log is told.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn permit(&self, operation: Operation) -> Result<(), Refused> {
        let request = operation.name;
        read_only::permit(self.read_only && operation.writes, request)?;
        match self.lists_say(operation) {
            None => Ok(()),
            Some(Ok(())) => {
                log::emit(Level::Debug2, || Event::Allowed { request });
                Ok(())
            }
            Some(Err(refused)) => {
                log::emit(Level::Verbose, || match refused {
                    DENIED => Event::RefusedDenied { request },
                    _ => Event::RefusedNotAllowed { request },
                });
                Err(refused)
            }
        }
    }

    /// The same, and the log is not told.
    #[must_use]
    pub fn permits(&self, operation: Operation) -> bool {
        let changes = self.read_only && operation.writes;
        !changes && !matches!(self.lists_say(operation), Some(Err(_)))
    }

    /// What the lists say of a request; nothing where none names it and none has to.
    fn lists_say(&self, operation: Operation) -> Option<Result<(), Refused>> {
        let denies = |list| operation.names().any(|name| lists(list, name));
        if self.denylist.as_deref().is_some_and(denies) {
            return Some(Err(DENIED));
        }
        let allows = |list| operation.names().all(|name| lists(list, name));
        let allowed = allows(self.allowlist.as_deref()?);
        Some(allowed.then_some(()).ok_or(NOT_ALLOWED))
    }

    /// Whether a file may be opened in a way that can change it or create it.
    ///
    /// # Errors
    /// [`Refused`] in read-only mode.
    pub fn permit_open(&self, changes: bool) -> Result<(), Refused> {
        read_only::permit(self.read_only && changes, "open")
    }
}

fn lists(list: &str, name: &str) -> bool {
    list.split(',').any(|listed| listed == name)
}

const DENIED: Refused = Refused("--deny-requests");
const NOT_ALLOWED: Refused = Refused("--allow-requests");
