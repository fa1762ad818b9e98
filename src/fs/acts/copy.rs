//! Copying from one open file to another, piece by piece; and opening both for the copy of a whole file.

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, copy_file_range, fcntl};
use nix::sys::stat::{SFlag, futimens};
use nix::sys::statfs::fstatfs;
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, ftruncate, lseek};

use super::file::File;
use crate::fs::judging::judge::Effect;
use crate::fs::judging::protect::{Change, spelling};
use crate::fs::kernel::opening::OpenHow;
use crate::fs::kernel::place::{Id, kind};
use crate::fs::kernel::stat::{FileStat, Follow};
use crate::fs::view::View;
use crate::fs::{Answer, Result, again};

/// Where a piece of a copy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyEnd {
    /// This many bytes were copied; there may be more.
    Copied(u64),
    /// This many bytes are a hole of the source, behind the end of the target: nothing was written, and nothing has to be, once what follows is
    /// written or [`File::lengthen`] was called.
    Hole(u64),
    /// The source ended.
    Eof,
}

/// What failed in a copy, and how.
#[derive(Clone, Copy, Debug)]
pub struct CopyError {
    /// `read` or `write`.
    pub what: &'static str,
    /// The cause.
    pub errno: Errno,
}

impl View {
    /// Opens `source`, and the file that will be its copy: it takes the name `destination` when it is committed, and is gone if it is dropped
    /// before. Where a file stands there that has other names, or an owner or a directory that the user cannot do this with, it is that file,
    /// emptied. With `mode` a new file gets exactly that one, otherwise that of the source, less the umask.
    ///
    /// # Errors
    /// As openat(2). `EEXIST` where something stands at `destination` and is not to be overwritten, or is the source itself, or may be;
    /// `EISDIR`, and
    /// `EOPNOTSUPP` for what is neither file nor directory.
    pub fn open_copy(
        &self,
        source: &Path,
        destination: &Path,
        overwrite: bool,
        mode: Option<u32>,
    ) -> Answer<(File, File)> {
        let reading = OpenHow {
            flags: OFlag::O_RDONLY,
            mode: 0,
            exact: false,
            whole: None,
        };
        let from = self.open(source, reading)?;
        let original = from.stat()?;
        is_content(&original)?;
        let there = match overwrite {
            true => self.stat(destination, Follow::Yes).ok(),
            false => None,
        };
        if let Some(there) = &there {
            is_content(there)?;
            let one = Id::of(there) == Id::of(&original)
                || there.st_dev == original.st_dev
                    && from.is_remote()
                    && self.are_spelled_alike(source, destination);
            if one {
                return Err(Errno::EEXIST.into());
            }
        }
        let gives_way = if overwrite {
            OFlag::O_TRUNC
        } else {
            OFlag::O_EXCL
        };
        let writing = OpenHow {
            flags: OFlag::O_WRONLY | OFlag::O_CREAT | gives_way,
            mode: mode.unwrap_or(original.st_mode & 0o777),
            exact: mode.is_some(),
            whole: Some(original.st_size as u64),
        };
        let to = self.open(destination, writing)?;
        if !to.is_pending() {
            if from.is_same(&to)? {
                return Err(Errno::EEXIST.into());
            }
            // Not as a client sets a size, which may be left: what opened it was judged as emptying it.
            again(|| ftruncate(&to, 0))?;
        }
        Ok((from, to))
    }
}

impl View {
    /// Whether both paths lead to one name, or to names that a file system which folds them takes for one. Those that others serve may give
    /// one file a number for each spelling, and do not tell whether they fold.
    #[must_use]
    pub fn are_spelled_alike(&self, one: &Path, other: &Path) -> bool {
        let folded = |path: &Path| -> Answer<Vec<Vec<u8>>> {
            let path = self.canonical(path)?;
            let names = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
            Ok(names.map(spelling).collect())
        };
        matches!((folded(one), folded(other)), (Ok(one), Ok(other)) if one == other)
    }
}

