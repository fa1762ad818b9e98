//! Every request and extension, as a client would go about it with one path: OPEN, then READ; OPENDIR, then READDIR.

use crate::support::request;
use crate::support::wire::{Attrs, Packet, Reply, code, pflags, string};

/// Sends one request of a probe and returns its reply.
pub(crate) type Call<'a> = &'a mut dyn FnMut(Packet) -> Reply;

/// One way to use a path.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    pub(crate) effect: Effect,
    pub(crate) run: fn(Call<'_>, &[u8]),
}

/// When a probe may have changed the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Never,
    /// Where a reply tells of success.
    IfDone,
    /// Several changes in one request, of which one may fail and another be made.
    Perhaps,
}

/// What stands beside the path in requests of two: a file and a free name, in the root and in a writable bind.
const FILE: &[u8] = b"/f";
const FREE: &[u8] = b"/free";
const FREE_BELOW: &[u8] = b"/d/free";

const fn read(name: &'static str, run: fn(Call<'_>, &[u8])) -> Probe {
    Probe {
        name,
        effect: Effect::Never,
        run,
    }
}

const fn write(name: &'static str, run: fn(Call<'_>, &[u8])) -> Probe {
    Probe {
        name,
        effect: Effect::IfDone,
        run,
    }
}

const W: u32 = pflags::WRITE;
const R: u32 = pflags::READ;

pub(crate) const PROBES: &[Probe] = &[
    read("open r", |call, path| open(call, path, R, false)),
    write("open w", |call, path| open(call, path, W, true)),
    write("open rw", |call, path| open(call, path, R | W, true)),
    write("open w creat", |call, path| {
        open(call, path, W | pflags::CREAT, true);
    }),
    write("open r creat", |call, path| {
        open(call, path, R | pflags::CREAT, false);
    }),
    write("open w creat excl", |call, path| {
        open(call, path, W | pflags::CREAT | pflags::EXCL, true);
    }),
    write("open w trunc", |call, path| {
        open(call, path, W | pflags::TRUNC, false);
    }),
    write("open w creat trunc", |call, path| {
        open(call, path, W | pflags::CREAT | pflags::TRUNC, true);
    }),
    write("open w append", |call, path| {
        open(call, path, W | pflags::APPEND, true);
    }),
    write("open rw creat append", |call, path| {
        open(call, path, R | W | pflags::CREAT | pflags::APPEND, true);
    }),
    read("stat", |call, path| one(call, request::stat(path))),
    read("lstat", |call, path| one(call, request::lstat(path))),
    write("setstat size", |call, path| {
        one(call, request::setstat(path, &Attrs::NONE.size(3)));
    }),
    write("setstat permissions", |call, path| {
        one(
            call,
            request::setstat(path, &Attrs::NONE.permissions(0o710)),
        );
    }),
    write("setstat times", |call, path| {
        one(call, request::setstat(path, &TIMES));
    }),
    write("setstat owner", |call, path| {
        one(call, request::setstat(path, &own()));
    }),
    Probe {
        name: "setstat all",
        effect: Effect::Perhaps,
        run: |call, path| {
            let all = TIMES.size(2).permissions(0o710);
            one(call, request::setstat(path, &all));
        },
    },
    write("lsetstat permissions", |call, path| {
        one(
            call,
            request::lsetstat(path, &Attrs::NONE.permissions(0o710)),
        );
    }),
    write("lsetstat times", |call, path| {
        one(call, request::lsetstat(path, &TIMES));
    }),
    write("lsetstat owner", |call, path| {
        one(call, request::lsetstat(path, &own()));
    }),
    write("fsetstat size", |call, path| {
        with_handle(
            call,
            request::open(path, W, &Attrs::NONE),
            |call, handle| {
                one(call, request::fsetstat(handle, &Attrs::NONE.size(3)));
            },
        );
    }),
    write("fsetstat permissions", |call, path| {
        with_handle(
            call,
            request::open(path, R, &Attrs::NONE),
            |call, handle| {
                one(
                    call,
                    request::fsetstat(handle, &Attrs::NONE.permissions(0o710)),
                );
            },
        );
    }),
    write("fsetstat times", |call, path| {
        with_handle(
            call,
            request::open(path, R, &Attrs::NONE),
            |call, handle| {
                one(call, request::fsetstat(handle, &TIMES));
            },
        );
    }),
    write("fsetstat owner", |call, path| {
        with_handle(
            call,
            request::open(path, R, &Attrs::NONE),
            |call, handle| {
                one(call, request::fsetstat(handle, &own()));
            },
        );
    }),
    write("fsetstat of a directory", |call, path| {
        with_handle(call, request::opendir(path), |call, handle| {
            one(
                call,
                request::fsetstat(handle, &Attrs::NONE.permissions(0o710)),
            );
        });
    }),
    read("fstat", |call, path| {
        with_handle(
            call,
            request::open(path, R, &Attrs::NONE),
            |call, handle| {
                one(call, request::fstat(handle));
            },
        );
    }),
    read("opendir, readdir", |call, path| {
        with_handle(call, request::opendir(path), |call, handle| {
            while let Reply::Names(_) = call(request::readdir(handle)) {}
        });
    }),
    write("remove", |call, path| one(call, request::remove(path))),
    write("rmdir", |call, path| one(call, request::rmdir(path))),
    write("mkdir", |call, path| {
        one(call, request::mkdir(path, &Attrs::NONE));
    }),
    write("mkdir with permissions", |call, path| {
        one(call, request::mkdir(path, &Attrs::NONE.permissions(0o700)));
    }),
    read("realpath", |call, path| one(call, request::realpath(path))),
    read("expand-path", |call, path| {
        one(call, request::expand_path(path));
    }),
    read("expand-path from home", |call, path| {
        one(call, request::expand_path([b"~/", path].concat()));
    }),
    read("readlink", |call, path| one(call, request::readlink(path))),
    write("symlink at", |call, path| {
        one(call, request::symlink(b"any \xff target", path));
    }),
    write("symlink to", |call, path| {
        one(call, request::symlink(path, FREE));
        one(call, request::readlink(FREE));
        one(call, request::stat(FREE));
        one(call, request::realpath(FREE));
        open(call, FREE, R, false);
    }),
    write("rename from", |call, path| {
        one(call, request::rename(path, FREE));
    }),
    write("rename to", |call, path| {
        one(call, request::rename(FILE, path));
    }),
    write("posix-rename from", |call, path| {
        one(call, request::posix_rename(path, FREE_BELOW));
    }),
    write("posix-rename to", |call, path| {
        one(call, request::posix_rename(FILE, path));
    }),
    write("posix-rename of a directory to", |call, path| {
        one(call, request::posix_rename(b"/empty", path));
    }),
    write("hardlink from", |call, path| {
        one(call, request::hardlink(path, FREE));
    }),
    write("hardlink to", |call, path| {
        one(call, request::hardlink(FILE, path));
    }),
    read("statvfs", |call, path| one(call, request::statvfs(path))),
    read("fstatvfs", |call, path| {
        with_handle(
            call,
            request::open(path, R, &Attrs::NONE),
            |call, handle| {
                one(call, request::fstatvfs(handle));
            },
        );
    }),
    write("fsync", |call, path| {
        with_handle(
            call,
            request::open(path, W, &Attrs::NONE),
            |call, handle| {
                one(call, request::fsync(handle));
            },
        );
    }),
    write("copy-data from", |call, path| {
        let to = request::open(FREE, W | pflags::CREAT, &Attrs::NONE);
        with_handle(call, request::open(path, R, &Attrs::NONE), |call, from| {
            with_handle(call, to, |call, to| {
                one(call, request::copy_data(from, 0, 0, to, 0));
            });
        });
    }),
    write("copy-data to", |call, path| {
        // Nothing else names it: OpenSSH copies a file into itself for ever where two names hide that it is one.
        let from = request::open(b"/source", R, &Attrs::NONE);
        let to = request::open(path, W, &Attrs::NONE);
        with_handle(call, to, |call, to| {
            with_handle(call, from, |call, from| {
                one(call, request::copy_data(from, 0, 0, to, 1));
            });
        });
    }),
    read("home-directory", |call, path| {
        one(call, request::home_directory(path));
    }),
    read("an unknown extension", |call, path| {
        one(call, request::extended("stat-me@example.com", string(path)));
    }),
];

