//! space-available.

use std::mem;

use serde::{Deserialize, Serialize};

use super::request::{Rehearsal, Request, Row, Wire};
use super::ways::Way;
use crate::fs::Figures;
use crate::log::Level;
use crate::log::event::Trace;
use crate::policy::Operation;
use crate::protocol::WirePath;
use crate::session::Session;
use crate::session::answers::lines::{log_path, trace};
use crate::session::answers::response::Response;
use crate::session::answers::status::Status;
use crate::session::overlap::touch::Touch;

pub(super) const SPACE_AVAILABLE: Row = Row {
    operation: Operation::looks("space-available").made_of(&["statvfs"]),
    wire: Wire::Extension("space-available", "1"),
    rehearsal: Rehearsal::Paths(1, &[&[]]),
};

/// `space-available`: how large the file system is on which a path lies, and how much of it is free.
///
/// | field | type   | meaning |
/// |-------|--------|---------|
/// | path  | string |         |
///
/// Source: draft-ietf-secsh-filexfer-extensions-00; draft-ietf-secsh-filexfer-09 §9.2.
#[derive(Debug, Deserialize)]
pub(super) struct SpaceAvailable {
    path: WirePath,
}

/// The answer. What `--reserve-free` keeps is not free for the client, and not available to it.
///
/// | field                          | type   | meaning                                                        |
/// |--------------------------------|--------|----------------------------------------------------------------|
/// | bytes-on-device                | uint64 | used and unused                                                |
/// | unused-bytes-on-device         | uint64 |                                                                |
/// | bytes-available-to-user        | uint64 | used and unused, less what is kept for those with privilege    |
/// | unused-bytes-available-to-user | uint64 |                                                                |
/// | bytes-per-allocation-unit      | uint32 | 0 where that is not known                                      |
#[derive(Debug, Serialize)]
struct Reply {
    bytes_on_device: u64,
    unused_bytes_on_device: u64,
    bytes_available_to_user: u64,
    unused_bytes_available_to_user: u64,
    bytes_per_allocation_unit: u32,
}

impl Request<'_> for SpaceAvailable {
    const ROW: &'static Row = &SPACE_AVAILABLE;
    /// What others write changes these figures, too.
    const BY_NAME: Option<Touch> = Some(Touch::Follow);

    fn paths(&self) -> [Option<&[u8]>; 2] {
        [Some(self.path.as_bytes()), None]
    }

    fn run(&mut self, session: &mut Session, id: u32, way: Way) -> Result<Response, Status> {
        let path = mem::take(&mut self.path);
        trace(Level::Debug3, || Trace::Request {
            id,
            what: "space-available",
        });
        log_path(Level::Info, "space-available", &path);
        session.with_view(way, move |view| {
            let found = view.statvfs(path.as_path())?;
            Ok(Response::reply(&figures(&found)))
        })
    }
}

fn figures(found: &Figures) -> Reply {
    let fs = &found.kernel;
    let unit = fs.fragment_size();
    let bytes = |blocks: u64| blocks.saturating_mul(unit);
    let privileged = fs.blocks_free().saturating_sub(fs.blocks_available());
    let less_reserve = |blocks: u64| bytes(blocks).saturating_sub(found.reserve);
    Reply {
        bytes_on_device: bytes(fs.blocks()),
        unused_bytes_on_device: less_reserve(fs.blocks_free()),
        bytes_available_to_user: less_reserve(fs.blocks().saturating_sub(privileged)),
        unused_bytes_available_to_user: less_reserve(fs.blocks_available()),
        bytes_per_allocation_unit: u32::try_from(unit).unwrap_or_default(),
    }
}
