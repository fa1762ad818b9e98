//! What can happen in a session, as values: one variant a kind of line of OpenSSH's log, and ours beside them.

use std::fmt;
use std::time::Duration;

use super::Level;

/// A name as the client sent it: bytes.
pub type Name = Vec<u8>;

/// The number that the log shows for a handle: its slot, or none where the client's handle was not valid.
#[derive(Clone, Copy, Debug)]
pub struct Slot(pub Option<u32>);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // OpenSSH prints -1, its mark for no handle.
        match self.0 {
            Some(slot) => write!(f, "{slot}"),
            None => f.write_str("-1"),
        }
    }
}

/// Something that happened. Owned, since tracing hands a layer nothing typed that borrows.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "the fields are those of the request or line named"
)]
pub enum Event {
    // The session.
    SessionOpened {
        user: Name,
        address: Name,
    },
    SessionClosed {
        user: Name,
        address: Name,
    },
    ClientVersion(u32),
    /// What stopped a start, or could have.
    Complaint {
        level: Level,
        text: String,
    },
    MalformedConnection {
        value: Name,
    },
    StartDirectory {
        path: Name,
        cause: String,
    },
    EndOfInput,
    OutputClosed,
    /// Ours: no request came for so long.
    Idle {
        after: Duration,
    },
    /// Ours: the session has lasted so long.
    Expired {
        after: Duration,
    },
    InputFailed {
        cause: String,
    },
    OutputFailed {
        cause: String,
    },
    Oversized {
        user: Name,
        address: Name,
    },
    BeforeInit {
        request: String,
    },

    // Requests, as the client made them.
    Open {
        path: Name,
        flags: String,
        mode: u32,
    },
    /// Requests with one path: `opendir "x"`, `remove name "x"`, `stat name "x"`, ….
    Path {
        threshold: Level,
        what: &'static str,
        path: Name,
    },
    /// Requests with two: `rename old "x" new "y"`.
    TwoPaths {
        what: &'static str,
        old: Name,
        new: Name,
    },
    Mkdir {
        path: Name,
        mode: u32,
    },
    SetSize {
        path: Name,
        size: u64,
    },
    SetMode {
        path: Name,
        mode: u32,
    },
    SetModtime {
        path: Name,
        mtime: u32,
    },
    SetOwner {
        path: Name,
        uid: u32,
        gid: u32,
    },
    UsersGroups {
        users: usize,
        groups: usize,
    },
    NoSuchUser {
        user: Name,
    },
    UnknownExtension {
        request: Name,
    },
    UnknownMessage {
        kind: u8,
    },

    // Handles that end.
    Close {
        forced: bool,
        path: Name,
        read: u64,
        written: u64,
    },
    CloseDir {
        forced: bool,
        path: Option<Name>,
    },
    /// Ours: how a transfer ended.
    Transfer {
        path: Name,
        upload: bool,
        complete: bool,
        bytes: u64,
        seconds: f64,
    },

    // Policy.
    RefusedReadOnly {
        request: &'static str,
    },
    RefusedDenied {
        request: &'static str,
    },
    RefusedNotAllowed {
        request: &'static str,
    },
    Allowed {
        request: &'static str,
    },
    NotAdvertised {
        extension: &'static str,
    },
    /// Ours: a launch that was not for SFTP.
    RefusedLaunch {
        command: Option<Name>,
    },

    // Failures of single calls that OpenSSH logs as errors.
    SeekFailed {
        function: &'static str,
        path: Name,
        cause: String,
    },
    TransferFailed {
        function: &'static str,
        what: &'static str,
        path: Name,
        cause: String,
    },
    /// A copy-data with a handle that is no file's.
    CopyOfNoFile,
    /// A copy-data from a file to itself: the paths by which it is open, device and inode of both.
    CopyOntoItself {
        from: Name,
        from_id: (u64, u64),
        to: Name,
        to_id: (u64, u64),
    },
    CopyFailed {
        what: &'static str,
        cause: Option<String>,
    },
    /// A piece of a copy, of so many bytes, could not be written.
    CopyCut {
        wanted: u64,
        cause: String,
    },

    // Responses.
    Status {
        code: u32,
    },

