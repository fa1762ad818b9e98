//! Local time as localtime(3) has it: `TZ`, else `/etc/localtime`, else UTC. Read once, since the file may lie outside the jail.

use std::env::VarError;
use std::sync::OnceLock;

use tz::{DateTime, TimeZone};

/// A time of day in the zone of this host.
pub struct Local(Option<DateTime>);

/// Seconds since the Epoch as local time.
#[must_use]
pub fn local(seconds: i64) -> Local {
    let zoned = DateTime::from_timespec(seconds, 0, zone().as_ref());
    Local(
        zoned
            .or_else(|_| DateTime::from_timespec(seconds, 0, TimeZone::utc().as_ref()))
            .ok(),
    )
}

/// Reads the zone, while its file can still be read.
pub fn warm() {
    zone();
}

fn zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| match std::env::var("TZ") {
        Ok(text) => super::zone::of(&text),
        Err(VarError::NotPresent) => super::zone::of("/etc/localtime"),
        Err(VarError::NotUnicode(_)) => TimeZone::utc(),
    })
}

impl Local {
    /// `Nov 21 08:24:00`: the stamp of a syslog line (RFC 3164 §4.1.2).
    #[must_use]
    pub fn syslog(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |t| {
            format!(
                "{} {:2} {:02}:{:02}:{:02}",
                month(t),
                t.month_day(),
                t.hour(),
                t.minute(),
                t.second()
            )
        })
    }

    /// `20261121-08:24:00`, as OpenSSH logs a modification time.
    #[must_use]
    pub fn modtime(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |t| {
            format!(
                "{}{:02}{:02}-{:02}:{:02}:{:02}",
                t.year(),
                t.month(),
                t.month_day(),
                t.hour(),
                t.minute(),
                t.second()
            )
        })
    }

    /// `Nov 21 08:24`: the time of a recent file in a long name.
    #[must_use]
    pub fn recent(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |t| {
            format!(
                "{} {:2} {:02}:{:02}",
                month(t),
                t.month_day(),
                t.hour(),
                t.minute()
            )
        })
    }

    /// `Nov 21  2026`: the time of any other file in a long name; nothing where OpenSSH has no room for the year.
    #[must_use]
    pub fn distant(&self) -> String {
        let roomy = self
            .0
            .as_ref()
            .filter(|t| (-999..=9999).contains(&t.year()));
        roomy.map_or_else(String::new, |t| {
            format!("{} {:2}  {}", month(t), t.month_day(), t.year())
        })
    }
}

fn month(time: &DateTime) -> &'static str {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    MONTHS
        .get(usize::from(time.month()).wrapping_sub(1))
        .copied()
        .unwrap_or("???")
}
