//! The log: what happened goes in as an [`Event`], lines come out where the system manager looks for them.
//!
//! Knows nothing of packets, files or policies. [`event`] says what can happen, [`openssh`] how it reads,
//! [`syslog`] where it goes. An event costs one atomic load where its level is off.

pub mod escape;
pub mod event;
mod fit;
mod level;
pub mod openssh;
pub mod syslog;
pub mod time;
mod zone;

use tracing::span;
use tracing_subscriber::Layer;

pub use event::Event;
pub use level::{Facility, Level, Target, UnknownName};

/// Opens the log for the whole program. The first call counts, later ones change nothing.
pub fn init(level: Level, target: Target) {
    let layer = openssh::Layer::new(level, target);
    // It can fail only where a subscriber is set already; that one stays.
    let _ = tracing::subscriber::set_global_default(layer.with_subscriber(Events));
}

/// What the layers stand on: events alone, no spans, so that no session starts by making room for spans.
struct Events;

impl tracing::Subscriber for Events {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Logs what `event` makes, if a line of `threshold` is wanted at all; otherwise `event` is not called.
#[inline]
pub fn emit(threshold: Level, event: impl FnOnce() -> Event) {
    // tracing knows five levels where OpenSSH has six: the debug levels share one, and the layer tells them apart.
    match threshold {
        Level::Quiet | Level::Fatal | Level::Error => {
            if tracing::enabled!(tracing::Level::ERROR) {
                tracing::error!(event = as_error(&event()));
            }
        }
        Level::Info => {
            if tracing::enabled!(tracing::Level::INFO) {
                tracing::info!(event = as_error(&event()));
            }
        }
        Level::Verbose => {
            if tracing::enabled!(tracing::Level::DEBUG) {
                tracing::debug!(event = as_error(&event()));
            }
        }
        Level::Debug1 | Level::Debug2 | Level::Debug3 => {
            if tracing::enabled!(tracing::Level::TRACE) {
                tracing::trace!(event = as_error(&event()));
            }
        }
    }
}

/// Whether lines of [`Level::Info`] are wanted, where it costs something to know what they would say.
#[must_use]
pub fn tells_info() -> bool {
    tracing::enabled!(tracing::Level::INFO)
}

/// The same of [`Level::Error`].
#[must_use]
pub fn tells_errors() -> bool {
    tracing::enabled!(tracing::Level::ERROR)
}

/// Writes one line to standard error, for whoever started the program; not at all where that would block.
pub fn say(line: &str) {
    syslog::write_stderr(format!("{line}\n").as_bytes());
}

/// The same text on one line: what is quoted in it makes no second one, nor moves the cursor.
#[must_use]
pub fn one_line(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    letters.collect()
}

/// An event as the only typed value that tracing carries from a call to a layer.
fn as_error(event: &Event) -> &(dyn std::error::Error + 'static) {
    event
}
