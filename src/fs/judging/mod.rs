//! What is about to be done, who is asked about it, and what may be done by nobody: deeds and verdicts, what is held between the two, and what is
//! protected.
//!
//! It knows of a place what the kernel does; not how a path came there.

pub(super) mod held;
pub(super) mod judge;
pub(super) mod own;
pub(super) mod procfs;
pub(super) mod protect;
pub(super) mod rights;
