//! Self-protection: what would turn a locked key into a shell stays as it is, whichever way leads there.
//!
//! Each protected thing is known by the directory and name where it stands, or would stand, and by device and inode, so that
//! neither a link nor a second name nor a bind hides it. What is known is looked up again whenever the home directory changed.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, stat};

use super::place::{Id, Last, kind};
use super::resolve::{Aim, Intent};
use super::view::Jail;
use super::{Dir, Listed};

/// What is protected in one home directory.
#[derive(Debug)]
pub(super) struct Protect {
    home: Option<OwnedFd>,
    /// The home's path, for links in it that lead to nothing yet.
    path: Vec<u8>,
    /// Whether the home is in the view; if not, only links and further names lead to what is protected.
    pub(super) visible: bool,
    /// Whether names that differ by case are one there.
    folds: bool,
    /// What stands beneath the protected directories, by its path from the home.
    beneath: Vec<Vec<u8>>,
    /// The home, the program's directory, and those above them.
    ways: HashSet<Id>,
    /// This program's file.
    program: Option<PathBuf>,
    /// Where the home is missing, what would have to be made first.
    missing: Option<(Id, Vec<u8>)>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// When home, `.ssh` and `.config` changed last; empty where that was so lately that the next change could bear the same time.
    stamp: Vec<(i64, i64)>,
    /// When that was asked last.
    looked: Option<Instant>,
    home: Option<Id>,
    /// Protected files and directories that exist.
    objects: HashSet<Id>,
    /// Names elsewhere that protected links lead to, and the first missing directory on the way to the home.
    names: HashSet<(Id, Vec<u8>)>,
}

impl Protect {
    /// Of the home directory at `home`, and of `program`, which runs for each session.
    pub(super) fn of(home: &Path, program: Option<&Path>, visible: bool) -> Self {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let fd = open(home, flags, Mode::empty()).ok();
        let mut all_ways = ways(home, fd.as_ref());
        if let Some(dir) = program.and_then(Path::parent) {
            all_ways.extend(ways(dir, open(dir, flags, Mode::empty()).ok().as_ref()));
        }
        let protect = Self {
            path: home.as_os_str().as_bytes().to_vec(),
            visible,
            folds: fd.as_ref().is_some_and(folds),
            beneath: fd.as_ref().map(beneath).unwrap_or_default(),
            ways: all_ways,
            program: program.map(Path::to_path_buf),
            missing: match fd {
                Some(_) => None,
                None => first_missing(home),
            },
            known: Mutex::default(),
            home: fd,
        };
        *protect.lock() = protect.look();
        protect
    }

    /// Looks again at what is there, if anything changed, now and then: no client can change it, other processes can.
    pub(super) fn refresh(&self) {
        let Some(home) = &self.home else {
            return;
        };
        let now = Instant::now();
        let mut known = self.lock();
        if known.looked.is_some_and(|looked| now - looked < PAUSE) {
            return;
        }
        if known.stamp.is_empty() || known.stamp != stamp(home) {
            *known = self.look();
        }
        known.looked = Some(now);
    }

    /// Whether `name` in the directory `dir` is protected, be it there or not.
    pub(super) fn holds(&self, dir: Id, name: &[u8]) -> bool {
        let is = |list: &[&str]| {
            let name = self.folded(name);
            list.iter().any(|protected| protected.as_bytes() == name)
        };
        // `.config` is looked for each time: it may have been made a moment ago.
        if is(&CONFIG) && self.config() == Some(dir) {
            return true;
        }
        let known = self.lock();
        (known.home == Some(dir) && is(&HOME)) || known.names.contains(&(dir, name.to_vec()))
    }

    /// The directory `.config` in the home, or that which a link of this name leads to.
    fn config(&self) -> Option<Id> {
        let stat = fstatat(self.home.as_ref()?, ".config", AtFlags::empty());
        stat.ok().map(|stat| Id::of(&stat))
    }

    /// Whether a file or directory is protected.
    pub(super) fn is_object(&self, id: Id) -> bool {
        self.lock().objects.contains(&id)
    }

    /// Whether it is the home, `.config` or a directory above: it may not go away or be replaced.
    pub(super) fn is_way(&self, id: Id) -> bool {
        self.ways.contains(&id) || self.config() == Some(id)
    }

    /// Whether `.config` stands there: it may be made, but no other directory take its place.
    pub(super) fn is_config(&self, dir: Id, name: &[u8]) -> bool {
        self.lock().home == Some(dir) && self.folded(name) == b".config"
    }

    /// Whether a directory is protected, or lies beneath one that is.
    pub(super) fn contains(&self, dir: &OwnedFd) -> bool {
        let Ok(mut id) = Id::of_fd(dir) else {
            return true;
        };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut above = openat(dir, "..", flags, Mode::empty());
        loop {
            if self.is_object(id) {
                return true;
            }
            let Ok(fd) = &above else {
                return false;
            };
            match Id::of_fd(fd) {
                Ok(next) if next != id => id = next,
                _ => return false,
            }
            above = openat(fd, "..", flags, Mode::empty());
        }
    }

