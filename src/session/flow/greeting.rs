//! What a client says first, and how long it may take for it.

use std::time::Duration;

use crate::protocol::{MAX_PACKET, kind};

/// How long the first request may take.
#[derive(Clone, Debug, Default)]
pub struct Greeting {
    /// After this long, the line is written to stderr.
    pub announce: Option<(Duration, String)>,
    /// After this long, the session ends.
    pub limit: Option<Duration>,
    /// Whether anything but an INIT ends the session at once.
    pub strict: bool,
}

/// Whether more bytes can make `arrived` an INIT: its length, its type.
pub(in crate::session) fn may_become_init(arrived: &[u8]) -> bool {
    match arrived {
        [first, ..] if *first != 0 => false,
        [_, second, ..] if *second > (MAX_PACKET >> 16) as u8 => false,
        [a, b, c, d, rest @ ..] => {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            (5..=MAX_PACKET).contains(&length)
                && rest.first().is_none_or(|kind| *kind == kind::INIT)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::may_become_init;

    #[test]
    fn an_init_is_told_by_its_first_bytes() {
        assert!(may_become_init(b""));
        assert!(may_become_init(b"\0\0\0"));
        assert!(may_become_init(b"\0\0\0\x05\x01\0"));
        assert!(!may_become_init(b"u"));
        assert!(!may_become_init(b"\0\x05"));
        assert!(!may_become_init(b"\0\0\0\x04"));
        assert!(!may_become_init(b"\0\0\0\x05\x02"));
    }
}
