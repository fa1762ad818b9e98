//! Whether the first look at a home has to be taken before the locks, after which nothing outside of the view can be listed.
//!
//! A protected link may lead out of the root, to a directory in which other links lead back. Most homes have no such link, and to find that
//! out takes a few system calls a directory: entries are told from links by what a listing says of them, without a look at each.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::Mode;
use rustix::fs::{FileType, RawDir};

use super::fold::fold;
use super::known::is_begun;
use super::names::HOME;

/// Whether a symbolic link stands by a protected name in `home`, on the way to one, or beneath a protected directory; or may do so.
pub(super) fn may_hold_links(home: &Path) -> bool {
    let Ok(home) = openat(AT_FDCWD, home, DIR, Mode::empty()) else {
        return true;
    };
    let mut left = MOST_ENTRIES;
    let mut dirs = match list(&home, b"", Within::Way, &mut left) {
        Some(dirs) => dirs,
        None => return true,
    };
    while let Some((path, within)) = dirs.pop() {
        let flags = DIR | OFlag::O_NOFOLLOW;
        let found = match openat(&home, path.as_slice(), flags, Mode::empty()) {
            Ok(dir) => list(&dir, &path, within, &mut left),
            Err(Errno::ENOENT) => continue,
            Err(_) => None,
        };
        match found {
            Some(found) => dirs.extend(found),
            None => return true,
        }
    }
    false
}

/// Where a directory stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// On the way to protected names.
    Way,
    /// Everything in it is protected.
    Protected,
}

/// The directories to be listed that are in the one at `path` in the home; none where it holds a link that counts, or cannot be listed whole.
fn list(
    dir: &OwnedFd,
    path: &[u8],
    within: Within,
    left: &mut usize,
) -> Option<Vec<(Vec<u8>, Within)>> {
    let mut found = Vec::new();
    let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
    let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry.ok()?;
        *left = left.checked_sub(1)?;
        let name = entry.file_name().to_bytes();
        let is_directory = match entry.file_type() {
            FileType::Directory => true,
            FileType::Symlink | FileType::Unknown => false,
            _ => continue,
        };
        if matches!(name, b"." | b"..") {
            continue;
        }
        let child = match path {
            b"" => name.to_vec(),
            path => [path, b"/", name].concat(),
        };
        let within = match within {
            Within::Protected => Some(within),
            Within::Way => stands(&child),
        };
        match within {
            Some(within) if is_directory => found.push((child, within)),
            Some(_) => return None,
            None => {}
        }
    }
    Some(found)
}

/// What stands at `path` in a home, however that is spelled: some file systems make no difference.
fn stands(path: &[u8]) -> Option<Within> {
    let parts: Vec<_> = path.split(|byte| *byte == b'/').map(fold).collect();
    let path = parts.join(&b'/');
    if is_begun(&path, true) {
        return Some(Within::Protected);
    }
    let mut found = None;
    for name in HOME.iter().map(|name| name.as_bytes()) {
        match name.split_at_checked(path.len()) {
            Some((begin, rest)) if begin.eq_ignore_ascii_case(&path) => match rest {
                b"" => return Some(Within::Protected),
                [b'/', ..] => found = Some(Within::Way),
                _ => {}
            },
            _ => {}
        }
    }
    found
}

/// As opendir(3) has it.
const DIR: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_CLOEXEC);
/// With more entries than this the look itself takes no longer than to find out whether it is needed.
const MOST_ENTRIES: usize = 1024;
/// Room for the entries of most directories, in bytes.
const BUFFER: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::{Within, stands};

    #[test]
    fn a_name_of_any_spelling_is_protected_or_leads_there() {
        for (path, expected) in [
            (".ssh", Some(Within::Protected)),
            (".SSH", Some(Within::Protected)),
            ("gnustep/LIBRARY/WindowMaker", Some(Within::Protected)),
            (".Emacs.el", Some(Within::Protected)),
            (".Config", Some(Within::Way)),
            (".local/share", Some(Within::Way)),
            (".conf", None),
            (".sshx", None),
            ("plain", None),
        ] {
            assert!(stands(path.as_bytes()) == expected, "{path}");
        }
    }
}
