//! A client's path becomes a directory descriptor and a name: here, and nowhere else.
//!
//! The walk opens one component after the other from the descriptor of the one before, never follows a link by the kernel, and
//! keeps what it came through on a stack, so that `..` leads back there and nowhere else. Whatever other processes rename meanwhile,
//! it never leaves the trees of the view. Where a path has neither `..` nor a link, one openat2(2) gives the same answer.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::sys::stat::{Mode, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::geteuid;

use super::jail::Jail;
use super::step::{MAX_STEPS, PATH_MAX, Step, join};
use super::way;
use super::way::WAY;
use crate::fs::kernel::identity::Identity;
use crate::fs::kernel::patience::Patience;
use crate::fs::kernel::place::{Dirfd, Jailed, Last, Place};
use crate::fs::{Answer, Error, Result};

/// What a request wants of the end of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Aim {
    /// The name itself, to be made, removed or renamed: no link is followed, `.` and `..` are no names.
    Entry,
    /// What the name leads to.
    Target,
    /// What the name leads to, but a link at the end.
    Link,
    /// What the name leads to, to be told by its path: as OpenSSH does that by readlink(2), the
    /// kernel's rules for `.`, `..` and the links of others do not matter.
    Path,
}

/// Whether a request wants what stands at the end of its path, or a name there that may be free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fs) enum Intent {
    Reach,
    Make,
}

impl Jail {
    /// The place of any path, step by step.
    pub(in crate::fs) fn resolve<'v>(&'v self, path: &Path, aim: Aim) -> Answer<Place<'v>> {
        let path = path.as_os_str().as_bytes();
        if path.is_empty() {
            return Err(Errno::ENOENT.into());
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG.into());
        }
        let mut walk = Walk {
            jail: self,
            steps: if path.starts_with(b"/") {
                vec![Step::root(self)]
            } else {
                self.start.iter().map(|start| start.step(self)).collect()
            },
            rest: Vec::new(),
            directory: false,
            links: 0,
            taken: 0,
            patience: Patience::default(),
        };
        walk.push_path(path);
        walk.run(aim)
    }

    /// As [`View::canonical`](crate::fs::View::canonical).
    pub(in crate::fs) fn canonical(&self, path: &Path) -> Answer<PathBuf> {
        for _ in 0..2 {
            let place = self.resolve(path, Aim::Path)?;
            if place.slash {
                match place.is_directory() {
                    Err(Error::Link) => continue,
                    Ok(false) => return Err(Errno::ENOTDIR.into()),
                    Ok(true) => {}
                    Err(error) => return Err(error),
                }
            }
            let canonical = place.jailed.and_then(|jailed| jailed.canonical);
            let canonical = canonical.unwrap_or_default();
            if canonical.len() >= PATH_MAX {
                return Err(Errno::ENAMETOOLONG.into());
            }
            return Ok(absolute(canonical));
        }
        Err(Errno::EAGAIN.into())
    }
}

/// How far a step went.
enum Went {
    /// On; there is more to walk, or the path ends in the directory where the walk is.
    On,
    /// The name is the end, and whether a tree is bound there.
    ToTheEnd { bound: bool },
}

/// As where nothing stands.
const TO_NOTHING: Answer<Went> = Ok(Went::ToTheEnd { bound: false });

struct Walk<'v> {
    jail: &'v Jail,
    /// From the root to where the walk is; never empty.
    steps: Vec<Step<'v>>,
    /// The components still to be walked, the next one last; a link's are put on top of them.
    rest: Vec<Vec<u8>>,
    /// Whether what the path ends on must be a directory.
    directory: bool,
    links: usize,
    /// How many components were walked.
    taken: usize,
    patience: Patience,
}

