//! Stand-ins for nscd and sssd: each speaks its daemon's protocol on a socket, and knows two users and two groups.
//!
//! Source: glibc's nscd/nscd-client.h; sssd's src/sss_client/sss_cli.h and the comments of nss_passwd.c, nss_group.c.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A user or a group by id.
pub(crate) type Entry = (u32, &'static str);

/// Whom the files of the tests' host know, and so nscd, whose answer is final.
pub(crate) const BY_FILE: (Entry, Entry) = ((70_001, "known-by-file"), (70_002, "group-by-file"));
/// Whom daemons know alone.
pub(crate) const BY_SOCKET: (Entry, Entry) =
    ((70_003, "known-by-socket"), (70_004, "group-by-socket"));

fn user(uid: u32) -> Option<&'static str> {
    let known = [BY_FILE.0, BY_SOCKET.0];
    known
        .iter()
        .find(|(id, _)| *id == uid)
        .map(|(_, name)| *name)
}

fn group(gid: u32) -> Option<&'static str> {
    let known = [BY_FILE.1, BY_SOCKET.1];
    known
        .iter()
        .find(|(id, _)| *id == gid)
        .map(|(_, name)| *name)
}

/// A question that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    User(u32),
    Group(u32),
}

/// What is known of the connections to a stand-in.
#[derive(Debug, Default)]
struct Book {
    asked: Vec<Question>,
    open: Vec<UnixStream>,
    ended: bool,
}

/// Serves one connection until its end; each question is told before it is answered.
type Serve = fn(&UnixStream, &mut dyn FnMut(Question)) -> io::Result<()>;

/// A daemon that runs as a thread of the test's, until it is dropped.
pub(crate) struct Daemon {
    socket: PathBuf,
    book: Arc<Mutex<Book>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    pub(crate) fn nscd(socket: &Path) -> Self {
        Self::start(socket, nscd)
    }

    pub(crate) fn sssd(socket: &Path) -> Self {
        Self::start(socket, sssd)
    }

    fn start(socket: &Path, serve: Serve) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666)).unwrap();
        let book = Arc::new(Mutex::new(Book::default()));
        let shared = Arc::clone(&book);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let mut book = shared.lock().unwrap();
                if book.ended {
                    return;
                }
                book.open.push(stream.try_clone().unwrap());
                drop(book);
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    let mut tell = |question| shared.lock().unwrap().asked.push(question);
                    if let Err(error) = serve(&stream, &mut tell) {
                        // A client that goes away is no failure; else names will be missing.
                        eprintln!("a stand-in for a name service: {error}");
                    }
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        Self {
            socket: socket.to_owned(),
            book,
            thread: Some(thread),
        }
    }

    /// All questions so far.
    pub(crate) fn asked(&self) -> Vec<Question> {
        self.book.lock().unwrap().asked.clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let mut book = self.book.lock().unwrap();
        book.ended = true;
        for stream in &book.open {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(book);
        // It wakes and sees that it has ended.
        let _ = UnixStream::connect(&self.socket);
        let _ = std::fs::remove_file(&self.socket);
        let _ = self.thread.take().unwrap().join();
    }
}

/// One question a connection: version, type, length of the key; the key, an id in digits that end on a NUL.
///
/// It shares no tables, as nscd.conf(5)'s `shared no`: who asks for their descriptor sees the connection end.
fn nscd(mut stream: &UnixStream, tell: &mut dyn FnMut(Question)) -> io::Result<()> {
    const VERSION: u32 = 2;
    const GETPWBYUID: u32 = 1;
    const GETGRBYGID: u32 = 3;
    let [version, kind, length] = numbers(stream)?;
    if version != VERSION {
        return Err(io::Error::other("another version of nscd's protocol"));
    }
    let mut key = vec![0; length as usize];
    stream.read_exact(&mut key)?;
    let key = String::from_utf8_lossy(&key);
    let id = || key.trim_end_matches('\0').parse().map_err(io::Error::other);
    let length = |text: &str| text.len() as u32 + 1;
    let mut answer = Vec::new();
    match kind {
        GETPWBYUID => {
            let uid = id()?;
            tell(Question::User(uid));
            let known = user(uid);
            put(&mut answer, &[VERSION, u32::from(known.is_some())]);
            if let Some(name) = known {
                put(&mut answer, &[length(name), length("x"), uid, uid]);
                put(&mut answer, &[length(""), length("/"), length("/bin/sh")]);
                answer.extend(strings(&[name, "x", "", "/", "/bin/sh"]));
            } else {
                put(&mut answer, &[0; 7]);
            }
        }
        GETGRBYGID => {
            let gid = id()?;
            tell(Question::Group(gid));
            let known = group(gid);
            put(&mut answer, &[VERSION, u32::from(known.is_some())]);
            if let Some(name) = known {
                // With a member, whose length comes before all names.
                put(&mut answer, &[length(name), length("x"), gid, 1]);
                put(&mut answer, &[length("member")]);
                answer.extend(strings(&[name, "x", "member"]));
            } else {
                put(&mut answer, &[0; 4]);
            }
        }
        // The answer to a question by name, too: the client goes on to the files.
        _ => {}
    }
    stream.write_all(&answer)
}

/// Any number of questions: length of all, command, status, 0; the version first, then ids.
fn sssd(mut stream: &UnixStream, tell: &mut dyn FnMut(Question)) -> io::Result<()> {
    const GET_VERSION: u32 = 1;
    const VERSION: u32 = 1;
    const GETPWUID: u32 = 0x12;
    const GETGRGID: u32 = 0x22;
    const HEADER: u32 = 16;
    loop {
        let [length, command, _, _] = numbers(stream)?;
        let mut key = vec![0; length.saturating_sub(HEADER) as usize];
        stream.read_exact(&mut key)?;
        // Of no use where the question is by name.
        let id = key.first_chunk().map_or(0, |id| u32::from_ne_bytes(*id));
        let mut body = Vec::new();
        match command {
            GET_VERSION => put(&mut body, &[VERSION]),
            GETPWUID => {
                tell(Question::User(id));
                let known = user(id);
                put(&mut body, &[u32::from(known.is_some()), 0]);
                if let Some(name) = known {
                    put(&mut body, &[id, id]);
                    body.extend(strings(&[name, "x", "", "/", "/bin/sh"]));
                }
            }
            GETGRGID => {
                tell(Question::Group(id));
                let known = group(id);
                put(&mut body, &[u32::from(known.is_some()), 0]);
                if let Some(name) = known {
                    put(&mut body, &[id, 1]);
                    body.extend(strings(&[name, "x", "member"]));
                }
            }
            // By name nobody is known.
            _ => put(&mut body, &[0, 0]),
        }
        let mut answer = Vec::new();
        put(&mut answer, &[HEADER + body.len() as u32, command, 0, 0]);
        answer.extend(body);
        stream.write_all(&answer)?;
    }
}

/// Numbers of this machine's byte order.
fn numbers<const N: usize>(mut stream: &UnixStream) -> io::Result<[u32; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        *number = u32::from_ne_bytes(bytes);
    }
    Ok(numbers)
}

fn put(answer: &mut Vec<u8>, numbers: &[u32]) {
    answer.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
}

/// Each ends on a NUL.
fn strings(texts: &[&str]) -> Vec<u8> {
    texts
        .iter()
        .flat_map(|text| [text, "\0"].concat().into_bytes())
        .collect()
}
