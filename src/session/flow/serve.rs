//! The packet loop: one read, many packets, one write.
//!
//! | limit        | value    | why                                                              |
//! |--------------|----------|------------------------------------------------------------------|
//! | inbox        | 512 KiB  | a read takes all that a pipe holds, whatever waits in front of it |
//! | high water   | 64 KiB   | responses leave before they are more than a pipe holds            |
//!
//! A client that does not read is not read from: nothing is served while responses above the high water wait.
//!
//! In a long burst the first responses leave at once and the later ones in growing parts ([`Pace`]): client and server work at the same
//! time then, and neither sleeps until the other has done all. Where it takes long to wake a processor this is most of the speed.

mod arrived;
mod over;
mod oversized;
mod pay;
mod receive;
mod turn;

use std::io::{Stdin, Stdout, stdin, stdout};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use receive::Received;
use tokio::io::Interest;
use tokio::time::Instant;

use super::channel::Channel;
use super::ending::Ending;
use super::greeting::{Greeting, may_become_init};
use super::idle::Idle;
use super::inbox::Inbox;
use super::pace::Pace;
use super::rate::Meter;
use crate::log::{self, Event, Level};
use crate::session::answers::response::Later;
use crate::session::overlap::cost::Suspicion;
use crate::session::overlap::pipeline::Pipeline;
use crate::session::{Session, cause};

/// How a session ended, if it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closed its side, or is gone.
    Client,
    /// No SFTP client came.
    NotSftp,
    /// A signal came.
    Signal(Signal),
    /// No first request came in time.
    Silence,
    /// No request came for as long as the policy allows.
    Idle,
    /// It has lasted as long as the policy allows.
    Expired,
}

