//! `--download-rate` and `--upload-rate`: what content has cost, and when it is paid for.
//!
//! A session has a bucket for each direction. It holds the bytes of one second and fills all the time; whoever takes more than it holds waits
//! until that has come in. So no more than `rate * (t + 1)` bytes pass in any `t` seconds, and a request longer than a second's bytes is served whole.
//!
//! An answer to READ waits behind a mark in the outbox, so that what was answered before it leaves. The mark moves on as what stands behind it is
//! paid for, so that a long answer leaves in slices: whoever watches the connection (sshd's ChannelTimeout) never sees it still for long.
//! A WRITE waits where it has arrived.

use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::Instant;

use crate::policy::Rates;
use crate::protocol::{kind, next_packet};

/// The buckets, and what waits for them.
#[derive(Debug)]
pub struct Meter {
    download: Option<Bucket>,
    upload: Option<Bucket>,
    held: Option<Held>,
    /// Whether the WRITE that has arrived first has waited.
    admitted: bool,
}

/// Answers that are not paid for.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// They stand behind so many bytes that may leave.
    mark: usize,
    /// They end behind so many bytes.
    end: usize,
    /// When the last of them is paid for.
    until: Instant,
    /// When more of them are.
    next: Instant,
}

impl Meter {
    /// None where there is no rate.
    #[must_use]
    pub fn new(rates: Rates) -> Option<Self> {
        let bucket = |rate| Bucket::new(rate, Instant::now());
        let meter = Self {
            download: rates.download.map(bucket),
            upload: rates.upload.map(bucket),
            held: None,
            admitted: false,
        };
        (meter.download.is_some() || meter.upload.is_some()).then_some(meter)
    }

    /// Until when a request that brings so many bytes has to wait. It is asked again then, and admitted.
    pub fn admit(&mut self, brings: u64) -> Option<Instant> {
        if std::mem::take(&mut self.admitted) {
            return None;
        }
        let until = self.upload.as_mut()?.take(brings, Instant::now());
        self.admitted = until.is_some();
        until
    }

    /// Takes note of the answers that stand behind `mark` in `unsent`, and holds them back if they are too many.
    pub fn charge(&mut self, unsent: &[u8], mark: usize) {
        let Some(bucket) = &mut self.download else {
            return;
        };
        let content = content(unsent.get(mark..).unwrap_or_default());
        let now = Instant::now();
        if let Some(until) = bucket.take(content, now) {
            self.held = Some(Held {
                mark: self.held.map_or(mark, |held| held.mark),
                end: unsent.len(),
                until,
                next: until,
            });
            self.let_go(now);
        }
    }

    /// Lets go what is paid for by now of the answers that are held back.
    pub fn let_go(&mut self, now: Instant) {
        let (Some(held), Some(bucket)) = (&mut self.held, &self.download) else {
            return;
        };
        let rest = held.until.saturating_duration_since(now);
        if rest.is_zero() {
            self.held = None;
            return;
        }
        let unpaid = usize::try_from(bucket.bytes_of(rest)).unwrap_or(usize::MAX);
        held.mark = held.mark.max(held.end.saturating_sub(unpaid));
        held.next = held.until.min(now + SLICE);
    }

    /// Those of the answers that may leave.
    #[must_use]
    pub fn paid<'a>(&self, unsent: &'a [u8]) -> &'a [u8] {
        self.held
            .and_then(|held| unsent.get(..held.mark))
            .unwrap_or(unsent)
    }

    /// Takes note that so many bytes have left.
    pub fn sent(&mut self, count: usize) {
        if let Some(held) = &mut self.held {
            held.mark = held.mark.saturating_sub(count);
            held.end = held.end.saturating_sub(count);
        }
    }

    /// Until when answers are held back, or some of them, if any are.
    #[must_use]
    pub fn held_until(&self) -> Option<Instant> {
        self.held.map(|held| held.next)
    }

    /// All may leave.
    pub fn release(&mut self) {
        self.held = None;
    }
}

/// The bytes of files in `answers`.
fn content(mut answers: &[u8]) -> u64 {
    let mut bytes = 0;
    while let Ok(Some((packet, length))) = next_packet(answers) {
        if packet.kind == Some(kind::DATA) {
            bytes += packet.body.len().saturating_sub(DATA_FIELDS) as u64;
        }
        answers = answers.get(length..).unwrap_or_default();
    }
    bytes
}

