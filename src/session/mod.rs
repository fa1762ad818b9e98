//! A session: requests in, responses out. Here protocol, policy and file system meet.
//!
//! [`requests`] knows what each asks for, [`flow`] moves the bytes, [`overlap`] lets requests run beside each other, [`answers`] puts into words
//! what came of them. Knows nothing of command lines or of how the program was started.

pub mod answers;
pub mod flow;
mod handles;
mod opened;
pub mod overlap;
pub mod rehearse;
pub mod requests;

use std::rc::Rc;
use std::sync::Arc;

use answers::longname::LongNames;
pub use answers::status::cause;
use flow::conduit::Conduit;
use handles::Handles;
use nix::errno::Errno;
use overlap::cost::Cost;
use overlap::earlier::Earlier;

use crate::fs::View;
use crate::identity::Login;
use crate::policy::Policy;
use crate::protocol::Outbox;

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

    /// Closes what the client left open, and logs it.
    fn close_all(&mut self) {
        for entry in self.handles.drain() {
            entry.log_close(true);
            // To close it may wait for ever, or free much; the kernel does it when the process ends. What is pending is discarded below.
            std::mem::forget(entry);
        }
        // A copy that is under way has its file still open.
        self.view.discard_uploads();
    }
}

/// Room for the responses of a burst and the longest single one.
const OUTBOX: usize = 384 * 1024;
