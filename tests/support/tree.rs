//! A throwaway directory for a server to act on, and what stands in it, for comparison on the disk.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Whence, lseek, mkdtemp, mkfifo};

use super::is_jailed;

/// A fresh directory of mode 0755, removed at the end. Names are bytes; paths are relative to it.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Self::below(std::env::temp_dir())
    }

    /// A tree inside `parent`, for another file system or another user's directory.
    pub(crate) fn below(parent: impl AsRef<Path>) -> Self {
        let parent = parent.as_ref().canonicalize().unwrap();
        let root = mkdtemp(&parent.join("sftp-tree-XXXXXX")).unwrap();
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The host's path of a name in the tree; of the tree itself, if the name is empty.
    pub(crate) fn at(&self, name: impl AsRef<[u8]>) -> PathBuf {
        match name.as_ref() {
            b"" => self.root.clone(),
            name => self.root.join(OsStr::from_bytes(name)),
        }
    }

    /// The same as bytes, to be sent as an absolute path. In a jail the tree is the root.
    pub(crate) fn path(&self, name: impl AsRef<[u8]>) -> Vec<u8> {
        if is_jailed() {
            return [b"/", name.as_ref()].concat();
        }
        self.host_path(name)
    }

    /// The same for a tree that is not the server's own: the host's path, in a jail too.
    pub(crate) fn host_path(&self, name: impl AsRef<[u8]>) -> Vec<u8> {
        self.at(name).into_os_string().into_vec()
    }

    /// A file of mode 0644, whatever the umask.
    pub(crate) fn file(&self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        fs::write(&path, content)
            .unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// A directory of mode 0755, and its parents.
    pub(crate) fn dir(&self, name: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) fn link(&self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        symlink(OsStr::from_bytes(target.as_ref()), &path).unwrap();
        path
    }

    pub(crate) fn fifo(&self, name: impl AsRef<[u8]>) -> PathBuf {
        let path = self.at(name);
        mkfifo(&path, Mode::from_bits_retain(0o644)).unwrap();
        path
    }

    pub(crate) fn chmod(&self, name: impl AsRef<[u8]>, mode: u32) {
        fs::set_permissions(self.at(name), Permissions::from_mode(mode)).unwrap();
    }

    /// Sets atime and mtime, of a link itself where it is one.
    pub(crate) fn times(&self, name: impl AsRef<[u8]>, atime: i64, mtime: i64) {
        let (atime, mtime) = (TimeSpec::new(atime, 0), TimeSpec::new(mtime, 0));
        utimensat(
            nix::fcntl::AT_FDCWD,
            &self.at(name),
            &atime,
            &mtime,
            UtimensatFlags::NoFollowSymlink,
        )
        .unwrap();
    }

    pub(crate) fn read(&self, name: impl AsRef<[u8]>) -> Vec<u8> {
        let path = self.at(name);
        fs::read(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
    }

    /// The facts of a name itself: lstat(2).
    pub(crate) fn meta(&self, name: impl AsRef<[u8]>) -> fs::Metadata {
        let path = self.at(name);
        fs::symlink_metadata(&path)
            .unwrap_or_else(|error| panic!("lstat of {}: {error}", path.display()))
    }

    /// Permission bits with setuid, setgid and sticky.
    pub(crate) fn mode(&self, name: impl AsRef<[u8]>) -> u32 {
        self.meta(name).mode() & 0o7777
    }

    /// True where the name exists, as a dangling link too.
    pub(crate) fn has(&self, name: impl AsRef<[u8]>) -> bool {
        fs::symlink_metadata(self.at(name)).is_ok()
    }

    pub(crate) fn target(&self, name: impl AsRef<[u8]>) -> Vec<u8> {
        fs::read_link(self.at(name))
            .unwrap()
            .into_os_string()
            .into_vec()
    }

    /// The names in a directory, sorted, without `.` and `..`.
    pub(crate) fn names(&self, name: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.at(name)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_vec())
            .collect();
        names.sort();
        names
    }

    /// Gives everything in it to another user; needs root.
    pub(crate) fn give_to(&self, uid: u32, gid: u32) {
        for path in self.snapshot().entries.keys() {
            std::os::unix::fs::lchown(self.at(path), Some(uid), Some(gid)).unwrap();
        }
    }

    /// All that stands in it now, its own directory as the empty path.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut entries = BTreeMap::new();
        collect(&self.root, b"", &mut entries);
        Snapshot { entries }
    }

    /// The same of one name and what is below it; the rest is not even looked at.
    pub(crate) fn snapshot_of(&self, name: impl AsRef<[u8]>) -> Snapshot {
        let mut entries = BTreeMap::new();
        collect(&self.at(&name), name.as_ref(), &mut entries);
        Snapshot { entries }
    }
}

