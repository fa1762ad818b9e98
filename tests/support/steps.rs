//! Steps that tests take often, on top of [`Wire`]: each fails the test where the server does not play along.

use super::request;
use super::wire::{Attrs, Name, PATIENCE, Packet, Reply, Wire, code, parse};
use std::time::{Duration, Instant};

impl Wire {
    /// A request that must be answered by STATUS OK.
    #[track_caller]
    pub(crate) fn ok(&mut self, packet: &Packet) {
        let reply = self.call(packet);
        assert_eq!(
            reply.code(),
            code::OK,
            "{packet:?} was answered by {reply:?}"
        );
    }

    /// The status code that answers a request.
    #[track_caller]
    pub(crate) fn code(&mut self, packet: &Packet) -> u32 {
        self.call(packet).code()
    }

    /// OPEN without attrs: the handle.
    #[track_caller]
    pub(crate) fn open(&mut self, path: impl AsRef<[u8]>, pflags: u32) -> Vec<u8> {
        self.call(&request::open(path, pflags, &Attrs::NONE))
            .handle()
            .to_vec()
    }

    /// OPENDIR: the handle.
    #[track_caller]
    pub(crate) fn opendir(&mut self, path: impl AsRef<[u8]>) -> Vec<u8> {
        self.call(&request::opendir(path)).handle().to_vec()
    }

    #[track_caller]
    pub(crate) fn close(&mut self, handle: &[u8]) {
        self.ok(&request::close(handle));
    }

    /// OPENDIR, READDIR to the end, CLOSE: all entries in the order they came, `.` and `..` among them.
    #[track_caller]
    pub(crate) fn list(&mut self, path: impl AsRef<[u8]>) -> Vec<Name> {
        let handle = self.opendir(path);
        let mut all = Vec::new();
        loop {
            match self.call(&request::readdir(&handle)) {
                Reply::Names(names) => all.extend(names),
                reply => {
                    assert_eq!(reply.code(), code::EOF, "the end of a listing");
                    break;
                }
            }
        }
        self.close(&handle);
        all
    }

    /// The next `count` bytes, whatever packets they are: for a server that breaks the frame.
    #[track_caller]
    pub(crate) fn receive_any(&mut self, count: usize) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while self.received.len() < count {
            assert!(
                Instant::now() < deadline,
                "{} of {count} bytes came",
                self.received.len()
            );
            std::thread::sleep(Duration::from_millis(2));
            self.take();
        }
        self.received.drain(..count).collect()
    }

    /// The next reply if it comes within `limit`: for what is expected to stay unanswered.
    #[track_caller]
    pub(crate) fn receive_within(&mut self, limit: Duration) -> Option<(u32, Reply)> {
        let deadline = Instant::now() + limit;
        while !self.has_packet() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
            self.take();
        }
        self.has_packet()
            .then(|| parse(&self.receive_raw().unwrap()))
    }
}

/// Bytes as a test's messages show them.
pub(crate) fn show(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().escape_ascii().to_string()
}
