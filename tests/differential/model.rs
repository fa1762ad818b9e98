//! A model of what a file system holds, and random sequences of requests on it: in whatever order the pipeline lets them run, replies and
//! files are those of one request after another.
//!
//! The model knows what aliases: hard links, symbolic links, several handles on one file. Each row of the pipeline's table is needed: without it
//! some sequence shows the difference.

mod needed;

use std::collections::BTreeMap;
use std::ops::Range;

use fastrand::Rng;

use sftp_server::fs::FileId;
use sftp_server::session::overlap::touch::Touch;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    File(usize),
    Link(u8),
}

#[derive(Clone, Debug, PartialEq)]
enum Handle {
    File {
        file: usize,
        writes: bool,
    },
    /// And the name that it listed last.
    Dir {
        listed: Option<u8>,
    },
}

/// A name, the first name of the same file or the target, the content.
type ShownName = (u8, Node, Vec<u8>);
/// A handle, the names of its file, the content.
type ShownHandle = (u32, Vec<u8>, Vec<u8>);

#[derive(Clone, Debug, Default)]
struct Files {
    names: BTreeMap<u8, Node>,
    contents: Vec<Vec<u8>>,
    handles: BTreeMap<u32, Handle>,
    next: u32,
}

#[derive(Clone, Debug)]
enum Request {
    Stat(u8),
    Open {
        name: u8,
        writes: bool,
    },
    /// Creates, and truncates what is there.
    Create(u8),
    OpenDir,
    Read(u32, Range<usize>),
    Fstat(u32),
    Write(u32, Range<usize>, u8),
    /// By handle.
    SetSize(u32, usize),
    List(u32),
    Close(u32),
    Remove(u8),
    Rename(u8, u8),
    HardLink(u8, u8),
    SymLink(u8, u8),
}

/// What a request answers.
#[derive(Clone, Debug, PartialEq)]
enum Reply {
    Done,
    Failed,
    Size(usize),
    /// And how many names it has.
    Attributes(usize, usize),
    Data(Vec<u8>),
    Handle(u32),
    Entry(Option<(u8, usize)>),
}

/// What its work has found, before it is its turn to be answered.
enum Found {
    Reply(Reply),
    /// A handle is given when it is answered.
    Opened(Handle),
    /// It is to be done when it is answered: there is something by this name.
    There(u8),
    /// The size of a file.
    Size(usize, usize),
    /// An entry: its name, file and size.
    Entry(u8, usize, usize),
}

/// The sizes of files before the WRITEs that went past requests that look.
type Earlier = BTreeMap<usize, usize>;

/// Which WRITEs go past requests that look.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Past {
    None,
    /// Those of files whose size is kept.
    Kept,
    /// All.
    Any,
}

impl Files {
    fn new(rng: &mut Rng) -> Self {
        let mut files = Self::default();
        for name in 0..NAMES / 2 {
            let length = rng.usize(..SIZE);
            files.contents.push(vec![name; length]);
            files.names.insert(name, Node::File(usize::from(name)));
        }
        files.names.insert(NAMES / 2, Node::Link(0));
        files
    }

    /// What can be seen of it: which name has which content, and which names and handles are one file. Files have no numbers.
    fn shown(&self) -> (Vec<ShownName>, Vec<ShownHandle>) {
        let names = self.names.iter().map(|(name, node)| match node {
            Node::File(file) => {
                let same = self.names.values().position(|other| other == node);
                (
                    *name,
                    Node::File(same.unwrap()),
                    self.contents[*file].clone(),
                )
            }
            link => (*name, link.clone(), Vec::new()),
        });
        let handles = self.handles.iter().map(|(handle, open)| match open {
            Handle::File { file, .. } => {
                let names = self.names.iter();
                let names = names.filter(|(_, node)| **node == Node::File(*file));
                let names = names.map(|(name, _)| *name).collect();
                (*handle, names, self.contents[*file].clone())
            }
            Handle::Dir { listed } => (*handle, listed.iter().copied().collect(), Vec::new()),
        });
        (names.collect(), handles.collect())
    }

    fn lookup(&self, name: u8) -> Option<usize> {
        let mut name = name;
        for _ in 0..NAMES {
            match self.names.get(&name)? {
                Node::File(file) => return Some(*file),
                Node::Link(target) => name = *target,
            }
        }
        None
    }

    fn file(&self, handle: u32) -> Option<(usize, bool)> {
        match self.handles.get(&handle)? {
            Handle::File { file, writes } => Some((*file, *writes)),
            Handle::Dir { .. } => None,
        }
    }

