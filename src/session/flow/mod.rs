//! The flow: how bytes come and go, and when a session ends.
//!
//! It knows packets by their frame, and that a request is carried out or waits. What a request means is none of its business.

pub(super) mod channel;
pub(super) mod conduit;
pub mod ending;
pub mod greeting;
pub(super) mod idle;
pub(super) mod inbox;
pub(super) mod pace;
pub(super) mod rate;
pub mod serve;
pub mod signals;
pub(super) mod socket;
