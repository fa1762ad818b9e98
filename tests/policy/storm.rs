//! Long random sequences of requests under random rules, from fixed seeds: what each rule promises holds on the disk after all of them,
//! and what is hidden, or another's in a drop box, changes no answer.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};

use fastrand::Rng;

use crate::support::packet::pflags::{APPEND, CREAT, EXCL, READ, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Packet, Reply, Server, Tree};

/// Names, and what they hold; of a link, where it leads.
const FILES: &[(&str, &str)] = &[
    ("file", "what was there"),
    ("dir/file", "and there"),
    ("dir/secret/deep", "unknown 1"),
    ("secret", "unknown 2"),
    ("a.key", "unknown 3"),
    ("bound/file", "bound"),
    ("long", "longer than what may be written by whoever comes"),
];
const LINKS: &[(&str, &str)] = &[
    ("link", "file"),
    ("dirlink", "dir"),
    ("to-secret", "dir/secret/deep"),
    ("dangling", "nowhere"),
    ("loop", "loop"),
    ("up", ".."),
];
const NEW: &[&str] = &[
    "new",
    "new2",
    "dir/new",
    "newdir",
    "newdir/new",
    "dir/secret/new",
    "b.key",
    "here/new",
    "newdir/secret",
];
/// As many bytes as `--max-file-size` allows here.
const MOST: u64 = 20;
const UNKNOWN: &[u8] = b"unknown";

/// Without what is secret, where `secrets` says so.
fn ground(secrets: bool) -> Tree {
    let tree = Tree::new();
    for dir in ["dir", "bound", "empty"] {
        tree.dir(dir);
    }
    let told = |name: &&(&str, &str)| secrets || !is_secret(name.0.as_bytes());
    for (name, content) in FILES.iter().filter(told) {
        fs::create_dir_all(tree.at(name).parent().unwrap()).unwrap();
        tree.file(name, content);
    }
    for (name, target) in LINKS {
        tree.link(name, target);
    }
    fs::hard_link(tree.at("file"), tree.at("dir/second")).unwrap();
    tree
}

fn is_secret(path: &[u8]) -> bool {
    let mut names = path.split(|byte| *byte == b'/');
    names.any(|name| name == b"secret" || name.ends_with(b".key"))
}

/// Whoever sends whatever comes to mind.
struct Client {
    rng: Rng,
    handles: Vec<Vec<u8>>,
    /// Whether it ever has a copy take the place of a file.
    overwrites: bool,
}

