//! The frame: `uint32 length`, `byte type`, and what the type says.

/// The longest packet, without its length field (OpenSSH's `SFTP_MAX_MSG_LENGTH`).
pub const MAX_PACKET: usize = 256 * 1024;

/// The most payload that one READ or WRITE moves; the rest of the packet is for the fields beside it.
pub const MAX_DATA: usize = MAX_PACKET - 1024;

/// The longest listing in one response, without its length field: what the draft asks implementations to make room for (section 3), and
/// what clients of its time do (Ganymed SSH-2, old releases of ssh2). OpenSSH sends 100 entries, which are shorter as a rule.
pub const MAX_NAMES: usize = 34_000 - 4;

/// A packet: its type and the fields that follow.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// `SSH_FXP_*`; none where the packet is empty.
    pub kind: Option<u8>,
    /// What follows the type.
    pub body: &'a [u8],
}

/// A packet longer than [`MAX_PACKET`]: the peer speaks something else, or means harm.
#[derive(Debug, thiserror::Error)]
#[error("a packet of {0} bytes")]
pub struct Oversized(pub u32);

/// The first packet in `buffer` and the bytes that it takes there, or none while it is not whole.
///
/// # Errors
/// [`Oversized`], as soon as the length is known.
pub fn next_packet(buffer: &[u8]) -> Result<Option<(Packet<'_>, usize)>, Oversized> {
    let Some((length, rest)) = buffer.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*length);
    if length as usize > MAX_PACKET {
        return Err(Oversized(length));
    }
    let Some(content) = rest.get(..length as usize) else {
        return Ok(None);
    };
    let packet = match content.split_first() {
        Some((kind, body)) => Packet {
            kind: Some(*kind),
            body,
        },
        None => Packet {
            kind: None,
            body: content,
        },
    };
    Ok(Some((packet, 4 + content.len())))
}

/// Packet types, as the draft prints them.
///
/// Source: draft-ietf-secsh-filexfer-02 §3.
#[allow(missing_docs, reason = "the names are the draft's")]
pub mod kind {
    pub const INIT: u8 = 1;
    pub const VERSION: u8 = 2;
    pub const OPEN: u8 = 3;
    pub const CLOSE: u8 = 4;
    pub const READ: u8 = 5;
    pub const WRITE: u8 = 6;
    pub const LSTAT: u8 = 7;
    pub const FSTAT: u8 = 8;
    pub const SETSTAT: u8 = 9;
    pub const FSETSTAT: u8 = 10;
    pub const OPENDIR: u8 = 11;
    pub const READDIR: u8 = 12;
    pub const REMOVE: u8 = 13;
    pub const MKDIR: u8 = 14;
    pub const RMDIR: u8 = 15;
    pub const REALPATH: u8 = 16;
    pub const STAT: u8 = 17;
    pub const RENAME: u8 = 18;
    pub const READLINK: u8 = 19;
    pub const SYMLINK: u8 = 20;
    pub const STATUS: u8 = 101;
    pub const HANDLE: u8 = 102;
    pub const DATA: u8 = 103;
    pub const NAME: u8 = 104;
    pub const ATTRS: u8 = 105;
    pub const EXTENDED: u8 = 200;
    pub const EXTENDED_REPLY: u8 = 201;
}

#[cfg(test)]
mod tests {
    use super::{MAX_PACKET, next_packet};

    #[test]
    fn a_packet_is_taken_only_when_it_is_whole() {
        assert!(next_packet(&[0, 0, 0]).unwrap().is_none());
        assert!(next_packet(&[0, 0, 0, 2, 7]).unwrap().is_none());
        let (packet, taken) = next_packet(&[0, 0, 0, 2, 7, 8, 9]).unwrap().unwrap();
        assert_eq!((packet.kind, packet.body, taken), (Some(7), &[8][..], 6));
    }

    #[test]
    fn an_empty_packet_has_no_type() {
        let (packet, taken) = next_packet(&[0, 0, 0, 0, 7]).unwrap().unwrap();
        assert_eq!((packet.kind, taken), (None, 4));
    }

    #[test]
    fn the_longest_packet_is_taken_and_a_longer_one_is_refused_by_its_length_alone() {
        let mut buffer = (MAX_PACKET as u32).to_be_bytes().to_vec();
        buffer.resize(4 + MAX_PACKET, 1);
        assert_eq!(next_packet(&buffer).unwrap().unwrap().1, 4 + MAX_PACKET);
        assert!(next_packet(&(MAX_PACKET as u32 + 1).to_be_bytes()).is_err());
    }
}
