//! The tree that the client sees, and what is done in it: plain functions over descriptors, errno unchanged.
//!
//! Knows nothing of packets, sessions or policies. [`View`] is the only door: it turns a client's path into a directory
//! descriptor and a name, and everything acts on these.

mod dir;
mod file;
mod ops;
mod resolve;
mod view;

pub use dir::{Dir, Listed};
pub use file::{CopyEnd, CopyError, File};
pub use ops::{FileStat, Follow, OpenHow};
pub use view::View;

/// What the kernel said.
pub type Result<T> = nix::Result<T>;

/// Repeats a call that a signal interrupted.
pub(crate) fn again<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(nix::errno::Errno::EINTR) => {}
            result => return result,
        }
    }
}
