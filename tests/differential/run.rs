//! One sequence from one seed: two equal trees, two servers, windows of operations, and the disk at the end.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::compare::{Mask, brief, equal};
use crate::generate::{COPIES, COPY_SOURCE, Generator, Opened};
use crate::known;
use crate::operation::{Operation, Path, Side};
use crate::support::openssh::Release;
use crate::support::wire::{Packet, Reply, code, parse, pflags};
use crate::support::{Launch, Server, Tree, request, show};

/// Whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever runs the tests
    Same,
    /// nobody, who owns most of the tree; needs root
    Ordinary,
}

/// The uid and gid of `nobody` and `nogroup` on Debian.
const NOBODY: u32 = 65534;

/// How far the start directory lies below the temporary one: links say at most two steps up, and at most 40 are followed,
/// so whatever is done through them is done to this tree.
const DEPTH: usize = 96;

/// About this many operations a sequence.
const OPERATIONS: usize = 400;

/// What came of a sequence: operations by the reason why their replies were not equal (none: they were), or the first
/// difference that has no reason.
pub(crate) type Outcome = Result<BTreeMap<&'static str, u64>, String>;

/// One of the two sessions.
struct Session {
    tree: Tree,
    server: Server,
    handles: Vec<Vec<u8>>,
}

impl Session {
    fn new(program: PathBuf, who: Who, args: &[&str]) -> Self {
        let tree = Tree::new();
        let start = tree.dir(start());
        fill(&tree, who);
        let mut launch = Launch::program(program, start).args(args);
        if who == Who::Ordinary {
            launch = launch.user(NOBODY, NOBODY);
        }
        Self {
            server: launch.connect(),
            tree,
            handles: Vec::new(),
        }
    }

    fn encode(&self, operation: &Operation) -> Packet {
        let handle = |index: usize| self.handles[index].clone();
        Side {
            start: self.tree.path(start()),
            handle: &handle,
        }
        .encode(operation)
    }

    /// Sends a whole window before the first reply is read.
    fn exchange(&mut self, window: &[Operation]) -> Result<Vec<Reply>, String> {
        let frames = window
            .iter()
            .zip(0..)
            .flat_map(|(operation, id)| self.encode(operation).frame(id));
        let bytes: Vec<u8> = frames.collect();
        let sent = self.server.send_raw(&bytes);
        let mut replies = Vec::new();
        for (operation, id) in window.iter().zip(0..) {
            let Some(content) = self.server.receive_raw() else {
                let status = self.server.wait();
                let program = self.server.program().display().to_string();
                let words = self.server.last_words();
                return Err(format!(
                    "{program} ended with {status} at {operation:?}; sending: {sent:?}; it said {words}"
                ));
            };
            let (answered, reply) = parse(&content);
            assert_eq!(answered, id, "replies in the order of the requests");
            replies.push(reply);
        }
        Ok(replies)
    }

    /// Where a path leads on the disk, as the test sees it.
    fn on_disk(&self, path: &Path) -> PathBuf {
        let handle = |_| Vec::new();
        let side = Side {
            start: self.tree.path(start()),
            handle: &handle,
        };
        self.tree
            .at(start())
            .join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&side.path(path)))
    }

    /// Everything in a directory, in one reply; or why not.
    fn list(&mut self, operation: &Operation) -> Reply {
        let request = self.encode(operation);
        let handle = match self.server.call(&request) {
            Reply::Handle(handle) => handle,
            reply => return reply,
        };
        let mut all = Vec::new();
        loop {
            match self.server.call(&request::readdir(&handle)) {
                Reply::Names(names) => all.extend(names),
                Reply::Status(status) if status.code == code::EOF => break,
                reply => return reply,
            }
        }
        self.server.close(&handle);
        // The directory above the tree is the host's.
        Reply::Names(all)
    }
}

fn start() -> String {
    ["d/".repeat(DEPTH), "start".to_owned()].concat()
}

