//! Long names: a line of `ls -l` for each entry of a listing, as OpenSSH prints it.

use std::collections::HashMap;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::libc::nlink_t;

use crate::fs::FileStat;
use crate::identity::{Names, Unasked};
use crate::log::time;

/// Makes long names, and remembers what is costly in them: names of users and groups, and times, which listings repeat.
#[derive(Debug, Default)]
pub struct LongNames {
    /// Names of users and groups.
    pub names: Names,
    times: HashMap<(i64, bool), String>,
    now: i64,
    line: Vec<u8>,
    /// What the last line began with: entries of a directory mostly differ in size, time and name alone.
    head: Vec<u8>,
    head_of: Option<Head>,
    last_time: Option<((i64, bool), String)>,
}

/// What stands before the size: mode, links, user, group.
type Head = (u32, nlink_t, u32, u32);

impl LongNames {
    /// Takes note of the time: a listing begins.
    pub fn begin(&mut self) {
        self.now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs() as i64);
    }

    /// `drwxr-xr-x    5 markus   markus       1024 Jan 13 18:39 .ssh`
    ///
    /// | column  | width      |                                              |
    /// |---------|------------|----------------------------------------------|
    /// | mode    | 11         | strmode(3)                                   |
    /// | links   | 3, right   |                                              |
    /// | user    | 8          | the number where there is no name            |
    /// | group   | 8          | the number where there is no name            |
    /// | size    | 8, right   | bytes                                        |
    /// | time    | 12         | the year, or the time of day within 182 days |
    /// | name    |            |                                              |
    ///
    /// Source: sftp-common.c `ls_file`.
    ///
    /// # Errors
    /// [`Unasked`] where the names of user and group are to be asked for first.
    pub fn line(&mut self, name: &[u8], stat: &FileStat) -> Result<&[u8], Unasked> {
        self.head(stat)?;
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        line.extend_from_slice(&self.head);
        size(&mut line, stat.st_size as u64);
        line.push(b' ');
        line.extend_from_slice(self.time(stat.st_mtime).as_bytes());
        line.push(b' ');
        line.extend_from_slice(name);
        self.line = line;
        Ok(&self.line)
    }

    fn head(&mut self, stat: &FileStat) -> Result<(), Unasked> {
        let (mode_of, links) = (stat.st_mode, stat.st_nlink);
        let of = Some((mode_of, links, stat.st_uid, stat.st_gid));
        if self.head_of != of {
            self.head_of = None;
            let head = &mut self.head;
            head.clear();
            head.extend_from_slice(&mode(mode_of));
            // Writing to a Vec cannot fail.
            let _ = write!(head, " {links:>3} ");
            column(head, self.names.user(stat.st_uid)?, stat.st_uid);
            column(head, self.names.group(stat.st_gid)?, stat.st_gid);
            self.head_of = of;
        }
        Ok(())
    }

    fn time(&mut self, mtime: i64) -> &str {
        let recent = self.now - HALF_A_YEAR < mtime && self.now >= mtime;
        // Offsets of time zones are whole minutes, but for some of long ago.
        let key = if mtime >= WHOLE_MINUTES {
            mtime / 60 * 60
        } else {
            mtime
        };
        let key = (key, recent);
        if self.last_time.as_ref().is_none_or(|(last, _)| *last != key) {
            if self.times.len() >= MAX_TIMES {
                self.times.clear();
            }
            let time = self.times.entry(key).or_insert_with(|| {
                let local = time::local(mtime);
                if recent {
                    local.recent()
                } else {
                    local.distant()
                }
            });
            self.last_time = Some((key, time.clone()));
        }
        self.last_time.as_ref().map_or("", |(_, time)| time)
    }
}

/// Bytes, in digits, at the right of 8 columns.
fn size(line: &mut Vec<u8>, mut bytes: u64) {
    let mut digits = [b' '; 20];
    let mut at = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (bytes % 10) as u8;
        bytes /= 10;
        at -= 1;
        if bytes == 0 {
            break;
        }
    }
    let from = at.min(digits.len() - 8);
    line.extend_from_slice(digits.get(from..).unwrap_or_default());
}

fn column(line: &mut Vec<u8>, name: Option<&[u8]>, number: u32) {
    let start = line.len();
    match name {
        Some(name) => line.extend_from_slice(name),
        None => {
            let _ = write!(line, "{number}");
        }
    }
    let width = (line.len() - start).max(8);
    line.resize(start + width + 1, b' ');
}

/// File type and permissions as strmode(3) prints them, its trailing blank included.
fn mode(mode: u32) -> [u8; 11] {
    let kind = match mode & 0o170_000 {
        0o040_000 => b'd',
        0o020_000 => b'c',
        0o060_000 => b'b',
        0o100_000 => b'-',
        0o120_000 => b'l',
        0o140_000 => b's',
        0o010_000 => b'p',
        _ => b'?',
    };
    let bit = |bit: u32, set: u8| if mode & bit != 0 { set } else { b'-' };
    // Execute permission and, in its place, setuid, setgid or the sticky bit.
    let execute = |bit: u32, special: u32, both: u8, alone: u8| match (
        mode & bit != 0,
        mode & special != 0,
    ) {
        (false, false) => b'-',
        (true, false) => b'x',
        (true, true) => both,
        (false, true) => alone,
    };
    [
        kind,
        bit(0o400, b'r'),
        bit(0o200, b'w'),
        execute(0o100, 0o4000, b's', b'S'),
        bit(0o040, b'r'),
        bit(0o020, b'w'),
        execute(0o010, 0o2000, b's', b'S'),
        bit(0o004, b'r'),
        bit(0o002, b'w'),
        execute(0o001, 0o1000, b't', b'T'),
        b' ',
    ]
}

/// Seconds: 365 days, halved.
const HALF_A_YEAR: i64 = 365 * 24 * 60 * 60 / 2;
/// 1973-01-01: the last offset that was not of whole minutes, Liberia's, ended in 1972.
const WHOLE_MINUTES: i64 = 94_694_400;
const MAX_TIMES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::{mode, size};

    #[test]
    fn sizes_stand_at_the_right() {
        for bytes in [0, 7, 12_345_678, 123_456_789, u64::MAX] {
            let mut line = Vec::new();
            size(&mut line, bytes);
            assert_eq!(line, format!("{bytes:>8}").into_bytes());
        }
    }

    #[test]
    fn modes_read_as_strmode_prints_them() {
        assert_eq!(&mode(0o100_644), b"-rw-r--r-- ");
        assert_eq!(&mode(0o041_777), b"drwxrwxrwt ");
        assert_eq!(&mode(0o120_777), b"lrwxrwxrwx ");
    }
}