/// The failure of a session.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error(transparent)]
    BeforeInit(#[from] crate::session::requests::BeforeInit),
    #[error("cannot listen to signals: {0}")]
    Signals(std::io::Error),
    #[error("cannot use standard input and output: {0}")]
    Channel(std::io::Error),
    #[error("cannot read requests: {}", cause(*.0))]
    Input(Errno),
    #[error("cannot write responses: {}", cause(*.0))]
    Output(Errno),
    #[error(transparent)]
    Oversized(#[from] crate::protocol::Oversized),
}

/// Serves `session` on descriptors 0 and 1 until it ends.
///
/// # Errors
/// What ends it out of order; what was open is closed and logged all the same.
pub async fn serve(session: Session, greeting: Greeting) -> Result<End, Error> {
    crate::fs::hurry();
    let timeouts = session.policy.timeouts;
    let ending = Ending::listen(timeouts.session).map_err(Error::Signals)?;
    let input = Channel::new(stdin, Interest::READABLE).map_err(Error::Channel)?;
    let output = Channel::new(stdout, Interest::WRITABLE).map_err(Error::Channel)?;
    let mut session = session;
    // A burst of uploads comes in fewer reads then.
    input.widen();
    output.widen();
    if let Some(piece) = output.tells_unread() {
        // Where answers wait for a rate they are to be in memory.
        if session.policy.rates.download.is_none() {
            session.conduit.enable(piece);
        }
    }
    let meter = Meter::new(session.policy.rates);
    let mut connection = Connection {
        session,
        meter,
        input,
        output,
        ending,
        idle: Idle::begin(timeouts.idle),
        pipeline: Pipeline::default(),
        suspicion: Suspicion::default(),
        heard: Instant::now(),
        looked: Instant::now(),
        pace: Pace::begin(),
        client_gone: None,
    };
    // Who asked for something else and sent nothing is told so, whichever time was over first.
    let another_command = greeting.strict && greeting.announce.is_none();
    let end = match connection.run(greeting).await {
        Ok(End::Idle | End::Expired) if another_command && !connection.session.is_initialised() => {
            Ok(End::Silence)
        }
        Ok(end @ (End::Idle | End::Expired)) => {
            connection.time_out(end).await;
            Ok(end)
        }
        end => end,
    };
    connection.session.close_all();
    // Both may be one description: the output was taken last, the input's flags are the older ones.
    connection.output.restore();
    connection.input.restore();
    // The program ends: the kernel takes memory and descriptors back at once, and faster than piece by piece.
    std::mem::forget(connection);
    end
}

struct Connection {
    session: Session,
    meter: Option<Meter>,
    input: Channel<Stdin>,
    output: Channel<Stdout>,
    ending: Ending,
    idle: Idle,
    /// Requests under way while storage is slow.
    pipeline: Pipeline,
    suspicion: Suspicion,
    /// When it was last looked between two requests whether the session is to end.
    heard: Instant,
    /// When it was last looked whether something was mounted.
    looked: Instant,
    pace: Pace,
    /// Since when nobody reads responses any more; what has arrived is carried out all the same.
    client_gone: Option<Instant>,
}

impl Connection {
    async fn run(&mut self, mut greeting: Greeting) -> Result<End, Error> {
        let start = Instant::now();
        let mut inbox = Inbox::new(INBOX);
        let mut answered = false;
        loop {
            if !self.session.is_initialised()
                && greeting.strict
                && !may_become_init(inbox.arrived())
            {
                return Ok(End::NotSftp);
            }
            let arrived = inbox.arrived().len();
            if let Some(end) = self.serve_arrived(&mut inbox).await? {
                return Ok(end);
            }
            if let Some(end) = self.flush().await? {
                return Ok(end);
            }
            if answered || inbox.arrived().len() < arrived {
                self.idle.begin_again();
            }
            let received = if self.session.is_initialised() || self.client_gone.is_some() {
                self.receive(&mut inbox, None).await
            } else {
                self.receive_greeting(&mut inbox, &mut greeting, start)
                    .await
            };
            self.session.begin_burst();
            self.pace = Pace::begin();
            let received = received?;
            answered = received == Received::Answer;
            match received {
                Received::Some | Received::Nothing => {}
                Received::Answer => self.answer(),
                Received::End => {
                    if let Some(end) = self.finish_all().await? {
                        return Ok(end);
                    }
                    log::emit(Level::Debug1, || Event::EndOfInput);
                    let never = greeting.strict
                        && greeting.announce.is_none()
                        && !self.session.is_initialised();
                    return Ok(if never { End::NotSftp } else { End::Client });
                }
                Received::Ending(end) => return Ok(end),
                Received::Late => return Ok(End::Silence),
            }
        }
    }

    /// Answers the requests under way that can be answered, in their order, up to one that is held back.
    fn answer(&mut self) {
        while self.held_until().is_none() {
            let Some(done) = self.pipeline.ready() else {
                return;
            };
            let mark = self.mark();
            self.session.learn(done.lesson, done.took);
            let result = (done.finish)(&mut self.session);
            if let Some(Later(work)) = self.session.respond(done.id, result) {
                self.pipeline.go_on(done.id, done.lesson, done.touch, work);
                return;
            }
            self.session.forget_earlier(&self.pipeline);
            self.charge(mark);
        }
    }

    /// Waits for the first of the requests under way, and answers it.
    async fn wait_for_first(&mut self) -> Result<Option<End>, Error> {
        if let Some(end) = self.flush().await? {
            return Ok(Some(end));
        }
        tokio::select! {
            biased;
            end = self.ending.next() => return Ok(Some(end)),
            () = self.pipeline.first() => {}
            () = self.output.abandoned(), if self.client_gone.is_none() => self.lose_client(),
        }
        self.answer();
        if self.client_gone.is_some() {
            self.pipeline.abandon();
        }
        Ok(None)
    }

    /// Waits for all of them, and sends what there is to say; where nobody will read that, for those that change something.
    async fn finish_all(&mut self) -> Result<Option<End>, Error> {
        loop {
            let gone = self.client_gone.is_some();
            if self.pipeline.is_empty() || gone && self.pipeline.abandon() {
                break;
            }
            if let Some(end) = self.wait_for_first().await? {
                return Ok(Some(end));
            }
        }
        self.flush().await
    }

    /// Sends all responses.
    async fn flush(&mut self) -> Result<Option<End>, Error> {
        loop {
            if self.client_gone.is_some() {
                self.session.outbox.clear();
                self.release();
            }
            let unsent = self.sendable();
            if unsent.is_empty() {
                let Some(until) = self.held_until() else {
                    return Ok(None);
                };
                if let Some(end) = self.hold(until).await {
                    return Ok(Some(end));
                }
                continue;
            }
            let written = tokio::select! {
                biased;
                end = self.ending.next() => return Ok(Some(end)),
                written = self.output.write(unsent) => written,
            };
            match written {
                Ok(count) if count > 0 => self.sent(count),
                Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => self.lose_client(),
                Err(errno) => return Err(self.output_failed(errno)),
            }
        }
    }

    /// Sends what can be sent without waiting.
    fn send_what_goes(&mut self) -> Result<(), Error> {
        let unsent = self.sendable();
        if unsent.is_empty() || self.client_gone.is_some() {
            return Ok(());
        }
        match self.output.write_now(unsent) {
            Ok(count) => self.sent(count),
            Err(Errno::EWOULDBLOCK) => {}
            Err(Errno::EPIPE | Errno::ECONNRESET) => self.lose_client(),
            Err(errno) => return Err(self.output_failed(errno)),
        }
        Ok(())
    }

    /// Sends what READ has put into our pipe, behind all responses before it.
    async fn pass_on(&mut self) -> Result<Option<End>, Error> {
        if let Some(end) = self.flush().await? {
            return Ok(Some(end));
        }
        while let Some((pipe, len)) = self.session.conduit.waiting() {
            if self.client_gone.is_some() {
                self.session.conduit.abandon();
                break;
            }
            let passed = tokio::select! {
                biased;
                end = self.ending.next() => return Ok(Some(end)),
                passed = self.output.splice(pipe, len) => passed,
            };
            match passed {
                Ok(count) if count > 0 => self.session.conduit.passed(count),
                Ok(_) | Err(Errno::EPIPE | Errno::ECONNRESET) => self.lose_client(),
                Err(errno) => return Err(self.output_failed(errno)),
            }
        }
        self.session
            .copy_rest()
            .map_err(|errno| self.output_failed(errno))?;
        Ok(None)
    }

    /// Waits until the client has read all that stands in the pipe to it, or is gone, or the session ends.
    async fn all_read(&mut self) -> Option<End> {
        while self.client_gone.is_none() && self.output.is_unread() {
            tokio::select! {
                biased;
                end = self.ending.next() => return Some(end),
                () = self.output.abandoned() => break,
                () = tokio::time::sleep(GLANCE) => {}
            }
        }
        self.session.conduit.all_read();
        None
    }

    fn output_failed(&self, errno: Errno) -> Error {
        log::emit(Level::Error, || Event::OutputFailed {
            cause: cause(errno),
        });
        Error::Output(errno)
    }

    fn lose_client(&mut self) {
        log::emit(Level::Debug1, || Event::OutputClosed);
        self.client_gone = Some(Instant::now());
    }
}

const INBOX: usize = 512 * 1024;
/// How often it is looked whether the client has read all; nothing tells.
const GLANCE: Duration = Duration::from_millis(1);
