//! File systems that take different spellings for one name: whether a directory is on such a one, and how it compares.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, fstatat, lstat};
use nix::sys::statfs::statfs;

use crate::fs::kernel::place::Id;
use crate::fs::kernel::{entries, mounts};

/// What a directory's file system does, as far as it matters to names and to those who ask it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ground {
    /// Names that differ by case are one there, or may be.
    pub(super) folds: bool,
    /// Another process or another host serves it.
    pub(super) remote: bool,
    /// FUSE does.
    pub(super) fuse: bool,
}

impl Ground {
    /// Of the directory at `path`.
    ///
    /// What FUSE serves is taken to fold unless it is seen not to: drivers do not tell what they do.
    pub(super) fn of(path: &Path) -> Self {
        let Ok(found) = statfs(path) else {
            return Self::default();
        };
        let magic = found.filesystem_type().0 as u64 & 0xffff_ffff;
        let folds = match magic {
            FUSE => is_found_in_another_case(path),
            magic => FOLDING.contains(&magic) || !PLAIN.contains(&magic) && tries(path, magic),
        };
        Self {
            folds,
            remote: mounts::is_remote_type(magic as u32),
            fuse: magic == FUSE,
        }
    }
}

impl Ground {
    /// Whether another process or host serves the directory at `path`.
    pub(super) fn is_far(path: &Path) -> bool {
        let kind = statfs(path).map(|found| found.filesystem_type().0 as u32);
        kind.is_ok_and(mounts::is_remote_type)
    }
}

/// Whether a directory is found by its own name in the other case, or no name of its own tells. A directory on a way keeps its name, while a
/// client can take away what is in it at the very moment of a look.
fn is_found_in_another_case(path: &Path) -> bool {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return true;
    };
    let other = in_another_case(name.as_bytes());
    let one_device = || Some(lstat(above).ok()?.st_dev == lstat(path).ok()?.st_dev);
    if other == name.as_bytes() || one_device() != Some(true) {
        return true;
    }
    lstat(&above.join(OsStr::from_bytes(&other))) != Err(Errno::ENOENT)
}

fn tries(path: &Path, magic: u64) -> bool {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let dir = openat(AT_FDCWD, path, flags, Mode::empty());
    let flagged = |dir: &OwnedFd| {
        rustix::fs::ioctl_getflags(dir).is_ok_and(|flags| flags.bits() & CASEFOLD != 0)
    };
    match dir {
        Ok(dir) if flagged(&dir) => true,
        _ if FLAGGED.contains(&magic) => false,
        // What is in it may be nothing, or have no letters.
        dir => dir
            .ok()
            .and_then(answers_to_another_case)
            .unwrap_or_else(|| is_found_in_another_case(path)),
    }
}

fn in_another_case(name: &[u8]) -> Vec<u8> {
    let swapped = |letter: &u8| match letter {
        b'a'..=b'z' => letter.to_ascii_uppercase(),
        _ => letter.to_ascii_lowercase(),
    };
    name.iter().map(swapped).collect()
}

/// Whether names in a directory are found in the other case of their letters; none where no name tells.
fn answers_to_another_case(dir: OwnedFd) -> Option<bool> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let here = openat(&dir, ".", flags, Mode::empty()).ok()?;
    let mut folds = None;
    let mut tried = 0;
    let listed = entries::each(dir, |name, stat| {
        tried += 1;
        let other = in_another_case(name);
        if other == name {
            return tried < MOST_TRIED;
        }
        let stands = |name: &[u8]| fstatat(&here, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        match stands(&other) {
            // What was taken away meanwhile tells nothing.
            Err(Errno::ENOENT) if stands(name).is_ok() => {
                folds = Some(false);
                return false;
            }
            Ok(found) if is_same(&found, stat) => {
                folds = Some(true);
                return false;
            }
            // Another file may have the other spelling, and some drivers give one file a number for each spelling.
            _ => {}
        }
        tried < MOST_TRIED
    });
    folds.filter(|_| listed.is_ok())
}

fn is_same(one: &FileStat, two: &FileStat) -> bool {
    Id::of(one) == Id::of(two)
}

