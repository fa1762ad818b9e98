//! The tree that the client sees, and what is done in it: plain functions over descriptors, errno unchanged.
//!
//! Knows nothing of packets, sessions or policies. [`View`] is the only door: it turns a client's path into a directory
//! descriptor and a name, and everything acts on these.

mod dir;
mod direct;
mod file;
mod ops;
mod pipe;
mod place;
mod protect;
mod rename;
mod resolve;
mod setup;
mod verdict;
mod view;

pub use dir::{Dir, Listed};
pub use file::{CopyEnd, CopyError, File};
pub use ops::{FileStat, Follow, OpenHow};
pub use pipe::{Pipe, WIDE, unread, widen};
pub use place::Id as FileId;
pub use setup::{Bind, SetUp};
pub use view::View;

use nix::errno::Errno;

/// What the kernel said.
pub type Result<T> = nix::Result<T>;

/// Why something was not done in the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The kernel, or the view in its place.
    #[error(transparent)]
    Kernel(#[from] Errno),
    /// It would have turned a locked key into a shell.
    #[error("protected (--no-protect)")]
    Protected,
    /// A symbolic link stands where none stood when the path was resolved; the view resolves again.
    #[error("a symbolic link appeared")]
    Link,
}

/// What came of something done in the view.
pub type Answer<T> = std::result::Result<T, Error>;

/// Repeats a call that a signal interrupted.
pub(crate) fn again<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
