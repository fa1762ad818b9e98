//! The value of `TZ` as tzset(3) of glibc reads it, its mistakes included: what it does not understand it passes over.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use tz::timezone::{AlternateTime, Julian0WithLeap, Julian1WithoutLeap, MonthWeekDay, RuleDay};
use tz::timezone::{LocalTimeType, TransitionRule};
use tz::{TimeZone, TimeZoneSettings, TzError};

/// The zone of a file, `Europe/Berlin` or `/etc/localtime`, or that of a rule, `CET-1CEST,M3.5.0,M10.5.0/3`; else UTC.
pub fn of(text: &str) -> TimeZone {
    let name = text.strip_prefix(':').unwrap_or(text);
    // Behind a colon nothing but a file is looked for.
    TimeZoneSettings::new(TimeZoneSettings::DEFAULT_DIRECTORIES, content)
        .parse_posix_tz(&format!(":{name}"))
        .ok()
        .or_else(|| Rest(name.as_bytes()).zone())
        .unwrap_or_else(TimeZone::utc)
}

/// What a file of a zone holds. `TZ` may be the client's word (`AcceptEnv TZ`): of a device, a FIFO or a long file nothing is read, and a FIFO
/// is not waited for.
fn content(path: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    // Before it is opened, which acts on some devices; and of what is open, since another file may have its name by then.
    regular(&std::fs::metadata(path)?)?;
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file: File = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    regular(&file.metadata()?)?;
    let mut content = Vec::new();
    match file.take(LONGEST + 1).read_to_end(&mut content)? as u64 > LONGEST {
        true => Err(io::Error::from(io::ErrorKind::FileTooLarge).into()),
        false => Ok(content),
    }
}

fn regular(found: &std::fs::Metadata) -> io::Result<()> {
    match found.is_file() {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// What is not yet read of a rule.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// | part        | form                        | where it is missing            |
    /// |-------------|-----------------------------|--------------------------------|
    /// | name        | three letters, or `<+03>`   | UTC                            |
    /// | offset      | `[+-]hh[:mm[:ss]]`, to west | UTC                            |
    /// | summer name | as name                     | no summer time                 |
    /// | its offset  | as offset                   | an hour to the east            |
    /// | begin       | `,date[/[-]hh[:mm[:ss]]]`   | the second Sunday of March, 2h |
    /// | end         | as begin                    | the first of November, 2h      |
    fn zone(mut self) -> Option<TimeZone> {
        let standard = self.name().then(|| self.offset())??;
        if self.0.is_empty() {
            return TimeZone::fixed(standard).ok();
        }
        // Text without sense in place of the name has an offset for glibc: none.
        let summer = match self.name() {
            true => self.offset().unwrap_or(standard + 3600),
            false => 0,
        };
        if self.0 == b"," {
            self.0 = b"";
        }
        let alternate = self.day(3, 2).and_then(|begin| {
            // That of an end without sense is the new year.
            let new_year = || Some((RuleDay::Julian0WithLeap(Julian0WithLeap::new(0).ok()?), 0));
            let end = self.day(11, 1).or_else(new_year)?;
            alternate(standard, summer, begin, end).ok()
        });
        // Without a begin, both are the new year, and the later clock has all of the year between them.
        alternate.or_else(|| TimeZone::fixed(standard.max(summer)).ok())
    }

    fn name(&mut self) -> bool {
        let quoted = self.0.first() == Some(&b'<');
        let text = self.0.get(usize::from(quoted)..).unwrap_or_default();
        let length = text.iter().take_while(|byte| {
            byte.is_ascii_alphabetic()
                || (quoted && (byte.is_ascii_digit() || matches!(byte, b'+' | b'-')))
        });
        let length = length.count();
        let behind = text.get(length..).unwrap_or_default();
        match behind.strip_prefix(b">") {
            _ if length < 3 => return false,
            Some(behind) if quoted => self.0 = behind,
            None if quoted => return false,
            _ => self.0 = behind,
        }
        true
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Option<i32> {
        let east = self.0.first() == Some(&b'-');
        if east || self.0.first() == Some(&b'+') {
            self.skip();
        }
        let [hours, minutes, seconds] = self.time()?;
        let west = hours.min(24) * 3600 + minutes.min(59) * 60 + seconds.min(59);
        Some(if east { west } else { -west })
    }

    /// `Mm.w.d`, `Jn` or `n`, and the second of that day; none where it makes no sense.
    fn day(&mut self, month: u8, week: u8) -> Option<(RuleDay, i32)> {
        if self.0.first() == Some(&b',') {
            self.skip();
        }
        let day = match self.0.first() {
            None => RuleDay::MonthWeekDay(MonthWeekDay::new(month, week, 0).ok()?),
            Some(b'M') => {
                let mut next = |before: u8| {
                    self.0 = self.0.strip_prefix(&[before])?;
                    self.number()?.try_into().ok()
                };
                let day = MonthWeekDay::new(next(b'M')?, next(b'.')?, next(b'.')?);
                RuleDay::MonthWeekDay(day.ok()?)
            }
            Some(b'J') => {
                self.skip();
                let number = self.number()?.try_into().ok()?;
                RuleDay::Julian1WithoutLeap(Julian1WithoutLeap::new(number).ok()?)
            }
            Some(_) => {
                let number = self.number()?.try_into().ok()?;
                RuleDay::Julian0WithLeap(Julian0WithLeap::new(number).ok()?)
            }
        };
        match self.0.first() {
            None | Some(b',') => return Some((day, 2 * 3600)),
            Some(b'/') => self.skip(),
            Some(_) => return Some((day, 0)),
        }
        let before = self.0.first() == Some(&b'-');
        if before {
            self.skip();
        }
        let [hours, minutes, seconds] = self.time().unwrap_or([2, 0, 0]);
        let second = hours * 3600 + minutes * 60 + seconds;
        Some((day, if before { -second } else { second }))
    }

    /// `hh[:mm[:ss]]`; a colon without a number behind it is left.
    fn time(&mut self) -> Option<[i32; 3]> {
        let mut time = [self.number()?, 0, 0];
        for part in time.iter_mut().skip(1) {
            let Some(behind) = self.0.strip_prefix(b":") else {
                break;
            };
            let mut rest = Rest(behind);
            let Some(number) = rest.number() else { break };
            (*part, self.0) = (number, rest.0);
        }
        Some(time)
    }

    fn number(&mut self) -> Option<i32> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.0.split_at(length.count());
        self.0 = rest;
        let digits = std::str::from_utf8(digits)
            .ok()
            .filter(|text| !text.is_empty())?;
        // What is greater is too much in every place.
        Some(digits.parse::<u16>().unwrap_or(u16::MAX).into())
    }

    fn skip(&mut self) {
        self.0 = self.0.get(1..).unwrap_or_default();
    }
}

fn alternate(
    standard: i32,
    summer: i32,
    begin: (RuleDay, i32),
    end: (RuleDay, i32),
) -> Result<TimeZone, TzError> {
    let standard = LocalTimeType::new(standard, false, None)?;
    let summer = LocalTimeType::new(summer, true, None)?;
    let rule = AlternateTime::new(standard, summer, begin.0, begin.1, end.0, end.1)?;
    TimeZone::new(
        Vec::new(),
        vec![standard, summer],
        Vec::new(),
        Some(TransitionRule::Alternate(rule)),
    )
}

/// Bytes: the files of all zones are shorter than 4 KiB.
const LONGEST: u64 = 64 * 1024;
