//! A client of SFTP version 3 that works on bytes: packets out, replies in, nothing taken for granted.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Shutdown, shutdown};

/// How long anything may take before a test calls it a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Packet types, as the draft prints them.
pub(crate) mod kind {
    pub(crate) const INIT: u8 = 1;
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const READ: u8 = 5;
    pub(crate) const WRITE: u8 = 6;
    pub(crate) const LSTAT: u8 = 7;
    pub(crate) const FSTAT: u8 = 8;
    pub(crate) const SETSTAT: u8 = 9;
    pub(crate) const FSETSTAT: u8 = 10;
    pub(crate) const OPENDIR: u8 = 11;
    pub(crate) const READDIR: u8 = 12;
    pub(crate) const REMOVE: u8 = 13;
    pub(crate) const MKDIR: u8 = 14;
    pub(crate) const RMDIR: u8 = 15;
    pub(crate) const REALPATH: u8 = 16;
    pub(crate) const STAT: u8 = 17;
    pub(crate) const RENAME: u8 = 18;
    pub(crate) const READLINK: u8 = 19;
    pub(crate) const SYMLINK: u8 = 20;
    pub(crate) const STATUS: u8 = 101;
    pub(crate) const HANDLE: u8 = 102;
    pub(crate) const DATA: u8 = 103;
    pub(crate) const NAME: u8 = 104;
    pub(crate) const ATTRS: u8 = 105;
    pub(crate) const EXTENDED: u8 = 200;
    pub(crate) const EXTENDED_REPLY: u8 = 201;
}

/// Status codes of version 3.
pub(crate) mod code {
    pub(crate) const OK: u32 = 0;
    pub(crate) const EOF: u32 = 1;
    pub(crate) const NO_SUCH_FILE: u32 = 2;
    pub(crate) const PERMISSION_DENIED: u32 = 3;
    pub(crate) const FAILURE: u32 = 4;
    pub(crate) const BAD_MESSAGE: u32 = 5;
    pub(crate) const OP_UNSUPPORTED: u32 = 8;
}

/// The pflags of OPEN.
pub(crate) mod pflags {
    pub(crate) const READ: u32 = 0x01;
    pub(crate) const WRITE: u32 = 0x02;
    pub(crate) const APPEND: u32 = 0x04;
    pub(crate) const CREAT: u32 = 0x08;
    pub(crate) const TRUNC: u32 = 0x10;
    pub(crate) const EXCL: u32 = 0x20;
}

/// A request without its id and its length: the type, and what follows the id.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
}

impl Packet {
    pub(crate) fn new(kind: u8, body: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            body: body.into(),
        }
    }

    /// The bytes on the wire: uint32 length, byte type, uint32 id, body.
    pub(crate) fn frame(&self, id: u32) -> Vec<u8> {
        let mut content = vec![self.kind];
        content.extend(id.to_be_bytes());
        content.extend(&self.body);
        frame(&content)
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = &self.body[..self.body.len().min(300)];
        write!(
            out,
            "type {} ({} bytes): {}",
            self.kind,
            self.body.len(),
            cut.escape_ascii()
        )
    }
}

