//! ATTRS: what a client says of a file, and what it is told.

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde_bytes::ByteBuf;

/// The attributes of a file. A field is there only if its flag is set.
///
/// | field           | type      | flag       | unit                          |
/// |-----------------|-----------|------------|-------------------------------|
/// | flags           | uint32    |            |                               |
/// | size            | uint64    | 0x00000001 | bytes                         |
/// | uid, gid        | uint32    | 0x00000002 |                               |
/// | permissions     | uint32    | 0x00000004 | mode with file type, octal    |
/// | atime, mtime    | uint32    | 0x00000008 | seconds since the Epoch       |
/// | extended_count  | uint32    | 0x80000000 | pairs of strings that follow  |
///
/// The crate's `FileAttributes` is not used: it takes a missing flags word for an empty one, and leaves extended pairs unread.
///
/// Source: draft-ietf-secsh-filexfer-02 §5.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attrs {
    /// Bytes.
    pub size: Option<u64>,
    /// Owner and group.
    pub owner: Option<(u32, u32)>,
    /// Mode, with file type bits where the sender has them.
    pub permissions: Option<u32>,
    /// Access and modification time.
    pub times: Option<(u32, u32)>,
    /// Names and lengths of extended pairs: read, logged, otherwise ignored.
    pub extended: Vec<(Vec<u8>, usize)>,
}

const SIZE: u32 = 0x0000_0001;
const UIDGID: u32 = 0x0000_0002;
const PERMISSIONS: u32 = 0x0000_0004;
const ACMODTIME: u32 = 0x0000_0008;
const EXTENDED: u32 = 0x8000_0000;

impl Attrs {
    /// The flags word of these attributes, as they are sent.
    #[must_use]
    pub fn flags(&self) -> u32 {
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        flag(self.size.is_some(), SIZE)
            | flag(self.owner.is_some(), UIDGID)
            | flag(self.permissions.is_some(), PERMISSIONS)
            | flag(self.times.is_some(), ACMODTIME)
    }
}

impl<'de> Deserialize<'de> for Attrs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // How many fields follow is in the first one; the codec reads as many as are asked for.
        deserializer.deserialize_tuple(usize::MAX, AttrsVisitor)
    }
}

struct AttrsVisitor;

impl<'de> Visitor<'de> for AttrsVisitor {
    type Value = Attrs;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ATTRS")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Attrs, A::Error> {
        let flags: u32 = field(&mut fields)?;
        let mut attrs = Attrs::default();
        if flags & SIZE != 0 {
            attrs.size = Some(field(&mut fields)?);
        }
        if flags & UIDGID != 0 {
            attrs.owner = Some((field(&mut fields)?, field(&mut fields)?));
        }
        if flags & PERMISSIONS != 0 {
            attrs.permissions = Some(field(&mut fields)?);
        }
        if flags & ACMODTIME != 0 {
            attrs.times = Some((field(&mut fields)?, field(&mut fields)?));
        }
        if flags & EXTENDED != 0 {
            let count: u32 = field(&mut fields)?;
            for _ in 0..count {
                let name: ByteBuf = field(&mut fields)?;
                let value: ByteBuf = field(&mut fields)?;
                attrs.extended.push((name.into_vec(), value.len()));
            }
        }
        Ok(attrs)
    }
}

fn field<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(fields: &mut A) -> Result<T, A::Error> {
    fields
        .next_element()?
        .ok_or_else(|| A::Error::custom("a field is missing"))
}
