//! `check` tries in the root what its file system can do, leaves nothing there, and says what the rules in force mean on it.

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use nix::libc;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use crate::support::bindfs::Bindfs;
use crate::support::fault::Fault;
use crate::support::mounted::{Kind, Mounted};
use crate::support::packet::pflags::{CREAT, WRITE};
use crate::support::request::*;
use crate::support::server::copy_of;
use crate::support::{Launch, Server, Tree, under_test};

const RULES: [&str; 8] = [
    "--no-overwrite",
    "--no-delete",
    "--append-only",
    "--atomic-upload",
    "--hide=a",
    "--deny=b",
    "--file-mode=0640",
    "--dir-mode=0750",
];
const WELL: &str = "       no-overwrite: nothing is replaced, whatever other processes do meanwhile; what the session has made is known by inode number and time of birth
       no-delete: nothing is replaced, whatever other processes do meanwhile; what the session has made is known by inode number and time of birth
       append-only: nothing is replaced, whatever other processes do meanwhile
       hide: names that differ by case are different, as patterns have it
       deny: names that differ by case are different, as patterns have it
       file-mode: modes are set as they are asked for
       dir-mode: modes are set as they are asked for
       atomic-upload: a new file has its name when it is whole, and replaces nothing that appeared meanwhile
";

/// The block about file systems, with `{root}` for where the root is.
fn tried(root: &Tree, flags: &[&str]) -> String {
    let dir = Tree::new();
    let finished = Launch::new(&dir)
        .args(["check", "--no-config", "--root"])
        .arg(root.root())
        .args(flags)
        .run(Stdio::null(), Stdio::piped());
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    let said = String::from_utf8(finished.stdout).unwrap();
    let mut blocks = said
        .split("\n\n")
        .filter(|block| block.starts_with("tried  "));
    let block = blocks.next().unwrap_or_else(|| panic!("{said}"));
    block.replace(root.root().to_str().unwrap(), "{root}") + "\n"
}

#[test]
fn a_file_system_that_can_do_all_of_it_is_told_with_each_rule_in_force() {
    let root = Tree::below("/srv");
    let said = tried(&root, &RULES);
    let first = "tried  \"{root}\": RENAME_NOREPLACE yes, link yes, O_TMPFILE yes, chmod yes, birth time yes, inode number kept, case kept apart\n";
    assert_eq!(said, format!("{first}{WELL}"));
    assert_eq!(tried(&root, &[]), first, "no rule, no word about one");
    assert_eq!(root.names(""), [] as [Vec<u8>; 0], "nothing is left there");
}

#[test]
fn one_that_cannot_is_told_as_well() {
    let behind = Tree::new();
    let root = Bindfs::of(behind.root());
    let said = tried(&root.point, &RULES);
    assert!(
        said.starts_with(
            "tried  \"{root}\": RENAME_NOREPLACE no (EINVAL), link yes, O_TMPFILE no ("
        ),
        "{said}"
    );
    assert!(said.contains(", birth time no, "), "{said}");
    let own = "\n       no-delete: nothing is replaced, whatever other processes do meanwhile, but an empty directory by another; without times of birth, what the \
               session has made counts as foreign once it cannot be told any more\n";
    assert!(said.contains(own), "{said}");
    assert_eq!(behind.names(""), [] as [Vec<u8>; 0]);
}

#[test]
fn one_that_can_replace_and_takes_no_mode_is_told_as_well() {
    // As exFAT by FUSE.
    let root = Tree::below("/srv");
    let faults = [
        Fault::new(libc::SYS_renameat2, libc::EINVAL),
        Fault::new(libc::SYS_linkat, libc::EPERM),
        Fault::new(libc::SYS_fchmod, libc::EPERM),
    ];
    let said = Fault::around(&faults, || tried(&root, &RULES));
    let first = "tried  \"{root}\": RENAME_NOREPLACE no (EINVAL), link no (EPERM), O_TMPFILE yes, chmod no (EPERM), ";
    assert!(said.starts_with(first), "{said}");
    for line in [
        "append-only: RENAME and copy-file can replace what another process puts there at the same moment",
        "file-mode: what is made is refused, unless the mount gives that mode by itself",
        "atomic-upload: a new file has its name when it is whole, and can replace what another process puts there at that moment",
    ] {
        assert!(
            said.contains(&format!("\n       {line}\n")),
            "{line}: {said}"
        );
    }
    assert_eq!(root.names(""), [] as [Vec<u8>; 0]);
}

