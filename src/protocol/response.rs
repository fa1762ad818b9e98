//! Responses, written one behind the other into the buffer from which they leave.
//!
//! Those of version 3 are written in place, field by field, since every request ends in one of them; the rest goes by the codec.

use serde::Serialize;

use super::{Attrs, StatusCode, packet::kind};

/// Responses on their way out. Its memory is initialised once, so that file data can be read straight into it.
#[derive(Debug)]
pub struct Outbox {
    buffer: Vec<u8>,
    /// What is sent already ends here.
    start: usize,
    /// What is to be sent ends here.
    end: usize,
}

impl Outbox {
    /// An empty one with room for `capacity` bytes; it grows if a response needs more.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            buffer: vec![0; capacity],
            start: 0,
            end: 0,
        }
    }

    /// The bytes that are to be sent.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes note that the first `count` of the unsent bytes are gone.
    pub fn sent(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.end {
            self.clear();
        }
    }

    /// Drops all that is not sent.
    pub fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// STATUS: how a request ended, in a code and, for clients of version 3, in words. The language tag is empty, as OpenSSH's.
    ///
    /// Source: draft-ietf-secsh-filexfer-02 §7.
    pub fn status(&mut self, id: u32, code: StatusCode, message: Option<&str>) {
        let packet = self.begin(kind::STATUS, id);
        self.u32(code as u32);
        if let Some(message) = message {
            self.string(message.as_bytes());
            self.string(b"");
        }
        self.finish(packet);
    }

    /// HANDLE.
    pub fn handle(&mut self, id: u32, handle: [u8; 8]) {
        let packet = self.begin(kind::HANDLE, id);
        self.string(&handle);
        self.finish(packet);
    }

    /// ATTRS.
    pub fn attrs(&mut self, id: u32, attrs: &Attrs) {
        let packet = self.begin(kind::ATTRS, id);
        self.attrs_field(attrs);
        self.finish(packet);
    }

    /// DATA: at most `len` bytes, which `read` puts where they leave from and counts.
    ///
    /// # Errors
    /// What `read` fails with; nothing is sent then.
    pub fn data<E>(
        &mut self,
        id: u32,
        len: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let packet = self.begin(kind::DATA, id);
        self.u32(0);
        let data = self.end;
        self.reserve(len);
        let result = read(self.buffer.get_mut(data..data + len).unwrap_or_default());
        match result {
            Ok(count) => {
                self.end = data + count;
                self.overwrite(data - 4, count);
                self.finish(packet);
            }
            Err(_) => self.end = packet,
        }
        result
    }

    /// The head of a DATA whose `count` bytes come by another way, right behind all that stands here.
    pub fn data_elsewhere(&mut self, id: u32, count: usize) {
        let packet = self.begin(kind::DATA, id);
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
        self.finish(packet);
        self.overwrite(packet, self.end - packet - 4 + count);
    }

    /// The last `len` bytes of a DATA whose head stands here no more; `read` puts them where they leave from, and counts.
    ///
    /// # Errors
    /// What `read` fails with.
    pub fn data_rest<E>(
        &mut self,
        len: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        self.reserve(len);
        let rest = self.buffer.get_mut(self.end..self.end + len);
        let count = read(rest.unwrap_or_default())?;
        self.end += count;
        Ok(count)
    }

    /// NAME with a single name that has no attributes: the answer to REALPATH and the like.
    pub fn name(&mut self, id: u32, name: &[u8]) {
        let mut names = self.names(id);
        names.push(name, name, &Attrs::default());
        names.finish();
    }

    /// NAME, to be filled.
    pub fn names(&mut self, id: u32) -> Names<'_> {
        let packet = self.begin(kind::NAME, id);
        self.u32(0);
        Names {
            packet,
            count: 0,
            outbox: self,
        }
    }

    /// VERSION: the answer to INIT, which has no id.
    pub fn version(&mut self, version: &Version) {
        let packet = self.end;
        self.u32(0);
        self.bytes(&[kind::VERSION]);
        self.bytes(&encoded(version));
        self.finish(packet);
    }

    /// EXTENDED_REPLY.
    pub fn extended_reply(&mut self, id: u32, reply: &Reply) {
        let packet = self.begin(kind::EXTENDED_REPLY, id);
        self.bytes(&reply.0);
        self.finish(packet);
    }

    fn begin(&mut self, kind: u8, id: u32) -> usize {
        let packet = self.end;
        self.u32(0);
        self.bytes(&[kind]);
        self.u32(id);
        packet
    }

    fn finish(&mut self, packet: usize) {
        self.overwrite(packet, self.end - packet - 4);
    }

    /// Puts a length where its place was kept.
    fn overwrite(&mut self, at: usize, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = self.buffer.get_mut(at..at + 4) {
            place.copy_from_slice(&length);
        }
    }

    fn attrs_field(&mut self, attrs: &Attrs) {
        self.u32(attrs.flags());
        if let Some(size) = attrs.size {
            self.bytes(&size.to_be_bytes());
        }
        if let Some((uid, gid)) = attrs.owner {
            self.u32(uid);
            self.u32(gid);
        }
        if let Some(permissions) = attrs.permissions {
            self.u32(permissions);
        }
        if let Some((atime, mtime)) = attrs.times {
            self.u32(atime);
            self.u32(mtime);
        }
    }

    fn string(&mut self, string: &[u8]) {
        self.u32(u32::try_from(string.len()).unwrap_or(u32::MAX));
        self.bytes(string);
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        let end = self.end + bytes.len();
        if let Some(place) = self.buffer.get_mut(self.end..end) {
            place.copy_from_slice(bytes);
        }
        self.end = end;
    }

    fn reserve(&mut self, len: usize) {
        if self.buffer.len() - self.end < len {
            self.buffer.resize(self.end + len, 0);
        }
    }
}

