//! An open directory: its entries, each with what the kernel tells of it.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{fstat, fstatat};
use rustix::fs::RawDir;

use super::Result;
use super::ops::FileStat;
use super::view::Tree;

/// An open directory and how far it was listed.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    /// Names that the kernel gave already, each ended by NUL; those before `taken` were given on.
    pending: Vec<u8>,
    taken: usize,
    ended: bool,
    jailed: Option<Jailed>,
}

/// What the view shows where the disk has something else.
#[derive(Debug)]
struct Jailed {
    /// The attributes of the directory above: never those of one that lies outside.
    above: FileStat,
    /// What is bound here; listed in place of what stands there on the disk.
    bound: Vec<(Vec<u8>, Arc<OwnedFd>)>,
    /// How many of these were listed.
    listed: usize,
}

/// What the receiver of an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Taken; the next one, please.
    Taken,
    /// No room for it now.
    Full,
}

impl Dir {
    pub(super) fn new(fd: OwnedFd) -> Self {
        Self {
            fd,
            pending: Vec::new(),
            taken: 0,
            ended: false,
            jailed: None,
        }
    }

    /// A directory of a jail, with the directory above it and what is bound in it.
    pub(super) fn in_jail(fd: OwnedFd, above: FileStat, bound: &[(&[u8], &Tree)]) -> Self {
        let bound = bound.iter();
        Self {
            jailed: Some(Jailed {
                above,
                bound: bound
                    .map(|(name, tree)| (name.to_vec(), Arc::clone(&tree.fd)))
                    .collect(),
                listed: 0,
            }),
            ..Self::new(fd)
        }
    }

    /// Gives entry after entry to `take`, with its attributes (of a link, the link's), until it is full or the directory ends.
    ///
    /// An entry that cannot be stat'ed, since it has gone meanwhile or the file system fails it, is left out.
    ///
    /// System calls: one fstatat(2) an entry, one getdents64(2) for some hundreds of them.
    ///
    /// # Errors
    /// As getdents64(2).
    pub fn list(&mut self, mut take: impl FnMut(&[u8], &FileStat) -> Listed) -> Result<()> {
        let pending = self.pending.get(self.taken..).unwrap_or_default();
        for name in pending.split_inclusive(|byte| *byte == 0) {
            let (_, bare) = name.split_last().unwrap_or((&0, &[]));
            if give(&self.fd, self.jailed.as_ref(), bare, &mut take) == Listed::Full {
                return Ok(());
            }
            self.taken += name.len();
        }
        // What is kept for a client that lists half a directory is no more than what waits.
        self.pending = Vec::new();
        self.taken = 0;
        if self.ended {
            self.list_bound(&mut take);
            return Ok(());
        }
        let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
        let mut entries = RawDir::new(&self.fd, &mut buffer);
        let mut full = false;
        loop {
            if full && entries.is_buffer_empty() {
                return Ok(());
            }
            match entries.next() {
                Some(Ok(entry)) => {
                    let name = entry.file_name();
                    full = full
                        || give(&self.fd, self.jailed.as_ref(), name.to_bytes(), &mut take)
                            == Listed::Full;
                    if full {
                        self.pending.extend_from_slice(name.to_bytes_with_nul());
                    }
                }
                // A directory that was removed meanwhile has no more entries, as readdir(3) has it.
                Some(Err(rustix::io::Errno::NOENT)) | None => {
                    self.ended = true;
                    if !full {
                        self.list_bound(&mut take);
                    }
                    return Ok(());
                }
                Some(Err(errno)) => return Err(Errno::from_raw(errno.raw_os_error())),
            }
        }
    }

    /// The names that are bound here come last.
    fn list_bound(&mut self, take: &mut impl FnMut(&[u8], &FileStat) -> Listed) {
        let Some(jailed) = &mut self.jailed else {
            return;
        };
        for (name, fd) in jailed.bound.iter().skip(jailed.listed) {
            if let Ok(stat) = fstat(fd) {
                if take(name, &stat) == Listed::Full {
                    return;
                }
            }
            jailed.listed += 1;
        }
    }
}

fn give(
    dir: &OwnedFd,
    jailed: Option<&Jailed>,
    name: &[u8],
    take: &mut impl FnMut(&[u8], &FileStat) -> Listed,
) -> Listed {
    if let Some(jailed) = jailed {
        if name == b".." {
            return take(name, &jailed.above);
        }
        if jailed.bound.iter().any(|(bound, _)| bound == name) {
            return Listed::Taken;
        }
    }
    match fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => take(name, &stat),
        Err(_) => Listed::Taken,
    }
}

/// As glibc's readdir(3) has it.
const BUFFER: usize = 32 * 1024;
