//! Both directions of a session: packets out, replies in, and a time limit on everything.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Shutdown, shutdown};

pub(crate) use super::packet::{
    Attrs, Fields, Name, Packet, Reply, Status, code, frame, kind, parse, pflags, string,
};

/// How long anything may take before a test calls it a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Both directions of a session. Writing never blocks while the server has something to say, so a test may send any
/// number of requests before it reads a reply.
pub(crate) struct Wire {
    input: Option<File>,
    output: File,
    pub(super) received: VecDeque<u8>,
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
        if self.reading {
            self.take();
        }
    }

    /// Drops what has arrived, whole packets or not: of a storm nobody counts the replies.
    pub(crate) fn forget(&mut self) {
        self.received.clear();
    }

    /// True where a whole packet has arrived.
    pub(crate) fn has_packet(&self) -> bool {
        let head: Vec<u8> = self.received.iter().take(4).copied().collect();
        head.len() == 4 && self.received.len() - 4 >= Fields(&head).uint32() as usize
    }

    /// Takes so many bytes and no more, waiting for them.
    #[track_caller]
    pub(crate) fn take_only(&mut self, mut count: usize) {
        while count > 0 {
            let mut ends = [PollFd::new(self.output.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut ends, PollTimeout::try_from(PATIENCE).unwrap());
            assert_eq!(ready, Ok(1), "the server hangs: {count} bytes are missing");
            let mut buffer = vec![0; count];
            let taken = self.output.read(&mut buffer).unwrap();
            assert!(taken > 0, "the end of output, {count} bytes too early");
            self.received.extend(&buffer[..taken]);
            count -= taken;
        }
    }

    /// Takes what has arrived, without waiting.
    #[track_caller]
    pub(crate) fn take(&mut self) {
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
