//! One builder a request and an extension: fields in, a [`Packet`] out.

use super::wire::{Attrs, Packet, kind, string};

pub(crate) fn open(filename: impl AsRef<[u8]>, pflags: u32, attrs: &Attrs) -> Packet {
    Packet::new(
        kind::OPEN,
        [
            string(filename),
            pflags.to_be_bytes().to_vec(),
            attrs.encode(),
        ]
        .concat(),
    )
}

pub(crate) fn close(handle: &[u8]) -> Packet {
    Packet::new(kind::CLOSE, string(handle))
}

pub(crate) fn read(handle: &[u8], offset: u64, length: u32) -> Packet {
    Packet::new(
        kind::READ,
        [
            &string(handle)[..],
            &offset.to_be_bytes(),
            &length.to_be_bytes(),
        ]
        .concat(),
    )
}

pub(crate) fn write(handle: &[u8], offset: u64, data: impl AsRef<[u8]>) -> Packet {
    Packet::new(
        kind::WRITE,
        [&string(handle)[..], &offset.to_be_bytes(), &string(data)].concat(),
    )
}

pub(crate) fn lstat(path: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::LSTAT, string(path))
}

pub(crate) fn fstat(handle: &[u8]) -> Packet {
    Packet::new(kind::FSTAT, string(handle))
}

pub(crate) fn setstat(path: impl AsRef<[u8]>, attrs: &Attrs) -> Packet {
    Packet::new(kind::SETSTAT, [string(path), attrs.encode()].concat())
}

pub(crate) fn fsetstat(handle: &[u8], attrs: &Attrs) -> Packet {
    Packet::new(kind::FSETSTAT, [string(handle), attrs.encode()].concat())
}

pub(crate) fn opendir(path: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::OPENDIR, string(path))
}

pub(crate) fn readdir(handle: &[u8]) -> Packet {
    Packet::new(kind::READDIR, string(handle))
}

pub(crate) fn remove(filename: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::REMOVE, string(filename))
}

pub(crate) fn mkdir(path: impl AsRef<[u8]>, attrs: &Attrs) -> Packet {
    Packet::new(kind::MKDIR, [string(path), attrs.encode()].concat())
}

pub(crate) fn rmdir(path: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::RMDIR, string(path))
}

pub(crate) fn realpath(path: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::REALPATH, string(path))
}

pub(crate) fn stat(path: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::STAT, string(path))
}

pub(crate) fn rename(oldpath: impl AsRef<[u8]>, newpath: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::RENAME, [string(oldpath), string(newpath)].concat())
}

pub(crate) fn readlink(path: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::READLINK, string(path))
}

/// In OpenSSH's order, not the draft's: first what the link says, then where it stands.
pub(crate) fn symlink(target: impl AsRef<[u8]>, linkpath: impl AsRef<[u8]>) -> Packet {
    Packet::new(kind::SYMLINK, [string(target), string(linkpath)].concat())
}

/// Any extended request: its name, and its fields already encoded.
pub(crate) fn extended(name: impl AsRef<[u8]>, fields: impl AsRef<[u8]>) -> Packet {
    Packet::new(
        kind::EXTENDED,
        [&string(name)[..], fields.as_ref()].concat(),
    )
}

pub(crate) fn posix_rename(oldpath: impl AsRef<[u8]>, newpath: impl AsRef<[u8]>) -> Packet {
    extended(
        "posix-rename@openssh.com",
        [string(oldpath), string(newpath)].concat(),
    )
}

pub(crate) fn statvfs(path: impl AsRef<[u8]>) -> Packet {
    extended("statvfs@openssh.com", string(path))
}

pub(crate) fn fstatvfs(handle: &[u8]) -> Packet {
    extended("fstatvfs@openssh.com", string(handle))
}

pub(crate) fn hardlink(oldpath: impl AsRef<[u8]>, newpath: impl AsRef<[u8]>) -> Packet {
    extended(
        "hardlink@openssh.com",
        [string(oldpath), string(newpath)].concat(),
    )
}

pub(crate) fn fsync(handle: &[u8]) -> Packet {
    extended("fsync@openssh.com", string(handle))
}

pub(crate) fn lsetstat(path: impl AsRef<[u8]>, attrs: &Attrs) -> Packet {
    extended(
        "lsetstat@openssh.com",
        [string(path), attrs.encode()].concat(),
    )
}

pub(crate) fn limits() -> Packet {
    extended("limits@openssh.com", b"")
}

pub(crate) fn expand_path(path: impl AsRef<[u8]>) -> Packet {
    extended("expand-path@openssh.com", string(path))
}

/// `length` 0 copies to the end of the source.
pub(crate) fn copy_data(
    from: &[u8],
    read_offset: u64,
    length: u64,
    to: &[u8],
    write_offset: u64,
) -> Packet {
    let fields = [
        &string(from)[..],
        &read_offset.to_be_bytes(),
        &length.to_be_bytes(),
        &string(to),
        &write_offset.to_be_bytes(),
    ];
    extended("copy-data", fields.concat())
}

/// `overwrite` may be any byte.
pub(crate) fn copy_file(
    source: impl AsRef<[u8]>,
    destination: impl AsRef<[u8]>,
    overwrite: u8,
) -> Packet {
    let fields = [&string(source)[..], &string(destination), &[overwrite]];
    extended("copy-file", fields.concat())
}

pub(crate) fn space_available(path: impl AsRef<[u8]>) -> Packet {
    extended("space-available", string(path))
}

pub(crate) fn vendor_id(names: [&[u8]; 3], build: u64) -> Packet {
    let fields = [&names.map(string).concat()[..], &build.to_be_bytes()];
    extended("vendor-id", fields.concat())
}

pub(crate) fn home_directory(username: impl AsRef<[u8]>) -> Packet {
    extended("home-directory", string(username))
}

pub(crate) fn users_groups_by_id(uids: &[u32], gids: &[u32]) -> Packet {
    let list = |ids: &[u32]| {
        string(
            ids.iter()
                .flat_map(|id| id.to_be_bytes())
                .collect::<Vec<u8>>(),
        )
    };
    extended(
        "users-groups-by-id@openssh.com",
        [list(uids), list(gids)].concat(),
    )
}