/// `content` behind its length.
pub(crate) fn frame(content: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(content.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(content);
    bytes
}

/// A string on the wire: uint32 length, bytes.
pub(crate) fn string(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    frame(bytes.as_ref())
}

/// The attrs of version 3; a field that is `None` has its flag off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attrs {
    pub(crate) size: Option<u64>,
    /// uid, gid
    pub(crate) owner: Option<(u32, u32)>,
    pub(crate) permissions: Option<u32>,
    /// atime, mtime, in seconds since the Epoch
    pub(crate) times: Option<(u32, u32)>,
    pub(crate) extended: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

impl Attrs {
    pub(crate) const NONE: Self = Self {
        size: None,
        owner: None,
        permissions: None,
        times: None,
        extended: None,
    };

    pub(crate) fn size(self, size: u64) -> Self {
        Self {
            size: Some(size),
            ..self
        }
    }

    pub(crate) fn owner(self, uid: u32, gid: u32) -> Self {
        Self {
            owner: Some((uid, gid)),
            ..self
        }
    }

    pub(crate) fn permissions(self, permissions: u32) -> Self {
        Self {
            permissions: Some(permissions),
            ..self
        }
    }

    pub(crate) fn times(self, atime: u32, mtime: u32) -> Self {
        Self {
            times: Some((atime, mtime)),
            ..self
        }
    }

    pub(crate) fn extended(self, pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Self {
        Self {
            extended: Some(pairs),
            ..self
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut flags = 0_u32;
        let mut body = Vec::new();
        if let Some(size) = self.size {
            flags |= 1;
            body.extend(size.to_be_bytes());
        }
        if let Some((uid, gid)) = self.owner {
            flags |= 2;
            body.extend(uid.to_be_bytes());
            body.extend(gid.to_be_bytes());
        }
        if let Some(permissions) = self.permissions {
            flags |= 4;
            body.extend(permissions.to_be_bytes());
        }
        if let Some((atime, mtime)) = self.times {
            flags |= 8;
            body.extend(atime.to_be_bytes());
            body.extend(mtime.to_be_bytes());
        }
        if let Some(pairs) = &self.extended {
            flags |= 0x8000_0000;
            body.extend(u32::try_from(pairs.len()).unwrap().to_be_bytes());
            for (name, value) in pairs {
                body.extend(string(name));
                body.extend(string(value));
            }
        }
        let mut bytes = flags.to_be_bytes().to_vec();
        bytes.extend(body);
        bytes
    }
}

/// What a STATUS says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: u32,
    pub(crate) text: String,
    pub(crate) language: Vec<u8>,
}

/// One entry of a NAME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) filename: Vec<u8>,
    pub(crate) longname: Vec<u8>,
    pub(crate) attrs: Attrs,
}

/// A reply, parsed to its last byte: what does not parse, or leaves bytes over, is a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Status(Status),
    Handle(Vec<u8>),
    Data(Vec<u8>),
    Names(Vec<Name>),
    Attrs(Attrs),
    Extended(Vec<u8>),
}

impl Reply {
    /// The status code; any other reply but STATUS fails the test.
    #[track_caller]
    pub(crate) fn code(&self) -> u32 {
        self.status().code
    }

    #[track_caller]
    pub(crate) fn status(&self) -> &Status {
        let Self::Status(status) = self else {
            panic!("expected a STATUS, got {self:?}")
        };
        status
    }

    #[track_caller]
    pub(crate) fn handle(&self) -> &[u8] {
        let Self::Handle(handle) = self else {
            panic!("expected a HANDLE, got {self:?}")
        };
        handle
    }

    #[track_caller]
    pub(crate) fn data(&self) -> &[u8] {
        let Self::Data(data) = self else {
            panic!("expected DATA, got {self:?}")
        };
        data
    }

    #[track_caller]
    pub(crate) fn names(&self) -> &[Name] {
        let Self::Names(names) = self else {
            panic!("expected a NAME, got {self:?}")
        };
        names
    }

    /// The one filename of a NAME, as REALPATH and READLINK answer.
    #[track_caller]
    pub(crate) fn name(&self) -> &[u8] {
        let [name] = self.names() else {
            panic!("expected one name, got {self:?}")
        };
        &name.filename
    }

    #[track_caller]
    pub(crate) fn attrs(&self) -> &Attrs {
        let Self::Attrs(attrs) = self else {
            panic!("expected ATTRS, got {self:?}")
        };
        attrs
    }

    #[track_caller]
    pub(crate) fn extended(&self) -> &[u8] {
        let Self::Extended(bytes) = self else {
            panic!("expected an EXTENDED_REPLY, got {self:?}")
        };
        bytes
    }
}

