//! What files were like before a WRITE that went past a request that looks.
//!
//! A name on a mount that stalls can lead to any file, by a symbolic link. So that no WRITE has to wait for such a name, what its file was like
//! before is kept, and told where the name turns out to lead to that file: the answers are those of one request after another.

use crate::fs::FileStat;

/// Of each file that WRITEs have changed meanwhile.
#[derive(Debug, Default)]
pub(in crate::session) struct Earlier(Vec<FileStat>);

impl Earlier {
    /// What is to be told of the file in `stat` by a request that was sent before these WRITEs.
    pub(in crate::session) fn of<'s>(&'s self, stat: &'s FileStat) -> &'s FileStat {
        self.find(stat).unwrap_or(stat)
    }

    /// Keeps what a file is like, unless it is kept what that was like before.
    pub(in crate::session) fn keep(&mut self, stat: FileStat) {
        if self.find(&stat).is_none() {
            self.0.push(stat);
        }
    }

    /// Whether nothing is kept.
    pub(in crate::session) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all of them.
    pub(in crate::session) fn forget(&mut self) {
        self.0.clear();
    }

    fn find(&self, stat: &FileStat) -> Option<&FileStat> {
        let mut kept = self.0.iter();
        kept.find(|kept| (kept.st_dev, kept.st_ino) == (stat.st_dev, stat.st_ino))
    }
}