/// The same names on both sides, with times that are not now.
fn fill(tree: &Tree, who: Who) {
    let base = start();
    let at = |name: &str| format!("{base}/{name}");
    for name in ["dir", "dir2/sub", "solid-dir/inner", "solid-full"] {
        tree.dir(at(name));
    }
    for name in [
        "file",
        "file2",
        "dir/a",
        "dir/file",
        "dir/b",
        "dir2/b",
        "dir2/file",
        "dir2/sub/a",
        "b",
        "solid-file",
        "solid-full/x",
    ] {
        tree.file(at(name), format!("the content of {name}"));
    }
    for n in 0..150 {
        tree.file(at(&format!("dir2/sub/entry-{n}")), "");
    }
    for name in COPIES {
        tree.file(at(name), "");
    }
    tree.file(
        at(COPY_SOURCE),
        (0..150_000_u32)
            .map(|n| (n % 251) as u8)
            .collect::<Vec<u8>>(),
    );
    for (name, target) in [
        ("link", "file"),
        ("link2", "dir"),
        ("dangling", "missing"),
        ("loop", "loop"),
        ("dir/link", ".."),
    ] {
        tree.link(at(name), target);
    }
    fs::hard_link(tree.at(at("file2")), tree.at(at("dir/file2"))).unwrap();
    tree.file(at("foreign"), "root's own");
    tree.dir(at("c"));
    tree.file(at("c/a"), "in root's own directory");
    if who == Who::Ordinary {
        for path in tree
            .snapshot()
            .entries
            .keys()
            .filter(|path| path.starts_with(base.as_bytes()))
        {
            if !show(path).contains("/foreign") && !show(path).contains("/c")
                || show(path).contains("/copy")
            {
                std::os::unix::fs::lchown(tree.at(path), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        tree.chmod(at("foreign"), 0o640);
    }
    for path in tree.snapshot().entries.keys() {
        tree.times(path, 1_100_000_000, 1_100_000_000);
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// The two programs, and the release of OpenSSH that theirs belongs to.
pub(crate) struct Sides<'a> {
    pub(crate) ours: &'a std::path::Path,
    pub(crate) theirs: &'a std::path::Path,
    pub(crate) release: Release,
}

/// Runs one sequence. `other_args` are for ours alone: with them the two are meant to differ.
pub(crate) fn run(seed: u64, who: Who, sides: &Sides<'_>, other_args: &[&str]) -> Outcome {
    let mut generator = Generator::new(seed);
    let flags: &[&str] = match generator.rng.u8(..24) {
        0..=2 => &["-u", "077"],
        3 => &["-u", "0"],
        4 => &["-R"],
        5 => &["-P", "remove,rename,setstat"],
        6 => &["-P", "open,limits,copy-data"],
        7 => &[
            "-p",
            "open,close,read,write,stat,lstat,mkdir,opendir,readdir,realpath",
        ],
        _ => &[],
    };
    // Flags of one side alone are not mixed with others: some may be given only once.
    let flags = if other_args.is_empty() { flags } else { &[] };
    let since = now() - 2;
    let mut ours = Session::new(sides.ours.into(), who, &[flags, other_args].concat());
    let mut theirs = Session::new(sides.theirs.into(), who, flags);
    let mask = Mask {
        roots: [ours.tree.path(""), theirs.tree.path("")],
        since,
    };
    assert_eq!(mask.roots[0].len(), mask.roots[1].len());

    let mut opened: Vec<Opened> = Vec::new();
    let mut reasons = BTreeMap::new();
    let mut count = 0;
    while count < OPERATIONS {
        let mut window = generator.window(&mut opened);
        if let [Operation::Rename(old, new)] = &window[..] {
            // OpenSSH replaces a link to nothing by what is neither file nor directory: rename.rs of the protocol tests has it. Here the
            // two disks would go apart.
            let target = theirs.on_disk(new);
            let dangling = fs::symlink_metadata(&target).is_ok_and(|meta| meta.is_symlink())
                && fs::metadata(&target).is_err();
            if dangling {
                window = vec![Operation::PosixRename(old.clone(), new.clone())];
            }
        }
        let replies = match &window[..] {
            [list @ Operation::List(_)] => vec![(ours.list(list), theirs.list(list))],
            _ => {
                let for_ours = ours.exchange(&window)?;
                for_ours
                    .into_iter()
                    .zip(theirs.exchange(&window)?)
                    .collect()
            }
        };
        for (index, (operation, (our_reply, their_reply))) in
            window.iter().zip(&replies).enumerate()
        {
            let masked = [
                mask.reply(0, operation, our_reply),
                mask.reply(1, operation, their_reply),
            ];
            let reason = if equal(&masked[0], &masked[1]) {
                match their_reply {
                    Reply::Status(status) if status.code > code::EOF => "equal, refused",
                    _ => "equal, served",
                }
            } else if let Some(reason) =
                known::reason(sides.release, operation, our_reply, their_reply)
            {
                reason
            } else {
                let before: String = window[..index]
                    .iter()
                    .map(|operation| format!("\n    {operation:?}"))
                    .collect();
                return Err(format!(
                    "flags {flags:?}, operation {} of the sequence, {} of its window:{before}\n  > {operation:?}\n  ours:   {}\n  theirs: {}",
                    count + index,
                    index,
                    brief(&masked[0]),
                    brief(&masked[1]),
                ));
            };
            *reasons.entry(reason).or_default() += 1;
            if let (Reply::Handle(our_handle), Reply::Handle(their_handle)) =
                (our_reply, their_reply)
            {
                remember(operation, &mut opened, &theirs.handles, their_handle);
                ours.handles.push(our_handle.clone());
                theirs.handles.push(their_handle.clone());
            }
        }
        count += window.len();
    }

    let (our_end, their_end) = (ours.server.finish(), theirs.server.finish());
    if our_end.status != their_end.status {
        return Err(format!(
            "flags {flags:?}: ours ended with {}, theirs with {}",
            our_end.status, their_end.status
        ));
    }
    let disk = [
        mask.disk(0, ours.tree.snapshot()),
        mask.disk(1, theirs.tree.snapshot()),
    ];
    let differences = disk[1].differences(&disk[0]);
    if !differences.is_empty() {
        return Err(format!(
            "flags {flags:?}: the disk, theirs -, ours +:\n  {}",
            differences.join("\n  ")
        ));
    }
    Ok(reasons)
}

/// A new handle: what it is, and which closed one OpenSSH has given its bytes to again.
fn remember(operation: &Operation, opened: &mut Vec<Opened>, handles: &[Vec<u8>], theirs: &[u8]) {
    for (old, bytes) in opened.iter_mut().zip(handles) {
        old.reused |= bytes == theirs;
    }
    let (special, bits) = match operation {
        Operation::Open(path, bits, _) => {
            let mut names = COPIES.into_iter().chain([COPY_SOURCE]);
            (names.find(|name| path.bytes == name.as_bytes()), *bits)
        }
        _ => (None, 0),
    };
    let directory = matches!(operation, Operation::Opendir(_));
    opened.push(Opened {
        directory,
        special,
        append: bits & pflags::APPEND != 0,
        closed: false,
        reused: false,
    });
}