    /// What the session says that a request touches.
    fn touch(&self, request: &Request) -> Touch {
        let id = |file: usize| FileId::new(1, file as u64);
        let touch = match request {
            Request::Stat(_) => Some(Touch::Look),
            Request::OpenDir | Request::Open { writes: false, .. } => Some(Touch::Follow),
            Request::Open { writes: true, .. } => None,
            Request::Create(_) => Some(Touch::Create { mode: 0o644 }),
            Request::Read(slot, _) => {
                let file = self.file(*slot).map(|(file, _)| id(file));
                file.map(|file| Touch::Read { slot: *slot, file })
            }
            Request::Fstat(slot) => {
                let file = self.file(*slot).map(|(file, _)| id(file));
                file.map(|file| Touch::Attributes { slot: *slot, file })
            }
            Request::SetSize(slot, _) => self.file(*slot).map(|(file, _)| Touch::Set {
                slot: *slot,
                file: id(file),
            }),
            Request::Remove(_)
            | Request::Rename(..)
            | Request::HardLink(..)
            | Request::SymLink(..) => Some(Touch::Change),
            Request::Write(slot, range, _) => self.file(*slot).map(|(file, _)| Touch::Write {
                slot: *slot,
                file: id(file),
                range: range.start as u64..range.end as u64,
            }),
            Request::List(slot) => match self.handles.get(slot) {
                Some(Handle::Dir { .. }) => Some(Touch::List { slot: *slot }),
                _ => None,
            },
            Request::Close(slot) => self.handles.get(slot).map(|handle| Touch::Close {
                slot: *slot,
                written: match handle {
                    Handle::File { file, writes: true } => Some(id(*file)),
                    _ => None,
                },
            }),
        };
        touch.unwrap_or(Touch::Alone)
    }

    /// The work of a request, all of it at one moment.
    fn work(&mut self, request: &Request) -> Found {
        let reply = match request {
            Request::Stat(name) => match self.lookup(*name) {
                Some(file) => return Found::Size(file, self.contents[file].len()),
                None => None,
            },
            Request::Open { name, writes } => match self.lookup(*name) {
                Some(file) => {
                    return Found::Opened(Handle::File {
                        file,
                        writes: *writes,
                    });
                }
                None => None,
            },
            Request::Create(name) if self.names.contains_key(name) => return Found::There(*name),
            Request::Create(name) => return self.create(*name),
            Request::OpenDir => return Found::Opened(Handle::Dir { listed: None }),
            Request::Read(handle, range) => self.file(*handle).map(|(file, _)| {
                let content = &self.contents[file];
                let end = range.end.min(content.len());
                Reply::Data(content[range.start.min(end)..end].to_vec())
            }),
            Request::Fstat(handle) => self.file(*handle).map(|(file, _)| {
                let names = self.names.values();
                let names = names.filter(|node| **node == Node::File(file)).count();
                Reply::Attributes(self.contents[file].len(), names)
            }),
            Request::SetSize(handle, size) => self.file(*handle).map(|(file, _)| {
                self.contents[file].resize(*size, 0);
                Reply::Done
            }),
            Request::Write(handle, range, byte) => match self.file(*handle) {
                Some((file, true)) => {
                    let content = &mut self.contents[file];
                    if content.len() < range.end {
                        content.resize(range.end, 0);
                    }
                    content[range.clone()].fill(*byte);
                    Some(Reply::Done)
                }
                _ => None,
            },
            Request::List(handle) => return self.list(*handle),
            Request::Close(handle) => self.handles.remove(handle).map(|_| Reply::Done),
            Request::Remove(name) => self.names.remove(name).map(|_| Reply::Done),
            Request::Rename(old, new) => {
                let node = self.names.remove(old);
                node.map(|node| {
                    self.names.insert(*new, node);
                    Reply::Done
                })
            }
            Request::HardLink(old, new) => {
                match (self.names.get(old).cloned(), self.names.get(new)) {
                    (Some(node), None) => {
                        self.names.insert(*new, node);
                        Some(Reply::Done)
                    }
                    _ => None,
                }
            }
            Request::SymLink(target, new) => (!self.names.contains_key(new)).then(|| {
                self.names.insert(*new, Node::Link(*target));
                Reply::Done
            }),
        };
        Found::Reply(reply.unwrap_or(Reply::Failed))
    }

    /// The next name behind the one listed last, and its size.
    fn list(&mut self, handle: u32) -> Found {
        let Some(Handle::Dir { listed }) = self.handles.get(&handle) else {
            return Found::Reply(Reply::Failed);
        };
        let from = listed.map_or(0, |name| name + 1);
        let Some(name) = self.names.range(from..).next().map(|(name, _)| *name) else {
            return Found::Reply(Reply::Entry(None));
        };
        self.handles
            .insert(handle, Handle::Dir { listed: Some(name) });
        match self.lookup(name) {
            Some(file) => Found::Entry(name, file, self.contents[file].len()),
            None => Found::Reply(Reply::Entry(Some((name, 0)))),
        }
    }

    fn create(&mut self, name: u8) -> Found {
        self.contents.push(Vec::new());
        let file = self.contents.len() - 1;
        self.names.insert(name, Node::File(file));
        Found::Opened(Handle::File { file, writes: true })
    }

    /// Opens what is there by this name, empty then; what a dangling link leads to is created.
    fn create_there(&mut self, name: u8) -> Found {
        let mut name = name;
        for _ in 0..=NAMES {
            match self.names.get(&name) {
                Some(Node::Link(target)) => name = *target,
                None => return self.create(name),
                Some(Node::File(file)) => {
                    let file = *file;
                    self.contents[file].clear();
                    return Found::Opened(Handle::File { file, writes: true });
                }
            }
        }
        Found::Reply(Reply::Failed)
    }

