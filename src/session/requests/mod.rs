//! The requests: what each means, and what is done.

pub(super) mod accounts;
pub(super) mod copy;
pub(super) mod copy_file;
pub mod dispatch;
pub mod extended;
pub(super) mod transfer;
pub(super) mod work;
