//! Where a cell of the matrix plays: a directory with every kind of object in it, and a session that made some of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::wire::pflags;
use crate::support::{Attrs, Entry, Launch, Server, Snapshot, Tree, request};
use crate::words::{Kind, Object, Place, Thing, Way};

/// The modes of what a session makes here; `--file-mode`, `-m` and `--dir-mode` ask for the same, and no umask of the matrix
/// takes a bit from them, so that cells begin alike.
pub(crate) const FILE_MODE: u32 = 0o604;
pub(crate) const DIR_MODE: u32 = 0o711;

/// When everything foreign was modified last; what is later than `LATELY` was so during the test.
const LONG_AGO: i64 = 500_000_000;
const LATELY: i64 = 1_500_000_000;

pub(crate) const FOREIGN: &str = "foreign content";
pub(crate) const OWN: &str = "own content 123";
pub(crate) const OTHER: &str = "another's 16 byt";

/// Names to what stands there, `""` the cell's directory, with times during the test all the same.
pub(crate) type State = BTreeMap<String, Entry>;

/// A session with a tree, in whose directories `c0001`, `c0002` … the cells are played.
pub(crate) struct Ground {
    pub(crate) server: Server,
    pub(crate) tree: Tree,
    _root: Tree,
    place: Place,
    /// False where the rules let the session make nothing.
    makes: bool,
    count: u32,
    /// The directory of the cell, and what stood there at first, times as they were.
    cell: Option<(String, Snapshot)>,
    changed: bool,
}

impl Ground {
    pub(crate) fn new(place: Place, flags: &[&str], makes: bool) -> Self {
        // In memory, where that can be had: a cell makes and removes two dozen names.
        let memory = Path::new("/dev/shm");
        let fresh = || match memory.is_dir() {
            true => Tree::below(memory),
            false => Tree::new(),
        };
        let (tree, root) = (fresh(), fresh());
        let launch = Launch::new(&tree);
        let launch = match place {
            Place::Host => launch,
            Place::Root => launch.args(["--root".as_ref(), tree.root().as_os_str()]),
            Place::Bind => {
                let bind = format!("/b={}", tree.root().display());
                launch
                    .args(["--root".as_ref(), root.root().as_os_str()])
                    .args(["--bind", &bind, "-d", "/b"])
            }
        };
        let server = launch.args(flags).connect();
        Self {
            server,
            tree,
            _root: root,
            place,
            makes,
            count: 0,
            cell: None,
            changed: false,
        }
    }

    /// A session grows old: the set of what it made is bounded.
    pub(crate) fn is_old(&self) -> bool {
        self.count > 400
    }

    /// The cell's directory as the session names it from `/`.
    pub(crate) fn absolute(&self) -> String {
        let cell = self.cell();
        match self.place {
            Place::Host => format!("{}/{cell}", self.tree.root().display()),
            Place::Root => format!("/{cell}"),
            Place::Bind => format!("/b/{cell}"),
        }
    }

    pub(crate) fn cell(&self) -> &str {
        &self.cell.as_ref().expect("a cell was made").0
    }

    /// A cell's directory as it is at first: the last one, if nothing has changed it.
    pub(crate) fn prepare(&mut self) -> State {
        if self.cell.is_none() || self.changed {
            self.renew();
        }
        let (cell, first) = self.cell.as_ref().expect("a cell was made");
        state(cell, first)
    }

    /// A fresh directory with everything in it.
    fn renew(&mut self) {
        self.count += 1;
        let cell = format!("c{:04}", self.count);
        let at = |name: &str| format!("{cell}/{name}");
        let tree = &self.tree;
        tree.dir(&cell);
        for dir in ["fdir", "fempty", "step"] {
            tree.dir(at(dir));
        }
        tree.file(at("foreign"), FOREIGN);
        tree.chmod(at("foreign"), 0o640);
        tree.file(at("other"), OTHER);
        tree.file(at("fdir/inner"), "inner");
        for (link, target) in [
            ("flink", "foreign"),
            ("fsym", "other"),
            ("fdlink", "fdir"),
            ("felink", "fempty"),
            ("dangling", "nowhere"),
            ("alink", "absent"),
            ("here", "."),
            ("ownlink", "own"),
            ("odlink", "owndir"),
        ] {
            tree.link(at(link), target);
        }
        fs::hard_link(tree.at(at("foreign")), tree.at(at("fhard"))).unwrap();
        for (name, content) in [("own", OWN), ("own2", "second"), ("taken", "mine")] {
            if self.makes {
                let attrs = Attrs::NONE.permissions(FILE_MODE);
                let flags = pflags::WRITE | pflags::CREAT | pflags::EXCL;
                let handle = self.server.call(&request::open(at(name), flags, &attrs));
                let handle = handle.handle();
                self.server.ok(&request::write(handle, 0, content));
                self.server.close(handle);
            } else {
                tree.file(at(name), content);
                tree.chmod(at(name), FILE_MODE);
            }
        }
        if self.makes {
            let attrs = Attrs::NONE.permissions(DIR_MODE);
            self.server.ok(&request::mkdir(at("owndir"), &attrs));
        } else {
            tree.dir(at("owndir"));
            tree.chmod(at("owndir"), DIR_MODE);
        }
        fs::hard_link(tree.at(at("own")), tree.at(at("ownhard"))).unwrap();
        // The name is the session's, the object that stands there now is not.
        fs::remove_file(tree.at(at("taken"))).unwrap();
        tree.file(at("taken"), "not yours");
        for name in ["foreign", "other", "fdir/inner", "taken", "fdir", "fempty"] {
            tree.times(at(name), LONG_AGO, LONG_AGO);
        }
        let first = tree.snapshot_of(&cell);
        self.cell = Some((cell, first));
        self.changed = false;
    }

