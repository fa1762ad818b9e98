//! What has arrived and was not served yet, in one piece, so that packets are parsed and written to files where they lie.

/// The receive buffer. Its memory is initialised once.
#[derive(Debug)]
pub struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// An empty one with room for `capacity` bytes, at least two of the longest packets.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            buffer: vec![0; capacity],
            start: 0,
            end: 0,
        }
    }

    /// What is there.
    #[must_use]
    pub fn arrived(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes note that the first `count` bytes are served.
    pub fn served(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Room for more; what is there moves to the front when the room behind it gets small.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start > 0 && self.buffer.len() - self.end < LITTLE {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        self.buffer.get_mut(self.end..).unwrap_or_default()
    }

    /// Takes note that `count` bytes have come into the room.
    pub fn received(&mut self, count: usize) {
        self.end = (self.end + count).min(self.buffer.len());
    }
}

/// A pipe's content, as sshd makes them.
const LITTLE: usize = 64 * 1024;
