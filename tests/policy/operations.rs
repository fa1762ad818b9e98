//! Every request that could change or reveal something, sent to an object of a cell, and its reply in words that compare.

use crate::ground::{FILE_MODE, FOREIGN, Ground};
use crate::model::seen;
use crate::support::wire::{code, pflags};
use crate::support::{Attrs, Packet, Reply, request};
use crate::words::{At, By, Handled, Object, Op, Target, Way};

/// At the start of a file of 15 bytes it changes ten; at its end it passes what `--max-file-size` allows.
const DATA: &str = "0123456789";
/// The modes that a client asks for; from each a umask takes something.
pub(crate) const ASKED_FILE: u32 = 0o666;
pub(crate) const ASKED_DIR: u32 = 0o777;

/// What a cell's request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The handle that the request acts on was refused: the request itself was not sent.
    pub(crate) unopened: bool,
    /// The reply, without what is another in each session: handles, times of the test, the path of the cell.
    pub(crate) words: String,
    /// The code and the text of a STATUS.
    pub(crate) status: Option<(u32, String)>,
    /// The names of a listing, sorted.
    pub(crate) names: Option<Vec<String>>,
}

impl Answer {
    fn of(reply: &Reply, ground: &Ground) -> Self {
        let mut answer = Self {
            unopened: false,
            words: String::new(),
            status: None,
            names: None,
        };
        answer.words = match reply {
            Reply::Status(status) => {
                answer.status = Some((status.code, status.text.clone()));
                format!("{} {}", status.code, status.text)
            }
            Reply::Handle(_) => "a handle".to_owned(),
            Reply::Data(data) => format!("data {}", data.escape_ascii()),
            Reply::Attrs(attrs) => words(attrs),
            Reply::Extended(bytes) => format!("{} bytes", bytes.len()),
            Reply::Names(names) => {
                let names = names
                    .iter()
                    .map(|name| name.filename.escape_ascii().to_string());
                names.collect::<Vec<_>>().join(" ")
            }
        };
        answer.words = answer.words.replace(&ground.absolute(), "…");
        answer
    }

    /// True where what was asked for was done.
    pub(crate) fn is_success(&self) -> bool {
        !self.unopened && self.status.as_ref().is_none_or(|(status, _)| *status == 0)
    }
}

fn words(attrs: &Attrs) -> String {
    let directory = attrs
        .permissions
        .is_some_and(|mode| mode & 0o170000 == 0o040000);
    let mut attrs = attrs.clone();
    // Of a directory the size is the file system's business, and atime is anyone's who looks.
    attrs.size = attrs.size.filter(|_| !directory);
    attrs.times = attrs
        .times
        .map(|(_, mtime)| (0, if mtime > 1_500_000_000 { 0 } else { mtime }));
    format!("{attrs:?}")
}

/// Sends what `op` is, of `object` as `way` names it, and all that has to go before and after.
pub(crate) fn perform(ground: &mut Ground, op: Op, object: Object, way: Way) -> Answer {
    let path = ground.path(object, way);
    let cell = ground.cell().to_owned();
    let at = |name: &str| format!("{cell}/{name}");
    let size = seen(op, object, way).size;
    let onto = |target: Target| at(target.name());
    let packet = match op {
        Op::Open(flags) => {
            let attrs = Attrs::NONE.permissions(ASKED_FILE);
            let reply = ground.server.call(&request::open(&path, flags, &attrs));
            if let Reply::Handle(handle) = &reply {
                ground.server.close(handle);
            }
            return Answer::of(&reply, ground);
        }
        Op::Read => return read(ground, &path),
        Op::List => return list(ground, &path),
        Op::Handled(by, handled) => return by_handle(ground, by, handled, &path),
        Op::Stat => request::stat(path),
        Op::Lstat => request::lstat(path),
        Op::Readlink => request::readlink(path),
        Op::Realpath => request::realpath(path),
        Op::Statvfs => request::statvfs(path),
        Op::Setstat(attr) => request::setstat(path, &attr.attrs(size)),
        Op::Lsetstat(attr) => request::lsetstat(path, &attr.attrs(size)),
        Op::Remove => request::remove(path),
        Op::Rmdir => request::rmdir(path),
        Op::Mkdir => request::mkdir(path, &Attrs::NONE.permissions(ASKED_DIR)),
        Op::Symlink => request::symlink("anything", path),
        Op::Rename(target) => request::rename(path, onto(target)),
        Op::PosixRename(target) => request::posix_rename(path, onto(target)),
        Op::Hardlink(target) => request::hardlink(path, onto(target)),
        Op::RenameOnto => request::rename(at("own2"), path),
        Op::PosixRenameOnto => request::posix_rename(at("own2"), path),
        Op::HardlinkOnto => request::hardlink(at("own2"), path),
        Op::CopyFile(target, over) => request::copy_file(path, onto(target), over.into()),
        Op::CopyFileOnto(over) => request::copy_file(at("own2"), path, over.into()),
    };
    let reply = ground.server.call(&packet);
    Answer::of(&reply, ground)
}

