//! Random operations from a seed: names, flags and offsets that have a history, in windows of 1 to 200.

use fastrand::Rng;

use crate::operation::{Data, Handle, Operation, Path};
use crate::support::Attrs;
use crate::support::wire::pflags;

/// Names that operations meet again and again, so that they collide.
const NAMES: [&[u8]; 22] = [
    b"a",
    b"b",
    b"c",
    b"dir",
    b"dir2",
    b"sub",
    b"file",
    b"file2",
    b"link",
    b"link2",
    b"dangling",
    b"loop",
    b"\xff\xfe",
    b"caf\xe9",
    "\u{e9}".as_bytes(),
    "e\u{301}".as_bytes(),
    b"sp ace",
    b"new\nline",
    b"-rf",
    b"~",
    b"%s'\"\\",
    b".hidden",
];

/// What is a directory at the start, or leads to one.
const DIRECTORIES: [&[u8]; 6] = [b"dir", b"dir", b"dir2", b"dir2/sub", b"link2", b"c"];

/// Names of files and directories that stay what they are: nothing is renamed onto, removed from or linked at them.
pub(crate) const SOLID: [&str; 3] = ["solid-file", "solid-dir", "solid-full"];

/// What copy-data writes to and, without limit, reads from: never renamed, linked or removed, so that a copy into itself,
/// which would not end with OpenSSH, cannot come about.
pub(crate) const COPIES: [&str; 2] = ["copy-to", "copy-to-2"];
pub(crate) const COPY_SOURCE: &str = "copy-from";

/// One handle as the generator knows it.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// By OPENDIR
    pub(crate) directory: bool,
    /// The name, if it is one of [`COPIES`] or [`COPY_SOURCE`]
    pub(crate) special: Option<&'static str>,
    pub(crate) append: bool,
    pub(crate) closed: bool,
    /// OpenSSH has given the same bytes to a later handle
    pub(crate) reused: bool,
}

