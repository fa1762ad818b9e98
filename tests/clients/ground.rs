//! What every client's tests stand on: an sshd, a directory on either side, bytes and names, and a verdict from the disk.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, UNIX_EPOCH};

use crate::support::sshd::Sshd;
use crate::support::{content, is_jailed};
pub(crate) use crate::trees::*;

/// The root of the view and the directory outside that is bound into it, in a jail: names of the host, and where each is in the view.
const JAIL: [(&str, &str); 2] = [("jail.root", ""), ("jail.outside", "/bound")];

/// One test's ground: `remote` belongs to the user who logs in, `local` to the client. Both are paths of the host; the client is told
/// [`seen`] of a path at the server's side.
pub(crate) struct Ground {
    pub(crate) sshd: Arc<Sshd>,
    pub(crate) remote: PathBuf,
    pub(crate) local: PathBuf,
}

impl Ground {
    /// Starts an sshd, or shares the one of a test that runs at this moment. The last of them ends it: a static would never be dropped.
    #[track_caller]
    pub(crate) fn new() -> Self {
        static SHARED: Mutex<Weak<Sshd>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let sshd = shared.upgrade().unwrap_or_else(|| {
            let sshd = Arc::new(plain_or_jailed(""));
            *shared = Arc::downgrade(&sshd);
            sshd
        });
        drop(shared);
        Self::on(sshd)
    }

    /// The same on an sshd of its own, with more lines of sshd_config.
    #[track_caller]
    pub(crate) fn with(config: &str) -> Self {
        Self::on(Arc::new(plain_or_jailed(config)))
    }

    #[track_caller]
    fn on(sshd: Arc<Sshd>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let place = sshd.place().path();
        // The same test always acts in the same half of a jail, alone or among others.
        let above = if is_jailed() {
            place.join(JAIL[Location::caller().line() as usize % 2].0)
        } else {
            place.to_owned()
        };
        let (remote, local) = (
            above.join(format!("remote.{count}")),
            place.join(format!("local.{count}")),
        );
        sshd.account().make_dir(&remote);
        fs::create_dir(&local).unwrap();
        Self {
            sshd,
            remote,
            local,
        }
    }

    /// A ground whose `remote` is the root of a jail, whatever is run; and the directory outside that the client sees in it as `bound`.
    pub(crate) fn jailed() -> (Self, PathBuf) {
        Self::under("")
    }

    /// The same with rules, as flags.
    pub(crate) fn under(rules: &str) -> (Self, PathBuf) {
        let sshd = jail(rules, "");
        let place = sshd.place().path();
        let [remote, bound] = JAIL.map(|(dir, _)| place.join(dir));
        let local = place.join("local");
        fs::create_dir(&local).unwrap();
        let ground = Self {
            sshd: Arc::new(sshd),
            remote,
            local,
        };
        (ground, bound)
    }

    /// Where the served user's files are as the client sees it: what `~` leads to.
    pub(crate) fn home(&self) -> PathBuf {
        if is_jailed() {
            // The home directory is not in the view; its root stands for it.
            self.sshd.place().path().join(JAIL[0].0)
        } else {
            self.sshd.account().home.clone()
        }
    }