impl Client {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            handles: Vec::new(),
            overwrites: seed % 2 == 0,
        }
    }

    fn any<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(..of.len())]
    }

    fn name(&mut self) -> String {
        let known = FILES.iter().chain(LINKS).map(|(name, _)| *name);
        let dirs = [
            "dir",
            "empty",
            "here",
            "here/file",
            "dir/secret",
            "dir/second",
        ];
        let names: Vec<&str> = known.chain(dirs).chain(NEW.iter().copied()).collect();
        let name = self.any(&names);
        match self.rng.u8(..24) {
            0 => format!("{name}/"),
            1 => format!("/dir/../{name}"),
            2 => format!("{name}/.."),
            3 => format!("{name}/x"),
            4 => format!("dirlink/../{name}"),
            5 => format!("file/../{name}"),
            6 => format!("{name}/{}", "z".repeat(256)),
            7 => self.any(&["", ".", "..", "/", "//"]).to_owned(),
            _ => name.to_owned(),
        }
    }

    fn free_name(&mut self) -> String {
        match self.rng.bool() {
            true => self.any(NEW).to_owned(),
            false => self.name(),
        }
    }

    fn handle(&mut self) -> Vec<u8> {
        match self.handles.len() {
            0 => b"none".to_vec(),
            count => self.handles[self.rng.usize(..count)].clone(),
        }
    }

    fn attrs(&mut self) -> Attrs {
        match self.rng.u8(..4) {
            0 => {
                let sizes = [0, 3, 14, 15, 60, u64::MAX];
                Attrs::default().size(self.any(&sizes))
            }
            1 => Attrs::default().permissions(self.any(&[0o4755, 0o600, 0o2777])),
            2 => Attrs::default().times(1, 2),
            _ => Attrs::default().owner(0, 0),
        }
    }

    fn request(&mut self) -> Packet {
        const PLAIN: [u32; 6] = [
            READ,
            WRITE,
            READ | WRITE,
            WRITE | APPEND,
            WRITE | TRUNC,
            READ | TRUNC,
        ];
        const MAKING: [u32; 4] = [0, TRUNC, EXCL, APPEND | READ];
        let offset = self.any(&[0, 0, 3, 9, 14, 25, u64::MAX]);
        let (some, other) = (self.name(), self.free_name());
        let (handle, second, attrs) = (self.handle(), self.handle(), self.attrs());
        match self.rng.u8(..38) {
            0..=3 => open(some, self.any(&PLAIN), &Attrs::default()),
            4..=7 => open(other, WRITE | CREAT | self.any(&MAKING), &Attrs::default()),
            8..=9 => {
                self.handles.retain(|known| *known != handle);
                close(&handle)
            }
            10 => read(&handle, offset, 100),
            11..=14 => write(&handle, offset, self.any(&["", "W", "WWWWWWWWWWWW"])),
            15 => fstat(&handle),
            16 => fsetstat(&handle, &attrs),
            17 => setstat(some, &attrs),
            18 => lsetstat(some, &attrs),
            19 => stat(some),
            20 => lstat(some),
            21 => opendir(some),
            22..=23 => readdir(&handle),
            24 => remove(some),
            25 => rmdir(some),
            26 => mkdir(other, &Attrs::default()),
            27 => realpath(some),
            28 => rename(some, other),
            29 => posix_rename(some, other),
            30 => readlink(some),
            31 => symlink(some, other),
            32 => hardlink(some, other),
            33..=36 => {
                let over = self.overwrites && self.rng.bool();
                copy_file(some, other, over.into())
            }
            _ => copy_data(
                &handle,
                offset,
                self.any(&[0, 0, 5]),
                &second,
                self.any(&[0, 9, 14]),
            ),
        }
    }

    fn learn(&mut self, reply: &Reply) {
        if let Reply::Handle(handle) = reply {
            self.handles.push(handle.clone());
        }
    }
}

#[test]
fn whatever_is_sent_in_whatever_order_each_rule_keeps_its_promise() {
    let mut done = 0;
    for seed in 0..120 {
        let mut client = Client::new(seed);
        let rules = [
            "--read-only",
            "--no-overwrite",
            "--no-delete",
            "--append-only",
            "--drop-box",
            "--atomic-upload",
        ];
        let mut flags: Vec<&str> = Vec::new();
        flags.extend(rules.iter().filter(|_| client.rng.u8(..5) == 0));
        let more: [&[&str]; 4] = [
            &["--deny", "secret", "--deny", "**/*.key"],
            &["--max-file-size", "20"],
            &["--file-mode", "640", "--dir-mode", "751"],
            &["--bind", "/here=./bound"],
        ];
        flags.extend(more.iter().filter(|_| client.rng.bool()).copied().flatten());
        // Whatever a link or a path leads to is the test's own.
        flags.extend(["--root", "."]);
        done += keeps(client, &flags, &format!("seed {seed}: {flags:?}"));
    }
    assert!(done > 120 * 200 / 5, "{done} requests were carried out");
}