/// What is said of exFAT by FUSE, whatever rule is in force.
const NAMED: &str = "       RENAME: an empty file has the new name of a file first, so that other sessions write nothing there; what another \
program writes to it or puts there at that moment is lost; a directory takes the place of an empty one that appears
       copy-file: sessions take new names one after the other; what another program puts there at that moment is lost
       self-protection: names are compared without regard to case
";

#[test]
fn what_is_said_of_new_names_is_what_happens_to_them() {
    let mounted = Mounted::new(Kind::Exfat);
    let tree = &mounted.point;
    let said = tried(tree, &[]);
    assert_eq!(said.split_once('\n').unwrap().1, NAMED, "without any rule");
    let rules = tried(tree, &["--no-overwrite", "--drop-box", "--atomic-upload"]);
    let replaces = "RENAME and copy-file can replace what another process puts there at the same moment; without times of birth, \
                    what the session has made counts as foreign once it cannot be told any more";
    let whole = "a new file has its name when it is whole, and can replace what another process puts there at that moment";
    let means = format!(
        "       no-overwrite: {replaces}\n       drop-box: {replaces}\n       atomic-upload: {whole}\n{NAMED}"
    );
    assert_eq!(rules.split_once('\n').unwrap().1, means);
    // The events of a name: that it is created first, and empty, or that a file that is whole moves there.
    tree.file("old", "content");
    tree.file("from", "content");
    let watch = inotify::init(CreateFlags::NONBLOCK).unwrap();
    let mask = WatchFlags::CREATE | WatchFlags::MOVED_TO;
    inotify::add_watch(&watch, tree.root(), mask).unwrap();
    let mut server = Server::with(tree, ["--atomic-upload", "--root", "."]);
    server.ok(&rename("old", "renamed"));
    let handle = server.open("uploaded", WRITE | CREAT);
    server.ok(&write(&handle, 0, "content"));
    server.close(&handle);
    server.ok(&copy_file("from", "copied", 0));
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut reader = Reader::new(watch, &mut buffer);
    let mut events = Vec::new();
    while let Ok(event) = reader.next() {
        let name = event.file_name().unwrap().to_str().unwrap().to_owned();
        events.push((name, event.events()));
    }
    let of = |name: &str| -> Vec<_> {
        let of = events.iter().filter(|(of, _)| of == name);
        of.map(|(_, event)| *event).collect()
    };
    let (created, moved) = (ReadFlags::CREATE, ReadFlags::MOVED_TO);
    assert_eq!(of("renamed"), [created, moved]);
    assert_eq!(of("uploaded"), [moved]);
    assert_eq!(of("copied"), [moved]);
    for name in ["renamed", "uploaded", "copied"] {
        assert_eq!(tree.read(name), b"content");
    }
    // Nothing that stands there when it is looked is replaced.
    assert_eq!(server.code(&rename("renamed", "copied")), 4);
    assert_eq!(server.code(&copy_file("renamed", "copied", 0)), 4);
}

