//! What stands beneath the protected directories.

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag};

use super::{Look, lstat};
use crate::fs::judging::protect::paths::path;
use crate::fs::kernel::entries;
use crate::fs::kernel::place::{Id, kind};

impl Look<'_> {
    /// Has what stands at `at` listed, if it is a directory; a file is known by its identity.
    pub(super) fn take(&mut self, at: Vec<u8>, stat: &FileStat) {
        let id = Id::of(stat);
        if kind(stat) == SFlag::S_IFDIR && self.known.whole.insert(id, Vec::new()).is_none() {
            self.whole.push((at, *stat));
        }
    }

    /// Lists the protected directories, and follows the links in them.
    pub(super) fn beneath(&mut self) {
        self.known.partial |= !self.beneath_up_to(MOST_FOUND);
    }

    /// The same of the directories of others that links lead to. It may be very much, and nobody can change it but where it is the user's: a part
    /// is looked at.
    pub(super) fn beneath_others(&mut self) {
        let most = self.found + MOST_FOREIGN;
        while let Some((at, stat)) = self.foreign.pop() {
            self.take(at, &stat);
            if !self.beneath_up_to(most) {
                return;
            }
        }
    }

    /// Whether nothing was left out.
    fn beneath_up_to(&mut self, most: usize) -> bool {
        loop {
            if let Some((at, stat, name)) = self.links.pop() {
                self.enter(&at, &stat);
                self.protect_link(&at, &name);
            } else if let Some((at, stat)) = self.whole.pop() {
                if self.found >= most {
                    return false;
                }
                self.list(&at, &stat);
            } else {
                return true;
            }
        }
    }

    fn list(&mut self, at: &[u8], stat: &FileStat) {
        let ground = self.ground(at, stat);
        self.stamp(at, stat, ground);
        let id = Id::of(stat);
        let mut names = Vec::new();
        for (name, stat) in self.entries(at, stat) {
            self.found += 1;
            let child = [at, b"/", &name].concat();
            match kind(&stat) {
                SFlag::S_IFDIR => self.take(child, &stat),
                SFlag::S_IFLNK => {
                    self.known.objects.insert(Id::of(&stat));
                    if let Ok(dir) = lstat(&path(at)) {
                        self.links.push((at.to_vec(), dir, name.clone()));
                    }
                }
                _ => drop(self.known.objects.insert(Id::of(&stat))),
            }
            names.push(name);
        }
        self.known.whole.insert(id, names);
    }

    /// What stands in a directory; where the locks let nobody list it, what stood there, as far as it still does.
    fn entries(&mut self, at: &[u8], stat: &FileStat) -> Vec<(Vec<u8>, FileStat)> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mut entries = Vec::new();
        let room = MOST_FOUND.saturating_sub(self.found);
        let opened = openat(AT_FDCWD, at, flags, Mode::empty());
        // What the locks bar lies outside of the trees, where nothing can be changed. Of all else it counts where it stands.
        let closed = stat.st_uid == self.user.as_raw() && stat.st_mode & 0o400 == 0;
        self.known.partial |= opened
            .as_ref()
            .is_err_and(|errno| *errno != Errno::EACCES || closed);
        if let Ok(fd) = opened {
            let listed = entries::each(fd, |name, stat| {
                entries.push((name.to_vec(), *stat));
                entries.len() < room
            });
            if listed.is_ok() {
                return entries;
            }
        }
        let known = self
            .previous
            .and_then(|known| known.whole.get(&Id::of(stat)));
        for name in known.into_iter().flatten() {
            let child = [at, b"/", name].concat();
            let there = lstat(child.as_slice());
            entries.extend(there.ok().map(|stat| (name.clone(), stat)));
        }
        entries
    }
}

/// How much beneath the protected directories is known by its identity.
const MOST_FOUND: usize = 16_384;
/// The same beneath directories of others.
const MOST_FOREIGN: usize = 2_048;