/// A name as a case-folding file system may compare it: letters in the case that both of theirs have in common, so that `\u{df}` is `ss`, what
/// is ignored left out, and the ends that FAT and NTFS drop dropped.
pub(super) fn fold(name: &[u8]) -> Vec<u8> {
    // What is not UTF-8 has no other case that is known here.
    let Ok(text) = std::str::from_utf8(name) else {
        return name.to_ascii_lowercase();
    };
    let letters = text.chars().filter(|letter| !is_ignored(*letter));
    let folded: String = letters
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect();
    let bare = folded.split(':').next().unwrap_or_default();
    bare.trim_end_matches(['.', ' ']).as_bytes().to_vec()
}

/// What a folded name is known by: itself, if it is ASCII. Of another one only what is not a letter counts.
///
/// One letter with a mark is two characters on some file systems and one on others, each has its own table of cases, and a character set
/// other than UTF-8 has again others. All of these agree in the digits and signs that are kept; so two names that may be one are known by
/// the same.
pub(super) fn known_by(folded: Vec<u8>) -> Vec<u8> {
    if folded.is_ascii() {
        return folded;
    }
    let mut known = vec![NOT_ASCII];
    known.extend(
        folded
            .into_iter()
            .filter(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'.' | b'_')),
    );
    known
}

/// Unicode's default ignorable code points.
fn is_ignored(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Begins what names are known by that are not ASCII. No name has this byte.
const NOT_ASCII: u8 = b'/';
/// So many names are tried in the other case.
const MOST_TRIED: usize = 64;
/// What no flag makes fold: btrfs, procfs, sysfs.
const PLAIN: [u64; 3] = [0x9123_683e, 0x9fa0, 0x6265_6572];
/// What folds where a directory has the flag for it, and nowhere else: ext2 to ext4, tmpfs, F2FS.
const FLAGGED: [u64; 3] = [0xef53, 0x0102_1994, 0xf2f5_2010];
/// What a process in user space serves.
const FUSE: u64 = 0x6573_5546;
/// `FS_CASEFOLD_FL` (ioctl_iflags(2)).
const CASEFOLD: u32 = 0x4000_0000;
/// FAT, exFAT, NTFS (two drivers), SMB (two), CIFS, HFS+, HFS: statfs(2).
const FOLDING: [u64; 9] = [
    0x4d44,
    0x2011_bab0,
    0x5346_544e,
    0x7366_746e,
    0x517b,
    0xfe53_4d42,
    0xff53_4d42,
    0x482b,
    0x4244,
];

#[cfg(test)]
mod tests {
    use super::{fold, known_by};

    fn known(name: &str) -> Vec<u8> {
        known_by(fold(name.as_bytes()))
    }

    #[test]
    fn names_that_a_folding_file_system_takes_for_one_are_one() {
        for name in [
            ".SSH",
            ".s\u{17f}h",
            ".\u{200b}ssh",
            ".\u{df}h",
            ".\u{1e9e}H",
            ".ssh.",
            ".ssh::$DATA",
        ] {
            assert_eq!(known(name), b".ssh", "{name}");
        }
        for (name, plain) in [
            (".pro\u{fb01}le", ".profile"),
            (".\u{212a}shrc", ".kshrc"),
            (".con\u{fb01}g", ".config"),
            (".e\u{fb06}", ".est"),
        ] {
            assert_eq!(known(name), plain.as_bytes(), "{name}");
        }
        assert_ne!(known(".sshx"), b".ssh");
        assert_ne!(known(".\u{15b}sh"), b".ssh");
    }

    #[test]
    fn a_name_that_is_not_ascii_is_one_in_either_case_and_with_its_marks_apart() {
        for (one, two) in [
            ("J\u{dc}RGEN-2", "j\u{fc}rgen-2"),
            ("j\u{fc}rgen-2", "JU\u{308}rgen-2"),
            ("\u{394}\u{3a3}.rc", "\u{3b4}\u{3c2}.RC"),
            ("\u{ac00}1", "\u{1100}\u{1161}1"),
            ("\u{212b}", "a\u{30a}"),
        ] {
            assert_eq!(known(one), known(two), "{one} {two}");
        }
        // Bytes of another character set.
        assert_eq!(known_by(fold(b"J\xdcRGEN-2")), known("J\u{dc}RGEN-2"));
        assert_ne!(known("j\u{fc}rgen-2"), known("j\u{fc}rgen-3"));
        assert_ne!(known("j\u{fc}rgen"), known("jurgen"));
        assert!(fold(".FORWARD+\u{dc}".as_bytes()).starts_with(b".forward"));
    }
}
