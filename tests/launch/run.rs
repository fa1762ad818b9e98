//! Runs a program to its end within a time limit: what hangs fails the test.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::program;
use crate::support::server::wait;
use crate::support::sshd::{HOST, Sshd};

/// What a program finds on its standard input.
pub(crate) enum Input {
    /// Its end, at once
    Null,
    /// Nothing, until the program has ended
    Open,
    /// These bytes, and then nothing until the program has ended
    Text(&'static str),
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// Exit status 0; its stdout.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert!(self.status.success(), "{self:?}");
        self.stdout
    }

    /// What a person sees where a login for SFTP alone is used for something else: exit 1, one line on stderr that
    /// quotes `what`, nothing on stdout.
    #[track_caller]
    pub(crate) fn refused(&self, what: &str) {
        assert_eq!(self.status.code(), Some(1), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let line = format!("This account is restricted to SFTP; {what} was refused.\n");
        assert_eq!(self.stderr.replace('\r', ""), line);
    }
}

/// Far above what anything here takes, but for a hang.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Runs `command`, which has [`LIMIT`] to end.
#[track_caller]
pub(crate) fn run(command: &mut Command, input: Input) -> Ran {
    let started = Instant::now();
    let stdin = match input {
        Input::Null => Stdio::null(),
        Input::Open | Input::Text(_) => Stdio::piped(),
    };
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
    let mut stdin = child.stdin.take();
    if let (Input::Text(text), Some(stdin)) = (input, stdin.as_mut()) {
        // It may be gone already: then what it said is what counts.
        let _ = stdin.write_all(text.as_bytes());
    }
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let stdout = std::thread::spawn(move || lossy(&mut stdout));
    let stderr = std::thread::spawn(move || lossy(&mut stderr));
    let status = wait(&mut child, LIMIT);
    let took = started.elapsed();
    drop(stdin);
    Ran {
        status,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
        took,
    }
}

/// An sftp batch: put `hello` as `up`, list, get it back; fails the test where any of it does not work.
/// `dir` is the server's directory, where the file arrives.
#[track_caller]
pub(crate) fn session_works(sshd: &Sshd, options: &[&str], dir: &str) {
    let local = crate::support::Tree::new();
    local.file("hello", "hello there");
    let batch = local.file(
        "batch",
        format!(
            "put {0}/hello {dir}/up\nls {dir}\nget {dir}/up {0}/back\nrm {dir}/up\n",
            local.root().display()
        ),
    );
    let mut sftp = sshd.sftp();
    sftp.args(options).arg("-b").arg(batch).arg(HOST);
    let listing = run(&mut sftp, Input::Null).success();
    assert!(listing.contains("up"), "{listing}");
    assert_eq!(local.read("back"), b"hello there");
}

/// Copies a program to the top of `root`, and the libraries that it is linked with to where it looks for them.
#[track_caller]
pub(crate) fn install_with_libraries(program: &Path, root: &Path) {
    let install = |from: &Path, to: &Path| {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        program::install(from, to);
    };
    install(program, &root.join(program.file_name().unwrap()));
    let listed = Command::new("ldd").arg(program).output().unwrap();
    for word in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        if let Some(relative) = word.strip_prefix('/') {
            install(Path::new(word), &root.join(relative));
        }
    }
}

fn lossy(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
