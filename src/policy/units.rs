//! Sizes, durations and modes as people write them.

use std::time::Duration;

/// Bytes: a number, perhaps with a fraction, and K, M, G or T, powers of 1024. None for `0` and `none`, which are off.
///
/// # Errors
/// What is wrong, in words.
pub fn size(text: &str) -> Result<Option<u64>, &'static str> {
    const WRONG: &str =
        "a size is a number and K, M, G or T, as in 10M or 1.5G; 0 and none are off";
    let (number, unit) = split(text);
    let shift = match unit {
        "" => 0,
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        "none" if number.is_empty() => return Ok(None),
        _ => return Err(WRONG),
    };
    let bytes = scaled(number, 1 << shift).ok_or(WRONG)?;
    if bytes == 0 && !is_zero(number) {
        return Err("less than one byte; 0 and none are off");
    }
    Ok(Some(bytes).filter(|bytes| *bytes > 0))
}

/// A time: a number, perhaps with a fraction, and s, m, h or d; a bare number is seconds. None for `0` and `none`, which are off.
///
/// # Errors
/// What is wrong, in words.
pub fn duration(text: &str) -> Result<Option<Duration>, &'static str> {
    const WRONG: &str = "a time is a number and s, m, h or d, as in 90s or 5m; 0 and none are off";
    let (number, unit) = split(text);
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "none" if number.is_empty() => return Ok(None),
        _ => return Err(WRONG),
    };
    let milliseconds = scaled(number, seconds * 1000).ok_or(WRONG)?;
    if milliseconds == 0 && !is_zero(number) {
        return Err("less than a millisecond; 0 and none are off");
    }
    Ok(Some(Duration::from_millis(milliseconds)).filter(|time| !time.is_zero()))
}

/// An exact mode, octal, perhaps with `0o` before it: 0 to 07777.
///
/// # Errors
/// What is wrong, in words.
pub fn mode(text: &str) -> Result<u32, &'static str> {
    const WRONG: &str = "a mode is octal, as in 0640";
    let digits = text.strip_prefix("0o").unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_digit(8)) {
        return Err(WRONG);
    }
    let mode = u32::from_str_radix(digits, 8).map_err(|_| WRONG)?;
    if mode > 0o7777 {
        return Err(WRONG);
    }
    Ok(mode)
}

/// What is rounded down to nothing is not meant to be off.
fn is_zero(number: &str) -> bool {
    number.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

/// The number and the unit behind it.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    text.split_at(end.unwrap_or(text.len()))
}

/// `number` times `unit`, rounded down; none where it is no number, or too large.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let whole: u64 = whole.parse().ok()?;
    // More digits than a unit has bits tell nothing.
    if fraction.is_empty() || fraction.len() > 12 {
        return None;
    }
    let tenths = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit) / u128::from(tenths);
    whole
        .checked_mul(unit)?
        .checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{duration, mode, size};
    use std::time::Duration;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("10M", Some(10 << 20)),
            ("1.5G", Some(3 << 29)),
            ("4096", Some(4096)),
            ("2k", Some(2048)),
            ("1T", Some(1 << 40)),
            ("0", None),
            ("0.0K", None),
            ("none", None),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "M",
            "-1",
            "10MB",
            "10 M",
            "1e3",
            ".5G",
            "5.G",
            "1.2.3M",
            "99999999T",
            "1none",
            "0.5",
            "0.0001K",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("5m", 300),
            ("2h", 7200),
            ("1d", 86400),
            ("7", 7),
        ] {
            assert_eq!(duration(text), Ok(Some(Duration::from_secs(seconds))));
        }
        assert_eq!(duration("0.5s"), Ok(Some(Duration::from_millis(500))));
        assert_eq!(duration("none"), Ok(None));
        assert_eq!(duration("0"), Ok(None));
        for text in [
            "",
            "s",
            "5min",
            "-5m",
            "5 m",
            "99999999999999999d",
            "0.0001",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(mode("0640"), Ok(0o640));
        assert_eq!(mode("0o2775"), Ok(0o2775));
        for text in ["", "8", "0x1ff", "17777", "+640", "rw-r-----"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
