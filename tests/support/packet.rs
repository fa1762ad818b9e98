//! The packets of version 3 as bytes: requests encoded, replies parsed to their last byte, nothing taken for granted.

use std::fmt;

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

    /// The two lists of names of `users-groups-by-id@openssh.com`.
    #[track_caller]
    pub(crate) fn users_and_groups(&self) -> (Vec<String>, Vec<String>) {
        let mut fields = Fields(self.extended());
        let list = |bytes| {
            let mut inner = Fields(bytes);
            let mut names = Vec::new();
            while !inner.0.is_empty() {
                names.push(String::from_utf8(inner.string().to_vec()).unwrap());
            }
            names
        };
        let both = (list(fields.string()), list(fields.string()));
        fields.end();
        both
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
