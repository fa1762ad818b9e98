//! A session: requests in, responses out. Here protocol, policy and file system meet.
//!
//! This file answers packets one after another; [`serve`] moves them. Knows nothing of command lines or of how the program was started.

pub mod answers;
pub mod flow;
mod handles;
pub mod overlap;
pub mod rehearse;
pub mod requests;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;
use std::sync::Arc;

use nix::errno::Errno;

use crate::fs::{FileStat, View};
use crate::identity::Login;
use crate::log::event::Trace;
use crate::log::{self, Event, Level};
use crate::policy::Policy;
use crate::protocol::{
    Limits, Malformed, Open, OpenFlags, Outbox, Packet, Payload, StatusCode, Statvfs,
    UserGroupNames, Version, Write, kind, request_id,
};

use answers::lines::trace;
use answers::longname::LongNames;
use answers::status::Status;
use flow::conduit::Conduit;
use handles::{Entry, Handles, Tally};
use overlap::cost::Cost;
use overlap::earlier::Earlier;
use overlap::later::Later;
use requests::dispatch::REQUESTS;
use requests::extended::{EXTENSIONS, THEIRS};

pub use answers::status::cause;

/// What a session is made of.
#[derive(Debug)]
pub struct Session {
    view: Arc<View>,
    policy: Policy,
    login: Rc<Login>,
    /// Where the client is, for the log.
    address: Vec<u8>,
    force_file_mode: Option<u32>,
    handles: Handles,
    longnames: LongNames,
    /// Whether requests with names may wait.
    names: Cost,
    /// How many more requests it is worth asking whether they may wait.
    alert: u32,
    /// Where a file was opened last that lies on this host: the path up to its name.
    local: Option<Vec<u8>>,
    /// Of files that were written while requests that were sent before still look.
    earlier: Earlier,
    outbox: Outbox,
    conduit: Conduit,
    /// What the client said in INIT; none before.
    version: Option<u32>,
}

/// What a request is answered by.
#[derive(Debug)]
pub enum Response {
    /// STATUS: success.
    Ok,
    /// HANDLE; the slot is for the log.
    #[allow(missing_docs, reason = "as said")]
    Handle { slot: u32, handle: [u8; 8] },
    /// ATTRS.
    Attrs(FileStat),
    /// NAME with one name.
    Name(Vec<u8>),
    /// The reply to statvfs and fstatvfs.
    Statvfs(Statvfs),
    /// The reply to limits.
    Limits(Limits),
    /// The reply to users-groups-by-id.
    Names(UserGroupNames),
    /// It stands in the outbox already.
    Sent,
    /// None yet: a thread goes on with the request, while the session listens to others.
    Later(Later),
}

impl Response {
    fn name(path: impl Into<OsString>) -> Self {
        Self::Name(path.into().into_vec())
    }
}

/// The client did not begin with INIT.
#[derive(Debug, thiserror::Error)]
#[error("a request before INIT")]
pub struct BeforeInit;

/// How many files and directories a session could have open, as far as RLIMIT_NOFILE goes and the process has descriptors now; those of
/// atomic uploads take two.
#[must_use]
pub fn most_handles(view: &View, atomic: bool) -> usize {
    Handles::sparing(view.descriptors(), 1 + usize::from(atomic), None).limit()
}

impl Session {
    /// A session for `login` at `address` in `view`. With `force_file_mode` every file gets exactly that mode, whatever client and umask say.
    #[must_use]
    pub fn new(
        view: View,
        policy: Policy,
        login: Rc<Login>,
        address: Vec<u8>,
        force_file_mode: Option<u32>,
    ) -> Self {
        Self {
            handles: Handles::sparing(view.descriptors(), view.per_file(), policy.max_handles),
            view: Arc::new(view),
            policy,
            login,
            address,
            force_file_mode,
            longnames: LongNames::default(),
            names: Cost::default(),
            // What others serve is asked for when a first name is.
            alert: 1,
            local: None,
            earlier: Earlier::default(),
            outbox: Outbox::new(OUTBOX),
            conduit: Conduit::default(),
            version: None,
        }
    }

