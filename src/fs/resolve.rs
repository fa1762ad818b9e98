//! A client's path becomes its canonical form: here, and nowhere else.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::readlink;
use nix::sys::stat::{SFlag, lstat};

use super::{Result, View};

impl View {
    /// The absolute path, free of `.`, `..` and symbolic links, of what `path` names. The last component need not exist.
    ///
    /// The walk is physical: `..` after what is no directory fails, and so does a trailing slash.
    ///
    /// # Errors
    /// As lstat(2) and readlink(2). `ENOTDIR`; `ELOOP` past 40 links; `ENAMETOOLONG` past `PATH_MAX`.
    pub fn canonical(&self, path: &Path) -> Result<PathBuf> {
        let path = path.as_os_str().as_bytes();
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut walk = if path.starts_with(b"/") {
            Walk::from(Vec::new())
        } else {
            Walk::from(self.start()?.into_os_string().into_vec())
        };
        walk.follow(path)?;
        Ok(PathBuf::from(OsString::from_vec(walk.into_path())))
    }
}

/// A place in the tree and what is still to be walked from there.
struct Walk {
    /// Absolute and canonical; empty for `/`.
    place: Vec<u8>,
    /// What `place` is, as far as the walk knows.
    kind: Kind,
    links: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    Other,
    Missing,
}

impl Walk {
    fn from(mut place: Vec<u8>) -> Self {
        if place == b"/" {
            place.clear();
        }
        Self {
            place,
            kind: Kind::Directory,
            links: 0,
        }
    }

    fn follow(&mut self, path: &[u8]) -> Result<()> {
        // The components still to be walked, the next one last; a link's are put on top of them.
        let mut rest: Vec<Vec<u8>> = components(path).collect();
        while let Some(name) = rest.pop() {
            match self.kind {
                Kind::Directory => {}
                Kind::Other => return Err(Errno::ENOTDIR),
                Kind::Missing => return Err(Errno::ENOENT),
            }
            match name.as_slice() {
                b"" | b"." => {}
                b".." => {
                    let parent = self
                        .place
                        .iter()
                        .rposition(|byte| *byte == b'/')
                        .unwrap_or(0);
                    self.place.truncate(parent);
                }
                _ => {
                    if let Some(target) = self.enter(&name)? {
                        if target.starts_with(b"/") {
                            self.place.clear();
                        }
                        rest.extend(components(&target));
                    }
                }
            }
        }
        Ok(())
    }

    /// Steps to `name`, or, where it is a symbolic link, stays and returns what the link holds.
    fn enter(&mut self, name: &[u8]) -> Result<Option<Vec<u8>>> {
        let parent = self.place.len();
        self.place.push(b'/');
        self.place.extend_from_slice(name);
        if self.place.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let kind = match lstat(self.place.as_slice()) {
            Ok(stat) => SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT,
            Err(Errno::ENOENT) => {
                self.kind = Kind::Missing;
                return Ok(None);
            }
            Err(errno) => return Err(errno),
        };
        if kind == SFlag::S_IFLNK {
            self.links += 1;
            if self.links > MAX_LINKS {
                return Err(Errno::ELOOP);
            }
            let target = readlink(self.place.as_slice())?.into_vec();
            self.place.truncate(parent);
            return Ok(Some(target));
        }
        self.kind = if kind == SFlag::S_IFDIR {
            Kind::Directory
        } else {
            Kind::Other
        };
        Ok(None)
    }

    fn into_path(self) -> Vec<u8> {
        if self.place.is_empty() {
            b"/".to_vec()
        } else {
            self.place
        }
    }
}

/// The components of a path, the last one first. A trailing slash yields an empty one, which only a directory satisfies.
fn components(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec)
}

/// limits.h; a path has one byte less, for its NUL.
const PATH_MAX: usize = 4096;
/// As the kernel (path_resolution(7)).
const MAX_LINKS: usize = 40;
