//! The answers: how attributes, long names and failures are told, and the log lines that requests share.
//!
//! It knows no request.

pub(super) mod attrs;
pub(super) mod lines;
pub(super) mod longname;
pub(super) mod status;
