//! The tree that the client sees, and what is done in it: plain functions over descriptors, errno unchanged.
//!
//! Knows nothing of packets, sessions or policies. [`View`] is the only door: it turns a client's path into a directory
//! descriptor and a name, and everything acts on these.

mod aside;
mod copy;
mod dir;
mod direct;
mod dress;
mod exact;
mod file;
mod file_limit;
mod held;
mod home;
mod judge;
mod kept;
mod linked;
mod linkless;
mod mounts;
mod open;
mod ops;
mod patience;
mod pipe;
mod place;
mod point;
mod procfs;
mod protect;
mod rename;
mod resolve;
mod rights;
mod setup;
mod trial;
mod trusted;
mod unlisted;
mod upload;
mod verdict;
mod view;
mod way;

pub use copy::{CopyEnd, CopyError};
pub use dir::{Dir, Listed, Listing};
pub use file::File;
pub use judge::{Deed, Effect, Identity, Judge, Refusal, Verdict, Writing};
pub use kept::{Kept, Made};
pub use open::OpenHow;
pub use ops::{Figures, FileStat, Follow};
pub use patience::{hurry, patiently};
pub use pipe::{Pipe, WIDE, unread, widen};
pub use place::{Id as FileId, is_regular};
pub use protect::{Guarded, Trace};
pub use rights::rights;
pub use setup::{Bind, SetUp};
pub use trial::{Trial, Way, inherited_umask};
pub use trusted::{Untrusted, read_trusted, stands};
pub use view::{Modes, View};

use std::os::fd::OwnedFd;

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
    /// A judge forbids it.
    #[error("{0}")]
    Refused(Refusal),
    /// Something else stands there than when the path was resolved; the view resolves again.
    #[error("something else appeared")]
    Link,
    /// Nothing was done, since it would take long and this thread has others to listen to: another thread is to do it.
    #[error("it takes long")]
    Long,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// What came of something done in the view.
pub type Answer<T> = std::result::Result<T, Error>;

/// Closes a descriptor.
pub(crate) fn close(fd: OwnedFd) -> Result<()> {
    match nix::unistd::close(fd) {
        // The descriptor is given back by then.
        Err(Errno::EINTR) => Ok(()),
        result => result,
    }
}

/// Repeats a call that a signal interrupted.
pub(crate) fn again<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}
