//! What the process gives up before the first packet.

use nix::sys::prctl::set_dumpable;

/// Hides `/proc/self/mem` and its like from other processes of the user, so that SFTP access does not become code execution.
///
/// # Errors
/// As prctl(2) with `PR_SET_DUMPABLE`.
pub fn enter() -> nix::Result<()> {
    set_dumpable(false)
}
