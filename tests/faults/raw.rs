//! A client that is not polite: writes as much as is taken, and reads when it likes, or never.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::support::server::wait;
use crate::support::under_test;
use crate::support::wire::PATIENCE;

/// A server on two pipes, after INIT and VERSION. Dropped, it is killed by its id.
pub(crate) struct Raw {
    child: Child,
    input: File,
    output: Option<File>,
    stderr: Option<ChildStderr>,
}

impl Raw {
    /// The server under test in `dir`.
    #[track_caller]
    pub(crate) fn start(dir: impl AsRef<Path>, flags: &[&str]) -> Self {
        Self::program(under_test(), dir, flags)
    }

    #[track_caller]
    pub(crate) fn program(
        program: impl AsRef<Path>,
        dir: impl AsRef<Path>,
        flags: &[&str],
    ) -> Self {
        let mut child = Command::new(program.as_ref())
            .args(flags)
            .current_dir(dir)
            .env_remove("SSH_CONNECTION")
            .env_remove("SSH_ORIGINAL_COMMAND")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = File::from(OwnedFd::from(child.stdin.take().unwrap()));
        let output = File::from(OwnedFd::from(child.stdout.take().unwrap()));
        fcntl(
            &input,
            FcntlArg::F_SETFL(OFlag::O_WRONLY | OFlag::O_NONBLOCK),
        )
        .unwrap();
        let mut raw = Self {
            stderr: child.stderr.take(),
            child,
            input,
            output: Some(output),
        };
        raw.push(b"\0\0\0\x05\x01\0\0\0\x03");
        let version = raw.reply();
        assert_eq!(version[0], 2, "VERSION");
        raw
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes until all is taken, or nothing has been for half a second; how much was taken.
    #[track_caller]
    pub(crate) fn push(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.input.write(&bytes[taken..]) {
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut ends = [PollFd::new(self.input.as_fd(), PollFlags::POLLOUT)];
                    if poll(&mut ends, PollTimeout::from(500_u16)).unwrap() == 0 {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                Err(error) => panic!("writing to the server: {error}"),
            }
        }
        taken
    }

    /// The next packet without its length.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.read(&mut length);
        let mut content = vec![0; u32::from_be_bytes(length) as usize];
        self.read(&mut content);
        content
    }

    /// Reads what has come, which is waited for; how much it is.
    #[track_caller]
    pub(crate) fn read_some(&mut self, bytes: &mut [u8]) -> usize {
        let output = self.output.as_mut().expect("the output was closed");
        let mut ends = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
        let patience = PollTimeout::try_from(PATIENCE).unwrap();
        assert!(poll(&mut ends, patience).unwrap() > 0, "the server hangs");
        output.read(bytes).unwrap()
    }

    #[track_caller]
    fn read(&mut self, bytes: &mut [u8]) {
        let mut filled = 0;
        while filled < bytes.len() {
            let count = self.read_some(&mut bytes[filled..]);
            assert!(count > 0, "a reply, not the end of output");
            filled += count;
        }
    }

    /// Closes the end from which replies could be read.
    pub(crate) fn stop_reading(&mut self) {
        self.output = None;
    }

    /// Goes on asking until the server has left: whoever starts a process at this moment holds the end that was closed
    /// for an instant more, and a reply may still find room there.
    #[track_caller]
    pub(crate) fn ask_until_it_leaves(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        while self.is_running() {
            assert!(
                Instant::now() < deadline,
                "the server does not notice that nobody reads"
            );
            self.push(&crate::support::request::stat("/").frame(0));
            std::thread::sleep(Duration::from_millis(20));
        }
        self.wait()
    }

    /// Waits for its end, its input still open. Its exit status and its log.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = wait(&mut self.child, PATIENCE);
        let mut log = String::new();
        self.stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (status, log)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// KiB of memory: a line of /proc/PID/status, `VmRSS` or `VmHWM` (the highest it ever was).
    #[track_caller]
    pub(crate) fn memory(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status
            .lines()
            .find_map(|text| text.strip_prefix(line))
            .unwrap();
        let digits = line.trim_matches(|byte: char| !byte.is_ascii_digit());
        digits.parse().unwrap()
    }

    /// Clock ticks (hundredths of a second) of CPU that it has used.
    #[track_caller]
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // utime and stime are the 12th and 13th behind the name in parentheses.
        let fields: Vec<_> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Fails the test where it uses CPU although there is nothing to do.
    #[track_caller]
    pub(crate) fn idles(&self) {
        std::thread::sleep(Duration::from_millis(300));
        let before = self.ticks();
        std::thread::sleep(Duration::from_secs(2));
        let used = self.ticks() - before;
        assert!(used <= 10, "{used} ticks of CPU in 2 s of waiting");
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