    /// Whether INIT was answered.
    fn is_initialised(&self) -> bool {
        self.version.is_some()
    }

    /// Takes note that what is served from now on has just arrived.
    fn begin_burst(&self) {
        self.view.forget();
    }

    /// Whether `packet` may change what a client was answered but has not read yet.
    fn endangers_unread(&self, packet: &Packet<'_>) -> bool {
        if !self.conduit.is_unread(None) {
            return false;
        }
        let Ok((_, payload)) = request_id(packet.body) else {
            return false;
        };
        match packet.kind {
            Some(kind::WRITE) => Write::decode(payload)
                .ok()
                .and_then(|write| self.handles.shared_file(write.handle))
                .is_some_and(|file| self.conduit.is_unread(Some(file.id()))),
            Some(kind::OPEN) => payload
                .decode::<Open>()
                .is_ok_and(|open| open.pflags.contains(OpenFlags::TRUNCATE)),
            Some(kind::SETSTAT | kind::FSETSTAT | kind::EXTENDED) => true,
            _ => false,
        }
    }

    /// Carries out the request in `packet` and puts the response into the outbox; or leaves it to a thread: its id and the work.
    fn serve(&mut self, packet: Packet<'_>) -> Result<Option<(u32, Later)>, BeforeInit> {
        if packet.kind == Some(kind::INIT) {
            self.init(packet.body)?;
            return Ok(None);
        }
        if !self.is_initialised() {
            let request = match packet.kind {
                Some(kind::EXTENDED) => "extended".to_owned(),
                Some(kind) => kind.to_string(),
                None => "empty".to_owned(),
            };
            log::emit(Level::Error, || Event::BeforeInit { request });
            return Err(BeforeInit);
        }
        let (id, result) = match (packet.kind, request_id(packet.body)) {
            (Some(kind), Ok((id, payload))) => (id, self.run(kind, id, payload)),
            // There is no id to answer to.
            (_, Err(Malformed)) | (None, _) => (0, Err(Malformed.into())),
        };
        Ok(self.respond(id, result).map(|later| (id, later)))
    }

    /// Puts into the outbox what is to follow a spliced answer as a copy.
    fn copy_rest(&mut self) -> Result<(), Errno> {
        let Some((pipe, len)) = self.conduit.take_rest() else {
            return Ok(());
        };
        match self.outbox.data_rest(len, |buffer| pipe.take(buffer))? {
            count if count == len => Ok(()),
            // The client was told of more.
            _ => Err(Errno::EIO),
        }
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
        let announced = EXTENSIONS.iter().enumerate().filter(|(index, extension)| {
            // What OpenSSH does not announce has no place in its lines either.
            if *index >= THEIRS {
                return self.policy.permits(extension.operation);
            }
            let permitted = self.policy.permit(extension.operation).is_ok();
            if !permitted {
                let extension = extension.wire;
                log::emit(Level::Debug2, || Event::NotAdvertised { extension });
            }
            permitted
        });
        let extensions = announced
            .map(|(_, extension)| (extension.wire, extension.version))
            .collect();
        self.outbox.version(&Version {
            version: VERSION,
            extensions,
        });
        Ok(())
    }

    fn run(&mut self, kind: u8, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
        if kind == kind::EXTENDED {
            return self.run_extended(id, payload);
        }
        let Some(request) = REQUESTS.iter().find(|request| request.kind == kind) else {
            log::emit(Level::Error, || Event::UnknownMessage { kind });
            return Err(Status::new(StatusCode::OpUnsupported));
        };
        self.policy.permit(request.operation)?;
        request.run.run(self, id, payload)
    }