#[test]
fn one_on_which_no_file_gets_a_new_name_is_told_as_well() {
    let root = Tree::below("/srv");
    let faults = [
        Fault::new(libc::SYS_renameat2, libc::EINVAL),
        Fault::new(libc::SYS_linkat, libc::EPROTO),
    ];
    let said = Fault::around(&faults, || tried(&root, &["--atomic-upload"]));
    let lines =
        "       atomic-upload: a new file is refused when it is closed, after all of it was sent
       RENAME: a file gets no new name: Protocol error
       copy-file: a file gets no new name: Protocol error
";
    assert_eq!(said.split_once('\n').unwrap().1, lines);
    root.file("from", "content");
    let launch = Launch::new(&root).args(["--atomic-upload", "--root", "."]);
    let mut server = Fault::around(&faults, || launch.connect());
    let handle = server.open("new", WRITE | CREAT);
    server.ok(&write(&handle, 0, "content"));
    let text = "Failure: Protocol error";
    for request in [
        close(&handle),
        rename("from", "new"),
        copy_file("from", "new", 0),
    ] {
        assert_eq!(server.call(&request).status().text, text);
    }
    assert_eq!(root.names(""), [b"from"]);
}

#[test]
fn one_that_folds_case_is_told_as_well() {
    let root = Tree::below("/srv");
    let image = Tree::below("/srv");
    let file = image.at("image");
    File::create(&file).unwrap().set_len(16 << 20).unwrap();
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {output:?}");
    };
    run(Command::new("mkntfs").args(["-F", "-Q", "-q"]).arg(&file));
    run(Command::new("lowntfs-3g")
        .args(["-o", "ignore_case"])
        .arg(&file)
        .arg(root.root()));
    let said = std::panic::catch_unwind(|| tried(&root, &["--hide=a"]));
    run(Command::new("umount").arg("--lazy").arg(root.root()));
    let said = said.unwrap();
    assert!(
        said.lines().next().unwrap().ends_with(", case folded"),
        "{said}"
    );
    for line in [
        "hide: patterns tell case apart and the file system does not: another spelling of the name passes them",
        "self-protection: names are compared without regard to case",
    ] {
        assert!(
            said.contains(&format!("\n       {line}\n")),
            "{line}: {said}"
        );
    }
}

#[test]
fn where_nothing_can_be_made_nothing_is_tried_and_that_is_said() {
    let root = Tree::below("/srv");
    let before = root.meta("").mtime_nsec();
    for flags in [&["--read-only"][..], &["--read-only", "--no-overwrite"]] {
        let said = tried(&root, flags);
        assert_eq!(
            said,
            "tried  \"{root}\": nothing: read-only for the client\n"
        );
    }
    root.chmod("", 0o755);
    let place = Tree::below("/srv");
    place.chmod("", 0o755);
    let copy = copy_of(under_test(), place.root());
    let finished = Launch::program(copy, &root)
        .args([
            "check",
            "--no-config",
            "--json",
            "--root",
            ".",
            "--bind",
            "/b=.:ro",
        ])
        .user(65534, 65534)
        .run(Stdio::null(), Stdio::piped());
    let said = String::from_utf8(finished.stdout).unwrap();
    let both = "\"filesystems\":[{\"path\":\".\",\"tried\":false,\"why\":\"Permission denied\"},\
                {\"path\":\".\",\"tried\":false,\"why\":\"read-only for the client\"}],";
    assert!(said.contains(both), "{said}");
    assert_eq!(root.meta("").mtime_nsec(), before, "nothing came and went");
}

#[test]
fn programs_are_told_the_same() {
    let root = Tree::below("/srv");
    let dir = Tree::new();
    let finished = Launch::new(&dir)
        .args(["check", "--no-config", "--json", "--append-only", "--root"])
        .arg(root.root())
        .run(Stdio::null(), Stdio::piped());
    let said = String::from_utf8(finished.stdout).unwrap();
    let told = "\"tried\":true,\"rename_noreplace\":true,\"link\":true,\"o_tmpfile\":true,\"chmod\":true,\"birth_time\":true,\
                \"inode_kept\":true,\"folds_case\":false,\"means\":[{\"key\":\"append-only\",\"text\":\"nothing is replaced, \
                whatever other processes do meanwhile\"}]}],";
    assert!(said.contains(told), "{said}");
}
