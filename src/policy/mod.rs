//! What may run: read-only mode, the denylist and the allowlist, in this order.
//!
//! Knows the names of operations, nothing of files or sessions.

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
}

/// A refusal; the log has been told.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
pub struct Refused;

/// What the system manager allows.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `-R`: nothing changes.
    pub read_only: bool,
    /// `-P`: names that are refused.
    pub denylist: Option<String>,
    /// `-p`: names that alone are allowed.
    pub allowlist: Option<String>,
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
            return Err(Refused);
        }
        if self
            .denylist
            .as_deref()
            .is_some_and(|list| lists(list, request))
        {
            log::emit(Level::Verbose, || Event::RefusedDenied { request });
            return Err(Refused);
        }
        match self.allowlist.as_deref() {
            None => Ok(()),
            Some(list) if lists(list, request) => {
                log::emit(Level::Debug2, || Event::Allowed { request });
                Ok(())
            }
            Some(_) => {
                log::emit(Level::Verbose, || Event::RefusedNotAllowed { request });
                Err(Refused)
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
            return Err(Refused);
        }
        Ok(())
    }
}

fn lists(list: &str, name: &str) -> bool {
    list.split(',').any(|listed| listed == name)
}