    fn look(&self) -> Known {
        let mut known = Known::default();
        known.names.extend(self.missing.clone());
        if let Some(program) = &self.program {
            known
                .objects
                .extend(stat(program).ok().map(|stat| Id::of(&stat)));
            known.names.extend(name_of(program));
        }
        let Some(home) = &self.home else {
            return known;
        };
        known.stamp = stamp(home);
        let lately = SystemTime::now() - LATELY;
        let lately = lately
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        if known
            .stamp
            .iter()
            .any(|(seconds, _)| *seconds >= lately as i64)
        {
            known.stamp.clear();
        }
        known.home = Id::of_fd(home).ok();
        let names = HOME.iter().map(|name| name.as_bytes().to_vec());
        let config = CONFIG
            .iter()
            .map(|name| [b".config/", name.as_bytes()].concat());
        let keys = SSH.iter().map(|name| [b".ssh/", name.as_bytes()].concat());
        for name in names
            .chain(config)
            .chain(keys)
            .chain(self.beneath.iter().cloned())
        {
            let Ok(stat) = fstatat(home, name.as_slice(), AtFlags::AT_SYMLINK_NOFOLLOW) else {
                continue;
            };
            known.objects.insert(Id::of(&stat));
            if kind(&stat) != SFlag::S_IFLNK {
                continue;
            }
            match fstatat(home, name.as_slice(), AtFlags::empty()) {
                Ok(target) => drop(known.objects.insert(Id::of(&target))),
                Err(_) => known.names.extend(self.target_of(&name)),
            }
        }
        known
    }

    /// Where a link in the home leads that leads to nothing yet.
    fn target_of(&self, name: &[u8]) -> Option<(Id, Vec<u8>)> {
        let path = [&self.path, b"/".as_slice(), name].concat();
        let path = Path::new(std::ffi::OsStr::from_bytes(&path));
        let host = Jail::of_host().ok()?;
        let place = host.resolve(path, Aim::Target, Intent::Look).ok()?;
        (place.last == Last::Name).then_some(())?;
        Some((Id::of_fd(place.dir()).ok()?, place.name.to_vec()))
    }

