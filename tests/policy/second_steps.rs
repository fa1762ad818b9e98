//! Two steps against a rule, and what has become of a directory by them.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};

use crate::support::packet::pflags::{APPEND, CREAT, EXCL, READ, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Packet, Reply, Server, Snapshot, Tree};

/// What is there before, and what it holds.
const FOREIGN: [(&str, &str); 5] = [
    ("foreign", "it is foreign"),
    ("other", "it is other"),
    ("fdir/inner", "it is inner"),
    ("program", "it is program"),
    ("secret", "it is unknown"),
];
/// What the first session makes; a second session has made nothing.
const OWN: [(&str, &str); 2] = [("own", "it is mine"), ("own2", "it is second")];
const LONG_AGO: i64 = 500_000_000;
/// A time, a size and a mode that a client asks for, and that nothing else has.
pub(crate) const TIME: i64 = 400_000_000;
pub(crate) const SIZE: u64 = 4000;
const SET_ID: u32 = 0o6777;
/// A file whose content is watched, whatever becomes of its name.
pub(crate) struct Old {
    pub(crate) name: &'static str,
    pub(crate) content: &'static str,
    file: File,
    pub(crate) before: Metadata,
}

impl Old {
    pub(crate) fn meta(&self) -> Metadata {
        self.file.metadata().unwrap()
    }

    pub(crate) fn now(&self) -> Vec<u8> {
        let mut now = vec![0; SIZE as usize + 100];
        let length = self.file.read_at(&mut now, 0).unwrap();
        now.truncate(length);
        now
    }

    pub(crate) fn is_same(&self) -> bool {
        self.now() == self.content.as_bytes()
    }

    pub(crate) fn is_dressed_the_same(&self) -> bool {
        let tell = |meta: Metadata| {
            (
                meta.mode(),
                meta.uid(),
                meta.gid(),
                meta.mtime(),
                meta.nlink(),
            )
        };
        tell(self.meta()) == tell(self.before.clone())
    }
}

/// A directory in which two steps were made.
pub(crate) struct Cell<'t> {
    pub(crate) tree: &'t Tree,
    cell: String,
    pub(crate) old: Vec<Old>,
    /// What whoever makes the second step has not made.
    own: Vec<Old>,
    inodes: HashSet<u64>,
    pub(crate) before: Snapshot,
    /// What was read.
    data: Vec<u8>,
    /// Names that were gone after a step: who takes them then replaces nothing.
    pub(crate) free: HashSet<&'static str>,
}

/// What the second step is done to: what was made in the first, what was there, and all handles.
pub(crate) const SECONDS: [&str; 13] = [
    "foreign",
    "other",
    "own",
    "secret",
    "program",
    "fhard",
    "fsym",
    "new",
    "new/inner",
    "fdir/inner",
    "fempty",
    "own2",
    "handles",
];

/// What the first session does, once it has opened its handles; it leaves own2 alone.
pub(crate) fn firsts(cell: &str) -> Vec<Packet> {
    let at = |name: &str| format!("{cell}/{name}");
    let (none, set_id) = (Attrs::NONE, Attrs::NONE.permissions(SET_ID));
    vec![
        hardlink(at("foreign"), at("new")),
        hardlink(at("own"), at("new")),
        hardlink(at("secret"), at("new")),
        symlink("secret", at("new")),
        symlink("foreign", at("new")),
        rename(at("foreign"), at("new")),
        rename(at("own"), at("new")),
        rename(at("secret"), at("new")),
        rename(at("fdir"), at("new")),
        rename(at("owndir"), at("new")),
        posix_rename(at("own"), at("foreign")),
        posix_rename(at("owndir"), at("fempty")),
        posix_rename(at("program"), at("new")),
        copy_file(at("foreign"), at("new"), 0),
        copy_file(at("secret"), at("new"), 1),
        copy_file(at("program"), at("new"), 0),
        copy_file(at("own2"), at("foreign"), 1),
        remove(at("own")),
        remove(at("foreign")),
        mkdir(at("new"), &set_id),
        open(at("new"), WRITE | CREAT, &set_id),
        setstat(at("own"), &set_id),
        open(at("foreign"), WRITE | TRUNC, &none),
    ]
}

