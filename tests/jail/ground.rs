//! The ground of the jail's tests: a tree that is the root, directories to be bound into it, and bait beside them.
//!
//! Everything belongs to the ordinary user as whom the servers run, the bait too: nothing but the jail keeps them apart.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{getegid, geteuid};

use crate::support::{Entry, OURS, Snapshot, Tree, server, show};

/// What stands in the bait, and nowhere else.
pub(crate) const BAIT: &[u8] = b"BAIT-3b1f9ac7-never-to-be-read";
/// The size of each bait file, in bytes, of no other file.
pub(crate) const BAIT_SIZE: u64 = 7919;
/// The modification time of all bait, and of nothing else.
pub(crate) const BAIT_TIME: i64 = 1_111_111_111;
/// The modification time of all that a test builds.
pub(crate) const BUILT: i64 = 1_500_000_000;

/// The uid and gid of the servers: one that no passwd entry has, where the test is root; else the test's own.
pub(crate) fn ordinary() -> (u32, u32) {
    if geteuid().is_root() {
        (61_234, 61_234)
    } else {
        (geteuid().as_raw(), getegid().as_raw())
    }
}

/// Our server where every user can run it.
pub(crate) fn ours() -> &'static Path {
    static COPY: LazyLock<(Tree, PathBuf)> = LazyLock::new(|| {
        let tree = Tree::new();
        let copy = server::copy_of(OURS, &tree);
        (tree, copy)
    });
    &COPY.1
}

/// A thing to build. In a link's target `BASE` stands for the ground's own path on the host.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Dir(u32),
    File(&'static [u8], u32),
    Link(Vec<u8>),
}

/// A path below the ground, and what is to stand there. Parents come first.
pub(crate) type Plan = Vec<(Vec<u8>, Node)>;

/// A place of the plan's, with bait beside it.
pub(crate) struct Ground {
    pub(crate) base: Tree,
    plan: Plan,
    /// Directories that the servers hold; they are emptied, never removed.
    pinned: Vec<Vec<u8>>,
    bait: Vec<Bait>,
    beside: Tree,
}

#[derive(Debug, PartialEq, Eq)]
struct Bait {
    path: String,
    inode: u64,
    mode: u32,
    nlink: u64,
    size: u64,
    owner: (u32, u32),
    mtime: (i64, i64),
    ctime: (i64, i64),
    atime: (i64, i64),
    target: Option<PathBuf>,
}

/// The directories of bait: beside the root, one whose name begins as the root's does, and one beside the sources of binds.
const BAIT_DIRS: [&[u8]; 3] = [b"outside", b"jail-not", b"ext-not"];

impl Ground {
    pub(crate) fn new(plan: Plan, pinned: &[&[u8]]) -> Self {
        let base = Tree::new();
        let (uid, gid) = ordinary();
        lchown(base.root(), Some(uid), Some(gid)).unwrap();
        for dir in BAIT_DIRS {
            lay_bait(&base, dir);
        }
        let mut ground = Self {
            base,
            plan,
            pinned: pinned.iter().map(|path| path.to_vec()).collect(),
            bait: Vec::new(),
            beside: Tree::new(),
        };
        ground.build();
        ground.bait = ground.look_at_bait();
        ground
    }

    /// The host's path of the ground, as bytes.
    pub(crate) fn path(&self) -> Vec<u8> {
        self.base.path("")
    }

