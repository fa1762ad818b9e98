//! A server under test: how it is started, spoken to, waited for and ended.

use std::ffi::{OsStr, OsString};
use std::io::{ErrorKind, Read};
use std::ops::{Deref, DerefMut};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::openssh::{self, Release};
use super::program;
use super::wire::{PATIENCE, Wire};

/// Ours, as cargo built it.
pub(crate) const OURS: &str = env!("CARGO_BIN_EXE_sftp-server");

/// The server that `SFTP_SERVER_UNDER_TEST` names; ours if it names none.
pub(crate) fn under_test() -> PathBuf {
    std::env::var_os("SFTP_SERVER_UNDER_TEST").map_or_else(|| PathBuf::from(OURS), PathBuf::from)
}

/// True where the server under test is OpenSSH's.
pub(crate) fn is_openssh() -> bool {
    openssh::release(&under_test()).is_some()
}

/// True where `SFTP_SERVER_JAIL` asks for ours inside a jail, in the test crates that say they know it.
pub(crate) fn is_jailed() -> bool {
    let jailed = std::env::var_os("SFTP_SERVER_JAIL").is_some();
    assert!(
        !(jailed && is_openssh()),
        "SFTP_SERVER_JAIL: OpenSSH's server has no --root"
    );
    jailed
}

/// A server about to be started: the one under test, in `dir`, with no flags, on two pipes, with our environment but
/// without any `SSH_*`, and with `TZ=UTC`.
pub(crate) struct Launch {
    program: PathBuf,
    command: Command,
    socket: bool,
    openssh: Option<Release>,
}

impl Launch {
    pub(crate) fn new(dir: impl AsRef<Path>) -> Self {
        Self::program(under_test(), dir)
    }

    /// As `new`, with a program of the caller's choice (OpenSSH's server, a copy of ours, `ssh`).
    pub(crate) fn program(program: impl Into<PathBuf>, dir: impl AsRef<Path>) -> Self {
        let program = program.into();
        let mut command = Command::new(&program);
        command.current_dir(&dir).env("TZ", "UTC");
        for name in [
            "SSH_CONNECTION",
            "SSH_CLIENT",
            "SSH_ORIGINAL_COMMAND",
            "SSH_TTY",
        ] {
            command.env_remove(name);
        }
        add_root(&mut command, &program, dir.as_ref());
        let openssh = openssh::release(&program);
        Self {
            program,
            command,
            socket: false,
            openssh,
        }
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// An empty environment, but for what is set afterwards.
    pub(crate) fn env_clear(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// Directories that stand in the host's `/` and that the test names so: a jail gets them as binds.
    pub(crate) fn host(mut self, dirs: &[&str]) -> Self {
        for dir in dirs {
            if is_jailed() && self.openssh.is_none() {
                self.command.arg("--bind").arg(format!("{dir}={dir}"));
            }
        }
        self
    }

    /// argv[0], as a login shell's `-sftp-server`.
    pub(crate) fn arg0(mut self, name: impl AsRef<OsStr>) -> Self {
        self.command.arg0(name);
        self
    }

    /// Runs it through another command: `prlimit --nofile=64`, `setpriv …`, `strace …`. Arguments and environment that
    /// were given before are forgotten.
    pub(crate) fn through(self, words: &[&str]) -> Self {
        let dir = self
            .command
            .get_current_dir()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        let mut launch = Self::program(words[0], &dir);
        launch.command.args(&words[1..]).arg(&self.program);
        add_root(&mut launch.command, &self.program, &dir);
        Self {
            openssh: self.openssh,
            ..launch
        }
    }

    /// Runs as this uid and gid, without supplementary groups; needs root.
    pub(crate) fn user(mut self, uid: u32, gid: u32) -> Self {
        let root = nix::unistd::geteuid().is_root();
        assert!(root, "becoming another user asks for root");
        self.command.uid(uid).gid(gid);
        self
    }

    /// stdin and stdout are one socket, as `sftp -D` has it.
    pub(crate) fn socket(mut self) -> Self {
        self.socket = true;
        self
    }

    /// Starts it; INIT is the caller's.
    #[track_caller]
    pub(crate) fn start(mut self) -> Server {
        let (input, output): (OwnedFd, OwnedFd);
        let mut child;
        self.command.stderr(Stdio::piped());
        if self.socket {
            let (near, far) = UnixStream::pair().unwrap();
            self.command
                .stdin(OwnedFd::from(far.try_clone().unwrap()))
                .stdout(OwnedFd::from(far));
            child = self.spawn();
            (input, output) = (near.try_clone().unwrap().into(), near.into());
        } else {
            self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
            child = self.spawn();
            (input, output) = (
                child.stdin.take().unwrap().into(),
                child.stdout.take().unwrap().into(),
            );
        }
        let stderr = capture(child.stderr.take().unwrap());
        Server {
            wire: Wire::new(input, output),
            child,
            stderr: Some(stderr),
            program: self.program,
            openssh: self.openssh,
        }
    }

    /// Starts it and says INIT 3.
    #[track_caller]
    pub(crate) fn connect(self) -> Server {
        let mut server = self.start();
        server.init(3);
        server
    }

    /// Runs it to its end on the stdin and stdout given (files, pipes, `Stdio::null()`), for at most [`PATIENCE`].
    /// What it wrote is in [`Finished`] where `stdout` is `Stdio::piped()`.
    #[track_caller]
    pub(crate) fn run(mut self, stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) -> Finished {
        self.command
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped());
        let mut child = self.spawn();
        drop(self.command);
        let stdout = child.stdout.take().map(capture);
        let stderr = capture(child.stderr.take().unwrap());
        let status = wait(&mut child, PATIENCE);
        let stdout = stdout
            .map(|reader| reader.join().unwrap())
            .unwrap_or_default();
        Finished {
            status,
            stdout,
            stderr: stderr.join().unwrap(),
        }
    }

    #[track_caller]
    fn spawn(&mut self) -> Child {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.command.spawn() {
                Ok(child) => return child,
                // A fresh copy, still open for writing in a child that another test is forking right now.
                Err(error)
                    if error.kind() == ErrorKind::ExecutableFileBusy
                        && Instant::now() < deadline =>
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("starting {}: {error}", self.program.display()),
            }
        }
    }
}

