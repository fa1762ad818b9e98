//! borgstore, the key/value store that borg 2 keeps its repositories in, by paramiko. It writes an object as NAME.tmp and puts that in its
//! place by posix-rename, asks for check-file to hash, and knows neither links nor appending.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ground::*;
use crate::script::{lay_out_ssh, sorted};
use crate::support::examples::example;
use crate::support::sshd::HOST;

/// A store beneath [`Ground::remote`], and the names of its objects.
struct Store<'a> {
    ground: &'a Ground,
    top: PathBuf,
}

impl<'a> Store<'a> {
    fn new(ground: &'a Ground) -> Self {
        lay_out_ssh(ground);
        let top = ground.remote.join("store");
        Self { ground, top }
    }

    fn command(&self, operations: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/with_borgstore.py");
        let mut command = Command::new(cached("venv/bin/python", "borgstore"));
        command
            .arg(script)
            // A word is an argument.
            .args(operations.join(" ; ").split(' '))
            .env(
                "SFTP_STORE",
                format!("sftp://{HOST}/{}", seen(&self.top).display()),
            )
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HOME", &self.ground.local)
            .current_dir(&self.ground.local);
        command
    }

    #[track_caller]
    fn play(&self, operations: &[&str]) -> Vec<String> {
        let said = succeed(&mut self.command(operations)).stdout;
        let said = String::from_utf8(said).unwrap();
        said.split_terminator('\0').map(str::to_owned).collect()
    }

    /// Each alone, in a session of its own, has to fail with one of these words.
    #[track_caller]
    fn refuses(&self, operations: &[&str], words: &str) {
        for operation in operations {
            let said = fail(&mut self.command(&[operation]));
            assert!(said.contains(words), "{operation}: {said}");
        }
    }

    /// Where an object is: two levels of directories above it among the packs.
    fn object(&self, name: &str) -> PathBuf {
        let (space, key) = name.split_once('/').unwrap();
        let dir = self.top.join(space);
        match space {
            "packs" => dir.join(&key[..2]).join(&key[2..4]).join(key),
            _ => dir.join(key),
        }
    }

    /// Every file beneath it, and what it holds.
    fn content(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found: Vec<_> = files(&self.top)
            .into_iter()
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        found.sort();
        found
    }
}

fn files(top: &Path) -> Vec<PathBuf> {
    let (mut found, mut todo) = (Vec::new(), vec![top.to_owned()]);
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found
}

/// Two objects of different lengths and a third that is the lock of a session.
fn fill(ground: &Ground, store: &Store) -> (Vec<u8>, Vec<u8>) {
    let (large, small) = (data(310, 3_000_001), data(311, 100));
    for (name, bytes) in [("large", &large), ("small", &small)] {
        ground.keep(name, bytes);
    }
    store.play(&[
        "create",
        "put large packs/aabb01",
        "put small config/first",
        "put small locks/one",
        "remove locks/one",
    ]);
    (large, small)
}

#[test]
fn objects_are_stored_loaded_listed_hashed_moved_and_deleted() {
    let ground = Ground::new();
    let store = Store::new(&ground);
    let (large, small) = fill(&ground, &store);
    assert_bytes(&store.object("packs/aabb01"), &large);
    assert_bytes(&store.object("config/first"), &small);
    let mut operations = Vec::new();
    for number in 10..90 {
        operations.push(format!("put small packs/ccdd{number}"));
        operations.push(format!("put small packs/cc{number}00"));
    }
    let operations: Vec<_> = operations.iter().map(String::as_str).collect();
    store.play(&operations);
    let answers = store.play(&[
        "get packs/aabb01 large.back",
        "part 1000000 70000 packs/aabb01 part.back",
        "stat packs/aabb01",
        "stat packs/none00",
        "hash packs/aabb01",
        "rename config/first config/second",
        "put large config/second",
        "soft-delete packs/cc1000",
        "remove packs/ccdd89",
        "list packs",
    ]);
    assert_bytes(&ground.local.join("large.back"), &large);
    assert_bytes(
        &ground.local.join("part.back"),
        &large[1_000_000..1_070_000],
    );
    let sum = succeed(Command::new("sha256sum").arg(ground.local.join("large")));
    let sum = String::from_utf8(sum.stdout).unwrap();
    assert_eq!(answers[..3], ["3000001", "absent", &sum[..64]]);
    let mut names: Vec<String> = (10..89).map(|number| format!("ccdd{number}")).collect();
    names.extend((11..90).map(|number| format!("cc{number}00")));
    names.push("aabb01".to_owned());
    assert_eq!(sorted(&answers[3..]), sorted(names));
    assert!(!store.object("config/first").exists());
    assert_bytes(&store.object("config/second"), &large);
    let deleted = store.object("packs/cc1000").with_extension("del");
    assert_bytes(&deleted, &small);
    store.play(&["undelete packs/cc1000"]);
    assert_bytes(&store.object("packs/cc1000"), &small);
    store.play(&["destroy"]);
    assert!(!store.top.exists());
}

