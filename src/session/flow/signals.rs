//! Signals that end a session in order: heard by the loop, between two requests.

use std::io;

use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// SIGTERM and SIGHUP, as a descriptor.
#[derive(Debug)]
pub struct Signals(AsyncFd<SignalFd>);

impl Signals {
    /// Blocks them and starts to listen. To be called before any thread is started, since threads inherit the mask.
    ///
    /// SIGXFSZ is blocked with them: past the limit of RLIMIT_FSIZE a write then fails by `EFBIG` instead of ending the program.
    ///
    /// # Errors
    /// As signalfd(2).
    #[allow(
        deprecated,
        reason = "the constructors that replace it are unsafe functions; what is given here owns its descriptor"
    )]
    pub fn listen() -> io::Result<Self> {
        let mut ends = SigSet::empty();
        ends.add(Signal::SIGTERM);
        ends.add(Signal::SIGHUP);
        let mut blocked = ends;
        blocked.add(Signal::SIGXFSZ);
        blocked.thread_block()?;
        let descriptor =
            SignalFd::with_flags(&ends, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self(AsyncFd::with_interest(
            descriptor,
            Interest::READABLE,
        )?))
    }

    /// The next one.
    pub async fn next(&self) -> Signal {
        loop {
            let Ok(mut ready) = self.0.readable().await else {
                // Only where the runtime ends.
                return std::future::pending().await;
            };
            match self.arrived() {
                Some(signal) => return signal,
                None => ready.clear_ready(),
            }
        }
    }

    /// The next one, if it has come already.
    #[must_use]
    pub fn arrived(&self) -> Option<Signal> {
        match self.0.get_ref().read_signal() {
            Ok(Some(info)) if info.ssi_signo == Signal::SIGHUP as u32 => Some(Signal::SIGHUP),
            Ok(Some(_)) => Some(Signal::SIGTERM),
            Ok(None) | Err(_) => None,
        }
    }
}

/// Dies by `signal`, so that whoever waits for the program sees what ended it.
pub fn die_by(signal: Signal) {
    let _ = raise(signal);
    let mut set = SigSet::empty();
    set.add(signal);
    let _ = set.thread_unblock();
}