pub(crate) struct Generator {
    pub(crate) rng: Rng,
    fresh: u32,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            fresh: 0,
        }
    }

    /// The next window: operations sent without waiting for replies. Handles opened in it are used from the next one on.
    pub(crate) fn window(&mut self, opened: &mut [Opened]) -> Vec<Operation> {
        if self.rng.u8(..6) == 0 {
            return vec![self.alone()];
        }
        let length = match self.rng.u8(..6) {
            0 => 1,
            1 => self.rng.usize(2..=4),
            2 => self.rng.usize(100..=200),
            _ => self.rng.usize(5..=40),
        };
        let mut opens = false;
        let mut window = Vec::new();
        while window.len() < length {
            let operation = self.operation(opened, opens);
            match &operation {
                Operation::Close(Handle::Opened(index)) => opened[*index].closed = true,
                Operation::Open(..) | Operation::Opendir(..) => opens = true,
                _ => {}
            }
            window.push(operation);
        }
        window
    }

    /// What must not have others beside it: a listing of several packets, and a RENAME onto any name, for which the disk
    /// is looked at beforehand.
    fn alone(&mut self) -> Operation {
        if self.rng.bool() {
            return Operation::List(self.plain_path());
        }
        Operation::Rename(self.path(), self.path())
    }

    fn operation(&mut self, opened: &[Opened], opens: bool) -> Operation {
        use Operation as O;
        let live = opened.iter().filter(|handle| !handle.closed).count();
        if live > 40 {
            return O::Close(self.handle(opened, opens, |_| true));
        }
        match self.rng.u8(..44) {
            0..=5 => self.open(),
            6 => O::Opendir(self.path()),
            7 | 8 => O::Close(self.handle(opened, opens, |_| true)),
            9..=11 => O::Read(
                self.handle(opened, opens, |handle| !handle.directory),
                self.offset(),
                self.length(),
            ),
            12..=15 => O::Write(
                self.handle(opened, opens, |handle| !handle.directory),
                self.offset(),
                self.data(),
            ),
            16 | 17 => O::Lstat(self.path()),
            18 => O::Stat(self.path()),
            19 => O::Fstat(self.handle(opened, opens, |_| true)),
            20 | 21 => O::Setstat(self.path(), self.attrs()),
            22 => O::Fsetstat(self.handle(opened, opens, |_| true), self.attrs()),
            23 => O::Readdir(self.handle(opened, opens, |handle| handle.directory)),
            24 | 25 => O::Remove(self.path()),
            26 | 27 => O::Mkdir(self.path(), self.attrs()),
            28 => O::Rmdir(self.path()),
            29 => O::Realpath(self.path()),
            30 => O::Rename(self.path(), self.free_or_solid()),
            31 => O::Readlink(self.path()),
            32 | 33 => O::Symlink(self.target(), self.path()),
            34 => O::PosixRename(self.path(), self.path()),
            35 => O::Statvfs(self.path()),
            36 => O::Fstatvfs(self.handle(opened, opens, |_| true)),
            37 => O::Hardlink(self.path(), self.path()),
            38 | 39 => O::Lsetstat(self.path(), self.attrs()),
            40 => self.copy(opened, opens),
            41 => O::ExpandPath(self.tilde()),
            42 => O::Stat(self.overlong()),
            _ => self.rarity(opened, opens),
        }
    }

    fn rarity(&mut self, opened: &[Opened], opens: bool) -> Operation {
        use Operation as O;
        let users = ["root", "daemon", "nobody-of-this-name", ""];
        match self.rng.u8(..7) {
            0 => O::Limits,
            // Rare because it is slow.
            6 => O::Fsync(self.handle(opened, opens, |_| true)),
            1 => O::HomeDirectory(users[self.rng.usize(..users.len())]),
            2 => O::UsersGroupsById(self.ids(), self.ids()),
            3 => O::UnknownExtension(b"no-such@extension".to_vec()),
            4 => O::Lstat(self.overlong()),
            _ => O::Mkdir(self.overlong(), Attrs::NONE),
        }
    }

    fn open(&mut self) -> Operation {
        let bits = self.rng.u32(..64);
        match self.rng.u8(..12) {
            0 => {
                let name = COPIES[self.rng.usize(..COPIES.len())];
                Operation::Open(
                    relative(name),
                    written(bits & !pflags::EXCL & !pflags::TRUNC),
                    Attrs::NONE,
                )
            }
            1 => Operation::Open(relative(COPY_SOURCE), pflags::READ, Attrs::NONE),
            // Often what opens almost anything, as clients do.
            2..=5 => {
                let usual = pflags::READ | pflags::WRITE | pflags::CREAT;
                Operation::Open(self.path(), usual | bits & pflags::APPEND, Attrs::NONE)
            }
            _ => Operation::Open(self.path(), written(bits), self.attrs()),
        }
    }

    /// Only bounded lengths into what appends, so that nothing doubles again and again; without bound only from the one
    /// file that nothing writes to.
    fn copy(&mut self, opened: &[Opened], opens: bool) -> Operation {
        let to = self.handle(opened, opens, |handle| {
            handle.special.is_some_and(|name| COPIES.contains(&name))
        });
        let Handle::Opened(index) = to else {
            return Operation::CopyData(self.handle(opened, opens, |_| true), 0, 1, to, 0);
        };
        let from = self.handle(opened, opens, |handle| !handle.directory);
        if !opened[index]
            .special
            .is_some_and(|name| COPIES.contains(&name))
        {
            return Operation::CopyData(from, 0, 1, Handle::Forged(vec![0xff; 3]), 0);
        }
        let endless =
            matches!(&from, Handle::Opened(index) if opened[*index].special == Some(COPY_SOURCE));
        let length = match self.rng.u8(..4) {
            0 if endless && !opened[index].append => 0,
            1 if endless && !opened[index].append => u64::MAX - self.rng.u64(..2),
            _ => self.rng.u64(1..=200_000),
        };
        let offset = |generator: &mut Self| match generator.rng.u8(..8) {
            0 => u64::MAX - generator.rng.u64(..2),
            _ => generator.rng.u64(..100_000),
        };
        Operation::CopyData(from, offset(self), length, to, offset(self))
    }

    /// Mostly a handle of the kind wanted, sometimes another, a closed one or a forged one. One that was closed is used
    /// only as long as OpenSSH cannot have given its bytes to a new one.
    fn handle(
        &mut self,
        opened: &[Opened],
        opens: bool,
        wanted: impl Fn(&Opened) -> bool,
    ) -> Handle {
        let usable = |handle: &&(usize, &Opened)| !handle.1.closed || (!handle.1.reused && !opens);
        let all: Vec<_> = opened.iter().enumerate().collect();
        let all: Vec<_> = all.iter().filter(usable).collect();
        let fitting: Vec<_> = all
            .iter()
            .filter(|(_, handle)| wanted(handle) && !handle.closed)
            .collect();
        if !fitting.is_empty() && self.rng.u8(..12) != 0 {
            return Handle::Opened(fitting[self.rng.usize(..fitting.len())].0);
        }
        if !all.is_empty() && self.rng.bool() {
            return Handle::Opened(all[self.rng.usize(..all.len())].0);
        }
        let length = [0, 1, 3, 4, 5, 8, 9, 255, 256, 1000][self.rng.usize(..10)];
        Handle::Forged(vec![0xff; length])
    }

    fn name(&mut self) -> Vec<u8> {
        match self.rng.u8(..40) {
            0 => vec![b'n'; 255],
            1 => vec![0xfe; 256],
            2 => b"..".to_vec(),
            3 => b".".to_vec(),
            4 if self.fresh > 0 => format!("fresh-{}", self.rng.u32(..self.fresh)).into_bytes(),
            // A few names far more often than the rest.
            5..=24 => NAMES[self.rng.usize(..10)].to_vec(),
            _ => NAMES[self.rng.usize(..NAMES.len())].to_vec(),
        }
    }

    /// One to four components, those before the last mostly names of directories.
    fn plain_path(&mut self) -> Path {
        let count = [1, 1, 1, 1, 1, 2, 2, 2, 3, 4][self.rng.usize(..10)];
        let mut bytes = Vec::new();
        for index in 0..count {
            if index > 0 {
                let between: [&[u8]; 8] = [b"/", b"/", b"/", b"/", b"/", b"/", b"//", b"/./"];
                bytes.extend(between[self.rng.usize(..8)]);
            }
            if index + 1 < count && self.rng.u8(..4) != 0 {
                bytes.extend(DIRECTORIES[self.rng.usize(..DIRECTORIES.len())]);
            } else {
                bytes.extend(self.name());
            }
        }
        if self.rng.u8(..20) == 0 {
            bytes.push(b'/');
        }
        let absolute = self.rng.u8(..6) == 0;
        Path { absolute, bytes }
    }

    pub(crate) fn path(&mut self) -> Path {
        match self.rng.u8(..60) {
            0 => relative(""),
            1 => relative("solid-dir/inner"),
            2 => relative("solid-full/x"),
            _ => self.plain_path(),
        }
    }

    /// Around PATH_MAX.
    fn overlong(&mut self) -> Path {
        let mut path = self.plain_path();
        let length = [4000, 4094, 4095, 4096, 4097, 10_000][self.rng.usize(..6)];
        path.absolute = false;
        while path.bytes.len() + 2 <= length {
            path.bytes.splice(0..0, *b"./");
        }
        path
    }

    /// A target of RENAME in a window: a name never used before, or one that certainly stands there.
    fn free_or_solid(&mut self) -> Path {
        if self.rng.u8(..3) == 0 {
            return relative(SOLID[self.rng.usize(..SOLID.len())]);
        }
        self.fresh += 1;
        relative(format!("fresh-{}", self.fresh - 1))
    }

    /// What a link says: at most two steps up, so that even 40 links in a row stay within the temporary directory.
    fn target(&mut self) -> Path {
        match self.rng.u8(..8) {
            0 => relative(".."),
            1 => relative("../.."),
            2 => relative(""),
            3 => Path {
                absolute: true,
                bytes: self
                    .name()
                    .into_iter()
                    .filter(|byte| *byte != b'.')
                    .collect(),
            },
            _ => {
                let mut path = Path {
                    absolute: false,
                    bytes: self.name(),
                };
                if path.bytes == b".." || self.rng.bool() {
                    path.bytes.extend(b"/");
                    path.bytes.extend(NAMES[self.rng.usize(..NAMES.len())]);
                }
                path
            }
        }
    }

    fn tilde(&mut self) -> Path {
        let mut path = self.plain_path();
        path.absolute = false;
        let before: &[u8] = match self.rng.u8(..4) {
            0 => b"~/",
            1 => b"~nobody-of-this-name/",
            2 => return relative("~"),
            _ => b"",
        };
        path.bytes.splice(0..0, before.iter().copied());
        path
    }

    /// Each combination of flags; times far from now, so that a time that was set can be told from one that just happened.
    fn attrs(&mut self) -> Attrs {
        let mut attrs = Attrs::NONE;
        let flags = self.rng.u8(..32);
        if flags & 1 != 0 {
            let sizes = [
                0,
                0,
                1,
                1,
                100,
                4096,
                5000,
                65_536,
                100_000,
                1_000_000,
                1 << 62,
                i64::MAX as u64,
                1 << 63,
                u64::MAX,
            ];
            attrs = attrs.size(sizes[self.rng.usize(..sizes.len())]);
        }
        if flags & 2 != 0 {
            let ids = [u32::MAX, u32::MAX, u32::MAX, 0, 1, 65534, 4_000_000_000];
            attrs = attrs.owner(
                ids[self.rng.usize(..ids.len())],
                ids[self.rng.usize(..ids.len())],
            );
        }
        if flags & 4 != 0 {
            let modes = [
                0o644,
                0o755,
                0o600,
                0o700,
                0,
                0o7777,
                0o1777,
                0o4755,
                0o100_644,
                0o555,
                0o111,
                u32::MAX,
            ];
            attrs = attrs.permissions(modes[self.rng.usize(..modes.len())]);
        }
        if flags & 8 != 0 {
            let times = [
                0,
                1,
                1_000_000_000,
                1_234_567_890,
                i32::MAX as u32,
                1 << 31,
                u32::MAX,
            ];
            attrs = attrs.times(
                times[self.rng.usize(..times.len())],
                times[self.rng.usize(..times.len())],
            );
        }
        if flags & 16 != 0 && self.rng.u8(..4) == 0 {
            attrs = attrs.extended(vec![
                (b"name@example.org".to_vec(), b"\0value".to_vec());
                self.rng.usize(..3)
            ]);
        }
        attrs
    }

    fn offset(&mut self) -> u64 {
        match self.rng.u8(..24) {
            0 => u64::MAX - self.rng.u64(..2),
            1 => (1 << 63) + self.rng.u64(..2),
            2 => (1 << 63) - 1 - self.rng.u64(..2),
            3..=9 => 0,
            10..=14 => self.rng.u64(..50),
            _ => self.rng.u64(..300_000),
        }
    }

    fn length(&mut self) -> u32 {
        let lengths = [
            0,
            1,
            10,
            4096,
            32_768,
            32_768,
            100_000,
            261_120,
            261_121,
            u32::MAX,
        ];
        lengths[self.rng.usize(..lengths.len())]
    }

    fn data(&mut self) -> Data {
        let lengths = [0, 1, 7, 100, 100, 4096, 32_768, 70_000];
        let length = lengths[self.rng.usize(..lengths.len())];
        let byte = self.rng.u8(..);
        Data(
            (0..length)
                .map(|n| byte.wrapping_add((n % 251) as u8))
                .collect(),
        )
    }

    fn ids(&mut self) -> Vec<u32> {
        (0..self.rng.usize(..6))
            .map(|_| [0, 1, 33, 65534, 4_000_000_000, u32::MAX][self.rng.usize(..6)])
            .collect()
    }
}

fn relative(bytes: impl AsRef<[u8]>) -> Path {
    Path {
        absolute: false,
        bytes: bytes.as_ref().to_vec(),
    }
}

/// APPEND with neither READ nor WRITE opens for writing in ours and for reading in OpenSSH's server: pflags.rs of the protocol tests has it. Here
/// the two disks would go apart.
fn written(bits: u32) -> u32 {
    match bits & (pflags::READ | pflags::WRITE | pflags::APPEND) {
        pflags::APPEND => bits | pflags::WRITE,
        _ => bits,
    }
}
