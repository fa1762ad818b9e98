//! What travels on the wire, as bytes and as values: frames, requests, responses.
//!
//! Knows neither files nor sockets nor sessions. It alone names the codec crate, of which it uses the serde layer:
//! the crate's own packet structs turn names into `String` and lose the ids of requests that do not parse.
//!
//! Source: draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL §4.

mod attrs;
mod packet;
mod path;
mod request;
mod response;

pub use attrs::Attrs;
pub use packet::{MAX_DATA, MAX_NAMES, MAX_PACKET, Oversized, Packet, kind, next_packet};
pub use path::WirePath;
pub use request::{Fields, Handle, Ids, Malformed, Payload, Write, request_id};
pub use response::{Outbox, Reply, Version};
pub use russh_sftp::protocol::{OpenFlags, StatusCode};