fn read(ground: &mut Ground, path: &str) -> Answer {
    let opened = request::open(path, pflags::READ, &Attrs::NONE);
    let reply = match ground.server.call(&opened) {
        Reply::Handle(handle) => {
            let reply = ground.server.call(&request::read(&handle, 0, 100));
            ground.server.close(&handle);
            reply
        }
        refused => refused,
    };
    Answer::of(&reply, ground)
}

fn list(ground: &mut Ground, path: &str) -> Answer {
    let handle = match ground.server.call(&request::opendir(path)) {
        Reply::Handle(handle) => handle,
        refused => return Answer::of(&refused, ground),
    };
    let mut names = Vec::new();
    let end = loop {
        match ground.server.call(&request::readdir(&handle)) {
            Reply::Names(some) => {
                let some = some.iter().map(|name| {
                    // Both ways in which an entry is told say the same name.
                    assert!(name.longname.ends_with(&name.filename), "{name:?}");
                    name.filename.escape_ascii().to_string()
                });
                names.extend(some);
            }
            other => break other,
        }
    };
    assert_eq!(end.code(), code::EOF, "the end of a listing");
    ground.server.close(&handle);
    names.sort();
    Answer {
        unopened: false,
        words: names.join(" "),
        status: None,
        names: Some(names),
    }
}

fn by_handle(ground: &mut Ground, by: By, handled: Handled, path: &str) -> Answer {
    let attrs = Attrs::NONE.permissions(FILE_MODE);
    let opened = request::open(path, by.flags(), &attrs);
    let handle = match ground.server.call(&opened) {
        Reply::Handle(handle) => handle,
        refused => {
            let answer = Answer::of(&refused, ground);
            return Answer {
                unopened: true,
                ..answer
            };
        }
    };
    if by == By::Creator {
        // As many bytes as every other file of the matrix has.
        ground.server.ok(&request::write(&handle, 0, FOREIGN));
    }
    let size = ground.server.call(&request::fstat(&handle)).attrs().size;
    let size = size.expect("a file has a size");
    let mut source = None;
    let packet: Packet = match handled {
        Handled::Read => request::read(&handle, 0, 100),
        Handled::Fstat => request::fstat(&handle),
        Handled::Fstatvfs => request::fstatvfs(&handle),
        Handled::Write(at) => request::write(&handle, at.offset(size), DATA),
        Handled::Fsetstat(attr) => request::fsetstat(&handle, &attr.attrs(size)),
        Handled::Copy(at) => {
            let other = format!("{}/own2", ground.cell());
            let other = ground.server.open(other, pflags::READ);
            let packet = request::copy_data(&other, 0, 0, &handle, at.offset(size));
            source = Some(other);
            packet
        }
    };
    let reply = ground.server.call(&packet);
    for handle in [Some(handle), source].into_iter().flatten() {
        ground.server.close(&handle);
    }
    Answer::of(&reply, ground)
}

impl At {
    fn offset(self, size: u64) -> u64 {
        match self {
            Self::Start => 0,
            Self::Inside => 3,
            Self::End => size,
            Self::Beyond => size + 5,
        }
    }
}
