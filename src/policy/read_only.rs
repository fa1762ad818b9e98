//! `--read-only`: nothing changes. A request says by its row whether it changes anything, an OPEN by its flags.

use super::Refused;
use crate::log::{self, Event, Level};

/// Refuses what changes something, and tells the log as OpenSSH does.
pub(super) fn permit(changes: bool, request: &'static str) -> Result<(), Refused> {
    if !changes {
        return Ok(());
    }
    log::emit(Level::Verbose, || Event::RefusedReadOnly { request });
    Err(Refused("--read-only"))
}
