//! The fields of requests, in the order of the draft.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Attrs, OpenFlags, WirePath};

/// A request whose fields do not parse.
#[derive(Debug, thiserror::Error)]
#[error("malformed")]
pub struct Malformed;

/// The id of a request and the fields behind it.
///
/// # Errors
/// [`Malformed`] where the packet is too short for an id.
pub fn request_id(body: &[u8]) -> Result<(u32, Payload<'_>), Malformed> {
    let (id, rest) = body.split_first_chunk::<4>().ok_or(Malformed)?;
    Ok((u32::from_be_bytes(*id), Payload(rest)))
}

/// The fields of a request, not yet parsed, where they arrived.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a>(&'a [u8]);

impl<'a> Payload<'a> {
    /// Parses the fields; bytes behind the last one are ignored, as OpenSSH ignores them.
    ///
    /// # Errors
    /// [`Malformed`]: a field is cut short, or a name holds NUL.
    pub fn decode<T: DeserializeOwned>(self) -> Result<T, Malformed> {
        let mut bytes = Bytes::copy_from_slice(self.0);
        russh_sftp::de::from_bytes(&mut bytes).map_err(|_| Malformed)
    }

    /// The first string, and the fields behind it.
    ///
    /// # Errors
    /// [`Malformed`]: it is cut short.
    pub fn string(self) -> Result<(&'a [u8], Self), Malformed> {
        let (length, rest) = self.0.split_first_chunk::<4>().ok_or(Malformed)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (string, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        Ok((string, Self(rest)))
    }
}

/// A handle from the wire: ours have eight bytes, and what has not is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(pub Option<[u8; 8]>);

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        Ok(Self(bytes.try_into().ok()))
    }
}

/// OPEN.
///
/// | field    | type   | meaning                                    |
/// |----------|--------|--------------------------------------------|
/// | filename | string |                                            |
/// | pflags   | uint32 | `SSH_FXF_*`                                |
/// | attrs    | ATTRS  | permissions, if the file is to be created  |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.3.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "see the table")]
pub struct Open {
    pub filename: WirePath,
    pub pflags: OpenFlags,
    pub attrs: Attrs,
}

/// READ.
///
/// | field  | type   | meaning                          |
/// |--------|--------|----------------------------------|
/// | handle | string |                                  |
/// | offset | uint64 | bytes from the start of the file |
/// | len    | uint32 | bytes at the most                |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.4.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "see the table")]
pub struct Read {
    pub handle: Handle,
    pub offset: u64,
    pub len: u32,
}

/// WRITE. Its data stay in the receive buffer.
///
/// | field  | type   | meaning                          |
/// |--------|--------|----------------------------------|
/// | handle | string |                                  |
/// | offset | uint64 | bytes from the start of the file |
/// | data   | string |                                  |
///
/// Source: draft-ietf-secsh-filexfer-02 §6.4.
#[derive(Debug)]
#[allow(missing_docs, reason = "see the table")]
pub struct Write<'a> {
    pub handle: Handle,
    pub offset: u64,
    pub data: &'a [u8],
}

impl<'a> Write<'a> {
    /// Parses a WRITE without copying what is to be written.
    ///
    /// # Errors
    /// [`Malformed`]: a field is cut short.
    pub fn decode(payload: Payload<'a>) -> Result<Self, Malformed> {
        let (handle, rest) = payload.string()?;
        let (offset, rest) = rest.0.split_first_chunk::<8>().ok_or(Malformed)?;
        let (data, _) = Payload(rest).string()?;
        Ok(Self {
            handle: Handle(handle.try_into().ok()),
            offset: u64::from_be_bytes(*offset),
            data,
        })
    }
}

/// SETSTAT and lsetstat: a path and what to change of it.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "see the draft, §6.9")]
pub struct SetAttrs {
    pub path: WirePath,
    pub attrs: Attrs,
}

/// FSETSTAT: a handle and what to change of its file.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "see the draft, §6.9")]
pub struct SetAttrsByHandle {
    pub handle: Handle,
    pub attrs: Attrs,
}

/// MKDIR: a path and the permissions of what is created.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "see the draft, §6.6")]
pub struct NewPath {
    pub path: WirePath,
    pub attrs: Attrs,
}

/// RENAME, SYMLINK, posix-rename and hardlink: two paths.
///
/// For SYMLINK `oldpath` is what the link points to: OpenSSH's order, which all clients follow (PROTOCOL §4.1).
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "see the draft, §6.5 and §6.10")]
pub struct TwoPaths {
    pub oldpath: WirePath,
    pub newpath: WirePath,
}

/// copy-data.
///
/// | field             | type   | meaning                          |
/// |-------------------|--------|----------------------------------|
/// | read_from_handle  | string |                                  |
/// | read_from_offset  | uint64 | bytes from the start of the file |
/// | read_data_length  | uint64 | bytes; 0: to the end of the file |
/// | write_to_handle   | string |                                  |
/// | write_to_offset   | uint64 | bytes from the start of the file |
///
/// Source: draft-ietf-secsh-filexfer-extensions-00 §7.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "see the table")]
pub struct CopyData {
    pub read_from_handle: Handle,
    pub read_from_offset: u64,
    pub read_data_length: u64,
    pub write_to_handle: Handle,
    pub write_to_offset: u64,
}

/// copy-file.
///
/// | field       | type   | meaning                                          |
/// |-------------|--------|--------------------------------------------------|
/// | source      | string |                                                  |
/// | destination | string |                                                  |
/// | overwrite   | bool   | whether what stands at the destination gives way |
///
/// Source: draft-ietf-secsh-filexfer-extensions-00 §6; RFC 4251 §5 for bool: any value but 0 is true.
#[derive(Debug, Deserialize)]
#[allow(missing_docs, reason = "see the table")]
pub struct CopyFile {
    pub source: WirePath,
    pub destination: WirePath,
    pub overwrite: u8,
}

/// users-groups-by-id: two strings, each a row of uint32.
///
/// Source: PROTOCOL §4.11.
#[derive(Debug)]
#[allow(missing_docs, reason = "rows of ids")]
pub struct IdLists {
    pub uids: Vec<u32>,
    pub gids: Vec<u32>,
}

impl IdLists {
    /// Parses both rows.
    ///
    /// # Errors
    /// [`Malformed`]: a row is cut short or ends within an id.
    pub fn decode(payload: Payload<'_>) -> Result<Self, Malformed> {
        let (uids, rest) = payload.string()?;
        let (gids, _) = rest.string()?;
        Ok(Self {
            uids: ids(uids)?,
            gids: ids(gids)?,
        })
    }
}

fn ids(row: &[u8]) -> Result<Vec<u32>, Malformed> {
    let ids = row
        .chunks(4)
        .map(|id| id.try_into().map(u32::from_be_bytes));
    ids.collect::<Result<_, _>>().map_err(|_| Malformed)
}
