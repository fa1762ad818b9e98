//! How a request failed: the one table where an errno becomes `SSH_FX_*`, and the words that go with it.

use std::borrow::Cow;

use nix::errno::Errno;

use crate::fs::{self, Refusal};
use crate::log::openssh::status_text;
use crate::policy::Refused;
use crate::protocol::{Malformed, StatusCode};

/// The failure of one request; the session goes on.
#[derive(Debug)]
pub struct Status {
    /// `SSH_FX_*`.
    pub code: StatusCode,
    /// For people. It begins with OpenSSH's words, since clients match them.
    pub message: Cow<'static, str>,
}

impl Status {
    /// A code with OpenSSH's words for it and nothing more.
    #[must_use]
    pub fn new(code: StatusCode) -> Self {
        Self {
            code,
            message: status_text(code as u32).into(),
        }
    }

    /// OpenSSH's words and behind them the cause.
    #[must_use]
    pub fn because(code: StatusCode, cause: &str) -> Self {
        Self {
            code,
            message: format!("{}: {cause}", status_text(code as u32)).into(),
        }
    }

    /// A handle that is forged, stale or of the wrong kind.
    #[must_use]
    pub fn bad_handle() -> Self {
        Self::because(StatusCode::Failure, "no such handle")
    }

    /// A read(2) that failed. Of a handle that is not open for it "No such file" would be said of a file that is there.
    #[must_use]
    pub fn of_read(errno: Errno) -> Self {
        match errno {
            Errno::EBADF => Self::because(StatusCode::Failure, "not open for reading"),
            errno => errno.into(),
        }
    }

    /// The same of a write(2).
    #[must_use]
    pub fn of_write(errno: Errno) -> Self {
        match errno {
            Errno::EBADF => Self::because(StatusCode::Failure, "not open for writing"),
            errno => errno.into(),
        }
    }
}

impl From<Errno> for Status {
    fn from(errno: Errno) -> Self {
        let code = match errno {
            Errno::ENOENT | Errno::ENOTDIR | Errno::EBADF | Errno::ELOOP => StatusCode::NoSuchFile,
            Errno::EPERM | Errno::EACCES | Errno::EFAULT => StatusCode::PermissionDenied,
            Errno::ENAMETOOLONG | Errno::EINVAL => StatusCode::BadMessage,
            Errno::ENOSYS => StatusCode::OpUnsupported,
            _ => StatusCode::Failure,
        };
        match errno {
            // The words for the code say it all.
            Errno::ENOENT | Errno::EACCES | Errno::ENOSYS => Self::new(code),
            _ => Self::because(code, &cause(errno)),
        }
    }
}

impl From<fs::Error> for Status {
    fn from(error: fs::Error) -> Self {
        match error {
            fs::Error::Kernel(errno) => errno.into(),
            fs::Error::Refused(Refusal::Limit(..) | Refusal::Discarded | Refusal::Lost) => {
                Self::because(StatusCode::Failure, &error.to_string())
            }
            fs::Error::Protected | fs::Error::Refused(_) | fs::Error::Link | fs::Error::Long => {
                Self::because(StatusCode::PermissionDenied, &error.to_string())
            }
        }
    }
}

impl From<Malformed> for Status {
    fn from(_: Malformed) -> Self {
        Self::new(StatusCode::BadMessage)
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Self {
        Self::because(StatusCode::PermissionDenied, refused.0)
    }
}

/// What strerror(3) says of an errno.
#[must_use]
pub fn cause(errno: Errno) -> String {
    let mut text = std::io::Error::from(errno).to_string();
    // The standard library adds the number behind it.
    if let Some(at) = text.rfind(" (os error ") {
        text.truncate(at);
    }
    text
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{Status, cause};
    use crate::protocol::StatusCode;

    #[test]
    fn the_cause_follows_where_the_code_says_too_little() {
        assert_eq!(Status::from(Errno::ENOENT).message, "No such file");
        assert_eq!(
            Status::from(Errno::ENOTDIR).message,
            "No such file: Not a directory"
        );
        assert_eq!(
            Status::from(Errno::ENOSPC).message,
            "Failure: No space left on device"
        );
        assert_eq!(
            Status::from(Errno::EINVAL).code as u32,
            StatusCode::BadMessage as u32
        );
        assert_eq!(cause(Errno::EDQUOT), "Disk quota exceeded");
    }
}