    fn answer(&mut self, found: Found, earlier: &Earlier) -> Reply {
        let of = |file: usize, size: usize| earlier.get(&file).copied().unwrap_or(size);
        match found {
            Found::Reply(reply) => reply,
            Found::Size(file, size) => Reply::Size(of(file, size)),
            Found::Entry(name, file, size) => Reply::Entry(Some((name, of(file, size)))),
            Found::There(name) => {
                let found = self.create_there(name);
                self.answer(found, earlier)
            }
            Found::Opened(handle) => {
                self.next += 1;
                self.handles.insert(self.next, handle);
                Reply::Handle(self.next)
            }
        }
    }
}

fn request(rng: &mut Rng) -> Request {
    let (name, other) = (rng.u8(..NAMES), rng.u8(..NAMES));
    let handle = rng.u32(1..8);
    let start = rng.usize(..SIZE);
    let range = start..start + 1 + rng.usize(..SIZE / 4);
    match rng.u8(..40) {
        0..=5 => Request::Stat(name),
        6..=7 => Request::Open {
            name,
            writes: rng.bool(),
        },
        8..=9 => Request::Create(name),
        10 => Request::OpenDir,
        11..=16 => Request::Read(handle, range),
        17..=19 => Request::Fstat(handle),
        20..=28 => Request::Write(handle, range, rng.u8(1..)),
        29 => Request::SetSize(handle, range.start),
        30..=32 => Request::List(handle),
        33..=34 => Request::Close(handle),
        35 => Request::Remove(name),
        36 => Request::Rename(name, other),
        37..=38 => Request::HardLink(name, other),
        _ => Request::SymLink(name, other),
    }
}

/// A request under way.
struct Begun {
    number: usize,
    touch: Touch,
    found: Option<Found>,
}

/// Whether the outcome of a random sequence, run in a random order that `conflicts` allows, is that of one request after another.
fn is_serial(seed: u64, conflicts: fn(&Touch, &Touch) -> bool, past: Past) -> bool {
    let mut rng = Rng::with_seed(seed);
    let start = Files::new(&mut rng);
    let requests: Vec<Request> = (0..LENGTH).map(|_| request(&mut rng)).collect();

    let mut serial = start.clone();
    let expected: Vec<Reply> = requests
        .iter()
        .map(|request| {
            let found = serial.work(request);
            serial.answer(found, &Earlier::new())
        })
        .collect();

    let (mut files, mut earlier) = (start, Earlier::new());
    let (mut replies, mut begun, mut next) = (Vec::new(), Vec::<Begun>::new(), 0);
    while replies.len() < requests.len() {
        if next < requests.len() && rng.u8(..3) > 0 {
            let touch = files.touch(&requests[next]);
            let file = match &requests[next] {
                Request::Write(handle, ..) => files.file(*handle).map(|(file, _)| file),
                _ => None,
            };
            let goes_past = past != Past::None && file.is_some();
            let before = begun.iter().map(|before| &before.touch);
            let mut waits_for = before.filter(|before| conflicts(before, &touch));
            if waits_for.all(|before| goes_past && before.tells()) {
                if let Some(file) = file.filter(|_| past == Past::Kept) {
                    earlier.entry(file).or_insert(files.contents[file].len());
                }
                begun.push(Begun {
                    number: next,
                    touch,
                    found: None,
                });
                next += 1;
                continue;
            }
        }
        let waiting: Vec<usize> = (0..begun.len())
            .filter(|index| begun[*index].found.is_none())
            .collect();
        if let Some(index) = rng.choice(waiting) {
            begun[index].found = Some(files.work(&requests[begun[index].number]));
        }
        if rng.bool() && begun.first().is_some_and(|first| first.found.is_some()) {
            let found = begun.remove(0).found.unwrap();
            replies.push(files.answer(found, &earlier));
            if !begun.iter().any(|begun| begun.touch.tells()) {
                earlier.clear();
            }
        }
    }
    replies == expected && files.shown() == serial.shown()
}

#[test]
fn whatever_the_pipeline_lets_overlap_has_the_outcome_of_one_after_another() {
    for seed in 0..SEQUENCES {
        assert!(is_serial(seed, Touch::conflicts, Past::None), "seed {seed}");
    }
}

#[test]
fn a_write_that_goes_past_who_looks_is_not_seen_if_it_is_kept_what_its_file_was_like() {
    for seed in 0..SEQUENCES {
        assert!(is_serial(seed, Touch::conflicts, Past::Kept), "seed {seed}");
    }
    let caught = (0..SEQUENCES).any(|seed| !is_serial(seed, Touch::conflicts, Past::Any));
    assert!(caught, "no sequence shows that it is needed to keep it");
}

const NAMES: u8 = 8;
const SIZE: usize = 32;
const LENGTH: usize = 60;
const SEQUENCES: u64 = 5_000;
