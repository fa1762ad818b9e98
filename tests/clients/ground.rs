//! What every client's tests stand on: an sshd, a directory on either side, bytes and names, and a verdict from the disk.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, UNIX_EPOCH};

use crate::support::sshd::Sshd;
use crate::support::{content, is_jailed};

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
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let sshd = shared.upgrade().unwrap_or_else(|| {
            let sshd = Arc::new(match is_jailed() {
                true => jail(""),
                false => Sshd::ordinary("{server}"),
            });
            *shared = Arc::downgrade(&sshd);
            sshd
        });
        drop(shared);
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
        let sshd = jail(rules);
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

fn jail(rules: &str) -> Sshd {
    let [(root, _), (outside, bound)] = JAIL;
    let sshd = Sshd::ordinary(&format!(
        "{{server}} --root {{dir}}/{root} --bind {bound}={{dir}}/{outside} {rules}"
    ));
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

/// A tree of some depth: files of several lengths and modes, an empty directory, and `names`, times all in the past.
pub(crate) fn grow_tree(top: &Path, names: &[impl AsRef<OsStr>]) {
    let deep = top.join("a/b/c/d");
    fs::create_dir_all(&deep).unwrap();
    fs::create_dir(top.join("empty")).unwrap();
    fs::write(top.join("zero"), b"").unwrap();
    fs::write(top.join("a/program"), data(1, 70_000)).unwrap();
    set_mode(&top.join("a/program"), 0o755);
    fs::write(top.join("a/private"), b"secret").unwrap();
    set_mode(&top.join("a/private"), 0o600);
    fs::write(deep.join("deep"), data(2, 300_000)).unwrap();
    for (number, name) in names.iter().enumerate() {
        fs::write(
            top.join("a/b").join(name.as_ref()),
            data(number as u64, 100 + number),
        )
        .unwrap();
        let dir = deep.join(name.as_ref());
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("inside"), name.as_ref().as_bytes()).unwrap();
    }
    age(top, 1_111_111_111);
}

fn age(path: &Path, seconds: u64) {
    if path.is_dir() {
        for (number, entry) in fs::read_dir(path).unwrap().enumerate() {
            age(&entry.unwrap().path(), seconds + number as u64);
        }
    }
    set_mtime(path, seconds);
}

/// Adds what only some clients carry over: a link to a file, one to a directory, a dangling one.
pub(crate) fn grow_links(top: &Path) {
    symlink("a/program", top.join("to-file")).unwrap();
    symlink("a/b", top.join("to-dir")).unwrap();
    symlink("nowhere", top.join("dangling")).unwrap();
}

/// What of a tree two sides have to have in common, beside names, types, bytes and the targets of links.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) modes: bool,
    pub(crate) times: bool,
}

pub(crate) const NEITHER: Kept = Kept {
    modes: false,
    times: false,
};
pub(crate) const MODES: Kept = Kept {
    modes: true,
    times: false,
};
pub(crate) const MODES_AND_TIMES: Kept = Kept {
    modes: true,
    times: true,
};

#[track_caller]
pub(crate) fn assert_same_tree(found: &Path, expected: &Path, kept: Kept) {
    let (found, expected) = (survey(found, kept), survey(expected, kept));
    assert!(expected.len() > 5, "a tree to compare with");
    let missing: Vec<_> = expected
        .keys()
        .filter(|path| !found.contains_key(*path))
        .collect();
    let surplus: Vec<_> = found
        .keys()
        .filter(|path| !expected.contains_key(*path))
        .collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing {missing:?}, too many {surplus:?}"
    );
    for (path, entry) in &expected {
        assert!(
            found[path] == *entry,
            "{}: {:?}, expected {entry:?}",
            path.display(),
            found[path]
        );
    }
}

#[derive(PartialEq)]
struct Entry {
    kind: char,
    content: Vec<u8>,
    mode: u32,
    mtime: i64,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start =
            String::from_utf8_lossy(&self.content[..self.content.len().min(20)]).into_owned();
        write!(
            out,
            "{} {:o} {} {} bytes {start:?}",
            self.kind,
            self.mode,
            self.mtime,
            self.content.len()
        )
    }
}

fn survey(top: &Path, kept: Kept) -> BTreeMap<PathBuf, Entry> {
    let mut entries = BTreeMap::new();
    let mut todo = vec![top.to_owned()];
    while let Some(path) = todo.pop() {
        let metadata = fs::symlink_metadata(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (kind, content) = if metadata.is_dir() {
            todo.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            ('d', Vec::new())
        } else if metadata.is_symlink() {
            (
                'l',
                fs::read_link(&path).unwrap().into_os_string().into_vec(),
            )
        } else {
            ('f', fs::read(&path).unwrap())
        };
        // A link's own mode and times are the file system's business.
        let entry = Entry {
            mode: if kept.modes && kind != 'l' {
                metadata.mode() & 0o7777
            } else {
                0
            },
            mtime: if kept.times && kind != 'l' {
                metadata.mtime()
            } else {
                0
            },
            kind,
            content,
        };
        entries.insert(path.strip_prefix(top).unwrap().to_owned(), entry);
    }
    entries
}
