//! The arrows and walls of the house, executed: which word may stand in which room, and what every file owes its reader.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "architecture/plan.rs"]
mod plan;
#[path = "architecture/reader.rs"]
mod reader;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use plan::Plan;
use reader::{Source, blank, contains_word, flatten_uses, imports, root, test_names, walk};

/// A room, and which others it may import.
type Arrows = &'static [(&'static str, &'static [&'static str])];

/// Which rooms a room may import. `main` and `lib` see all of them.
const ARROWS: Arrows = &[
    // The command line names what each room can be told.
    (
        "cli",
        &["fs", "identity", "log", "policy", "sandbox", "session"],
    ),
    // The file says what the command line can, of users and groups; fs reads it. `check` tries view and locks, `explain` a session.
    ("config", &["cli", "fs", "identity", "sandbox", "session"]),
    ("fs", &[]),
    ("identity", &[]),
    ("launch", &["log"]),
    ("log", &[]),
    // Rules judge deeds, which are said in the words of fs.
    ("policy", &["fs", "log"]),
    ("protocol", &[]),
    ("sandbox", &[]),
    ("session", &["fs", "identity", "log", "policy", "protocol"]),
];

/// Which files and folders of a room may take names from which others in it, but for its own face.
const INNER: &[(&str, Arrows)] = &[
    (
        "fs",
        &[
            ("error", &[]),
            ("kernel", &["error"]),
            ("judging", &["error", "kernel"]),
            ("view", &["error", "kernel", "judging"]),
            ("acts", &["error", "kernel", "judging", "view"]),
        ],
    ),
    (
        "session",
        &[
            ("answers", &[]),
            ("overlap", &["answers"]),
            ("opened", &["answers", "overlap"]),
            ("handles", &["opened"]),
            ("requests", &["answers", "overlap", "opened", "handles"]),
            ("flow", &["answers", "overlap", "requests"]),
            ("rehearse", &["answers", "requests"]),
        ],
    ),
];

/// A word, the folders (`fs/`) and files (`main.rs`) of src where it may stand, and why.
const WALLS: &[(&str, &[&str], &str)] = &[
    ("russh_sftp", &["protocol/"], "the codec stays inside"),
    (
        "request_id",
        &[
            "protocol/",
            "session/requests/mod.rs",
            "session/requests/init.rs",
        ],
        "a packet is decoded once",
    ),
    (
        "Payload",
        &["protocol/", "session/requests/mod.rs"],
        "a packet is decoded once",
    ),
    (
        "kind::",
        // What may become INIT; which answers hold content.
        &[
            "protocol/",
            "session/requests/",
            "session/flow/greeting.rs",
            "session/flow/rate.rs",
        ],
        "the table alone tells requests apart by their packet type",
    ),
    ("tokio", &["main.rs", "session/"], "async stays at the rim"),
    ("nix::dir", &["fs/"], "only fs acts on files"),
    (
        "nix::fcntl",
        // The blocking mode of descriptors 0 and 1; the words for open flags, with no call; the zone's file, which is not waited for.
        &[
            "fs/",
            "session/flow/channel.rs",
            "session/requests/open.rs",
            "log/zone.rs",
        ],
        "only fs acts on files",
    ),
    (
        "nix::sys::stat",
        // What descriptors 0 and 1 are; the umask.
        &["fs/", "session/flow/channel.rs", "main.rs"],
        "only fs acts on files",
    ),
    (
        "nix::sys::statvfs",
        // The figures that a response is made of, with no call.
        &["fs/", "session/requests/statvfs.rs"],
        "only fs acts on files",
    ),
    ("nix::sys::uio", &["fs/"], "only fs acts on files"),
    ("rustix", &["fs/"], "for what nix lacks, on files"),
    (
        "std::fs",
        // Lists the descriptors that were inherited, to close them; reads who traces the process; reads passwd and group in the static
        // program, and the zone.
        &[
            "fs/",
            "sandbox/limits.rs",
            "sandbox/tracer.rs",
            "identity/files.rs",
            "log/zone.rs",
        ],
        "only fs acts on files",
    ),
    ("landlock", &["sandbox/"], "a lock"),
    ("seccompiler", &["sandbox/"], "a lock"),
    (
        "std::os::unix::fs",
        &["fs/", "log/zone.rs"],
        "only fs acts on files",
    ),
    ("std::os::unix::net", &["log/"], "for /dev/log alone"),
    (
        "std::net",
        // Addresses as they are written, with no socket.
        &["config/matching.rs", "config/question.rs"],
        "the network is sshd's",
    ),
    ("process::Command", &[], "nothing is ever run"),
    ("execv", &[], "nothing is ever run"),
    // What is quoted there is escaped already, and ASCII.
    (
        "from_utf8_lossy",
        &["launch.rs", "launch/heard.rs"],
        "bytes stay bytes",
    ),
    ("unsafe", &[], "nix gives it all as safe calls"),
    (".unwrap()", &[], "a type says so where it holds"),
    (".expect(", &[], "a type says so where it holds"),
    ("panic!", &[], "input can reach no panic"),
    ("unreachable!", &[], "input can reach no panic"),
    ("todo!", &[], "what is not done does not ship"),
    ("unimplemented!", &[], "what is not done does not ship"),
];

