//! How a jail is made: the root and the binds are opened once, and every failure says what to do about it.

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstatat, stat};
use nix::unistd::{AccessFlags, access};

use super::jail::{Jail, Own, Start, Tree};
use super::point::Point;
use super::resolve::Aim;
use super::{Judging, Kind, View};
use crate::fs::judging::procfs::Procfs;
use crate::fs::judging::protect::{Guarded, Protect, Trace};
use crate::fs::kernel::mounts::Mounts;
use crate::fs::kernel::place::{Id, kind};
use crate::fs::kernel::stat::Follow;
use crate::fs::{Answer, Error};

/// A directory of the host that appears in the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// Where, in the view: absolute.
    pub at: PathBuf,
    /// The directory.
    pub dir: PathBuf,
    /// Whether everything beneath stays as it is.
    pub read_only: bool,
}

/// A view cannot be made as it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} \"{}\": {why}; {remedy}", path.display())]
pub struct SetUp {
    step: String,
    path: PathBuf,
    why: String,
    remedy: String,
}

impl SetUp {
    /// What failed, and what to do about it.
    #[must_use]
    pub fn in_two(&self) -> (String, &str) {
        let path = self.path.display();
        let what = format!("cannot {} \"{path}\": {}", self.step, self.why);
        (what, &self.remedy)
    }
}

impl View {
    /// A view of `root` and what is bound into it, in which `guarded` is protected.
    ///
    /// Relative paths start at the home directory if it is in the view, else at its root.
    ///
    /// # Errors
    /// The step that failed, the path, and a remedy.
    pub fn locked(
        root: &Path,
        read_only: bool,
        binds: &[Bind],
        home: &Path,
        guarded: Option<Guarded>,
    ) -> Result<Self, SetUp> {
        let mut jail = Jail::of_root(tree(
            "open the root",
            "--root",
            root,
            Path::new("/"),
            read_only,
        )?);
        let mut sorted: Vec<&Bind> = binds.iter().collect();
        // What is bound into another bind comes after it.
        sorted.sort_by_key(|bind| bind.at.components().count());
        for bind in sorted {
            jail.bind(bind)?;
        }
        let seen = jail.seen(home);
        let mounts = Arc::new(Mounts::held());
        if let Some(guarded) = guarded {
            let protect = Protect::new(guarded, &mounts);
            // What lies outside can be listed before the locks alone, and what others serve is not to be waited for later.
            let is_seen = |other: &Path| match other == home {
                true => seen.is_some(),
                false => jail.seen(other).is_some(),
            };
            if mounts.is_any_remote() != Some(false) || protect.may_lead_out(is_seen) {
                protect.prepare();
            }
            jail.protect = Some(Arc::new(protect));
        }
        if let Some(way) = seen.as_ref().and_then(|home| jail.way_to(home).ok()) {
            jail.start = way;
        }
        jail.own = Some(Own {
            host: home.to_path_buf(),
            seen,
        });
        Ok(Self {
            kind: Kind::Jail(jail),
            judging: Judging::default(),
            mounts,
            procfs: Procfs::default(),
        })
    }

    /// How each protected path is followed; none where nothing is protected.
    #[must_use]
    pub fn traces(&self) -> Option<Vec<Trace>> {
        Some(self.jail()?.protect.as_ref()?.traces())
    }
}

impl Jail {
    fn bind(&mut self, bind: &Bind) -> Result<(), SetUp> {
        let step = format!("bind \"{}\" to", bind.at.display());
        let fail = |why: &str, remedy: &str| SetUp {
            step: step.clone(),
            path: bind.dir.clone(),
            why: why.to_owned(),
            remedy: remedy.to_owned(),
        };
        let at = bind.at.as_os_str().as_bytes();
        let (Some(name), Some(parent)) = (bind.at.file_name(), bind.at.parent()) else {
            return Err(fail(
                "the root is no place for a bind",
                "give the directory to --root",
            ));
        };
        let mut names = at.split(|byte| *byte == b'/');
        if !at.starts_with(b"/") || names.any(|name| matches!(name, b"." | b"..")) {
            return Err(fail(
                "its place in the view is no absolute path",
                "write --bind /NAME=DIR",
            ));
        }
        let way = self.way_to(parent).map_err(|error| SetUp {
            step: format!("bind \"{}\" into", bind.at.display()),
            path: parent.to_path_buf(),
            why: words(error),
            remedy: "this directory must exist in the view; create it, or choose another place"
                .to_owned(),
        })?;
        let tree_of = way.last().map_or(0, |last| last.tree);
        let dir = way
            .last()
            .and_then(|last| last.fd.as_ref().map(AsFd::as_fd));
        let dir = dir.or(self.tree_fd(tree_of));
        let dir = dir.ok_or_else(|| fail("no directory", "choose another place"))?;
        let point = Point::new(tree_of, dir, name.as_bytes());
        let point = point.map_err(|errno| fail(errno.desc(), "choose another place"))?;
        let bound = self.bound_at(tree_of, dir, name.as_bytes());
        if bound.is_ok_and(|bound| bound.is_some()) {
            return Err(fail(
                "something is bound there already",
                "give each place once",
            ));
        }
        let stands = fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        if stands.is_ok_and(|stat| kind(&stat) != SFlag::S_IFDIR) {
            return Err(fail(
                "a file stands there",
                "remove it, or choose another place",
            ));
        }
        let mut bound = tree(&step, "--bind", &bind.dir, &bind.at, bind.read_only)?;
        bound.point = Some(point);
        self.trees.push(bound);
        Ok(())
    }

