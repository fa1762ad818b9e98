//! The entries of a directory as the kernel has them: no view changes them, and nobody is asked.

use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;
use rustix::fs::RawDir;

use super::stat::FileStat;
use crate::fs::Result;

/// Gives one entry after the other to `take`, with its attributes (of a link, the link's), until that says that it is enough. `.` and `..` are
/// left out, and so is what has gone meanwhile.
///
/// # Errors
/// As getdents64(2).
pub(in crate::fs) fn each(
    dir: impl AsFd,
    mut take: impl FnMut(&[u8], &FileStat) -> bool,
) -> Result<()> {
    let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
    let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            // A directory that was removed meanwhile has no more entries.
            Err(rustix::io::Errno::NOENT) => break,
            entry => entry.map_err(|errno| Errno::from_raw(errno.raw_os_error()))?,
        };
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let Ok(stat) = fstatat(dir.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) else {
            continue;
        };
        if !take(name, &stat) {
            break;
        }
    }
    Ok(())
}

/// As glibc's readdir(3) has it.
const BUFFER: usize = 32 * 1024;
