//! The overlap: which requests run beside which, on which thread, and what was learned of how long they take.
//!
//! It knows what a request touches and how long it took; neither its fields nor its answer.

pub(super) mod cost;
pub(super) mod earlier;
pub(super) mod later;
pub(super) mod lessons;
pub mod pipeline;
pub(super) mod pool;