    /// A file of the test's own that is no part of the ground.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.beside.at(name)
    }

    /// `BASE` in a path becomes the ground's own path.
    pub(crate) fn expand(&self, text: &[u8]) -> Vec<u8> {
        replace(text, b"BASE", &self.path())
    }

    /// Builds what is planned, from nothing.
    fn build(&self) {
        let every = |_: &[u8]| true;
        self.make(every);
    }

    /// Makes the disk, which looks like `now`, what it was at `first`. The bait is left alone.
    pub(crate) fn repair(&self, now: &Snapshot, first: &Snapshot) {
        let differs = |path: &[u8]| now.entries.get(path) != first.entries.get(path);
        let is_dir = |entry: &Entry| entry.kind == 'd';
        for (path, entry) in now.entries.iter().rev() {
            // Only a directory that is to be one may stay.
            let stays = is_dir(entry) && first.entries.get(path).is_some_and(is_dir);
            if differs(path) && !stays {
                self.clear(path.clone());
            }
        }
        self.make(differs);
        for path in now.entries.keys().filter(|path| differs(path)) {
            let above = path.iter().rposition(|byte| *byte == b'/');
            if let Some(above) = above.map(|end| &path[..end]) {
                if first.entries.contains_key(above) {
                    set_time(&self.base.at(above), BUILT);
                }
            }
        }
    }

    /// Makes those things of the plan that `wanted` names, and gives them their owner, mode and time.
    fn make(&self, wanted: impl Fn(&[u8]) -> bool) {
        let owner = Owner;
        let nodes = || self.plan.iter().filter(|(path, _)| wanted(path));
        for (path, node) in nodes() {
            let place = self.base.at(path);
            match node {
                Node::Dir(_) => {
                    if let Err(error) = fs::create_dir(&place) {
                        assert!(place.is_dir(), "{}: {error}", place.display());
                    }
                }
                Node::File(content, _) => fs::write(&place, content)
                    .unwrap_or_else(|error| panic!("{}: {error}", place.display())),
                Node::Link(target) => {
                    symlink(OsStr::from_bytes(&self.expand(target)), &place).unwrap();
                }
            }
            owner.own(&place);
            if let Node::File(_, mode) = node {
                fs::set_permissions(&place, Permissions::from_mode(*mode)).unwrap();
            }
        }
        // Directories last, and their times after their entries.
        for (path, node) in self.plan.iter().rev().filter(|(path, _)| wanted(path)) {
            let place = self.base.at(path);
            if let Node::Dir(mode) = node {
                fs::set_permissions(&place, Permissions::from_mode(*mode)).unwrap();
            }
            set_time(&place, BUILT);
        }
    }

    /// Removes `path` with all in it, but for what is pinned.
    fn clear(&self, path: Vec<u8>) {
        let place = self.base.at(&path);
        let Ok(meta) = fs::symlink_metadata(&place) else {
            return;
        };
        if !meta.is_dir() {
            fs::remove_file(&place).unwrap();
            return;
        }
        if meta.mode() & 0o700 != 0o700 {
            fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
        }
        for entry in fs::read_dir(&place).unwrap() {
            let name = entry.unwrap().file_name().into_vec();
            self.clear([&path[..], b"/", &name].concat());
        }
        let is_pinned = |pin: &Vec<u8>| {
            *pin == path || (pin.starts_with(&path) && pin.get(path.len()) == Some(&b'/'))
        };
        if !self.pinned.iter().any(is_pinned) {
            fs::remove_dir(&place).unwrap();
        }
    }

    /// What the pinned directories are on the disk: one that was replaced has another inode.
    pub(crate) fn pins(&self) -> Vec<Option<u64>> {
        let inode = |path| {
            fs::symlink_metadata(self.base.at(path))
                .ok()
                .map(|meta| meta.ino())
        };
        self.pinned.iter().map(inode).collect()
    }

    /// All but the bait, the link targets in the plan's words.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let base = self.path();
        let mut all = Snapshot::default();
        for name in self.base.names("") {
            if BAIT_DIRS.contains(&name.as_slice()) {
                continue;
            }
            for (path, entry) in self.base.snapshot_of(name).entries {
                let target = entry.target.map(|target| replace(&target, &base, b"BASE"));
                let mtime = (recent(entry.mtime.0), 0);
                all.entries.insert(
                    path,
                    Entry {
                        target,
                        mtime,
                        ..entry
                    },
                );
            }
        }
        all
    }

    /// Fails the test where any bait was changed, or read, or something was added to it.
    #[track_caller]
    pub(crate) fn bait_is_untouched(&self, after: &str) {
        if let Some(change) = self.bait_changes() {
            panic!("bait was touched by {after}: {change}");
        }
    }

    /// The first change of the bait, if there is one: content, mode, owner, times, links, names.
    pub(crate) fn bait_changes(&self) -> Option<String> {
        let now = self.look_at_bait();
        let changed = self.bait.iter().zip(&now).find(|(was, is)| was != is);
        if let Some((was, is)) = changed {
            return Some(format!("{was:?} became {is:?}"));
        }
        (now.len() != self.bait.len()).then(|| "entries were added or removed".to_owned())
    }

    /// Every entry of the bait directories and of the ground itself (names appear nowhere else): times and all.
    fn look_at_bait(&self) -> Vec<Bait> {
        let mut bait = Vec::new();
        for dir in BAIT_DIRS {
            self.look_at(dir.to_vec(), &mut bait);
        }
        let mut names = self.base.names("");
        names.retain(|name| !self.plan.iter().any(|(path, _)| path == name));
        assert_eq!(names.len(), BAIT_DIRS.len(), "beside the root: {names:?}");
        bait
    }

    fn look_at(&self, path: Vec<u8>, bait: &mut Vec<Bait>) {
        let place = self.base.at(&path);
        let Ok(meta) = fs::symlink_metadata(&place) else {
            return;
        };
        if meta.is_dir() {
            for name in self.base.names(&path) {
                self.look_at([&path[..], b"/", &name].concat(), bait);
            }
        }
        bait.push(Bait {
            path: show(&path),
            inode: meta.ino(),
            mode: meta.mode(),
            nlink: meta.nlink(),
            size: meta.len(),
            owner: (meta.uid(), meta.gid()),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
            // Of a file alone: this very look lists directories and reads links.
            atime: if meta.is_file() {
                (meta.atime(), meta.atime_nsec())
            } else {
                (0, 0)
            },
            target: fs::read_link(&place).ok(),
        });
    }
}

