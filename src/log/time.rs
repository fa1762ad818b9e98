//! Local time as localtime(3) has it: `TZ`, else `/etc/localtime`, else UTC. Read once, since the file may lie outside the jail.

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

fn zone() -> &'static TimeZone {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    ZONE.get_or_init(|| {
        let zone = match std::env::var("TZ") {
            // Summer time without a rule begins and ends as glibc has it.
            Ok(text) => TimeZone::from_posix_tz(&text)
                .or_else(|_| TimeZone::from_posix_tz(&format!("{text},M3.2.0,M11.1.0"))),
            Err(std::env::VarError::NotPresent) => TimeZone::from_posix_tz("localtime"),
            Err(std::env::VarError::NotUnicode(_)) => return TimeZone::utc(),
        };
        zone.unwrap_or_else(|_| TimeZone::utc())
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

    /// `Nov 21  2026`: the time of any other file in a long name.
    #[must_use]
    pub fn distant(&self) -> String {
        self.0.as_ref().map_or_else(String::new, |t| {
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
