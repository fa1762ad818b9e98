//! Why something was not done, and the calls that a signal may interrupt.

use std::fmt;
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

/// Why something is forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The flag that forbids it, as it is written.
    Forbidden(&'static str),
    /// The flag that sets a limit, and what the kernel says where its own is reached.
    Limit(Errno, &'static str),
    /// An atomic upload that lacks something.
    Discarded,
    /// What would be appended belongs behind something that could not be.
    Lost,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden(flag) => f.write_str(flag),
            Self::Limit(errno, flag) => write!(f, "{} ({flag})", errno.desc()),
            Self::Discarded => {
                f.write_str("a write failed, the upload was discarded (--atomic-upload)")
            }
            Self::Lost => {
                f.write_str("a write before this one failed, and it would take its place")
            }
        }
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
