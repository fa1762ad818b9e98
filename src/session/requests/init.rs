//! INIT, by which a client begins.

use super::extensions;
use crate::log::{self, Event, Level};
use crate::protocol::{Malformed, Packet, Version, kind, request_id};
use crate::session::Session;

/// The client did not begin with INIT.
#[derive(Debug, thiserror::Error)]
#[error("a request before INIT")]
pub struct BeforeInit;

impl Session {
    /// Answers INIT; whether the packet is that, and no request.
    ///
    /// | field      | type             | meaning                        |
    /// |------------|------------------|--------------------------------|
    /// | version    | uint32           | the highest that the client has|
    /// | extensions | pairs of strings | of no use to us                |
    ///
    /// Source: draft-ietf-secsh-filexfer-02 §4.
    ///
    /// # Errors
    /// The first packet is another one.
    pub(in crate::session) fn greets(&mut self, packet: &Packet<'_>) -> Result<bool, BeforeInit> {
        if packet.kind == Some(kind::INIT) {
            self.init(packet.body)?;
            return Ok(true);
        }
        if self.is_initialised() {
            return Ok(false);
        }
        let request = match packet.kind {
            Some(kind::EXTENDED) => "extended".to_owned(),
            Some(kind) => kind.to_string(),
            None => "empty".to_owned(),
        };
        log::emit(Level::Error, || Event::BeforeInit { request });
        Err(BeforeInit)
    }

    fn init(&mut self, body: &[u8]) -> Result<(), BeforeInit> {
        let Ok((version, _)) = request_id(body) else {
            if self.is_initialised() {
                self.respond(0, Err(Malformed.into()));
                return Ok(());
            }
            log::emit(Level::Error, || Event::BeforeInit {
                request: "malformed".to_owned(),
            });
            return Err(BeforeInit);
        };
        self.version = Some(version);
        log::emit(Level::Verbose, || Event::ClientVersion(version));
        let announced = extensions().enumerate().filter(|(index, (row, name, _))| {
            // What OpenSSH does not announce has no place in its lines either.
            if *index >= THEIRS {
                return self.policy.permits(row.operation);
            }
            let permitted = self.policy.permit(row.operation).is_ok();
            if !permitted {
                let extension = name;
                log::emit(Level::Debug2, || Event::NotAdvertised { extension });
            }
            permitted
        });
        let extensions = announced
            .map(|(_, (_, name, version))| (name, version))
            .collect();
        self.outbox.version(&Version {
            version: VERSION,
            extensions,
        });
        Ok(())
    }
}

/// The one version that we speak, whatever the client asks for.
const VERSION: u32 = 3;
/// So many of the extensions are OpenSSH's.
const THEIRS: usize = 11;
