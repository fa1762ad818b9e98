//! The answers: how attributes, long names and failures are told, how a response comes into the outbox, and the log lines that requests share.
//!
//! It knows no request.

pub(super) mod attrs;
pub(super) mod lines;
pub(super) mod longname;
pub(super) mod response;
pub(super) mod status;