    /// A file at the server's side.
    pub(crate) fn plant(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> PathBuf {
        let path = self.remote.join(name.as_ref());
        fs::write(&path, bytes).unwrap();
        self.give(&path);
        path
    }

    /// A file at the client's side.
    pub(crate) fn keep(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> PathBuf {
        let path = self.local.join(name.as_ref());
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Makes what is at and beneath `path` the served user's own.
    pub(crate) fn give(&self, path: &Path) {
        let account = self.sshd.account();
        lchown(path, Some(account.uid), Some(account.gid)).unwrap();
        if fs::symlink_metadata(path).unwrap().is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                self.give(&entry.unwrap().path());
            }
        }
    }

    /// A directory of 1 000 files at the server's side. Names and long names come to more than 400 KiB, so that no single packet holds the listing.
    pub(crate) fn plant_thousand(&self) -> (PathBuf, Vec<String>) {
        let dir = self.remote.join("thousand");
        fs::create_dir(&dir).unwrap();
        let names: Vec<String> = (0..1000)
            .map(|number| format!("{number:03}-{}", "x".repeat(170)))
            .collect();
        for name in &names {
            fs::write(dir.join(name), name).unwrap();
        }
        self.give(&dir);
        (dir, names)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The last one's is told by Sshd itself.
        if std::thread::panicking() && Arc::strong_count(&self.sshd) > 1 {
            eprintln!(
                "--- sshd's log, of tests beside this one too\n{}---",
                self.sshd.last_words()
            );
        }
    }
}

fn plain_or_jailed(config: &str) -> Sshd {
    match is_jailed() {
        true => jail("", config),
        false => Sshd::ordinary_with("{server}", config, ""),
    }
}

fn jail(rules: &str, config: &str) -> Sshd {
    let [(root, _), (outside, bound)] = JAIL;
    let subsystem =
        format!("{{server}} --root {{dir}}/{root} --bind {bound}={{dir}}/{outside} {rules}");
    let sshd = Sshd::ordinary_with(&subsystem, config, "");
    for (dir, _) in JAIL {
        sshd.account().make_dir(&sshd.place().path().join(dir));
    }
    sshd
}

/// What the client is told of a path: in a jail, that of the view, where the path is at the server's side; else the path as it is.
pub(crate) fn seen(path: impl AsRef<Path>) -> PathBuf {
    let host = path.as_ref().as_os_str().as_bytes();
    let mapped = JAIL.iter().find_map(|(dir, at)| {
        let start = host
            .windows(dir.len())
            .position(|window| window == dir.as_bytes())?;
        let mut mapped = [at.as_bytes(), &host[start + dir.len()..]].concat();
        if mapped.is_empty() {
            mapped.push(b'/');
        }
        Some(OsString::from_vec(mapped))
    });
    mapped.map_or_else(|| path.as_ref().to_owned(), PathBuf::from)
}

/// Runs a client to its good end.
#[track_caller]
pub(crate) fn succeed(command: &mut Command) -> Output {
    let output = run(command, Stdio::null());
    assert!(output.status.success(), "{command:?}\n{}", told(&output));
    output
}

/// Runs a client that has to fail, and returns all that it said.
#[track_caller]
pub(crate) fn fail(command: &mut Command) -> String {
    let output = run(command, Stdio::null());
    assert!(
        !output.status.success(),
        "{command:?} succeeded\n{}",
        told(&output)
    );
    told(&output)
}

/// Runs a client with an end set to its time: whatever hangs, fails.
#[track_caller]
pub(crate) fn run(command: &Command, stdin: Stdio) -> Output {
    installed(command.get_program());
    // In the foreground it stays in our process group: Ctrl-C reaches the client.
    let mut bounded = Command::new("timeout");
    bounded
        .args(["--foreground", "--kill-after=5", "90"])
        .arg(command.get_program())
        .args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(key, value),
            None => bounded.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        bounded.current_dir(dir);
    }
    let output = bounded.stdin(stdin).output().unwrap();
    assert_ne!(
        output.status.code(),
        Some(124),
        "no end within 90 s: {command:?}\n{}",
        told(&output)
    );
    output
}

/// Fails, in words, where a client is missing.
#[track_caller]
pub(crate) fn installed(program: &OsStr) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(program).exists());
    assert!(
        found,
        "{} is not installed: run tests/run",
        program.to_string_lossy()
    );
}

/// What tests/clients/setup has made, beside the build: `venv/bin/python`, `node`.
#[track_caller]
pub(crate) fn cached(name: &str, client: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("clients")
        .join(name);
    assert!(path.exists(), "{client} is not installed: run tests/run");
    path
}

fn told(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Bytes that repeat nowhere, always the same for a seed.
pub(crate) fn data(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// Lengths around those of the requests that clients make, and one of many requests.
pub(crate) const LENGTHS: [usize; 8] = [0, 1, 4096, 32_767, 32_768, 261_120, 261_121, 5_000_003];

/// Names of every kind that a client may be asked for: bytes that are no UTF-8 last, newline before them.
pub(crate) fn odd_names() -> Vec<OsString> {
    let names: [&[u8]; 11] = [
        b"with  two spaces",
        b" space at either end ",
        b"it's \"quoted\"",
        b"back\\slash",
        b"*glob?[a-z]{x,y}",
        b"$HOME `id`; echo #&|<>!%41",
        b"-rf",
        "grüße 日本語 e\u{301}".as_bytes(),
        b"tab\there",
        b"new\nline",
        b"latin1-\xe9\xff\x80",
    ];
    names
        .iter()
        .map(|name| OsString::from_vec(name.to_vec()))
        .collect()
}

/// The odd names that are text on one line, for clients whose commands are lines of text.
pub(crate) fn odd_lines() -> Vec<String> {
    odd_names()
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .filter(|name| !name.contains('\n'))
        .collect()
}

#[track_caller]
pub(crate) fn assert_bytes(path: &Path, expected: &[u8]) {
    let read = || fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let found = read();
    assert!(
        found == expected,
        "{}: {}; read again it is {}",
        path.display(),
        content::difference(&found, expected),
        content::difference(&read(), expected)
    );
}

#[track_caller]
pub(crate) fn assert_mode(path: &Path, mode: u32) {
    let found = fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(
        found,
        mode,
        "{}: {found:o}, expected {mode:o}",
        path.display()
    );
}

/// Sets the mtime, in seconds since the Epoch; the atime is a day later.
pub(crate) fn set_mtime(path: &Path, seconds: u64) {
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let times = FileTimes::new()
        .set_modified(at(seconds))
        .set_accessed(at(seconds + 86_400));
    File::open(path).unwrap().set_times(times).unwrap();
}

#[track_caller]
pub(crate) fn assert_mtime(path: &Path, seconds: i64) {
    assert_eq!(
        fs::symlink_metadata(path).unwrap().mtime(),
        seconds,
        "{}",
        path.display()
    );
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