#[test]
fn rooms_import_only_along_the_arrows() {
    let mut wrong = Vec::new();
    for file in Source::all("src") {
        let room = file.room();
        if room == "main" || room == "lib" {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!(
                "{}: the room \"{room}\" has no arrows here",
                file.name
            ));
            continue;
        };
        for other in imports(&file.code()) {
            if other != room && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{}: {room} may not import {other}", file.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn the_rooms_of_a_room_take_names_along_the_arrows() {
    let plan = Plan::of_src();
    let mut wrong = Vec::new();
    for (outer, rooms) in INNER {
        let inner = |file: &str| {
            let inside = file.strip_prefix(&format!("{outer}/"))?;
            Some(inside.split('/').next()?.trim_end_matches(".rs").to_owned())
        };
        for file in plan.names() {
            let Some(room) = inner(file).filter(|room| room != "mod") else {
                continue;
            };
            let Some((_, allowed)) = rooms.iter().find(|(name, _)| *name == room) else {
                wrong.push(format!("{file}: \"{room}\" has no arrows here"));
                continue;
            };
            for from in plan.taken_by(file) {
                let other = inner(&from).filter(|other| *other != room && other != "mod");
                if other.is_some_and(|other| !allowed.contains(&other.as_str())) {
                    wrong.push(format!("{file}: {room} may take nothing from {from}"));
                }
            }
        }
    }
    none(&wrong);
}

#[test]
fn a_request_takes_nothing_from_another_request() {
    const FOLDER: &str = "session/requests/";
    // What each is made of, what they share, and what two that copy share.
    const SHARED: [&str; 3] = ["request.rs", "ways.rs", "copy.rs"];
    let plan = Plan::of_src();
    let mut wrong = Vec::new();
    for file in plan.names() {
        if !file.starts_with(FOLDER) || file.ends_with("mod.rs") {
            continue;
        }
        for from in plan.taken_by(file) {
            let other = from.strip_prefix(FOLDER);
            if other.is_some_and(|other| other != "mod.rs" && !SHARED.contains(&other)) {
                wrong.push(format!("{file}: takes a name from {from}"));
            }
        }
    }
    none(&wrong);
}

#[test]
fn no_more_than_three_files_take_names_from_each_other_in_a_circle() {
    let plan = Plan::of_src();
    let circles = plan.circles();
    let wrong = circles.iter().filter(|circle| circle.len() > 3);
    let wrong: Vec<_> = wrong.map(|circle| format!("{circle:?}")).collect();
    none(&wrong);
}

#[test]
fn a_word_stands_only_within_its_walls() {
    let mut wrong = Vec::new();
    for file in Source::all("src") {
        let code = flatten_uses(&file.code());
        for (word, within, because) in WALLS {
            if contains_word(&code, word)
                && !within.iter().any(|place| file.name.starts_with(place))
            {
                wrong.push(format!("{}: {word} ({because})", file.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_file_begins_by_saying_what_it_is() {
    let mut wrong = Vec::new();
    for file in Source::all("src").chain(Source::all("tests")) {
        if !file.text.starts_with("//! ") {
            wrong.push(file.name);
        }
    }
    none(&wrong);
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let mut wrong = Vec::new();
    for file in Source::all("src").chain(Source::all("tests")) {
        let lines = file.text.lines().count();
        if lines > 500 {
            wrong.push(format!(
                "{}: {lines} lines; what second thing does it do?",
                file.name
            ));
        }
    }
    none(&wrong);
}

#[test]
fn every_file_is_part_of_the_build() {
    let manifest = manifest();
    let mut wrong = Vec::new();
    for folder in ["src", "tests"] {
        for file in Source::all(folder) {
            let path = format!("{folder}/{}", file.name);
            if manifest.contains(&format!("path = \"{path}\"")) || path == "src/lib.rs" {
                continue;
            }
            if !parents_of(&root().join(&path))
                .iter()
                .any(|parent| declares(parent, &path))
            {
                wrong.push(format!(
                    "{path}: no mod line and no target of Cargo.toml names it"
                ));
            }
        }
    }
    none(&wrong);
}

#[test]
fn every_test_target_is_listed_in_the_manifest() {
    let manifest = manifest();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let target = if path.is_dir() {
            format!("tests/{name}/main.rs")
        } else {
            format!("tests/{name}.rs")
        };
        if root().join(&target).exists()
            && !manifest.contains(&format!(
                "[[test]]\nname = \"{name}\"\npath = \"{target}\"\n"
            ))
        {
            wrong.push(target);
        }
    }
    none(&wrong);
}

#[test]
fn no_test_is_left_out_and_each_name_is_a_sentence() {
    let mut wrong = Vec::new();
    for file in Source::all("tests").chain(Source::all("src")) {
        let code = blank(&file.text);
        if code.contains("#[ignore") {
            wrong.push(format!("{}: an ignored test", file.name));
        }
        for name in test_names(&code) {
            if name.split('_').count() < 2 {
                wrong.push(format!("{}: \"{name}\" is not a sentence", file.name));
            }
        }
    }
    none(&wrong);
}

#[test]
fn each_dependency_gives_its_reason() {
    let mut wrong = Vec::new();
    let manifest = manifest();
    let (mut section, mut before) = ("", "");
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]")
            && line.contains('=')
            && !before.starts_with("# ")
        {
            wrong.push(line);
        }
        before = line;
    }
    none(&wrong);
}

#[test]
fn the_top_level_holds_what_belongs_there_and_nothing_else() {
    let found: BTreeSet<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    let wanted = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "findings",
        "packaging",
        "src",
        "tests",
    ];
    assert_eq!(found, BTreeSet::from(wanted.map(String::from)));
}

fn manifest() -> String {
    fs::read_to_string(root().join("Cargo.toml")).unwrap()
}

/// Where the `mod` line of `file` may stand: beside it, or, for a mod.rs, beside its folder.
fn parents_of(file: &Path) -> Vec<PathBuf> {
    let mut folder = file.parent().unwrap();
    if file.ends_with("mod.rs") {
        folder = folder.parent().unwrap();
    }
    let mut found = Vec::new();
    walk(folder, &mut found);
    // `session/mod.rs` declares what lies in session/; `session.rs` beside it would as well.
    found.push(folder.with_extension("rs"));
    found
}

/// Whether `parent` has the line that makes `path` (from the top of the repository) a module.
fn declares(parent: &Path, path: &str) -> bool {
    let Ok(text) = fs::read_to_string(parent) else {
        return false;
    };
    let name = path
        .trim_end_matches("/mod.rs")
        .trim_end_matches(".rs")
        .rsplit('/')
        .next()
        .unwrap();
    blank(&text).lines().any(|line| {
        line.trim()
            .trim_start_matches("pub(crate) ")
            .trim_start_matches("pub(super) ")
            .trim_start_matches("pub ")
            == format!("mod {name};")
    })
}

fn none<T: std::fmt::Display>(wrong: &[T]) {
    assert!(
        wrong.is_empty(),
        "\n{}",
        wrong
            .iter()
            .map(|line| format!("  {line}\n"))
            .collect::<String>()
    );
}
