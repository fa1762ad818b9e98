//! What is done in the view: a method of [`View`](super::View) or of [`File`](file::File) for each request that touches files.
//!
//! Everything acts where the view says that a path leads, when a judge has heard of it.

pub(super) mod aside;
pub(super) mod copy;
pub(super) mod dir;
pub(super) mod exact;
pub(super) mod file;
pub(super) mod names;
pub(super) mod open;
pub(super) mod pipe;
pub(super) mod rename;
