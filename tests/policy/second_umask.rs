//! What `--umask` takes from modes, and by which other request, rule or step a bit of it could be had all the same; beside OpenSSH's server.
//! The same without the rule makes what it takes, so that it would be noticed.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::fault::Fault;
use crate::support::request::*;
use crate::support::wire::pflags::{CREAT, EXCL, READ, TRUNC, WRITE};
use crate::support::{Attrs, Launch, OPENSSH, Server, Tree, under_test};

/// Everything that makes a name or sets a mode; `copies` are what OpenSSH's server does not know.
fn make(server: &mut Server, copies: bool) {
    let modes = [0o666, 0o777, 0o7777].map(|mode| Attrs::NONE.permissions(mode));
    for (n, attrs) in [Attrs::NONE].iter().chain(&modes).enumerate() {
        for (how, flags) in [("w", WRITE), ("rw", READ | WRITE), ("x", WRITE | EXCL)] {
            let name = format!("file {how}{n}");
            let reply = server.call(&open(name, flags | CREAT | TRUNC, attrs));
            server.close(reply.handle());
        }
        server.ok(&mkdir(format!("dir {n}"), attrs));
        // What is there keeps its mode, whatever the client names.
        let reply = server.call(&open("there", WRITE | CREAT | TRUNC, attrs));
        server.ok(&write(reply.handle(), 0, "new"));
        server.close(reply.handle());
    }
    server.ok(&symlink("there", "link"));
    server.ok(&hardlink("file w1", "hard"));
    server.ok(&rename("file rw2", "renamed"));
    if copies {
        server.ok(&copy_file("open to all", "copy", 0));
        server.ok(&copy_file("open to all", "copy over", 1));
        server.ok(&copy_file("open to all", "there", 1));
    }
}

/// The modes of all that stands there.
fn modes(tree: &Tree) -> BTreeMap<String, u32> {
    let entries = tree.snapshot().entries.into_iter();
    let named = entries.filter(|(name, entry)| !name.is_empty() && entry.kind != 'l');
    named
        .map(|(name, entry)| (String::from_utf8(name).unwrap(), entry.mode))
        .collect()
}

/// What these flags leave of the modes, by which server.
fn made(program: &Path, flags: &[&str]) -> BTreeMap<String, u32> {
    let tree = Tree::new();
    tree.file("there", "old");
    tree.file("open to all", "content");
    tree.chmod("open to all", 0o666);
    let mut server = Launch::program(program, &tree).args(flags).connect();
    let copies = !server.is_openssh();
    make(&mut server, copies);
    modes(&tree)
}

#[test]
fn nothing_is_made_with_a_bit_that_the_umask_takes() {
    let had = ["there", "open to all"];
    let kept = |made: &BTreeMap<String, u32>| {
        let new = made.iter().filter(|(name, _)| !had.contains(&&***name));
        new.into_iter().all(|(_, mode)| mode & 0o027 == 0)
    };
    for more in [
        &[][..],
        &["--root", "."],
        &["--atomic-upload"],
        &["--no-delete"],
        &["--root", ".", "--keep-setuid", "--max-file-size", "1G"],
    ] {
        let ours = made(&under_test(), &[&["-u", "027"], more].concat());
        assert!(kept(&ours), "{more:?}: {ours:?}");
        assert_eq!(
            (ours["there"], ours["copy"], ours["file w0"]),
            (0o644, 0o640, 0o640)
        );
        assert_eq!((ours["dir 0"], ours["dir 1"]), (0o750, 0o640));
        let without = made(&under_test(), &[&["-u", "0"], more].concat());
        assert!(!kept(&without), "{more:?}: nothing is noticed");
    }
    // As OpenSSH's has it, name by name.
    let mut ours = made(&under_test(), &["-u", "027"]);
    ours.retain(|name, _| !name.starts_with("copy"));
    assert_eq!(ours, made(OPENSSH.as_ref(), &["-u", "027"]));
}

#[test]
fn a_mode_that_is_set_later_is_not_masked_as_with_openssh_and_the_exact_ones_hold() {
    let set = |program: &Path, flags: &[&str]| {
        let tree = Tree::new();
        let mut server = Launch::program(program, &tree).args(flags).connect();
        let all = Attrs::NONE.permissions(0o666);
        for name in ["set", "handle", "itself"] {
            let handle = server.open(name, WRITE | CREAT);
            match name {
                "set" => server.ok(&setstat(name, &all)),
                "handle" => server.ok(&fsetstat(&handle, &all)),
                _ => server.ok(&lsetstat(name, &all)),
            }
            server.close(&handle);
        }
        server.ok(&mkdir("dir", &Attrs::NONE));
        server.ok(&setstat("dir", &Attrs::NONE.permissions(0o777)));
        modes(&tree).into_values().collect::<Vec<_>>()
    };
    let (masked, later) = (["-u", "077"], [0o777, 0o666, 0o666, 0o666]);
    for program in [OPENSSH.as_ref(), &*under_test()] {
        assert_eq!(set(program, &masked), later);
    }
    let exact = ["--file-mode", "0640", "--dir-mode", "0751"];
    for more in [&[][..], &["--atomic-upload"]] {
        let flags = [&masked[..], &exact, more].concat();
        assert_eq!(set(&under_test(), &flags), [0o751, 0o640, 0o640, 0o640]);
    }
}

/// A mode that is exact is had by a umask of 0, which is the process's: nothing else may be made at that moment.
#[test]
fn an_exact_mode_lends_its_umask_to_nothing_beside_it() {
    let slow = "openat,open,openat2,mkdir,mkdirat:delay_enter=3000";
    for more in [&["-m", "0666"][..], &["--file-mode", "0666"]] {
        let tree = Tree::new();
        let mut server = Fault::traced(slow, under_test(), &tree)
            .args(["-u", "077"])
            .args(more)
            .connect();
        for round in 0..4 {
            let file = |n| open(format!("f{round}-{n}"), WRITE | CREAT, &Attrs::NONE);
            let dir = |n| mkdir(format!("d{round}-{n}"), &Attrs::NONE);
            let burst: Vec<_> = (0..12).map(file).chain((0..12).map(dir)).collect();
            server.pipeline(&burst);
        }
        let modes = modes(&tree);
        assert_eq!(modes.len(), 96);
        for (name, mode) in modes {
            let right = if name.starts_with('d') { 0o700 } else { 0o666 };
            assert_eq!(mode, right, "{more:?}: {name}");
        }
    }
}