/// What is done to a name, in this order: what takes it away comes last.
fn to_a_name(cell: &str, name: &str) -> Vec<Packet> {
    let at = |name: &str| format!("{cell}/{name}");
    let path = at(name);
    let attrs = [
        Attrs::NONE.size(3),
        Attrs::NONE.size(SIZE),
        Attrs::NONE.permissions(SET_ID),
        Attrs::NONE.owner(12345, 12346),
        Attrs::NONE.times(TIME as u32, TIME as u32),
    ];
    let mut packets = vec![
        open(&path, READ, &Attrs::NONE),
        open(&path, WRITE, &Attrs::NONE),
        open(&path, WRITE | APPEND, &Attrs::NONE),
        open(
            &path,
            WRITE | CREAT | TRUNC,
            &Attrs::NONE.permissions(SET_ID),
        ),
    ];
    packets.extend(attrs.iter().map(|attrs| setstat(&path, attrs)));
    packets.extend(attrs.iter().map(|attrs| lsetstat(&path, attrs)));
    packets.extend([
        copy_file(&path, at("copy"), 0),
        hardlink(&path, at("link")),
        copy_file(at("own2"), &path, 1),
        rename(at("own"), &path),
        posix_rename(at("own"), &path),
        posix_rename(&path, at("away")),
        rename(at("away"), at("elsewhere")),
        remove(&path),
        rmdir(&path),
    ]);
    packets
}

/// What is done to a handle; `from` and `to` are others of the same session.
fn to_a_handle(handle: &[u8], from: &[u8], to: &[u8]) -> Vec<Packet> {
    let attrs = [
        Attrs::NONE.size(3),
        Attrs::NONE.size(SIZE),
        Attrs::NONE.permissions(SET_ID),
        Attrs::NONE.owner(12345, 12346),
        Attrs::NONE.times(TIME as u32, TIME as u32),
    ];
    let mut packets = vec![
        read(handle, 0, 100),
        write(handle, 13, "WWWW"),
        write(handle, 0, "WWWWWWWWWWWWWWWWWWWWWWWW"),
        copy_data(from, 0, 0, handle, 0),
        copy_data(handle, 0, 0, to, 0),
        copy_data(from, 0, 0, handle, 13),
    ];
    packets.extend(attrs.iter().map(|attrs| fsetstat(handle, attrs)));
    packets
}

impl<'t> Cell<'t> {
    pub(crate) fn play(
        tree: &'t Tree,
        servers: &mut [Server; 2],
        (count, makes): (usize, bool),
        (first, second, by): (usize, &str, usize),
    ) -> Self {
        let cell = format!("c{count}");
        let at = |name: &str| format!("{cell}/{name}");
        tree.dir(&cell);
        for dir in ["fdir", "fempty"] {
            tree.dir(at(dir));
        }
        for (name, content) in FOREIGN {
            tree.file(at(name), content);
            tree.chmod(at(name), if name == "program" { 0o4755 } else { 0o640 });
            tree.times(at(name), LONG_AGO, LONG_AGO);
        }
        fs::hard_link(tree.at(at("foreign")), tree.at(at("fhard"))).unwrap();
        tree.link(at("fsym"), "foreign");
        let inodes = |tree: &Tree| {
            let paths = tree.snapshot_of(&cell).entries;
            let inodes = paths.keys().map(|path| tree.meta(path).ino());
            inodes.collect::<HashSet<_>>()
        };
        let mut known = inodes(tree);
        for (name, content) in OWN {
            match makes {
                true => {
                    let attrs = Attrs::NONE.permissions(0o640);
                    let opened = open(at(name), WRITE | CREAT | EXCL, &attrs);
                    let handle = servers[0].call(&opened).handle().to_vec();
                    servers[0].ok(&write(&handle, 0, content));
                    servers[0].close(&handle);
                }
                false => drop(tree.file(at(name), content)),
            }
        }
        match makes {
            true => servers[0].ok(&mkdir(at("owndir"), &Attrs::NONE)),
            false => known = inodes(tree),
        }
        let watch = |(name, content)| {
            let file = File::open(tree.at(at(name))).unwrap();
            let before = file.metadata().unwrap();
            Old {
                name,
                content,
                file,
                before,
            }
        };
        let own = match (makes, by) {
            (true, 0) => vec![],
            (true, _) => vec![watch(OWN[1])],
            (false, _) => OWN.map(watch).into(),
        };
        let mut played = Self {
            tree,
            old: FOREIGN.map(watch).into(),
            own,
            inodes: known,
            before: tree.snapshot_of(&cell),
            data: Vec::new(),
            free: HashSet::new(),
            cell,
        };
        played.steps(servers, (first, second, by));
        played
    }

