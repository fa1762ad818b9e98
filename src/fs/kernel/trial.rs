//! What a file system can do, found by doing it in a directory, under names that are gone again: for `check`.

use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, openat, renameat2};
use nix::sys::stat::{Mode, fchmod, fstatat, umask};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};
use rustix::fs::{AtFlags as StatxAt, StatxFlags, statx};

use super::linked::lacks_links;
use super::stat::fstat;
use super::unlisted::fresh;
use crate::fs::Result;

/// What it can do.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// To rename a file to a free name, and to that alone (`RENAME_NOREPLACE`).
    pub rename: Result<()>,
    /// To give a file a second name.
    pub link: Result<()>,
    /// To make a file without a name (`O_TMPFILE`).
    pub unnamed: Result<()>,
    /// To set the mode of a file; whether it has that then.
    pub chmod: Result<bool>,
    /// Whether it tells when a file was made.
    pub birth: bool,
    /// Whether a file keeps its inode number where it is linked and renamed.
    pub number: bool,
    /// Whether names that differ by case are one.
    pub folds: bool,
}

impl Trial {
    /// Tries it in a directory of the host, as the user who runs this.
    ///
    /// # Errors
    /// Why no file can be made there: as openat(2).
    pub fn of(dir: &Path) -> Result<Self> {
        let open = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = openat(AT_FDCWD, dir, open, Mode::empty())?;
        let first = fresh(PREFIX);
        let names = [&b""[..], b".renamed", b".linked"].map(|end| [&first, end].concat());
        let made = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let file = openat(
            &dir,
            names[0].as_slice(),
            made,
            Mode::S_IRUSR | Mode::S_IWUSR,
        )?;
        let number = |name: &[u8]| {
            let found = fstatat(&dir, name, AtFlags::AT_SYMLINK_NOFOLLOW);
            found.map(|stat| stat.st_ino)
        };
        let before = number(&names[0]);
        let folds = number(&names[0].to_ascii_uppercase()).is_ok();
        let flags = RenameFlags::RENAME_NOREPLACE;
        let rename = renameat2(&dir, names[0].as_slice(), &dir, names[1].as_slice(), flags);
        let stands = &names[usize::from(rename.is_ok())];
        let link = linkat(
            &dir,
            stands.as_slice(),
            &dir,
            names[2].as_slice(),
            AtFlags::empty(),
        );
        let after = match (link, rename) {
            (Ok(()), _) => number(&names[2]),
            (Err(_), Ok(())) => number(&names[1]),
            (Err(_), Err(_)) => before,
        };
        let unnamed = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        let unnamed = openat(&dir, ".", unnamed, Mode::S_IRUSR | Mode::S_IWUSR).map(drop);
        let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP;
        let chmod = fchmod(&file, mode).and_then(|()| fstat(&file));
        let birth = statx(&file, "", StatxAt::EMPTY_PATH, StatxFlags::BTIME)
            .is_ok_and(|found| found.stx_mask & StatxFlags::BTIME.bits() != 0);
        for name in &names {
            // At most one of the first two stands there; the other is no error.
            let _ = unlinkat(&dir, name.as_slice(), UnlinkatFlags::NoRemoveDir);
        }
        Ok(Self {
            rename,
            link,
            unnamed,
            chmod: chmod.map(|stat| stat.st_mode & 0o7777 == mode.bits()),
            birth,
            number: before == after,
            folds,
        })
    }

    /// How a file gets a name that is free there.
    #[must_use]
    pub fn way(&self) -> Way {
        match (self.rename, self.link) {
            (Ok(()), _) => Way::Renamed,
            (Err(Errno::EINVAL | Errno::ENOSYS), Ok(())) => Way::Linked,
            (Err(Errno::EINVAL | Errno::ENOSYS), Err(errno)) if lacks_links(errno) => {
                Way::LookedFor
            }
            (Err(Errno::EINVAL | Errno::ENOSYS), Err(errno)) | (Err(errno), _) => {
                Way::Refused(errno)
            }
        }
    }
}

/// How a file gets a name that is free, where it is not to replace anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By rename(2), which refuses to replace.
    Renamed,
    /// By link(2), which never replaces; a directory by a look and rename(2), which replaces no more than an empty directory.
    Linked,
    /// By a look and rename(2), and nothing keeps other processes out in between.
    LookedFor,
    /// In no way.
    Refused(Errno),
}

/// The umask that the process was started with.
#[must_use]
pub fn inherited_umask() -> u32 {
    let mask = umask(Mode::empty());
    umask(mask);
    mask.bits()
}

/// With 16 hexadecimal digits behind it; it has letters, for the other case.
const PREFIX: &[u8] = b".sftp-server-check.";

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::{Trial, Way};

    #[test]
    fn a_link_is_enough_to_replace_nothing() {
        let way = |rename, link| {
            let trial = Trial {
                rename,
                link,
                unnamed: Ok(()),
                chmod: Ok(true),
                birth: true,
                number: true,
                folds: false,
            };
            trial.way()
        };
        assert_eq!(way(Ok(()), Err(Errno::EPERM)), Way::Renamed);
        for lacking in [Errno::EINVAL, Errno::ENOSYS] {
            assert_eq!(way(Err(lacking), Ok(())), Way::Linked);
            for errno in [Errno::EPERM, Errno::EIO, Errno::ERANGE] {
                assert_eq!(way(Err(lacking), Err(errno)), Way::LookedFor);
            }
            let refused = Way::Refused(Errno::ENOTTY);
            assert_eq!(way(Err(lacking), Err(Errno::ENOTTY)), refused);
        }
        assert_eq!(way(Err(Errno::EPERM), Ok(())), Way::Refused(Errno::EPERM));
    }
}
