//! What the client has open. A handle is a slot and a generation, so that a stale one never meets another's file.

use std::os::fd::AsRawFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::dup;

use super::opened::{Entry, OpenDir, OpenFile};
use crate::fs::{Error, File, Refusal};
use crate::log::event::Slot;
use crate::policy::max_handles;
use crate::protocol::Handle;

/// All that is open.
#[derive(Debug)]
pub struct Handles {
    /// Descriptors that requests need for a moment, or the name service.
    spare: usize,
    each: usize,
    slots: Vec<Place>,
    /// Free slots; the last one freed is the next one used, as in OpenSSH's log.
    free: Vec<u32>,
    open: usize,
    /// What RLIMIT_NOFILE leaves, once that was asked.
    limit: Option<usize>,
    /// `--max-handles`.
    most: Option<usize>,
    /// How many requests under way may open one more each.
    opening: usize,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    entry: Option<Entry>,
}

impl Handles {
    /// None yet, and never more than `most`. `spare` descriptors are left to requests that need some for a moment; what is open takes
    /// up to `each`.
    #[must_use]
    pub fn sparing(spare: usize, each: usize, most: Option<usize>) -> Self {
        Self {
            spare,
            each,
            slots: Vec::new(),
            free: Vec::new(),
            open: 0,
            limit: None,
            most,
            opening: 0,
        }
    }

    /// How many can be open at once: what RLIMIT_NOFILE leaves beside the program's own descriptors, or less where that is the policy.
    pub fn limit(&mut self) -> usize {
        let limit = self.limit_of_descriptors();
        self.most.map_or(limit, |most| limit.min(most))
    }

    fn limit_of_descriptors(&mut self) -> usize {
        let (open, spare, each) = (self.open, self.spare, self.each);
        *self
            .limit
            .get_or_insert_with(|| (limit(open, spare) / each).max(1))
    }

    /// How many descriptors are left.
    pub fn room(&mut self) -> usize {
        self.limit_of_descriptors().saturating_sub(self.open)
    }

    /// Whether one more can be opened.
    ///
    /// # Errors
    /// `EMFILE`; that of the policy, where it has a part in it.
    pub fn check_room(&mut self) -> Result<(), Error> {
        if self.most.is_some_and(|most| self.open >= most) {
            return Err(Refusal::Limit(Errno::EMFILE, max_handles::FLAG).into());
        }
        if self.room() > 0 {
            Ok(())
        } else {
            Err(Errno::EMFILE.into())
        }
    }

    /// Whether the policy lets one more be opened, should all those under way succeed.
    #[must_use]
    pub fn may_open_beside(&self) -> bool {
        self.most.is_none_or(|most| self.open + self.opening < most)
    }

    /// A request that opens something is under way from now on.
    pub fn begin_opening(&mut self) {
        self.opening += 1;
    }

    /// It has come to its end.
    pub fn end_opening(&mut self) {
        self.opening = self.opening.saturating_sub(1);
    }

    /// Takes note of something opened: its slot, and the handle for the client.
    pub fn insert(&mut self, entry: Entry) -> (u32, [u8; 8]) {
        self.open += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Place::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let mut generation = 0;
        if let Some(place) = self.slots.get_mut(slot as usize) {
            generation = place.generation;
            place.entry = Some(entry);
        }
        let mut handle = [0; 8];
        handle[..4].copy_from_slice(&slot.to_be_bytes());
        handle[4..].copy_from_slice(&generation.to_be_bytes());
        (slot, handle)
    }

    /// The slot of a valid handle, for the log.
    #[must_use]
    pub fn slot(&self, handle: Handle) -> Slot {
        Slot(self.get(handle).map(|(slot, _)| slot))
    }

    /// The path of a valid handle, for the log.
    #[must_use]
    pub fn path(&self, handle: Handle) -> Option<Vec<u8>> {
        self.get(handle).map(|(_, entry)| entry.path().to_vec())
    }

    /// The file behind a handle.
    pub fn file(&mut self, handle: Handle) -> Option<&mut OpenFile> {
        match self.get_mut(handle)? {
            Entry::File(file) => Some(file),
            Entry::Dir(_) => None,
        }
    }