/// Files, a directory with one, an empty one, and a link, all writable by the servers' user.
fn lay_bait(base: &Tree, dir: &[u8]) {
    let at = |name: &[u8]| [dir, name].concat();
    let mut content = BAIT.to_vec();
    content.resize(usize::try_from(BAIT_SIZE).unwrap(), b'!');
    base.dir(dir);
    base.dir(at(b"/dir"));
    base.dir(at(b"/empty"));
    base.file(at(b"/secret"), &content);
    base.file(at(b"/dir/secret"), &content);
    base.link(at(b"/link"), b"secret");
    let owner = Owner;
    for name in [
        &b"/dir/secret"[..],
        b"/secret",
        b"/link",
        b"/empty",
        b"/dir",
        b"",
    ] {
        owner.own(&base.at(at(name)));
        set_time(&base.at(at(name)), BAIT_TIME);
    }
}

/// Gives things to the servers' user, where the test is another one.
pub(crate) struct Owner;

impl Owner {
    pub(crate) fn own(&self, path: &Path) {
        self.try_own(path).unwrap();
    }

    /// For what others may take away meanwhile.
    pub(crate) fn try_own(&self, path: &Path) -> std::io::Result<()> {
        let (uid, gid) = ordinary();
        if geteuid().is_root() {
            lchown(path, Some(uid), Some(gid))?;
        }
        Ok(())
    }
}

/// Sets both times of a thing itself; the access time is older, so that a read would move it.
pub(crate) fn set_time(path: &Path, time: i64) {
    let (atime, mtime) = (TimeSpec::new(time - 1, 0), TimeSpec::new(time, 0));
    let here = nix::fcntl::AT_FDCWD;
    utimensat(here, path, &atime, &mtime, UtimensatFlags::NoFollowSymlink).unwrap();
}

/// Stands for any time since the test began.
pub(crate) const NOW: i64 = 0x7777_7777;

/// A time of this run becomes [`NOW`].
pub(crate) fn recent(seconds: i64) -> i64 {
    // No tree of a test is built with a time of this century's third decade.
    if seconds > 1_600_000_000 && seconds < 1 << 32 {
        NOW
    } else {
        seconds
    }
}

/// Every occurrence of `from` in `text` becomes `to`.
pub(crate) fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, from) {
        out.extend(&rest[..at]);
        out.extend(to);
        rest = &rest[at + from.len()..];
    }
    out.extend(rest);
    out
}

pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