/// Those that no other server knows, so that there is nothing to compare them with.
pub(crate) const OURS: &[Probe] = &[
    write("copy-file to", |call, path| {
        one(call, request::copy_file(b"/source", path, 0));
    }),
    write("copy-file over", |call, path| {
        one(call, request::copy_file(b"/source", path, 1));
    }),
    write("copy-file from", |call, path| {
        one(call, request::copy_file(path, FREE, 0));
        open(call, FREE, R, false);
    }),
];

/// The requests of two paths, for the matrix of pairs.
pub(crate) type Pair = fn(&[u8], &[u8]) -> Packet;

pub(crate) const PAIRS: &[(&str, Pair)] = &[
    ("rename", |one, two| request::rename(one, two)),
    ("posix-rename", |one, two| request::posix_rename(one, two)),
    ("hardlink", |one, two| request::hardlink(one, two)),
    ("symlink", |one, two| request::symlink(one, two)),
];

const TIMES: Attrs = Attrs {
    size: None,
    owner: None,
    permissions: None,
    times: Some((1_400_000_000, 1_400_000_001)),
    extended: None,
};

fn own() -> Attrs {
    let (uid, gid) = crate::ground::ordinary();
    Attrs::NONE.owner(uid, gid)
}

fn one(call: Call<'_>, packet: Packet) {
    call(packet);
}

/// OPEN; READ or, where `change`, WRITE; CLOSE.
fn open(call: Call<'_>, path: &[u8], pflags: u32, change: bool) {
    let packet = request::open(path, pflags, &Attrs::NONE.permissions(0o640));
    with_handle(call, packet, |call, handle| {
        if pflags & R != 0 {
            call(request::read(handle, 0, 4096));
        }
        if change {
            call(request::write(handle, 2, b"WRITTEN"));
        }
    });
}

/// A request that yields a handle, what is done with it, CLOSE.
fn with_handle(call: Call<'_>, packet: Packet, body: impl FnOnce(Call<'_>, &[u8])) {
    if let Reply::Handle(handle) = call(packet) {
        body(call, &handle);
        call(request::close(&handle));
    }
}

/// True where a reply says that something was done.
pub(crate) fn succeeded(reply: &Reply) -> bool {
    match reply {
        Reply::Status(status) => status.code == code::OK,
        _ => true,
    }
}