impl AsRef<Path> for Tree {
    fn as_ref(&self) -> &Path {
        &self.root
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if fs::remove_dir_all(&self.root).is_err() {
            // An ordinary user's own directory without permissions.
            for (path, entry) in &self.snapshot().entries {
                if entry.kind == 'd' {
                    let _ = fs::set_permissions(self.at(path), Permissions::from_mode(0o700));
                }
            }
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// One name of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `-`, `d`, `l`, `p`, `s`, `c` or `b`, as ls(1) prints it
    pub(crate) kind: char,
    /// Permission bits with setuid, setgid and sticky
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// In bytes; 0 for a directory, whose size is the file system's business
    pub(crate) size: u64,
    pub(crate) nlink: u64,
    /// Seconds and nanoseconds
    pub(crate) mtime: (i64, i64),
    /// A file's bytes, hashed; holes and zeros are the same. `None` for what is no file, or may not be read
    pub(crate) content: Option<u64>,
    pub(crate) target: Option<Vec<u8>>,
}

impl fmt::Display for Entry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            mode,
            owner: (uid, gid),
            size,
            nlink,
            mtime,
            content,
            target,
        } = self;
        write!(
            out,
            "{kind}{mode:04o} {nlink} {uid}:{gid} {size} {}.{:09}",
            mtime.0, mtime.1
        )?;
        if let Some(content) = content {
            write!(out, " #{content:016x}")?;
        }
        match target {
            Some(target) => write!(out, " -> {}", target.escape_ascii()),
            None => Ok(()),
        }
    }
}

/// A tree at one moment: path in bytes, and what stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) entries: BTreeMap<Vec<u8>, Entry>,
}

impl Snapshot {
    /// The same without modification times, for two trees that were not made at the same instant.
    pub(crate) fn without_times(mut self) -> Self {
        for entry in self.entries.values_mut() {
            entry.mtime = (0, 0);
        }
        self
    }

    /// One line a difference, `-` what was, `+` what is; empty if there is none.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut paths: Vec<_> = self.entries.keys().chain(other.entries.keys()).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let (was, is) = (self.entries.get(path), other.entries.get(path));
            if was != is {
                let mut line = |sign, entry: Option<&Entry>| {
                    lines.extend(
                        entry.map(|entry| format!("{sign} \"{}\" {entry}", path.escape_ascii())),
                    );
                };
                line('-', was);
                line('+', is);
            }
        }
        lines
    }
}

fn collect(path: &Path, name: &[u8], entries: &mut BTreeMap<Vec<u8>, Entry>) {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return;
    };
    let kind = meta.file_type();
    let letter = match kind {
        kind if kind.is_file() => '-',
        kind if kind.is_dir() => 'd',
        kind if kind.is_symlink() => 'l',
        kind if kind.is_fifo() => 'p',
        kind if kind.is_socket() => 's',
        kind if kind.is_char_device() => 'c',
        _ => 'b',
    };
    let entry = Entry {
        kind: letter,
        mode: meta.mode() & 0o7777,
        owner: (meta.uid(), meta.gid()),
        size: if kind.is_dir() { 0 } else { meta.size() },
        nlink: meta.nlink(),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        content: if kind.is_file() { hash(path) } else { None },
        target: fs::read_link(path)
            .ok()
            .map(|target| target.into_os_string().into_vec()),
    };
    entries.insert(name.to_vec(), entry);
    if kind.is_dir() {
        for child in fs::read_dir(path).into_iter().flatten().flatten() {
            let child_name = child.file_name();
            let joined = if name.is_empty() {
                Vec::new()
            } else {
                [name, b"/"].concat()
            };
            collect(
                &child.path(),
                &[&joined, child_name.as_bytes()].concat(),
                entries,
            );
        }
    }
}

/// Hashes the data of a file, block by block; blocks of zeros and holes leave no trace, so huge sparse files are cheap.
fn hash(path: &Path) -> Option<u64> {
    const BLOCK: usize = 4096;
    let file = File::open(path).ok()?;
    let mut hasher = DefaultHasher::new();
    let mut start = 0;
    while let Ok(data) = lseek(&file, start, Whence::SeekData) {
        let hole = lseek(&file, data, Whence::SeekHole).ok()?;
        let mut offset = data - data % BLOCK as i64;
        while offset < hole {
            let mut block = [0; BLOCK];
            let count = file.read_at(&mut block, offset.unsigned_abs()).ok()?;
            if block.iter().any(|byte| *byte != 0) {
                (offset, &block[..count]).hash(&mut hasher);
            }
            offset += BLOCK as i64;
        }
        start = hole;
    }
    Some(hasher.finish())
}