    /// Opens handles, makes the first step, and all that is done second.
    fn steps(&mut self, servers: &mut [Server; 2], (first, second, by): (usize, &str, usize)) {
        let cell = self.cell.clone();
        let mut handles = [const { Vec::new() }; 2];
        if second == "handles" {
            for (index, server) in servers.iter_mut().enumerate() {
                for (name, pflags) in [
                    (format!("made{index}"), READ | WRITE | CREAT | EXCL),
                    ("foreign".to_owned(), READ),
                    ("foreign".to_owned(), READ | WRITE),
                    ("foreign".to_owned(), WRITE | APPEND),
                    ("secret".to_owned(), READ | WRITE),
                    ("secret".to_owned(), READ),
                    ("program".to_owned(), READ | WRITE),
                    ("own2".to_owned(), READ),
                    ("own2".to_owned(), READ | WRITE),
                ] {
                    let opened = open(format!("{cell}/{name}"), pflags, &Attrs::NONE);
                    if let Reply::Handle(handle) = server.call(&opened) {
                        handles[index].push((name, handle));
                    }
                }
            }
        }
        let opened = self.step(&mut servers[0], &firsts(&cell)[first]);
        if second == "handles" {
            let by_name = |wanted: &str| {
                let mut found = handles[by]
                    .iter()
                    .filter(|(name, _)| name.starts_with(wanted));
                found
                    .next()
                    .map(|(_, handle)| handle.clone())
                    .unwrap_or_default()
            };
            let (from, to) = (by_name("own2"), by_name("made"));
            // Own2 is watched where the other session made it, and is the first one's to change.
            for (_, handle) in handles[by]
                .iter()
                .filter(|(name, _)| by == 1 || name != "own2")
            {
                for packet in to_a_handle(handle, &from, &to) {
                    self.step(&mut servers[by], &packet);
                }
            }
        } else if by == 1 || second != "own2" {
            for packet in to_a_name(&cell, second) {
                if let Some(handle) = self.step(&mut servers[by], &packet) {
                    for packet in [
                        read(&handle, 0, 100),
                        write(&handle, 13, "WWWWWWWW"),
                        write(&handle, 0, "WWW"),
                        close(&handle),
                    ] {
                        self.step(&mut servers[by], &packet);
                    }
                }
            }
        }
        let [first, second] = &handles;
        for handle in opened.iter().chain(first.iter().map(|(_, handle)| handle)) {
            servers[0].call(&close(handle));
        }
        for (_, handle) in second {
            servers[1].call(&close(handle));
        }
    }

    /// Sends a request, and takes note of what it told and of the names that are gone; the handle that it gave.
    fn step(&mut self, server: &mut Server, packet: &Packet) -> Option<Vec<u8>> {
        let reply = server.call(packet);
        let gone = self.old.iter().chain(&self.own);
        let gone = gone.filter(|old| !self.tree.has(self.path(old.name)));
        let gone: Vec<_> = gone.map(|old| old.name).collect();
        self.free.extend(gone);
        match reply {
            Reply::Handle(handle) => return Some(handle),
            Reply::Data(data) => self.data.extend(data),
            _ => {}
        }
        None
    }

    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.cell)
    }

    pub(crate) fn now(&self) -> Snapshot {
        self.tree.snapshot_of(&self.cell)
    }

    /// Whether it is so of all that the session of the second step has not made.
    pub(crate) fn all(&self, is: impl Fn(&Old) -> bool) -> bool {
        self.old.iter().chain(&self.own).all(is)
    }

    /// Whether it has the name that it had.
    pub(crate) fn stands(&self, old: &Old) -> bool {
        let there = fs::symlink_metadata(self.tree.at(self.path(old.name)));
        there.is_ok_and(|there| there.ino() == old.before.ino())
    }

    pub(crate) fn told(&self, old: &Old) -> bool {
        contains(&self.data, &old.content.as_bytes()[6..])
    }

    /// Files and directories that have come to be since, and where.
    pub(crate) fn made(&self) -> Vec<(Metadata, String)> {
        let paths = self.now().entries.into_keys();
        let all = paths.map(|path| (self.tree.meta(&path), String::from_utf8(path).unwrap()));
        all.filter(|(meta, _)| !meta.is_symlink() && !self.inodes.contains(&meta.ino()))
            .collect()
    }

    /// All files that there are, and those that have lost their names.
    pub(crate) fn files(&self) -> Vec<Metadata> {
        let made = self.made().into_iter().map(|(meta, _)| meta);
        let files = made.filter(Metadata::is_file);
        files.chain(self.old.iter().map(Old::meta)).collect()
    }

    pub(crate) fn keeps_the_secret(&self) -> bool {
        let copied = |(meta, path): &(Metadata, String)| {
            meta.is_file() && contains(&self.tree.read(path), b"unknown")
        };
        let secret = &self.old[4];
        let untouched = self.stands(secret) && secret.is_same() && secret.is_dressed_the_same();
        untouched && !self.told(secret) && !self.made().iter().any(copied)
    }
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
