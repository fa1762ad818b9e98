//! The cells of the matrix: every request, with every object that it could be sent to, by every way to name it.

use crate::support::wire::pflags::{APPEND, CREAT, EXCL, READ, TRUNC, WRITE};
use crate::words::{At, Attr, By, Handled, Object, Op, Target, Way};

pub(crate) type Cell = (Op, Object, Way);

const OBJECTS: [Object; 10] = [
    Object::Foreign,
    Object::Own,
    Object::Absent,
    Object::Dir,
    Object::Empty,
    Object::OwnDir,
    Object::Link,
    Object::Taken,
    Object::Fresh,
    Object::Here,
];

pub(crate) fn ways(object: Object) -> Vec<Way> {
    let mut ways = vec![Way::Plain];
    if object != Object::Fresh {
        ways.extend([Way::Dots, Way::Absolute, Way::DirLink]);
    }
    ways.extend(object.link().map(|_| Way::Link));
    ways.extend(object.hard().map(|_| Way::Hard));
    ways
}

const ATTRS: [Attr; 6] = [
    Attr::Less,
    Attr::Same,
    Attr::More,
    Attr::Perms,
    Attr::Times,
    Attr::Owner,
];

fn operations(object: Object, way: Way) -> Vec<Op> {
    let reading = [
        Op::Read,
        Op::List,
        Op::Stat,
        Op::Lstat,
        Op::Readlink,
        Op::Realpath,
        Op::Statvfs,
    ];
    let mut all = reading.to_vec();
    if object == Object::Here {
        return all;
    }
    if object == Object::Fresh {
        all.clear();
    } else {
        for pflags in [
            0,
            READ,
            WRITE,
            READ | WRITE,
            WRITE | APPEND,
            READ | TRUNC,
            WRITE | TRUNC,
            READ | CREAT,
            WRITE | CREAT,
            WRITE | CREAT | APPEND,
            WRITE | CREAT | TRUNC,
            READ | WRITE | CREAT | TRUNC,
            WRITE | CREAT | EXCL,
            WRITE | CREAT | TRUNC | EXCL,
        ] {
            all.push(Op::Open(pflags));
        }
        all.extend(ATTRS.map(Op::Setstat));
        all.extend(ATTRS.map(Op::Lsetstat));
        all.extend([Op::Remove, Op::Rmdir, Op::Mkdir, Op::Symlink]);
        for target in [
            Target::Free,
            Target::Other,
            Target::Own,
            Target::Dangling,
            Target::EmptyDir,
        ] {
            all.push(Op::Rename(target));
            all.push(Op::PosixRename(target));
            all.push(Op::Hardlink(target));
            all.extend([false, true].map(|over| Op::CopyFile(target, over)));
        }
        all.extend([Op::RenameOnto, Op::PosixRenameOnto, Op::HardlinkOnto]);
        all.extend([false, true].map(Op::CopyFileOnto));
    }
    let by: &[By] = match object {
        Object::Fresh => &[By::Creator],
        Object::Foreign | Object::Own | Object::Taken
            if matches!(way, Way::Plain | Way::Link | Way::Hard) =>
        {
            &[By::Reader, By::Writer, By::Appender]
        }
        _ => &[],
    };
    for by in by.iter().copied() {
        let mut handled = vec![Handled::Read, Handled::Fstat, Handled::Fstatvfs];
        handled.extend(ATTRS.map(Handled::Fsetstat));
        for at in [At::Start, At::Inside, At::End, At::Beyond] {
            handled.extend([Handled::Write(at), Handled::Copy(at)]);
        }
        all.extend(handled.into_iter().map(|handled| Op::Handled(by, handled)));
    }
    all
}

/// Every cell, or in a view that differs little only the ways that resolve differently there.
pub(crate) fn cells(wholly: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    for object in OBJECTS {
        for way in ways(object) {
            if wholly || matches!(way, Way::Plain | Way::Absolute | Way::Link) {
                cells.extend(
                    operations(object, way)
                        .into_iter()
                        .map(|op| (op, object, way)),
                );
            }
        }
    }
    cells
}
