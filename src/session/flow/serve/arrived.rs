//! What has arrived: each packet is decoded once, waits until it may begin, and is carried out or left to a thread.

use std::time::Duration;

use tokio::time::Instant;

use super::turn::Turn;
use super::{Connection, End, Error};
use crate::protocol::{Packet, next_packet};
use crate::session::answers::response::Later;
use crate::session::flow::inbox::Inbox;
use crate::session::overlap::cost::SLOW;
use crate::session::overlap::pipeline::Admitted;
use crate::session::overlap::touch::Touch;
use crate::session::requests::{Asked, Way};

impl Connection {
    /// Carries out every whole request that has arrived.
    pub(super) async fn serve_arrived(&mut self, inbox: &mut Inbox) -> Result<Option<End>, Error> {
        let mut begun = Instant::now();
        if begun.duration_since(self.looked) >= PAUSE {
            self.looked = begun;
            self.session.look_at_mounts();
        }
        loop {
            if self.held_until().is_some() {
                if let Some(end) = self.flush().await? {
                    return Ok(Some(end));
                }
                begun = Instant::now();
            }
            let (packet, length) = match next_packet(inbox.arrived()) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(None),
                Err(oversized) => {
                    self.end_oversized().await;
                    return Err(oversized.into());
                }
            };
            let mut now = begun;
            {
                let mut asked = Asked::of(&packet);
                loop {
                    let end = match self.turn(&asked) {
                        Turn::Begin(slow, touch) => {
                            now = self.carry_out(&packet, &mut asked, slow, touch, begun)?;
                            break;
                        }
                        Turn::Unheard => break,
                        Turn::UntilRead => self.all_read().await,
                        Turn::UntilAnswered => self.wait_for_first().await?,
                        Turn::UntilPaid(until) => self.postpone(until).await?,
                    };
                    if end.is_some() {
                        return Ok(end);
                    }
                    if self.held_until().is_some() {
                        if let Some(end) = self.flush().await? {
                            return Ok(Some(end));
                        }
                    }
                    begun = Instant::now();
                }
            }
            inbox.served(length);
            if self.session.conduit.holds() {
                if let Some(end) = self.pass_on().await? {
                    return Ok(Some(end));
                }
                // What the client took to read teaches nothing of storage.
                now = Instant::now();
            }
            if now.duration_since(self.heard) >= DEAF {
                self.heard = now;
                if let Some(end) = self.ending.arrived() {
                    return Ok(Some(end));
                }
                if self.client_gone.is_none() && self.output.is_abandoned() {
                    self.lose_client();
                }
            }
            if self.pace.is_due(now) {
                self.send_what_goes()?;
            }
            if self.session.outbox.unsent().len() >= HIGH_WATER {
                if let Some(end) = self.flush().await? {
                    return Ok(Some(end));
                }
                now = Instant::now();
            }
            begun = now;
        }
    }

    /// Carries out a request that may begin, or leaves it to a thread; when that was done.
    fn carry_out(
        &mut self,
        packet: &Packet<'_>,
        asked: &mut Asked<'_>,
        slow: bool,
        touch: Touch,
        begun: Instant,
    ) -> Result<Instant, Error> {
        if touch != Touch::Alone || slow && self.session.is_deferrable(asked) {
            let now = Instant::now();
            let admitted = asked.begin(&mut self.session);
            self.pipeline.begin(admitted, touch, slow);
            self.answer();
            return Ok(now);
        }
        self.suspicion.begin(begun);
        let mark = self.mark();
        let later = if self.session.greets(packet)? {
            None
        } else {
            let result = asked.run(&mut self.session, Way::Here);
            self.session.respond(asked.id, result)
        };
        let now = Instant::now();
        if let Some(Later(work)) = later {
            let admitted = Admitted {
                id: asked.id,
                lesson: asked.lesson(&self.session),
                weight: 0,
                work,
            };
            let touch = self.session.touch(asked);
            self.pipeline.begin(admitted, touch, true);
        }
        let took = now.duration_since(begun);
        if took >= SLOW && self.suspicion.confirms(now) {
            let lesson = asked.lesson(&self.session);
            self.session.learn(lesson, took);
        }
        self.charge(mark);
        Ok(now)
    }
}

const HIGH_WATER: usize = 64 * 1024;
/// For so long a burst of slow requests may keep a signal waiting.
const DEAF: Duration = Duration::from_millis(100);
/// So long a mount may go unnoticed.
const PAUSE: Duration = Duration::from_millis(100);