    fn run_extended(&mut self, id: u32, payload: Payload<'_>) -> Result<Response, Status> {
        let (name, payload) = payload.string()?;
        let Some(extension) = EXTENSIONS
            .iter()
            .find(|extension| extension.wire.as_bytes() == name)
        else {
            log::emit(Level::Error, || Event::UnknownExtension {
                request: name.to_vec(),
            });
            return Err(Status::new(StatusCode::OpUnsupported));
        };
        self.policy.permit(extension.operation)?;
        extension.run.run(self, id, payload)
    }

    /// Puts a response into the outbox; what is left to do where there is none yet.
    fn respond(&mut self, id: u32, result: Result<Response, Status>) -> Option<Later> {
        match result {
            Ok(Response::Ok) => self.respond_status(id, &Status::new(StatusCode::Ok)),
            Ok(Response::Handle { slot, handle }) => {
                trace(Level::Debug1, || Trace::SentHandle { id, slot });
                self.outbox.handle(id, handle);
            }
            Ok(Response::Attrs(stat)) => {
                let attrs = answers::attrs::from_stat(self.earlier.of(&stat));
                trace(Level::Debug1, || Trace::SentAttrs {
                    id,
                    flags: attrs.flags(),
                });
                self.outbox.attrs(id, &attrs);
            }
            Ok(Response::Name(name)) => {
                trace(Level::Debug1, || Trace::SentNames { id, count: 1 });
                self.outbox.name(id, &name);
            }
            Ok(Response::Statvfs(figures)) => self.outbox.extended_reply(id, &figures),
            Ok(Response::Limits(limits)) => self.outbox.extended_reply(id, &limits),
            Ok(Response::Names(names)) => self.outbox.extended_reply(id, &names),
            Ok(Response::Sent) => {}
            Ok(Response::Later(later)) => return Some(later),
            Err(status) => self.respond_status(id, &status),
        }
        None
    }

    fn respond_status(&mut self, id: u32, status: &Status) {
        let code = status.code as u32;
        trace(Level::Debug3, || Trace::SentStatus { id, code });
        let event = Event::Status { code };
        log::emit(event.threshold(), || event);
        // Versions before the third have no message.
        let message = self
            .version
            .is_some_and(|version| version >= 3)
            .then_some(status.message.as_ref());
        self.outbox.status(id, status.code, message);
    }

    /// Closes what the client left open, and logs it.
    fn close_all(&mut self) {
        for entry in self.handles.drain() {
            log_close(&entry, true);
            // To close it may wait for ever, or free much; the kernel does it when the process ends. What is pending is discarded below.
            std::mem::forget(entry);
        }
        // A copy that is under way has its file still open.
        self.view.discard_uploads();
    }
}

/// The log lines of a handle that ends: OpenSSH's, and the outcome.
fn log_close(entry: &Entry, forced: bool) {
    match entry {
        Entry::Dir(dir) => log::emit(Level::Info, || Event::CloseDir {
            forced,
            path: Some(dir.path.clone()),
        }),
        Entry::File(open) => log_transfer(&open.tally, forced, || match forced {
            true => open.is_known_to_its_end(),
            false => open.was_read_to_its_end(),
        }),
    }
}

fn log_transfer(tally: &Tally, forced: bool, was_read_to_its_end: impl FnOnce() -> bool) {
    log::emit(Level::Info, || Event::Close {
        forced,
        path: tally.path.clone(),
        read: tally.read,
        written: tally.written,
    });
    let upload = tally.written > 0 || (tally.writable && tally.read == 0);
    log::emit(Level::Info, || Event::Transfer {
        path: tally.path.clone(),
        upload,
        complete: if upload {
            !tally.failed && !forced
        } else {
            was_read_to_its_end()
        },
        bytes: if upload { tally.written } else { tally.read },
        seconds: tally.since.elapsed().as_secs_f64(),
    });
}

/// The one version that we speak, whatever the client asks for.
const VERSION: u32 = 3;
/// Room for the responses of a burst and the longest single one.
const OUTBOX: usize = 384 * 1024;