    /// The steps to a directory of the view, each open, for as long as the session lasts.
    pub(in crate::fs) fn way_to(&self, path: &Path) -> Answer<Vec<Start>> {
        let place = self.resolve(path, Aim::Target)?;
        let stat = place.stat(Follow::No)?;
        if kind(&stat) != SFlag::S_IFDIR {
            return Err(Errno::ENOTDIR.into());
        }
        let canonical = place.jailed.and_then(|jailed| jailed.canonical);
        let mut way = vec![Start {
            fd: None,
            tree: 0,
            name: Vec::new(),
        }];
        let canonical = canonical.unwrap_or_default();
        for name in canonical.split(|byte| *byte == b'/').skip(1) {
            let (tree, held) = match way.last() {
                Some(last) => (last.tree, last.fd.as_ref().map(AsFd::as_fd)),
                None => (0, None),
            };
            let dir = held.or(self.tree_fd(tree)).ok_or(Errno::ENOENT)?;
            let bound = self.bound_at(tree, dir, name)?;
            let step = match bound {
                Some(tree) => (None, tree),
                None => {
                    let flags =
                        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                    let fd = openat(dir, name, flags, Mode::empty())?;
                    (Some(fd), tree)
                }
            };
            way.push(Start {
                fd: step.0,
                tree: step.1,
                name: name.to_vec(),
            });
        }
        // Relative paths are searched from here.
        let last = way.last();
        let fd = last.and_then(|last| last.fd.as_ref().map(AsFd::as_fd));
        let tree = last.map_or(0, |last| last.tree);
        let dir = fd.or(self.tree_fd(tree)).ok_or(Errno::ENOENT)?;
        fstatat(dir, ".", AtFlags::empty())?;
        Ok(way)
    }

    /// The path in the view of a directory of the host: looked for by name beneath the trees, and taken if it is that very directory.
    fn seen(&self, host: &Path) -> Option<PathBuf> {
        let id = Id::of(&stat(host).ok()?);
        let host = View::host().canonical(host).ok()?;
        let mut trees: Vec<&Tree> = self.trees.iter().collect();
        trees.sort_by_key(|tree| std::cmp::Reverse(tree.host.as_os_str().len()));
        trees.into_iter().find_map(|tree| {
            let rest = host.strip_prefix(&tree.host).ok()?;
            let path = if rest.as_os_str().is_empty() {
                tree.path.clone()
            } else {
                tree.path.join(rest)
            };
            let place = self.resolve(&path, Aim::Target).ok()?;
            let found = Id::of(&place.stat(Follow::No).ok()?);
            (found == id).then_some(path)
        })
    }
}

/// Opens a directory of the host that becomes a part of the view.
fn tree(step: &str, flag: &str, dir: &Path, at: &Path, read_only: bool) -> Result<Tree, SetUp> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let opened = open(dir, flags, Mode::empty());
    let opened = opened.and_then(|fd| access(dir, AccessFlags::X_OK).map(|()| fd));
    let host = View::host().canonical(dir);
    match (opened, host) {
        (Ok(fd), Ok(host)) => Ok(Tree {
            fd: fd.into(),
            host,
            written: std::path::absolute(dir).unwrap_or_default(),
            path: at.to_path_buf(),
            read_only,
            point: None,
        }),
        (Err(errno), _) => Err(refusal(step, flag, dir, errno)),
        (Ok(_), Err(error)) => Err(SetUp {
            step: step.to_owned(),
            path: dir.to_path_buf(),
            why: words(error),
            remedy: format!("correct {flag}"),
        }),
    }
}

fn refusal(step: &str, flag: &str, dir: &Path, errno: Errno) -> SetUp {
    let remedy = match errno {
        Errno::ENOENT => match missing(dir) {
            Some(missing) if missing != dir => format!(
                "\"{}\" does not exist; create it, or correct {flag}",
                missing.display()
            ),
            _ if dir.is_relative() => {
                format!(
                    "it is looked for in the working directory; create it there, or give {flag} a path that begins with /"
                )
            }
            _ => format!("create it, or correct {flag}"),
        },
        Errno::ENOTDIR => format!("give a directory to {flag}"),
        Errno::EACCES => match closed(dir) {
            Some(closed) => format!(
                "this user may not enter \"{}\"; allow it (chmod or chgrp, +x), or choose another directory",
                closed.display()
            ),
            None => "allow this user to enter it (chmod or chgrp, +x)".to_owned(),
        },
        Errno::ELOOP => format!("its symbolic links lead in a circle; correct {flag}"),
        _ => format!("correct {flag}"),
    };
    SetUp {
        step: step.to_owned(),
        path: dir.to_path_buf(),
        why: errno.desc().to_owned(),
        remedy,
    }
}

/// Why it failed, for people: without the name of an errno.
fn words(error: Error) -> String {
    match error {
        Error::Kernel(errno) => errno.desc().to_owned(),
        error => error.to_string(),
    }
}

/// The first directory on the way that is not there.
fn missing(dir: &Path) -> Option<&Path> {
    let mut ways: Vec<&Path> = dir.ancestors().collect();
    ways.reverse();
    ways.into_iter()
        .find(|way| !way.as_os_str().is_empty() && stat(*way) == Err(Errno::ENOENT))
}

/// The first directory on the way that this user may not enter.
fn closed(dir: &Path) -> Option<&Path> {
    let mut ways: Vec<&Path> = dir.ancestors().collect();
    ways.reverse();
    ways.into_iter()
        .find(|way| !way.as_os_str().is_empty() && access(*way, AccessFlags::X_OK).is_err())
}