/// The bytes of a second, counted in the time that they take to come in.
#[derive(Debug)]
struct Bucket {
    /// Bytes a second.
    rate: NonZeroU64,
    since: Instant,
    /// When all that was taken would have come in, counted from then.
    spent: Duration,
}

impl Bucket {
    /// A full one.
    fn new(rate: NonZeroU64, since: Instant) -> Self {
        Self {
            rate,
            since,
            spent: Duration::ZERO,
        }
    }

    /// How many bytes come in within so long, rounded up.
    fn bytes_of(&self, time: Duration) -> u64 {
        let bytes = (u128::from(self.rate.get()) * time.as_nanos()).div_ceil(NANOSECONDS);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// Takes bytes, be they there or not; when they will have come in, if that is not yet.
    fn take(&mut self, bytes: u64, now: Instant) -> Option<Instant> {
        if bytes == 0 {
            return None;
        }
        let now = now.saturating_duration_since(self.since);
        let cost = (u128::from(bytes) * NANOSECONDS).div_ceil(u128::from(self.rate.get()));
        let cost = Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX));
        // What came in while the bucket was full is lost.
        self.spent = self.spent.max(now).saturating_add(cost);
        let wait = self.spent.checked_sub(now + BURST)?;
        if wait.is_zero() {
            return None;
        }
        self.since.checked_add(now + wait)
    }
}

/// How long nothing leaves of an answer that is held back: less than any time after which a connection counts as idle.
const SLICE: Duration = Duration::from_millis(500);
const BURST: Duration = Duration::from_secs(1);
const NANOSECONDS: u128 = 1_000_000_000;
/// In a DATA, before the data: the id and the length.
const DATA_FIELDS: usize = 8;

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Bucket, content};

    /// How long each of these waits, taken at these times; in milliseconds.
    fn waits(rate: u64, taken: &[(u64, u64)]) -> Vec<u128> {
        let start = Instant::now();
        let mut bucket = Bucket::new(NonZeroU64::new(rate).unwrap(), start);
        let take = |(at, bytes): &(u64, u64)| {
            let now = start + Duration::from_millis(*at);
            let until = bucket.take(*bytes, now);
            until.map_or(0, |until| until.duration_since(now).as_millis())
        };
        taken.iter().map(take).collect()
    }

    #[test]
    fn a_second_s_bytes_pass_at_once_and_what_is_more_waits() {
        assert_eq!(waits(1000, &[(0, 600), (0, 400), (0, 1)]), [0, 0, 1]);
        assert_eq!(
            waits(1000, &[(0, 1000), (500, 500), (500, 250)]),
            [0, 0, 250]
        );
        assert_eq!(waits(1000, &[(0, 0), (0, 1000), (0, 0)]), [0, 0, 0]);
    }

    #[test]
    fn more_than_a_second_s_bytes_wait_for_the_rest() {
        assert_eq!(waits(10_240, &[(0, 261_120)]), [24_500]);
        assert_eq!(waits(1000, &[(0, 3000), (2000, 1000)]), [2000, 1000]);
    }

    #[test]
    fn a_pause_saves_no_more_than_a_second_s_bytes() {
        let taken = [(0, 1000), (3_600_000, 1000), (3_600_000, 100)];
        assert_eq!(waits(1000, &taken), [0, 0, 100]);
    }

    #[test]
    fn the_slowest_and_the_fastest_rate_are_no_overflow() {
        assert_eq!(waits(1, &[(0, 261_120)]), [261_119_000]);
        assert_eq!(waits(u64::MAX, &[(0, u64::MAX), (0, 1)]), [0, 0]);
        waits(1, &[(0, u64::MAX), (0, u64::MAX), (0, u64::MAX)]);
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
        let start = Instant::now() + Duration::from_secs(5);
        let mut bucket = Bucket::new(NonZeroU64::new(10).unwrap(), start);
        assert_eq!(bucket.take(10, start), None);
        let earlier = start - Duration::from_secs(5);
        assert_eq!(
            bucket.take(10, earlier),
            Some(start + Duration::from_secs(1))
        );
    }

    #[test]
    fn only_data_is_content() {
        let status = [&[0, 0, 0, 17, 101][..], &[0; 16]].concat();
        let data = [&[0, 0, 0, 12, 103, 0, 0, 0, 1, 0, 0, 0, 3][..], b"abc"].concat();
        assert_eq!(content(&[&data[..], &status, &data].concat()), 6);
        assert_eq!(content(&status), 0);
        assert_eq!(content(b""), 0);
    }
}