    /// What stands there now, and what has become different since the directory was made, times included.
    pub(crate) fn look(&mut self) -> (State, Vec<String>) {
        let (cell, first) = self.cell.as_ref().expect("a cell was made");
        let now = self.tree.snapshot_of(cell);
        let changes = first.differences(&now);
        self.changed = !changes.is_empty();
        (state(cell, &now), changes)
    }

    /// The path by which a request names an object.
    pub(crate) fn path(&self, object: Object, way: Way) -> String {
        let cell = self.cell();
        let name = object.name();
        match way {
            _ if object == Object::Here => match way {
                Way::Absolute => self.absolute(),
                Way::DirLink => format!("{cell}/here"),
                Way::Dots => format!("{cell}/step/.."),
                _ => cell.to_owned(),
            },
            Way::Plain => format!("{cell}/{name}"),
            Way::Dots => format!("{cell}/step/../{name}"),
            Way::Absolute => format!("{}/{name}", self.absolute()),
            Way::DirLink => format!("{cell}/here/{name}"),
            Way::Link => format!("{cell}/{}", object.link().expect("it has a link")),
            Way::Hard => format!("{cell}/{}", object.hard().expect("it has a second name")),
        }
    }
}

/// A cell's directory by names of its own.
fn state(cell: &str, snapshot: &Snapshot) -> State {
    let relative = snapshot.entries.iter().map(|(path, entry)| {
        let path = String::from_utf8(path.clone()).unwrap();
        let path = path[cell.len()..].trim_start_matches('/').to_owned();
        let mut entry = entry.clone();
        if entry.mtime.0 > LATELY {
            entry.mtime = (0, 0);
        }
        (path, entry)
    });
    relative.collect()
}

impl Object {
    /// Its name in a cell's directory.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Own => "own",
            Self::Absent => "absent",
            Self::Dir => "fdir",
            Self::Empty => "fempty",
            Self::OwnDir => "owndir",
            Self::Link => "fsym",
            Self::Taken => "taken",
            Self::Fresh => "fresh",
            Self::Here => "",
        }
    }

    /// The mode of the file that it leads to.
    pub(crate) fn mode(self) -> u32 {
        match self {
            Self::Foreign => 0o640,
            Self::Own | Self::Fresh => FILE_MODE,
            _ => 0o644,
        }
    }

    /// The symbolic link that leads to it.
    pub(crate) fn link(self) -> Option<&'static str> {
        match self {
            Self::Foreign => Some("flink"),
            Self::Own => Some("ownlink"),
            Self::Absent => Some("alink"),
            Self::Dir => Some("fdlink"),
            Self::Empty => Some("felink"),
            Self::OwnDir => Some("odlink"),
            _ => None,
        }
    }

    /// Its second name, which another gave it.
    pub(crate) fn hard(self) -> Option<&'static str> {
        match self {
            Self::Foreign => Some("fhard"),
            Self::Own => Some("ownhard"),
            _ => None,
        }
    }

    /// What the model knows of it.
    pub(crate) fn thing(self) -> Thing {
        let (kind, own, size) = match self {
            Self::Foreign => (Kind::File, false, FOREIGN.len()),
            Self::Own | Self::Fresh => (Kind::File, true, OWN.len()),
            Self::Taken => (Kind::File, false, 9),
            Self::Absent => (Kind::Absent, false, 0),
            Self::Dir | Self::Empty | Self::Here => (Kind::Dir, false, 0),
            Self::OwnDir => (Kind::Dir, true, 0),
            Self::Link => (Kind::Link, false, 0),
        };
        let named = matches!(self, Self::Foreign | Self::Dir | Self::Empty);
        Thing {
            kind,
            own,
            size: size as u64,
            named,
        }
    }
}