    // The trace of packets.
    Trace {
        level: Level,
        line: Trace,
    },

    /// Ours: which locks hold.
    Locked {
        report: String,
    },

    /// Ours: lines that a full log socket did not take.
    Dropped {
        lines: u64,
    },
}

/// The debug lines: one request or response each.
#[derive(Debug)]
#[allow(
    missing_docs,
    reason = "the fields are those of the request or response named"
)]
pub enum Trace {
    AttrIgnored {
        name: Name,
        len: usize,
    },
    Close {
        id: u32,
        slot: Slot,
    },
    CopyData {
        id: u32,
        from: Option<Name>,
        from_slot: Slot,
        offset: u64,
        len: u64,
        to: Option<Name>,
        to_slot: Slot,
        to_offset: u64,
    },
    Expand {
        id: u32,
        path: Name,
    },
    Fstat {
        id: u32,
        path: Option<Name>,
        slot: Slot,
    },
    Fstatvfs {
        id: u32,
        path: Option<Name>,
        slot: Slot,
    },
    Fsetstat {
        id: u32,
        slot: Slot,
    },
    Fsync {
        id: u32,
        slot: Slot,
    },
    HomeDirectory {
        id: u32,
        user: Name,
    },
    IdsAsked {
        uids: usize,
        gids: usize,
    },
    IdNamed {
        what: &'static str,
        id: u32,
        name: Name,
    },
    Lsetstat {
        id: u32,
        path: Name,
    },
    Open {
        id: u32,
        pflags: u32,
    },
    Read {
        id: u32,
        path: Option<Name>,
        slot: Slot,
        offset: u64,
        len: u32,
    },
    ReadClamped {
        len: u32,
        to: u32,
    },
    Readdir {
        id: u32,
        path: Option<Name>,
        slot: Slot,
    },
    /// A request of which only the name is traced: `request 7: remove`.
    Request {
        id: u32,
        what: &'static str,
    },
    SentAttrs {
        id: u32,
        flags: u32,
    },
    SentData {
        id: u32,
        len: usize,
    },
    SentHandle {
        id: u32,
        slot: u32,
    },
    SentNames {
        id: u32,
        count: u32,
    },
    SentStatus {
        id: u32,
        code: u32,
    },
    Setstat {
        id: u32,
        path: Name,
    },
    Write {
        id: u32,
        path: Option<Name>,
        slot: Slot,
        offset: u64,
        len: usize,
    },
}

impl Event {
    /// The least verbose level at which the line is written.
    #[must_use]
    pub fn threshold(&self) -> Level {
        match self {
            Self::MalformedConnection { .. }
            | Self::StartDirectory { .. }
            | Self::InputFailed { .. }
            | Self::OutputFailed { .. }
            | Self::Oversized { .. }
            | Self::BeforeInit { .. }
            | Self::NoSuchUser { .. }
            | Self::UnknownExtension { .. }
            | Self::UnknownMessage { .. }
            | Self::SeekFailed { .. }
            | Self::TransferFailed { .. }
            | Self::CopyOfNoFile
            | Self::CopyOntoItself { .. }
            | Self::CopyFailed { .. }
            | Self::CopyCut { .. } => Level::Error,
            Self::ClientVersion(_)
            | Self::UsersGroups { .. }
            | Self::RefusedReadOnly { .. }
            | Self::RefusedDenied { .. }
            | Self::RefusedNotAllowed { .. } => Level::Verbose,
            Self::EndOfInput | Self::OutputClosed => Level::Debug1,
            Self::Allowed { .. } | Self::NotAdvertised { .. } => Level::Debug2,
            Self::Path { threshold, .. } => *threshold,
            Self::Complaint { level, .. } => *level,
            Self::Trace { level, .. } => *level,
            // OpenSSH shows a success or an end of file to those alone who debug.
            Self::Status { code: 0 | 1 } => Level::Debug1,
            _ => Level::Info,
        }
    }

    /// The level under which the line is written: that of its prefix and its syslog severity.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::Status { .. } => Level::Info,
            _ => self.threshold(),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("event")
    }
}

// tracing's values are primitives; the one typed value that a layer can take back is an error.
impl std::error::Error for Event {}