/// Only files have content to be copied: of the others some never end.
fn is_content(stat: &FileStat) -> Result<()> {
    match kind(stat) {
        SFlag::S_IFREG => Ok(()),
        SFlag::S_IFDIR => Err(Errno::EISDIR),
        _ => Err(Errno::EOPNOTSUPP),
    }
}

impl File {
    /// Whether it was opened for reading, and whether for writing.
    #[must_use]
    pub fn access(&self) -> (bool, bool) {
        // What a descriptor that cannot be asked allows, its reads and writes tell.
        let flags = fcntl(self, FcntlArg::F_GETFL).map(OFlag::from_bits_truncate);
        let mode = flags.map_or(OFlag::O_RDWR, |flags| flags & OFlag::O_ACCMODE);
        (mode != OFlag::O_WRONLY, mode != OFlag::O_RDONLY)
    }

    /// Gives a copy access and modification time of its original, to the nanosecond, if the rules let a client set times. Where they cannot be
    /// had, as in a file of another user that was written as it stood, the copy is no less complete.
    pub fn keep_times(&self, original: &FileStat) {
        if !matches!(self.sets(Effect::Times, Change::Alter), Ok(true)) {
            return;
        }
        let _ = futimens(
            self,
            &TimeSpec::new(original.st_atime, original.st_atime_nsec),
            &TimeSpec::new(original.st_mtime, original.st_mtime_nsec),
        );
    }

    /// Whether a piece of `from` may be copied there now: how much of it, of `len` bytes.
    ///
    /// # Errors
    /// As for [`File::writable`].
    pub fn copyable(&self, to_offset: u64, from: &Self, offset: u64, len: u64) -> Answer<u64> {
        if !self.is_judged() {
            self.changeable()?;
            return Ok(len);
        }
        let size = from.stat()?.st_size as u64;
        let piece = len.min(COPY_PIECE).min(size.saturating_sub(offset));
        // A file of /proc, or one that has just grown, holds more than its size says: that is asked for like all else.
        let piece = match piece {
            0 => u64::from(from.has_more(offset)),
            piece => piece,
        };
        self.writable(to_offset, piece)?;
        Ok(piece)
    }

    /// Whether there is anything to be read at `offset`. What fails will fail again.
    fn has_more(&self, offset: u64) -> bool {
        self.read_at(&mut [0], offset) != Ok(0)
    }

    /// Whether a copy of this file, of which `from` was told, to `to` can keep holes: only files have any, and what is appended leaves none.
    ///
    /// System calls: one fstatfs(2), where it may have any.
    #[must_use]
    pub fn keeps_holes(&self, from: &FileStat, to: &Self, to_stat: &FileStat) -> bool {
        let stored = (from.st_blocks as u64).saturating_mul(512);
        let files = [from, to_stat].map(kind) == [SFlag::S_IFREG; 2];
        files && stored < from.st_size as u64 && !to.appends() && self.tells_holes()
    }

    fn tells_holes(&self) -> bool {
        fstatfs(self).is_ok_and(|fs| TELLS_HOLES.contains(&(fs.filesystem_type().0 as u32)))
    }