/// A NAME response in the making.
#[derive(Debug)]
pub struct Names<'a> {
    outbox: &'a mut Outbox,
    packet: usize,
    count: u32,
}

impl Names<'_> {
    /// Adds a name.
    pub fn push(&mut self, filename: &[u8], longname: &[u8], attrs: &Attrs) {
        self.outbox.string(filename);
        self.outbox.string(longname);
        self.outbox.attrs_field(attrs);
        self.count += 1;
    }

    /// The length of the packet so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outbox.end - self.packet - 4
    }

    /// Whether no name was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Ends the response; the count of its names.
    pub fn finish(self) -> u32 {
        // length, type and id come before the count
        self.outbox.overwrite(self.packet + 9, self.count as usize);
        self.outbox.finish(self.packet);
        self.count
    }

    /// Takes the response back, as if it had never been begun.
    pub fn abandon(self) {
        self.outbox.end = self.packet;
    }
}

/// VERSION.
///
/// | field      | type              | meaning                      |
/// |------------|-------------------|------------------------------|
/// | version    | uint32            | 3                            |
/// | extensions | pairs of strings  | name and version of each     |
///
/// Source: draft-ietf-secsh-filexfer-02 §4.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "see the table")]
pub struct Version {
    pub version: u32,
    /// A row without a count in front: the codec writes a map so.
    #[serde(serialize_with = "pairs")]
    pub extensions: Vec<(&'static str, &'static str)>,
}

fn pairs<S: serde::Serializer>(pairs: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

/// The fields of an EXTENDED_REPLY.
#[derive(Debug)]
pub struct Reply(Vec<u8>);

impl Reply {
    /// As the codec writes them.
    #[must_use]
    pub fn of(fields: &impl Serialize) -> Self {
        Self(encoded(fields))
    }
}

/// Our structs hold nothing that the codec refuses.
fn encoded(value: &impl Serialize) -> Vec<u8> {
    russh_sftp::ser::to_bytes(value).map_or_else(|_| Vec::new(), Into::into)
}
