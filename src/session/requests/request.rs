//! What each request says of itself: its row in the table, and the answers to whatever is asked of it.

use std::time::Duration;

use super::ways::Way;
use crate::policy::Operation;
use crate::protocol::Fields;
use crate::session::Session;
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::lesson::Subject;
use crate::session::overlap::touch::Touch;

/// What stands in the table of a request.
#[derive(Debug)]
pub struct Row {
    /// What it is called on the command line, and whether it writes.
    pub operation: Operation,
    /// What it is called on the wire.
    pub wire: Wire,
    /// How `explain` asks for it.
    pub rehearsal: Rehearsal,
}

/// What a request is called on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A packet type.
    Kind(u8),
    /// The name of an extension, and its version as announced.
    Extension(&'static str, &'static str),
    /// The name of an extension that clients ask for though it is not announced.
    Unannounced(&'static str),
}

impl Wire {
    /// The packet type; an extension has none of its own.
    pub(super) const fn kind(self) -> Option<u8> {
        match self {
            Self::Kind(kind) => Some(kind),
            Self::Extension(..) | Self::Unannounced(_) => None,
        }
    }

    /// The name of an extension.
    pub(super) const fn name(self) -> Option<&'static str> {
        match self {
            Self::Kind(_) => None,
            Self::Extension(name, _) | Self::Unannounced(name) => Some(name),
        }
    }
}

/// How `explain` asks for a request.
#[derive(Clone, Copy, Debug)]
pub enum Rehearsal {
    /// By so many paths, and what else its fields hold; in each of these ways.
    Paths(usize, &'static [&'static [u8]]),
    /// By two paths; what has the new name already keeps it.
    Moves,
    /// By two paths, of which the first is read before anything is changed, and what else its fields hold.
    Copies(&'static [u8]),
    /// What asks by handle is asked of what the handle is open on: as another request.
    As(&'static str),
    /// An OPEN of each path with these pflags.
    Opens(&'static [u32]),
    /// It touches no object.
    Nothing,
}

/// A request: what its fields say, and what is done.
pub(super) trait Request<'p>: Fields<'p> {
    /// In the table.
    const ROW: &'static Row;
    /// What it touches, if it is one about names.
    const BY_NAME: Option<Touch> = None;
    /// So much of its time is work that has to be done anyway.
    const WORK: Duration = Duration::ZERO;
    /// Whether it may take long wherever the files lie.
    const LONG: bool = false;

    /// What it touches. None where it runs alone: it means nothing that is open, or descriptors are scarce.
    fn touch(&self, session: &mut Session) -> Option<Touch> {
        Self::BY_NAME.filter(|_| session.has_room())
    }

    /// What its time teaches about.
    fn subject(&self, _: &Session) -> Option<Subject> {
        Self::BY_NAME.map(|_| Subject::Names)
    }

    /// The paths by which it may lead to what another process or host serves.
    fn paths(&self) -> [Option<&[u8]>; 2] {
        [None, None]
    }

    /// Whether what it lists lies there; none where it lists nothing.
    fn lists_far(&self, _: &Session) -> Option<bool> {
        None
    }

    /// Whether it frees so much on a disk of this host that others are not to wait for it.
    fn frees_much(&self, _: &Session) -> bool {
        false
    }

    /// Whether it may change what a client was answered but has not read yet.
    fn endangers_unread(&self, _: &Session) -> bool {
        matches!(Self::ROW.wire, Wire::Extension(..))
    }

    /// Bytes of content that it brings.
    fn brings(&self) -> u64 {
        0
    }

    /// Bytes that it holds or will hold while it is under way.
    fn weight(&self) -> usize {
        0
    }

    /// Logs it and carries it out, this `way`; what it holds may be taken. The id is for the log, and for what is answered in place.
    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status>;
}