/// `--root` for our server, or a copy of it, where that is asked for; and a rule that forbids nothing that is there, so that each request
/// goes the way of rules, where `SFTP_SERVER_JAIL` is `rules`.
fn add_root(command: &mut Command, program: &Path, dir: &Path) {
    let ours = program.ends_with("sftp-server") && openssh::release(program).is_none();
    if ours && is_jailed() {
        command.arg("--root").arg(dir);
        if std::env::var_os("SFTP_SERVER_JAIL").is_some_and(|how| how == "rules") {
            command.args(["--deny", "no such name at all"]);
        }
    }
}

/// A server that came to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Finished {
    /// Without the line about the locks, which is ours alone; jail/locks.rs reads it.
    pub(crate) fn without_the_locks(mut self) -> Self {
        let lines = self.stderr.split_inclusive(|byte| *byte == b'\n');
        let others = lines.filter(|line| !line.starts_with(b"sandbox: "));
        self.stderr = others.collect::<Vec<_>>().concat();
        self
    }

    pub(crate) fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A running server; dropped, it is killed by its id. Requests go through the [`Wire`] that it derefs to.
pub(crate) struct Server {
    pub(crate) wire: Wire,
    child: Child,
    stderr: Option<JoinHandle<Vec<u8>>>,
    program: PathBuf,
    openssh: Option<Release>,
}

impl Server {
    /// The server under test in `dir`, without flags, after INIT.
    #[track_caller]
    pub(crate) fn start(dir: impl AsRef<Path>) -> Self {
        Launch::new(dir).connect()
    }

    /// The same with flags.
    #[track_caller]
    pub(crate) fn with<A: AsRef<OsStr>>(
        dir: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
    ) -> Self {
        Launch::new(dir).args(args).connect()
    }

    /// True if this is OpenSSH's server.
    pub(crate) fn is_openssh(&self) -> bool {
        self.openssh.is_some()
    }

    /// What this server is expected to do where the two differ on purpose, for the reason given.
    pub(crate) fn differs<T>(&self, _reason: &str, ours: T, theirs: T) -> T {
        if self.is_openssh() { theirs } else { ours }
    }

    /// The same where OpenSSH's does as ours from this release on.
    pub(crate) fn differed_before<T>(&self, first: Release, _reason: &str, now: T, then: T) -> T {
        if self.openssh.is_some_and(|release| release < first) {
            then
        } else {
            now
        }
    }

    /// What ours is expected to do where a jail differs on purpose, for the reason given.
    pub(crate) fn in_jail<T>(&self, _reason: &str, inside: T, outside: T) -> T {
        if is_jailed() { inside } else { outside }
    }

    /// What was started, by its path.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Clock ticks (hundredths of a second) of CPU that it has used.
    #[track_caller]
    pub(crate) fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // utime and stime are the 12th and 13th behind the name in parentheses.
        let fields: Vec<_> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end, without closing its input first, for at most [`PATIENCE`].
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child, PATIENCE)
    }

    /// Ends its input, reads what is left, waits. The replies that were not yet read are dropped.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        self.close_input();
        while self.receive_raw().is_some() {}
        let status = self.wait();
        Finished {
            status,
            stdout: Vec::new(),
            stderr: self.stderr.take().unwrap().join().unwrap(),
        }
    }

    /// Waits and returns all that it wrote to stderr.
    #[track_caller]
    pub(crate) fn stderr(mut self) -> String {
        self.last_words()
    }

    /// The same, once, for a server that is still needed.
    #[track_caller]
    pub(crate) fn last_words(&mut self) -> String {
        self.wait();
        let stderr = self.stderr.take().expect("stderr is read once");
        String::from_utf8_lossy(&stderr.join().unwrap()).into_owned()
    }
}

impl Deref for Server {
    type Target = Wire;
    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a child of ours for at most `limit`; what hangs is killed and fails the test.
#[track_caller]
pub(crate) fn wait(child: &mut Child, limit: Duration) -> ExitStatus {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            panic!("process {} did not end within {limit:?}", child.id());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn capture(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

/// A copy of a server where any user can execute it (a [`super::Tree`], say): `dir/sftp-server`, mode 0755.
pub(crate) fn copy_of(program: impl AsRef<Path>, dir: impl AsRef<Path>) -> PathBuf {
    let copy = dir.as_ref().join("sftp-server");
    program::install(program, &copy);
    copy
}

/// Who runs this, as the log names a session's user.
pub(crate) fn user() -> String {
    let uid = nix::unistd::geteuid();
    let user = nix::unistd::User::from_uid(uid).unwrap();
    user.expect("who runs this has an entry in passwd").name
}

/// Words as arguments, where a literal list has mixed types.
pub(crate) fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