    /// Copies a piece of at most `len` bytes to `to`, within the kernel where it can. With `holes` those of this file are left out where
    /// `to` ends before them.
    ///
    /// # Errors
    /// As read(2) and write(2), and which of them it was.
    pub fn copy_piece(
        &self,
        offset: u64,
        to: &Self,
        to_offset: u64,
        len: u64,
        holes: bool,
    ) -> std::result::Result<CopyEnd, CopyError> {
        let len = match holes.then(|| self.stretch(offset, to, to_offset, len)) {
            Some(Stretch::Hole(len)) => return Ok(CopyEnd::Hole(len)),
            Some(Stretch::Written(len)) => len,
            None => len,
        };
        let reading = |errno| CopyError {
            what: "read",
            errno,
        };
        let writing = |errno| CopyError {
            what: "write",
            errno,
        };
        if !to.appends() {
            let mut from_at = i64::try_from(offset).map_err(|_| reading(Errno::EINVAL))?;
            let mut to_at = i64::try_from(to_offset).map_err(|_| writing(Errno::EINVAL))?;
            let piece = usize::try_from(len.min(COPY_PIECE)).unwrap_or(usize::MAX);
            match again(|| {
                copy_file_range(
                    self.as_fd(),
                    Some(&mut from_at),
                    to.as_fd(),
                    Some(&mut to_at),
                    piece,
                )
            }) {
                // Files whose size the kernel does not know, as in /proc, end at once here; reading tells.
                Ok(0) => {}
                Ok(count) => {
                    to.reaches(to_offset.saturating_add(count as u64));
                    return Ok(CopyEnd::Copied(count as u64));
                }
                Err(errno @ (Errno::ENOSPC | Errno::EDQUOT)) => return Err(writing(errno)),
                // Not between these file systems, or not on this kernel.
                Err(_) => {}
            }
        }
        let mut buffer = vec![0; usize::try_from(len.min(COPY_BUFFER)).unwrap_or(usize::MAX)];
        let count = self.read_at(&mut buffer, offset).map_err(reading)?;
        if count == 0 {
            return Ok(CopyEnd::Eof);
        }
        to.write_at(buffer.get(..count).unwrap_or_default(), to_offset)
            .map_err(writing)?;
        Ok(CopyEnd::Copied(count as u64))
    }

    /// What begins at `offset`, and how much of it there is, of `len` bytes.
    ///
    /// System calls: lseek(2) twice where there is data; lseek(2) and fstat(2) where there is a hole, and at the last one a second fstat(2).
    fn stretch(&self, offset: u64, to: &Self, to_offset: u64, len: u64) -> Stretch {
        let seek = |whence| {
            let at = i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
            lseek(self, at, whence).map(|found| (found as u64).saturating_sub(offset))
        };
        let hole = match seek(Whence::SeekData) {
            Ok(0) => {
                // Elsewhere than at its end no file system says that a hole begins where data does.
                let data = seek(Whence::SeekHole).ok().filter(|data| *data > 0);
                return Stretch::Written(data.map_or(len, |data| data.min(len)));
            }
            Ok(hole) => hole,
            // To the end, which may be here.
            Err(Errno::ENXIO) => {
                let size = self.stat().map_or(0, |stat| stat.st_size as u64);
                size.saturating_sub(offset)
            }
            // The file system cannot tell.
            Err(_) => 0,
        };
        let hole = hole.min(len);
        let there = to.stat().map_or(u64::MAX, |stat| stat.st_size as u64);
        match there.saturating_sub(to_offset) {
            _ if hole == 0 => Stretch::Written(len),
            0 => Stretch::Hole(hole),
            // Something else may stand there, over which zeros are written.
            there => Stretch::Written(hole.min(there)),
        }
    }

    /// Makes the file at least this long, in bytes: by its last one, since whoever sets the size cuts off what others write at that moment.
    ///
    /// # Errors
    /// As fstat(2) and pwrite(2).
    pub fn lengthen(&self, size: u64) -> Result<()> {
        match size.checked_sub(1) {
            Some(last) if (self.stat()?.st_size as u64) < size => self.write_at(&[0], last),
            _ => Ok(()),
        }
    }
}

/// So many bytes of the source of a copy.
enum Stretch {
    /// To be written.
    Written(u64),
    /// A hole behind the end of the target.
    Hole(u64),
}

/// So much at a time within the kernel, that a signal is heard soon.
const COPY_PIECE: u64 = 16 * 1024 * 1024;
/// File systems that take for a hole nothing that was just written: ext4, XFS, Btrfs, F2FS and tmpfs. FUSE asks its daemon, which has not heard of
/// what the kernel still keeps; ZFS took it for holes up to 2.2.1.
const TELLS_HOLES: [u32; 5] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994];
/// So much at a time through memory.
const COPY_BUFFER: u64 = 256 * 1024;