/// Reads fields off the front of a packet.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> &'a [u8] {
        assert!(
            count <= self.0.len(),
            "a field of {count} bytes where {} are left",
            self.0.len()
        );
        let (field, rest) = self.0.split_at(count);
        self.0 = rest;
        field
    }

    #[track_caller]
    pub(crate) fn byte(&mut self) -> u8 {
        self.bytes(1)[0]
    }

    #[track_caller]
    pub(crate) fn uint32(&mut self) -> u32 {
        u32::from_be_bytes(self.bytes(4).try_into().unwrap())
    }

    #[track_caller]
    pub(crate) fn uint64(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes(8).try_into().unwrap())
    }

    #[track_caller]
    pub(crate) fn string(&mut self) -> &'a [u8] {
        let length = self.uint32() as usize;
        self.bytes(length)
    }

    #[track_caller]
    pub(crate) fn end(&self) {
        assert!(
            self.0.is_empty(),
            "{} bytes left over: {}",
            self.0.len(),
            self.0.escape_ascii()
        );
    }

    #[track_caller]
    fn attrs(&mut self) -> Attrs {
        let flags = self.uint32();
        assert_eq!(flags & !0x8000_000f, 0, "unknown attrs flags {flags:#x}");
        let size = (flags & 1 != 0).then(|| self.uint64());
        let owner = (flags & 2 != 0).then(|| (self.uint32(), self.uint32()));
        let permissions = (flags & 4 != 0).then(|| self.uint32());
        let times = (flags & 8 != 0).then(|| (self.uint32(), self.uint32()));
        let extended = (flags & 0x8000_0000 != 0).then(|| {
            let count = self.uint32();
            (0..count)
                .map(|_| (self.string().to_vec(), self.string().to_vec()))
                .collect()
        });
        Attrs {
            size,
            owner,
            permissions,
            times,
            extended,
        }
    }
}

/// A reply's id and what it says, from what stands behind the length.
#[track_caller]
pub(crate) fn parse(content: &[u8]) -> (u32, Reply) {
    let mut fields = Fields(content);
    let kind = fields.byte();
    let id = fields.uint32();
    let reply = match kind {
        kind::STATUS => {
            let code = fields.uint32();
            let text = String::from_utf8(fields.string().to_vec()).expect("a status text is UTF-8");
            Reply::Status(Status {
                code,
                text,
                language: fields.string().to_vec(),
            })
        }
        kind::HANDLE => Reply::Handle(fields.string().to_vec()),
        kind::DATA => Reply::Data(fields.string().to_vec()),
        kind::NAME => {
            let count = fields.uint32();
            let name = |fields: &mut Fields<'_>| Name {
                filename: fields.string().to_vec(),
                longname: fields.string().to_vec(),
                attrs: fields.attrs(),
            };
            Reply::Names((0..count).map(|_| name(&mut fields)).collect())
        }
        kind::ATTRS => Reply::Attrs(fields.attrs()),
        kind::EXTENDED_REPLY => Reply::Extended(std::mem::take(&mut fields.0).to_vec()),
        other => panic!("a reply of type {other}: {}", content.escape_ascii()),
    };
    fields.end();
    (id, reply)
}

/// Both directions of a session. Writing never blocks while the server has something to say, so a test may send any
/// number of requests before it reads a reply.
pub(crate) struct Wire {
    input: Option<File>,
    output: File,
    received: VecDeque<u8>,
    ended: bool,
    next_id: u32,
    /// False: the client stops reading, as a stuck one does.
    pub(crate) reading: bool,
}

impl Wire {
    /// `input` leads to the server, `output` comes from it; both are made non-blocking on this side.
    pub(crate) fn new(input: impl Into<OwnedFd>, output: impl Into<OwnedFd>) -> Self {
        let (input, output) = (File::from(input.into()), File::from(output.into()));
        for end in [&input, &output] {
            let flags = OFlag::from_bits_retain(fcntl(end, FcntlArg::F_GETFL).unwrap());
            fcntl(end, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).unwrap();
        }
        Self {
            input: Some(input),
            output,
            received: VecDeque::new(),
            ended: false,
            next_id: 1,
            reading: true,
        }
    }