/// What a store's own client does with its key, another session's objects being there.
fn a_client_fills_it(ground: &Ground, store: &Store) -> Vec<(PathBuf, Vec<u8>)> {
    let (large, small) = fill(ground, store);
    // Its own it moves and removes in the session in which it has made them: a lock, for one.
    let answers = store.play(&[
        "put small packs/aabb02",
        "put small locks/two",
        "put small config/passing",
        "rename config/passing config/there",
        "get packs/aabb01 large.back",
        "list packs",
        "remove locks/two",
    ]);
    assert_eq!(sorted(answers), sorted(["aabb01", "aabb02"]));
    assert_bytes(&ground.local.join("large.back"), &large);
    assert_bytes(&store.object("config/there"), &small);
    store.content()
}

#[track_caller]
fn nothing_is_lost(store: &Store, rule: &str) {
    let before = store.content();
    store.refuses(
        &[
            "put small packs/aabb01",
            "remove packs/aabb01",
            "rename packs/aabb01 packs/aabb09",
            "soft-delete packs/aabb01",
            "destroy",
        ],
        &format!("Permission denied: {rule}"),
    );
    assert!(store.content() == before, "{:?}", files(&store.top));
}

/// As the recipe has it: an object that is refused leaves no temporary one either.
#[test]
fn the_recipe_keeps_a_store_from_who_has_its_key() {
    let example = example("authorized_keys.borg");
    let (_, flags) = example.split_once("--root ~/store ").unwrap();
    let (flags, _) = flags.split_once('"').unwrap();
    let (ground, _) = Ground::under(flags);
    let store = Store::new(&ground);
    let before = a_client_fills_it(&ground, &store);
    assert_eq!(before.len(), 4);
    nothing_is_lost(&store, "--no-");
    // By other means than the store's: nothing that is there changes.
    let attempts = [
        "put small PATH",
        "put -a large PATH",
        "chmod 0 PATH\nrm PATH",
        "put small own\nrename own PATH",
        "put small own2\nrename -l own2 PATH",
        "rename PATH gone",
        "ln -s elsewhere PATH",
        "rename store gone",
    ];
    for name in ["packs/aabb01", "config/first"] {
        let path = seen(store.object(name)).display().to_string();
        for attempt in attempts {
            // Another session each, in which what the last one made is foreign.
            let unique = attempt.replace("own", &format!("{}-own", name.replace('/', "-")));
            let lines: Vec<_> = unique
                .replace("PATH", &path)
                .lines()
                .map(Vec::from)
                .collect();
            let mut sftp = crate::sftp::sftp(&ground, &lines);
            fail(sftp.current_dir(&ground.local));
        }
    }
    assert!(store.content() == before, "{:?}", files(&store.top));
}

/// Objects only grow with it: who has the key cannot take from them, but put something behind them.
#[test]
fn append_only_lets_a_store_be_filled_and_its_objects_grow() {
    let (ground, _) = Ground::under("--append-only");
    let store = Store::new(&ground);
    a_client_fills_it(&ground, &store);
    nothing_is_lost(&store, "--append-only");
    let object = store.object("config/first");
    let target = seen(&object).display().to_string();
    ground.keep("longer", &data(312, 150));
    let reput = format!("reput longer {target}").into_bytes();
    succeed(crate::sftp::sftp(&ground, &[reput]).current_dir(&ground.local));
    let grown = [&data(311, 100)[..], &data(312, 150)[100..]].concat();
    assert_bytes(&object, &grown);
}
