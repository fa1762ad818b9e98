//! What files were like before a WRITE that went past a request that looks.
//!
//! A name on a mount that stalls can lead to any file, by a symbolic link. So that no WRITE has to wait for such a name, what its file was like
//! before is kept, and told where the name turns out to lead to that file: the answers are those of one request after another.

use super::pipeline::{Pipeline, Touch};
use crate::fs::{FileStat, is_regular};
use crate::session::Session;

/// Of each file that WRITEs have changed meanwhile.
#[derive(Debug, Default)]
pub(in crate::session) struct Earlier(Vec<FileStat>);

impl Earlier {
    /// What is to be told of the file in `stat` by a request that was sent before these WRITEs.
    pub(in crate::session) fn of<'s>(&'s self, stat: &'s FileStat) -> &'s FileStat {
        self.find(stat).unwrap_or(stat)
    }

    fn find(&self, stat: &FileStat) -> Option<&FileStat> {
        let mut kept = self.0.iter();
        kept.find(|kept| (kept.st_dev, kept.st_ino) == (stat.st_dev, stat.st_ino))
    }
}

impl Session {
    /// Whether it is a WRITE that may begin before what was sent before it has looked.
    pub(in crate::session) fn goes_past(&mut self, pipeline: &Pipeline, touch: &Touch) -> bool {
        let Touch::Write { slot, .. } = touch else {
            return false;
        };
        pipeline.admits_past_looks(touch) && self.keeps_earlier(*slot)
    }

    /// Once all of these are answered, nobody is told any more what files were like before.
    pub(in crate::session) fn forget_earlier(&mut self, pipeline: &Pipeline) {
        if !self.earlier.0.is_empty() && !pipeline.tells() {
            self.earlier.0.clear();
        }
    }

    /// Keeps what the file in this slot is like, before a WRITE; whether that could be had without waiting.
    ///
    /// What is no regular file may be a FIFO, and an OPEN sees whether somebody has written to that.
    fn keeps_earlier(&mut self, slot: u32) -> bool {
        let open = self.handles.file_in(slot);
        let Some(open) = open.filter(|open| !open.cost.is_remote()) else {
            return false;
        };
        let Some(stat) = open.file.told().ok().filter(is_regular) else {
            return false;
        };
        if self.earlier.find(&stat).is_none() {
            self.earlier.0.push(stat);
        }
        true
    }
}