    /// Sends bytes as they are. `Err` if the server closed its end.
    pub(crate) fn send_raw(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !bytes.is_empty() {
            let input = self.input.as_mut().expect("the input was closed");
            match input.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(true, deadline),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a request under a fresh id, which is returned.
    #[track_caller]
    pub(crate) fn send(&mut self, packet: &Packet) -> u32 {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.send_raw(&packet.frame(id))
            .expect("the server takes requests");
        id
    }

    /// The next packet's content (without its length); `None` at the end of the server's output.
    #[track_caller]
    pub(crate) fn receive_raw(&mut self) -> Option<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.received.len() >= 4 {
                let head: Vec<u8> = self.received.range(..4).copied().collect();
                let length = Fields(&head).uint32() as usize;
                assert!(
                    length <= 262_144,
                    "a packet of {length} bytes from the server"
                );
                if self.received.len() >= 4 + length {
                    self.received.drain(..4);
                    return Some(self.received.drain(..length).collect());
                }
            }
            if self.ended {
                assert!(
                    self.received.is_empty(),
                    "the server's output ends inside a packet: {:?}",
                    self.received
                );
                return None;
            }
            self.wait(false, deadline);
        }
    }

    /// The next reply with its id; the end of the server's output fails the test.
    #[track_caller]
    pub(crate) fn receive(&mut self) -> (u32, Reply) {
        let content = self.receive_raw().expect("a reply, not the end of output");
        parse(&content)
    }

    /// One request, one reply, the ids equal.
    #[track_caller]
    pub(crate) fn call(&mut self, packet: &Packet) -> Reply {
        let sent = self.send(packet);
        let (id, reply) = self.receive();
        assert_eq!(id, sent, "the reply's id");
        reply
    }

    /// All requests sent before the first reply is looked at; the replies come in the order of the requests.
    #[track_caller]
    pub(crate) fn pipeline(&mut self, packets: &[Packet]) -> Vec<Reply> {
        let mut bytes = Vec::new();
        let first = self.next_id;
        for packet in packets {
            bytes.extend(packet.frame(self.next_id));
            self.next_id = self.next_id.wrapping_add(1);
        }
        self.send_raw(&bytes).expect("the server takes requests");
        (0..packets.len())
            .map(|index| {
                let (id, reply) = self.receive();
                assert_eq!(
                    id,
                    first.wrapping_add(u32::try_from(index).unwrap()),
                    "replies in the requests' order"
                );
                reply
            })
            .collect()
    }

    /// INIT with `version`; the version answered and the extensions announced, in order.
    #[track_caller]
    pub(crate) fn init(&mut self, version: u32) -> (u32, Vec<(String, String)>) {
        let mut content = vec![kind::INIT];
        content.extend(version.to_be_bytes());
        self.send_raw(&frame(&content))
            .expect("the server takes INIT");
        let reply = self
            .receive_raw()
            .expect("a VERSION, not the end of output");
        let mut fields = Fields(&reply);
        assert_eq!(fields.byte(), kind::VERSION, "the reply to INIT");
        let version = fields.uint32();
        let mut extensions = Vec::new();
        while !fields.0.is_empty() {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            extensions.push((text(fields.string()), text(fields.string())));
        }
        (version, extensions)
    }

    /// The end of input, as the server sees it when a client leaves.
    pub(crate) fn close_input(&mut self) {
        if let Some(input) = self.input.take() {
            // A socket has two names here, so closing one of them says nothing; a pipe answers ENOTSOCK.
            let _ = shutdown(input.as_raw_fd(), Shutdown::Write);
        }
    }

    /// Everything that the server still says until it closes its output.
    #[track_caller]
    pub(crate) fn drain(&mut self) -> Vec<(u32, Reply)> {
        std::iter::from_fn(|| self.receive_raw())
            .map(|content| parse(&content))
            .collect()
    }

    /// Waits until more can be read (or written, where `writing`), and takes what there is.
    #[track_caller]
    fn wait(&mut self, writing: bool, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(
            !left.is_zero(),
            "the server hangs: nothing moved for {PATIENCE:?}"
        );
        let mut ends = Vec::new();
        if self.reading && !self.ended {
            ends.push(PollFd::new(self.output.as_fd(), PollFlags::POLLIN));
        }
        if let (true, Some(input)) = (writing, &self.input) {
            ends.push(PollFd::new(input.as_fd(), PollFlags::POLLOUT));
        }
        let _ = poll(&mut ends, PollTimeout::try_from(left).unwrap());
        if !self.reading {
            return;
        }
        let mut buffer = [0; 65536];
        match self.output.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => self.received.extend(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // A socket whose other end died with our bytes unread.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.ended = true,
            Err(error) => panic!("reading from the server: {error}"),
        }
    }
}