/// How many of the requests were carried out.
fn keeps(mut client: Client, flags: &[&str], case: &str) -> usize {
    let tree = ground(true);
    let has = |flag: &str| flags.contains(&flag);
    let before = tree.snapshot();
    let there: Vec<u64> = before
        .entries
        .keys()
        .map(|path| tree.meta(path).ino())
        .collect();
    let old: Vec<(File, u64, &str)> = FILES
        .iter()
        .map(|(name, content)| {
            let file = File::open(tree.at(name)).unwrap();
            (file, tree.meta(name).ino(), *content)
        })
        .collect();
    let replaces = has("--atomic-upload") || client.overwrites;
    let mut server = Server::with(&tree, flags);
    let mut done = 0;
    for _ in 0..200 {
        let request = client.request();
        let reply = server.call(&request);
        client.learn(&reply);
        done += usize::from(!matches!(&reply, Reply::Status(status) if status.code != 0));
        if let Reply::Data(data) = &reply {
            let told = data.starts_with(UNKNOWN) && has("--deny");
            assert!(!told, "{case}: {request:?} told what is denied");
        }
    }
    server.finish();
    if has("--read-only") {
        assert_eq!(before.differences(&tree.snapshot()), [""; 0], "{case}");
    }
    for (file, ino, content) in &old {
        let mut now = vec![0; 200];
        let length = file.read_at(&mut now, 0).unwrap();
        now.truncate(length);
        let kept = ["--no-overwrite", "--drop-box"].map(has).contains(&true);
        if kept || has("--deny") && content.as_bytes().starts_with(UNKNOWN) {
            assert_eq!(now.escape_ascii().to_string(), *content, "{case}");
        }
        if has("--append-only") {
            let grown = now.strip_prefix(content.as_bytes());
            assert!(
                grown.is_some_and(|end| !end.contains(&0)),
                "{case}: {content}"
            );
        }
        if has("--max-file-size") {
            assert!(length as u64 <= MOST.max(content.len() as u64), "{case}");
        }
        let stays = ["--no-delete", "--append-only", "--drop-box"]
            .map(has)
            .contains(&true);
        let name = FILES.iter().find(|(_, text)| text == content).unwrap().0;
        // An upload over what is there counts as an overwrite, and a copy.
        if stays && (!replaces || kept || has("--append-only")) {
            assert_eq!(tree.meta(name).ino(), *ino, "{case}: {name}");
        }
    }
    for path in tree.snapshot().entries.keys() {
        let (meta, made) = (tree.meta(path), format!("{case}: {}", path.escape_ascii()));
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap();
        assert!(!name.starts_with(b".sftp-server-upload."), "{made} is left");
        if there.contains(&meta.ino()) || meta.is_symlink() {
            continue;
        }
        assert!(!has("--deny") || !is_secret(path), "{made} is denied");
        let of_unknown = || meta.is_file() && tree.read(path).starts_with(UNKNOWN);
        assert!(!has("--deny") || !of_unknown(), "{made} is a copy");
        assert!(
            !has("--max-file-size") || meta.is_dir() || meta.len() <= MOST,
            "{made}"
        );
        // What replaces a file keeps its mode.
        if has("--file-mode") && !(replaces && meta.is_file()) {
            let mode = if meta.is_dir() { 0o751 } else { 0o640 };
            assert_eq!(meta.mode() & 0o7777, mode, "{made}");
        }
    }
    done
}

#[test]
fn what_is_hidden_changes_no_answer() {
    for seed in 1000..1120 {
        let mut client = Client::new(seed);
        let globs = [["secret", "*.key"], ["**/secret", "**/*.key"]];
        let [one, other] = client.any(&globs);
        let mut flags = vec!["--hide", one, "--hide", other, "--root", "."];
        let more: [&[&str]; 5] = [
            &["--no-overwrite"],
            &["--no-delete"],
            &["--atomic-upload"],
            &["--max-file-size", "20"],
            &["--bind", "/here=./bound"],
        ];
        let some = more.iter().filter(|_| client.rng.u8(..3) == 0);
        flags.extend(some.copied().flatten());
        let trees = [true, false].map(ground);
        let mut servers = trees.each_ref().map(|tree| Server::with(tree, &flags));
        for _ in 0..200 {
            let request = client.request();
            let [one, other] = servers.each_mut().map(|server| server.call(&request));
            // As the manual says: a directory that only hidden things are in is not empty.
            if matches!(&one, Reply::Status(status) if status.text.ends_with("Directory not empty"))
            {
                break;
            }
            client.learn(&one);
            let case = format!("seed {seed}: {flags:?} {request:?}");
            assert_eq!(told(one), told(other), "{case}");
        }
    }
}

/// A reply without times, which are those of two trees, and in an order of its own.
fn told(mut reply: Reply) -> Reply {
    match &mut reply {
        Reply::Attrs(attrs) => attrs.times = None,
        Reply::Names(names) => {
            for name in &mut *names {
                name.attrs.times = None;
                // Mode, number of links and what follows up to the date.
                let fields = name.longname.split(u8::is_ascii_whitespace);
                let known = fields.filter(|field| !field.is_empty()).take(5);
                name.longname = known.collect::<Vec<_>>().join(&b' ');
            }
            names.sort_by(|one, other| one.filename.cmp(&other.filename));
        }
        _ => {}
    }
    reply
}
