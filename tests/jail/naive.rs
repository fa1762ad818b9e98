//! A resolver as many servers have had it: canonicalize, compare with the root as strings, then use the path.
//!
//! It is wrong on purpose. The races must catch it.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::races::Subject;
use crate::support::wire::{Attrs, Fields, Name, Packet, Reply, Status, code, kind};

pub(crate) struct Naive {
    root: PathBuf,
    bound: PathBuf,
}

impl Naive {
    /// `bound` is seen at `/b`.
    pub(crate) fn new(root: PathBuf, bound: PathBuf) -> Self {
        Self { root, bound }
    }

    /// The checked path on the host, of a parent that exists and a last name.
    fn resolve(&self, path: &[u8]) -> Option<PathBuf> {
        let path = std::str::from_utf8(path).ok()?;
        let (top, below) = match path.strip_prefix("/b/") {
            Some(below) => (&self.bound, below),
            None => (&self.root, path.trim_start_matches('/')),
        };
        let joined = top.join(below);
        let canonical = match joined.canonicalize() {
            Ok(canonical) => canonical,
            Err(_) => joined
                .parent()?
                .canonicalize()
                .ok()?
                .join(joined.file_name()?),
        };
        let inside = canonical
            .as_os_str()
            .as_bytes()
            .starts_with(top.as_os_str().as_bytes());
        inside.then_some(canonical)
    }

    fn answer(&self, packet: &Packet) -> Option<Reply> {
        let mut fields = Fields(&packet.body);
        let path = self.resolve(fields.string())?;
        match packet.kind {
            kind::OPEN => {
                let mut data = Vec::new();
                let mut file = fs::File::open(&path).ok()?;
                file.read_to_end(&mut data).ok()?;
                Some(Reply::Data(data))
            }
            kind::STAT => attrs(&fs::metadata(&path).ok()?),
            kind::LSTAT => attrs(&fs::symlink_metadata(&path).ok()?),
            kind::OPENDIR => {
                let entries = fs::read_dir(&path).ok()?.flatten();
                let name = |entry: fs::DirEntry| Name {
                    filename: entry.file_name().as_bytes().to_vec(),
                    longname: Vec::new(),
                    attrs: entry.metadata().map_or(Attrs::NONE, |meta| of(&meta)),
                };
                Some(Reply::Names(entries.map(name).collect()))
            }
            kind::SETSTAT => done(fs::set_permissions(
                &path,
                fs::Permissions::from_mode(0o750),
            )),
            kind::REMOVE => done(fs::remove_file(&path)),
            kind::MKDIR => done(fs::create_dir(&path)),
            kind::RMDIR => done(fs::remove_dir(&path)),
            kind::RENAME => done(fs::rename(&path, self.resolve(fields.string())?)),
            kind::SYMLINK => done(symlink(Path::new("anything"), &path)),
            _ => None,
        }
    }
}

impl Subject for Naive {
    fn window(&mut self, packets: &[Packet]) -> Vec<Reply> {
        let refused = || {
            Reply::Status(Status {
                code: code::FAILURE,
                text: String::new(),
                language: Vec::new(),
            })
        };
        let answer = |packet| self.answer(packet).unwrap_or_else(refused);
        packets.iter().map(answer).collect()
    }
}

fn done(result: std::io::Result<()>) -> Option<Reply> {
    result.ok()?;
    Some(Reply::Attrs(Attrs::NONE))
}

fn of(meta: &fs::Metadata) -> Attrs {
    let mtime = u32::try_from(meta.mtime()).unwrap_or(0);
    Attrs::NONE.size(meta.len()).times(0, mtime)
}

fn attrs(meta: &fs::Metadata) -> Option<Reply> {
    Some(Reply::Attrs(of(meta)))
}
