//! Reads a file that says what others may do: only where nobody but its owners can have a hand in it.
//!
//! The way to it is walked from `/`, one component after the other, each opened without following a link and looked at
//! by its descriptor. So what is checked is what is used, whatever others rename meanwhile.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::read;

use super::place::kind;
use crate::fs::{Result, again};

/// A file is not what it must be.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// The kernel refused.
    #[error("cannot open \"{}\": {}{}", .0.display(), .1.desc(), remedy(*.1))]
    Kernel(PathBuf, Errno),
    /// Somebody else owns it.
    #[error("\"{}\" belongs to the user {uid}; it must belong to {wanted}", path.display())]
    Owner {
        /// What it is about: the file, a link, or a directory on the way.
        path: PathBuf,
        /// Who owns it.
        uid: u32,
        /// Who should.
        wanted: &'static str,
    },
    /// Somebody else may write to it.
    #[error("\"{}\" can be written by others (mode {mode:04o}); chmod go-w helps", path.display())]
    Writable {
        /// What it is about.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is a directory, a device or the like.
    #[error("it is no regular file, and only such a one is read")]
    Irregular,
    /// It is longer than it may be.
    #[error("it is longer than {0} bytes, the most that is read")]
    Long(usize),
}

/// What stands in a file that belongs to root, or to `user` as well, and that nobody else can change, nor exchange.
/// Without a leading slash `path` begins in the working directory. At most `limit` bytes are read.
///
/// # Errors
/// [`Untrusted`].
pub fn read_trusted(
    path: &Path,
    user: Option<u32>,
    limit: usize,
) -> std::result::Result<Vec<u8>, Untrusted> {
    let mut whole = PathBuf::new();
    if !path.is_absolute() {
        let here = std::env::current_dir();
        whole = here.map_err(|_| Untrusted::Kernel(".".into(), Errno::ENOENT))?;
    }
    whole.push(path);
    let file = Walk {
        user,
        links: 0,
        seen: PathBuf::from("/"),
    }
    .open(&whole)?;
    let kernel = |errno| Untrusted::Kernel(path.to_path_buf(), errno);
    let mut text = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let length = again(|| read(&file, &mut buffer)).map_err(kernel)?;
        if length == 0 {
            return Ok(text);
        }
        text.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if text.len() > limit {
            return Err(Untrusted::Long(limit));
        }
    }
}

/// Whether anything stands at this path, if only a link that leads nowhere.
///
/// # Errors
/// As open(2), but for `ENOENT`.
pub fn stands(path: &Path) -> Result<bool> {
    match again(|| open(path, LOOK, Mode::empty())) {
        Ok(_) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn remedy(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT => "; create it, or correct the path",
        Errno::EACCES => {
            "; each user whose session reads it must be able to (chmod a+r, on the way a+x)"
        }
        Errno::ENOTDIR => "; correct the path",
        Errno::ELOOP => "; its symbolic links lead in a circle",
        _ => "",
    }
}

struct Walk {
    user: Option<u32>,
    links: usize,
    /// Where it is, for messages.
    seen: PathBuf,
}

impl Walk {
    fn open(&mut self, path: &Path) -> std::result::Result<OwnedFd, Untrusted> {
        let mut dir = self.top()?;
        let mut ahead = names(path.as_os_str().as_bytes());
        while let Some(name) = ahead.pop() {
            let above = self.seen.clone();
            if name == ".." {
                self.seen.pop();
            } else if name != "." {
                self.seen.push(&name);
            }
            let next = self.ask(again(|| {
                openat(&dir, name.as_os_str(), LOOK, Mode::empty())
            }))?;
            let stat = self.ask(fstat(&next))?;
            match kind(&stat) {
                SFlag::S_IFLNK => {
                    self.owner(&stat)?;
                    self.links += 1;
                    if self.links > MOST_LINKS {
                        return Err(Untrusted::Kernel(self.seen.clone(), Errno::ELOOP));
                    }
                    let target = self.ask(readlinkat(&next, c""))?;
                    if target.as_bytes().starts_with(b"/") {
                        dir = self.top()?;
                    } else {
                        self.seen = above;
                    }
                    ahead.extend(names(target.as_bytes()));
                }
                SFlag::S_IFDIR => {
                    self.trust(&stat)?;
                    dir = next;
                }
                SFlag::S_IFREG if ahead.is_empty() => {
                    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | NEVER_WAIT;
                    let file = self.ask(again(|| {
                        openat(&dir, name.as_os_str(), flags, Mode::empty())
                    }))?;
                    // This one is read, so this one counts.
                    let stat = self.ask(fstat(&file))?;
                    self.trust(&stat)?;
                    return match kind(&stat) {
                        SFlag::S_IFREG => Ok(file),
                        _ => Err(Untrusted::Irregular),
                    };
                }
                _ if ahead.is_empty() => return Err(Untrusted::Irregular),
                _ => return Err(Untrusted::Kernel(self.seen.clone(), Errno::ENOTDIR)),
            }
        }
        Err(Untrusted::Irregular)
    }

    fn top(&mut self) -> std::result::Result<OwnedFd, Untrusted> {
        self.seen = PathBuf::from("/");
        let top = self.ask(again(|| open("/", LOOK, Mode::empty())))?;
        let stat = self.ask(fstat(top.as_fd()))?;
        self.trust(&stat)?;
        Ok(top)
    }

    fn ask<T>(&self, answer: Result<T>) -> std::result::Result<T, Untrusted> {
        answer.map_err(|errno| Untrusted::Kernel(self.seen.clone(), errno))
    }

    fn owner(&self, stat: &FileStat) -> std::result::Result<(), Untrusted> {
        if stat.st_uid == 0 || self.user == Some(stat.st_uid) {
            return Ok(());
        }
        Err(Untrusted::Owner {
            path: self.seen.clone(),
            uid: stat.st_uid,
            wanted: match self.user {
                Some(user) if user != 0 => "root or to the user of the session",
                _ => "root",
            },
        })
    }

    /// Owner and mode. The mode of a group stands for what an access list grants, too.
    fn trust(&self, stat: &FileStat) -> std::result::Result<(), Untrusted> {
        self.owner(stat)?;
        if stat.st_mode & 0o022 == 0 {
            return Ok(());
        }
        Err(Untrusted::Writable {
            path: self.seen.clone(),
            mode: stat.st_mode & 0o7777,
        })
    }
}

/// The components of a path, the first one last. A slash at the end asks for a directory, as `.` does.
fn names(path: &[u8]) -> Vec<OsString> {
    let names = path.rsplit(|byte| *byte == b'/').enumerate();
    let names = names.filter(|(index, name)| !(name.is_empty() && *index > 0) && *name != b".");
    names
        .map(|(_, name)| match name {
            b"" => OsString::from("."),
            name => OsString::from_vec(name.to_vec()),
        })
        .collect()
}

/// No right to read is needed to look at something.
const LOOK: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
/// What another process puts in the place of the file is not waited for.
const NEVER_WAIT: OFlag = OFlag::O_NONBLOCK
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);
/// As the kernel has it.
const MOST_LINKS: usize = 40;