    /// A name as the home's file system compares it.
    fn folded(&self, name: &[u8]) -> Vec<u8> {
        if self.folds {
            fold(name)
        } else {
            name.to_vec()
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(home: &OwnedFd) -> Vec<(i64, i64)> {
    let time = |stat: FileStat| (stat.st_ctime, stat.st_ctime_nsec);
    let names = ["", ".ssh", ".config"];
    let stamps = names.iter().map(|name| {
        let stat = match *name {
            "" => fstat(home),
            name => fstatat(home, name, AtFlags::empty()),
        };
        stat.map(time).unwrap_or_default()
    });
    stamps.collect()
}

/// The directories on the way to `home`, by whatever names, and the links among them.
fn ways(home: &Path, fd: Option<&OwnedFd>) -> HashSet<Id> {
    let mut ways = HashSet::new();
    for way in home.ancestors().filter(|way| way.parent().is_some()) {
        ways.extend(nix::sys::stat::lstat(way).ok().map(|stat| Id::of(&stat)));
    }
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut at = fd.and_then(|fd| openat(fd, ".", flags, Mode::empty()).ok());
    while let Some(fd) = at {
        let known = Id::of_fd(&fd).map(|id| ways.insert(id));
        // The root is above itself; links of the path stand in the set already, so look at the directory itself.
        let above = openat(&fd, "..", flags, Mode::empty()).ok();
        let same = match (&above, Id::of_fd(&fd)) {
            (Some(above), Ok(id)) => Id::of_fd(above) == Ok(id),
            _ => true,
        };
        if known.is_err() || same {
            break;
        }
        at = above;
    }
    ways
}

/// Where the home is missing: the directory in which it would have to be made first, and the name.
fn first_missing(home: &Path) -> Option<(Id, Vec<u8>)> {
    let mut ways: Vec<&Path> = home.ancestors().collect();
    ways.reverse();
    let missing = ways.into_iter().find(|way| stat(*way).is_err())?;
    name_of(missing)
}

/// The directory in which a path's last name stands, and that name.
fn name_of(path: &Path) -> Option<(Id, Vec<u8>)> {
    let dir = stat(path.parent()?).ok()?;
    Some((Id::of(&dir), path.file_name()?.as_bytes().to_vec()))
}

/// What stands beneath the protected directories, before the locks: a hard link may give it another name elsewhere.
fn beneath(home: &OwnedFd) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest: Vec<Vec<u8>> = DIRECTORIES
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    while let Some(path) = rest.pop() {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let Ok(fd) = openat(home, path.as_slice(), flags, Mode::empty()) else {
            continue;
        };
        let listed = Dir::new(fd).list(|name, stat| {
            if found.len() >= MAX_BENEATH {
                return Listed::Full;
            }
            if !matches!(name, b"." | b"..") {
                let path = [&path, b"/".as_slice(), name].concat();
                if kind(stat) == SFlag::S_IFDIR {
                    rest.push(path.clone());
                }
                found.push(path);
            }
            Listed::Taken
        });
        if listed.is_err() || found.len() >= MAX_BENEATH {
            break;
        }
    }
    found
}

/// Whether a directory's file system takes names that differ by case for one.
fn folds(dir: &OwnedFd) -> bool {
    use nix::sys::statfs::fstatfs;
    let magic = fstatfs(dir).map(|fs| fs.filesystem_type().0 as u64);
    if magic.is_ok_and(|magic| FOLDING.contains(&(magic & 0xffff_ffff))) {
        return true;
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(dir) = openat(dir, ".", flags, Mode::empty()) else {
        return false;
    };
    rustix::fs::ioctl_getflags(&dir).is_ok_and(|flags| flags.bits() & CASEFOLD != 0)
        || answers_to_another_case(dir)
}

/// Whether the first name in it that has letters is the same in the other case: drivers in user space do not tell what they do.
fn answers_to_another_case(dir: OwnedFd) -> bool {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let Ok(here) = openat(&dir, ".", flags, Mode::empty()) else {
        return false;
    };
    let swapped = |letter: &u8| match letter {
        b'a'..=b'z' => letter.to_ascii_uppercase(),
        _ => letter.to_ascii_lowercase(),
    };
    let mut folds = false;
    let listed = Dir::new(dir).list(|name, stat| {
        let other: Vec<u8> = name.iter().map(swapped).collect();
        if other == name {
            return Listed::Taken;
        }
        let same = |found: FileStat| Id::of(&found) == Id::of(stat);
        folds = fstatat(&here, other.as_slice(), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(same);
        Listed::Full
    });
    listed.is_ok() && folds
}

/// A name as a case-folding file system may compare it: ASCII letters in lower case, what folds to them likewise, what is ignored left
/// out, and the ends that FAT and NTFS drop dropped.
fn fold(name: &[u8]) -> Vec<u8> {
    // What is not UTF-8 is compared byte by byte there, too.
    let Ok(text) = std::str::from_utf8(name) else {
        return name.to_ascii_lowercase();
    };
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{17f}' => folded.push('s'),
            '\u{212a}' => folded.push('k'),
            '\u{df}' | '\u{1e9e}' => folded.push_str("ss"),
            '\u{fb00}' => folded.push_str("ff"),
            '\u{fb01}' => folded.push_str("fi"),
            '\u{fb02}' => folded.push_str("fl"),
            '\u{fb03}' => folded.push_str("ffi"),
            '\u{fb04}' => folded.push_str("ffl"),
            '\u{fb05}' | '\u{fb06}' => folded.push_str("st"),
            letter if is_ignored(letter) => {}
            letter => folded.push(letter.to_ascii_lowercase()),
        }
    }
    let bare = folded.split(':').next().unwrap_or_default();
    bare.trim_end_matches(['.', ' ']).as_bytes().to_vec()
}

/// Unicode's default ignorable code points.
fn is_ignored(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// How long what is known counts without a look.
pub(super) const PAUSE: Duration = Duration::from_millis(20);
/// Clocks of file systems may be as coarse as this.
const LATELY: Duration = Duration::from_secs(2);
/// In the home directory: keys, and what shells, PAM and mailers run or trust.
const HOME: [&str; 24] = [
    ".ssh",
    ".ssh2",
    ".profile",
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".login",
    ".cshrc",
    ".tcshrc",
    ".kshrc",
    ".pam_environment",
    ".forward",
    ".rhosts",
    ".shosts",
    ".k5login",
    ".k5users",
    ".procmailrc",
];
/// In `.config`: what a login runs.
const CONFIG: [&str; 4] = ["fish", "systemd", "environment.d", "autostart"];
/// In `.ssh`, whatever was there at the start.
const SSH: [&str; 6] = [
    "authorized_keys",
    "authorized_keys2",
    "config",
    "environment",
    "known_hosts",
    "rc",
];
/// Those of them that hold more.
const DIRECTORIES: [&str; 6] = [
    ".ssh",
    ".ssh2",
    ".config/fish",
    ".config/systemd",
    ".config/environment.d",
    ".config/autostart",
];
/// How much beneath them is known by its inode.
const MAX_BENEATH: usize = 1000;
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
    use super::fold;

    #[test]
    fn names_that_a_folding_file_system_takes_for_one_are_one() {
        for name in [
            ".SSH",
            ".s\u{17f}h",
            ".\u{200b}ssh",
            ".\u{df}h",
            ".ssh.",
            ".ssh::$DATA",
        ] {
            assert_eq!(fold(name.as_bytes()), b".ssh", "{name}");
        }
        assert_eq!(fold(".pro\u{fb01}le".as_bytes()), b".profile");
        assert_ne!(fold(b".sshx"), b".ssh");
    }
}