    /// The file in a slot.
    pub fn file_in(&mut self, slot: u32) -> Option<&mut OpenFile> {
        match self.slots.get_mut(slot as usize)?.entry.as_mut()? {
            Entry::File(file) => Some(file),
            Entry::Dir(_) => None,
        }
    }

    /// The file behind a handle, to be used beside another one.
    #[must_use]
    pub fn shared_file(&self, handle: Handle) -> Option<&Arc<File>> {
        match self.get(handle)? {
            (_, Entry::File(open)) => Some(&open.file),
            (_, Entry::Dir(_)) => None,
        }
    }

    /// Takes note of bytes copied from one file to another.
    pub fn count_copied(&mut self, from: Handle, to: Handle, count: u64) {
        if let Some(from) = self.file(from) {
            from.tally.read += count;
        }
        if let Some(to) = self.file(to) {
            to.tally.written += count;
        }
    }

    /// The directory behind a handle.
    pub fn dir(&mut self, handle: Handle) -> Option<&mut OpenDir> {
        match self.get_mut(handle)? {
            Entry::Dir(dir) => Some(dir),
            Entry::File(_) => None,
        }
    }

    /// Gives back what a handle stood for; the handle is never valid again.
    pub fn remove(&mut self, handle: Handle) -> Option<Entry> {
        let (slot, generation) = split(handle)?;
        let place = self.slots.get_mut(slot as usize)?;
        if place.generation != generation {
            return None;
        }
        let entry = place.entry.take()?;
        self.open -= 1;
        // A slot whose generations are used up is not used again.
        if let Some(next) = generation.checked_add(1) {
            place.generation = next;
            self.free.push(slot);
        }
        Some(entry)
    }

    /// Gives back all that is open, in the order of the slots.
    pub fn drain(&mut self) -> impl Iterator<Item = Entry> {
        self.open = 0;
        self.free.clear();
        std::mem::take(&mut self.slots)
            .into_iter()
            .filter_map(|place| place.entry)
    }

    /// The slot of a valid handle and what it stands for.
    #[must_use]
    pub fn get(&self, handle: Handle) -> Option<(u32, &Entry)> {
        let (slot, generation) = split(handle)?;
        let place = self.slots.get(slot as usize)?;
        let entry = place.entry.as_ref()?;
        (place.generation == generation).then_some((slot, entry))
    }

    /// The slot of a valid handle of a file, and that.
    #[must_use]
    pub fn open_file(&self, handle: Handle) -> Option<(u32, &OpenFile)> {
        match self.get(handle)? {
            (slot, Entry::File(open)) => Some((slot, open)),
            (_, Entry::Dir(_)) => None,
        }
    }

    fn get_mut(&mut self, handle: Handle) -> Option<&mut Entry> {
        let (slot, generation) = split(handle)?;
        let place = self.slots.get_mut(slot as usize)?;
        if place.generation == generation {
            place.entry.as_mut()
        } else {
            None
        }
    }
}

fn split(handle: Handle) -> Option<(u32, u32)> {
    let bytes = u64::from_be_bytes(handle.0?);
    let slot = u32::try_from(bytes >> 32).ok()?;
    Some((slot, (bytes & u64::from(u32::MAX)) as u32))
}

/// What RLIMIT_NOFILE leaves for handles, `open` of which are there already.
fn limit(open: usize, spare: usize) -> usize {
    let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| {
        usize::try_from(soft).unwrap_or(usize::MAX)
    });
    let used = used_descriptors().saturating_sub(open);
    descriptors.saturating_sub(used + spare)
}

/// How many descriptors the process has: the lowest free number tells, since those that were inherited are closed.
fn used_descriptors() -> usize {
    dup(std::io::stdin()).map_or(DEFAULT_USED, |fd| {
        usize::try_from(fd.as_raw_fd()).unwrap_or(DEFAULT_USED)
    })
}

/// Standard ones, log, runtime and signals.
const DEFAULT_USED: usize = 9;
