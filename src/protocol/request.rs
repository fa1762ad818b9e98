//! The fields of requests, in the order of the draft.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error};

/// A request whose fields do not parse.
#[derive(Debug, thiserror::Error)]
#[error("malformed")]
pub struct Malformed;

/// What the fields of a request say.
pub trait Fields<'p>: Sized {
    /// Parses them; bytes behind the last one are ignored, as OpenSSH ignores them.
    ///
    /// # Errors
    /// [`Malformed`]: a field is cut short, or a name holds NUL.
    fn decode(payload: Payload<'p>) -> Result<Self, Malformed>;
}

impl<T: DeserializeOwned> Fields<'_> for T {
    fn decode(Payload(fields): Payload<'_>) -> Result<Self, Malformed> {
        let mut bytes = Bytes::copy_from_slice(fields);
        russh_sftp::de::from_bytes(&mut bytes).map_err(|_| Malformed)
    }
}

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
    /// Fields that came in no packet.
    #[must_use]
    pub fn of(fields: &'a [u8]) -> Self {
        Self(fields)
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

impl<'p> Fields<'p> for Write<'p> {
    fn decode(payload: Payload<'p>) -> Result<Self, Malformed> {
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

/// A string that is a row of uint32.
#[derive(Debug, Default)]
pub struct Ids(pub Vec<u32>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        let ids = bytes
            .chunks(4)
            .map(|id| id.try_into().map(u32::from_be_bytes));
        ids.collect::<Result<_, _>>()
            .map(Self)
            .map_err(|_| Error::custom("a row that ends within an id"))
    }
}
