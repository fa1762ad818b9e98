//! Escapes: what keeps a name from forging a line.
//!
//! Source: vis(3) with `VIS_CSTYLE|VIS_NL|VIS_TAB|VIS_OCTAL`, as log.c uses it for syslog.

/// Escapes all that is not printable ASCII: `\\`, `\n`, `\t` and the like, else three octal digits. At most `limit` bytes, no escape cut in two.
#[must_use]
pub fn escape(raw: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len().min(limit));
    for &byte in raw {
        let mut octal = [
            b'\\',
            b'0' + (byte >> 6),
            b'0' + (byte >> 3 & 7),
            b'0' + (byte & 7),
        ];
        let visible: &[u8] = match byte {
            b'\\' => b"\\\\",
            b' '..=b'~' => {
                octal[0] = byte;
                &octal[..1]
            }
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            0x08 => b"\\b",
            0x07 => b"\\a",
            0x0b => b"\\v",
            b'\t' => b"\\t",
            0x0c => b"\\f",
            _ => &octal,
        };
        if out.len() + visible.len() > limit {
            break;
        }
        out.extend_from_slice(visible);
    }
    out
}

/// How many bytes [`escape`] makes of this one.
#[must_use]
pub fn width(byte: u8) -> usize {
    match byte {
        b'\\' | 0x07..=0x0d => 2,
        b' '..=b'~' => 1,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::{escape, width};

    #[test]
    fn escapes_are_those_of_vis() {
        assert_eq!(
            escape(b"a b\"\\\n\r\t\x07\x08\x0b\x0c\x1b\x7f\x80\xff", 100),
            br#"a b"\\\n\r\t\a\b\v\f\033\177\200\377"#
        );
    }

    #[test]
    fn a_width_is_that_of_the_escape() {
        for byte in 0..=255 {
            assert_eq!(width(byte), escape(&[byte], 9).len(), "{byte}");
        }
    }

    #[test]
    fn no_escape_is_cut_in_two() {
        assert_eq!(escape(b"ab\xff", 5), b"ab");
    }
}