impl<'v> Walk<'v> {
    fn run(mut self, aim: Aim) -> Answer<Place<'v>> {
        while let Some(name) = self.rest.pop() {
            self.taken += 1;
            // Only links make so many: a path alone has fewer.
            if self.taken > MAX_STEPS {
                return Err(Errno::ELOOP.into());
            }
            if self.patience.ends() {
                return Err(Error::Long);
            }
            let end = self.rest.is_empty();
            match name.as_slice() {
                b"." | b".." if end && aim == Aim::Entry => {
                    self.search(aim)?;
                    return self.end(&name, Last::Itself, false);
                }
                b"." => self.search(aim)?,
                b".." => {
                    self.search(aim)?;
                    if self.steps.len() > 1 {
                        self.steps.pop();
                        way::reopen(&mut self.steps)?;
                    }
                }
                _ => match self.step(&name, end, aim)? {
                    Went::On => {}
                    Went::ToTheEnd { bound } => return self.end(&name, Last::Name, bound),
                },
            }
        }
        let name = if aim == Aim::Entry { "/" } else { "." };
        self.end(name.as_bytes(), Last::Itself, false)
    }

    /// Goes on to `name`: into a directory or along a link; or says that it is the end.
    fn step(&mut self, name: &[u8], end: bool, aim: Aim) -> Answer<Went> {
        if let Some(judge) = &self.jail.judge {
            let (path, here) = (self.path_of(name), self.here()?);
            // Links lead deeper than any path; to judge each step of that would take for ever.
            if path.len() >= PATH_MAX {
                return Err(Errno::ENAMETOOLONG.into());
            }
            // The path of what is to be made can be told, and what a link to it holds is not.
            let tells = end && aim == Aim::Path && !self.directory;
            match judge.pass(&path, false) {
                Err(error) if tells && error == Errno::ENOENT.into() => return TO_NOTHING,
                passed => passed?,
            }
            if tells && !judge.lists(&path, &|| Identity::at(here, name)) {
                return TO_NOTHING;
            }
        }
        let bound = self.jail.bound_at(self.tree(), self.here()?, name)?;
        if end && aim == Aim::Entry {
            let bound = bound.is_some();
            return Ok(Went::ToTheEnd { bound });
        }
        if let Some(tree) = bound {
            let step = Step::into_tree(self.jail, tree, name.to_vec());
            self.steps.push(step);
            return Ok(Went::On);
        }
        if end && aim == Aim::Link && !self.directory {
            return Ok(Went::ToTheEnd { bound: false });
        }
        if !end {
            match openat(self.here()?, name, WAY, Mode::empty()) {
                Ok(fd) => {
                    self.push(Dirfd::Opened(fd), name);
                    return Ok(Went::On);
                }
                // Or a link.
                Err(Errno::ENOTDIR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        match readlinkat(self.here()?, name) {
            Ok(target) => {
                self.follow(name, &target.into_vec(), aim)?;
                Ok(Went::On)
            }
            Err(Errno::EINVAL) if !end => Err(Errno::ENOTDIR.into()),
            // No link, or nothing at all.
            Err(Errno::EINVAL | Errno::ENOENT) if end => Ok(Went::ToTheEnd { bound: false }),
            Err(errno) => Err(errno.into()),
        }
    }

    fn push(&mut self, fd: Dirfd<'v>, name: &[u8]) {
        let tree = self.tree();
        self.steps.push(Step {
            fd: Some(fd),
            tree,
            name: name.to_vec(),
        });
        way::close_far(&mut self.steps);
    }

    /// Puts the components of a link's target in front of what is left.
    fn follow(&mut self, name: &[u8], target: &[u8], aim: Aim) -> Answer<()> {
        self.links += 1;
        if self.links > MAX_LINKS || self.is_magic(name)? {
            return Err(Errno::ELOOP.into());
        }
        if let Some(judge) = &self.jail.judge {
            judge.pass(&self.path_of(name), true)?;
        }
        if aim != Aim::Path && self.is_trap(name)? {
            return Err(Errno::EACCES.into());
        }
        if target.is_empty() {
            return Err(Errno::ENOENT.into());
        }
        if target.starts_with(b"/") {
            self.steps = vec![Step::root(self.jail)];
        }
        self.push_path(target);
        Ok(())
    }

    fn push_path(&mut self, path: &[u8]) {
        // Behind a path that ends on a slash, only a directory will do; within it, each is one anyway.
        if self.rest.is_empty() && path.ends_with(b"/") {
            self.directory = true;
        }
        let components = path.split(|byte| *byte == b'/').rev();
        self.rest.extend(
            components
                .filter(|name| !name.is_empty())
                .map(<[u8]>::to_vec),
        );
    }

    /// Links of procfs that lead anywhere (exe, cwd, root, fd/…) are never followed; those that are text (self, mounts) are.
    fn is_magic(&self, name: &[u8]) -> Result<bool> {
        let here = self.here()?;
        if fstatfs(here)?.filesystem_type() != PROC_SUPER_MAGIC {
            return Ok(false);
        }
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS | ResolveFlag::RESOLVE_BENEATH);
        // A kernel without openat2(2) cannot say; then none is followed.
        Ok(matches!(
            openat2(here, name, how),
            Err(Errno::ELOOP | Errno::EXDEV | Errno::ENOSYS | Errno::EPERM)
        ))
    }

    /// Whether a link stands where anybody can make one (`/tmp`) and is of another user: the kernel follows none such either
    /// (`fs.protected_symlinks`, proc_sys_fs(5)).
    fn is_trap(&self, name: &[u8]) -> Result<bool> {
        let dir = nix::sys::stat::fstat(self.here()?)?;
        if !Mode::from_bits_truncate(dir.st_mode).contains(Mode::S_ISVTX | Mode::S_IWOTH) {
            return Ok(false);
        }
        let link = fstatat(self.here()?, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        Ok(link.st_uid != dir.st_uid && link.st_uid != geteuid().as_raw())
    }

    /// The kernel asks for the right to search a directory at `.` and `..`, too.
    fn search(&self, aim: Aim) -> Result<()> {
        if aim == Aim::Path {
            return Ok(());
        }
        search(self.here()?)
    }

    /// The path in the view of `name` where the walk is.
    fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = join(&self.steps);
        path.push(b'/');
        path.extend_from_slice(name);
        path
    }

    fn tree(&self) -> usize {
        self.steps.last().map_or(0, |step| step.tree)
    }

    fn here(&self) -> Result<BorrowedFd<'_>> {
        let fd = self.steps.last().and_then(|step| step.fd.as_ref());
        fd.map(AsFd::as_fd).ok_or(Errno::ENOENT)
    }

    fn end(mut self, name: &[u8], last: Last, bound: bool) -> Answer<Place<'v>> {
        let mut canonical = join(&self.steps);
        if last == Last::Name {
            canonical.push(b'/');
            canonical.extend_from_slice(name);
        }
        let tree = self.tree();
        let step = self.steps.pop().ok_or(Errno::ENOENT)?;
        let dir = step.fd.ok_or(Errno::ENOENT)?;
        let above = match last {
            Last::Name => None,
            Last::Itself => Some(match self.steps.last_mut() {
                Some(_) => {
                    way::reopen(&mut self.steps)?;
                    nix::sys::stat::fstat(self.here()?)?
                }
                // `..` of the root is the root.
                None => nix::sys::stat::fstat(&dir)?,
            }),
        };
        Ok(Place {
            dir,
            name: Cow::Owned(name.to_vec()),
            last,
            slash: self.directory && last == Last::Name,
            covers: None,
            jailed: Some(Jailed {
                tree,
                read_only: self.jail.is_read_only(tree),
                bound,
                above,
                canonical: Some(canonical),
            }),
        })
    }
}

pub(in crate::fs) fn absolute(path: Vec<u8>) -> PathBuf {
    if path.is_empty() {
        PathBuf::from("/")
    } else {
        PathBuf::from(OsString::from_vec(path))
    }
}

/// Whether this user may search a directory.
pub(in crate::fs) fn search(dir: BorrowedFd<'_>) -> Result<()> {
    fstatat(dir, ".", AtFlags::AT_SYMLINK_NOFOLLOW).map(drop)
}

/// As the kernel (path_resolution(7)).
const MAX_LINKS: usize = 40;
