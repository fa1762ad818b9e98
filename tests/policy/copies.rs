//! copy-file under the rules that the matrix says too little of: limits, modes, whose the copy is, uploads under way, neighbours.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::statvfs::statvfs as free_of;
use nix::unistd::Pid;

use crate::support::fault::Fault;
use crate::support::packet::pflags::{CREAT, EXCL, TRUNC, WRITE};
use crate::support::request::*;
use crate::support::{Packet, Server, Tree};

const MEBI: usize = 1 << 20;
const TOO_LARGE: &str = "Failure: File too large (--max-file-size)";
const NO_SPACE: &str = "Failure: No space left on device (--reserve-free)";

/// In a root, and without one; with `from`, of ten bytes, and `old`.
fn both(flags: &[&str], test: impl Fn(&Tree, Server)) {
    for root in [&["--root", "."][..], &[]] {
        let tree = Tree::new();
        tree.file("from", "ten bytes.");
        tree.file("old", "what was there");
        let server = Server::with(&tree, [root, flags].concat());
        test(&tree, server);
    }
}

fn text(server: &mut Server, packet: &Packet) -> String {
    server.call(packet).status().text.clone()
}

/// A file of the session's own.
pub(crate) fn make(server: &mut Server, name: &str, content: &str) {
    let handle = server.open(name, WRITE | CREAT | EXCL);
    server.ok(&write(&handle, 0, content));
    server.close(&handle);
}

#[test]
fn a_copy_past_the_greatest_size_is_refused_before_anything_is_touched() {
    both(&["--max-file-size", "9"], |tree, mut server| {
        tree.file("second", "of two names");
        fs::hard_link(tree.at("second"), tree.at("third")).unwrap();
        let before = tree.snapshot();
        for (to, over) in [("new", 0), ("new", 1), ("old", 1), ("second", 1)] {
            let copy = copy_file("from", to, over);
            assert_eq!(text(&mut server, &copy), TOO_LARGE, "{to}");
        }
        assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
        tree.file("from", "nine byte");
        for (to, over) in [("new", 0), ("old", 1), ("second", 1)] {
            server.ok(&copy_file("from", to, over));
            assert_eq!(tree.read(to), b"nine byte");
        }
    });
}

#[test]
fn a_copy_of_what_holds_more_than_its_size_says_leaves_nothing_behind() {
    let tree = Tree::new();
    tree.file("old", "what was there");
    let mut server = Server::with(&tree, ["--max-file-size", "100"]);
    assert!(fs::read("/proc/self/status").unwrap().len() > 200);
    for (to, over) in [("new", 0), ("new", 1), ("old", 1)] {
        let copy = copy_file("/proc/self/status", to, over);
        assert_eq!(text(&mut server, &copy), TOO_LARGE, "{to}");
        assert_eq!(tree.names("."), [b"old"], "{to}");
    }
    assert_eq!(tree.read("old"), b"what was there");
}

#[test]
fn a_copy_into_what_stays_free_is_refused_and_leaves_nothing_behind() {
    // A file system of which nobody else takes this much meanwhile.
    let tree = Tree::below("/dev/shm");
    let figures = free_of(tree.root()).unwrap();
    let free = figures.blocks_available() * figures.fragment_size();
    let reserve = (free - 64 * MEBI as u64).to_string();
    tree.file("from", "ten bytes.");
    tree.file("old", "what was there");
    tree.file("second", "of two names");
    fs::hard_link(tree.at("second"), tree.at("third")).unwrap();
    // It takes nothing, a copy of it might.
    let sparse = File::create(tree.at("sparse")).unwrap();
    sparse.set_len(96 * MEBI as u64).unwrap();
    let mut server = Server::with(&tree, ["--root", ".", "--reserve-free", &reserve]);
    let before = tree.snapshot();
    for (to, over) in [("new", 0), ("new", 1), ("old", 1), ("second", 1)] {
        let copy = copy_file("sparse", to, over);
        assert_eq!(text(&mut server, &copy), NO_SPACE, "{to}");
    }
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    for (to, over) in [("new", 0), ("old", 1), ("second", 1)] {
        server.ok(&copy_file("from", to, over));
        assert_eq!(tree.read(to), b"ten bytes.");
    }
}

#[test]
fn under_append_only_a_copy_is_new_and_replaces_nothing() {
    both(&["--append-only"], |tree, mut server| {
        tree.file("empty", "");
        server.ok(&copy_file("from", "new", 0));
        server.ok(&copy_file("from", "new2", 1));
        let refused = "Permission denied: --append-only";
        // An own one as well: it would be emptied.
        for to in ["old", "new", "empty"] {
            assert_eq!(
                text(&mut server, &copy_file("from", to, 1)),
                refused,
                "{to}"
            );
            assert_ne!(server.code(&copy_file("from", to, 0)), 0, "{to}");
        }
        assert_eq!(tree.read("new"), b"ten bytes.");
        assert_eq!(tree.read("new2"), b"ten bytes.");
        assert_eq!(tree.read("old"), b"what was there");
        assert_eq!(tree.read("empty"), b"");
        // It grows as all others do.
        let handle = server.open("new", WRITE);
        server.ok(&write(&handle, 10, "more"));
        assert_eq!(tree.read("new"), b"ten bytes.more");
    });
}

#[test]
fn a_copy_overwrites_nothing_where_nothing_is_overwritten() {
    both(&["--no-overwrite"], |tree, mut server| {
        tree.link("link", "old");
        fs::hard_link(tree.at("old"), tree.at("second")).unwrap();
        let before = tree.snapshot();
        let refused = "Permission denied: --no-overwrite";
        for to in ["old", "link", "second"] {
            assert_eq!(
                text(&mut server, &copy_file("from", to, 1)),
                refused,
                "{to}"
            );
            assert_ne!(server.code(&copy_file("from", to, 0)), 0, "{to}");
        }
        assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
        // The copy is the session's own: it gets another name, and no other content.
        server.ok(&copy_file("from", "new", 1));
        assert_eq!(text(&mut server, &copy_file("old", "new", 1)), refused);
        server.ok(&rename("new", "newer"));
        assert_eq!(tree.read("newer"), b"ten bytes.");
    });
}

#[test]
fn in_a_drop_box_own_files_are_copied_and_no_others() {
    both(&["--drop-box"], |tree, mut server| {
        make(&mut server, "mine", "content of mine");
        let before = tree.snapshot();
        for (from, to, over, expected) in [
            ("from", "new", 0, "No such file"),
            ("from", "old", 1, "No such file"),
            ("missing", "new", 0, "No such file"),
            ("mine", "old", 0, "Permission denied: --drop-box"),
            ("mine", "old", 1, "Permission denied: --drop-box"),
        ] {
            let said = text(&mut server, &copy_file(from, to, over));
            assert_eq!(said, expected, "{from} {to} {over}");
        }
        assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
        server.ok(&copy_file("mine", "copy", 0));
        let names = server.list(".").into_iter().map(|name| name.filename);
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, [&b"."[..], b"..", b"copy", b"mine"]);
        // The copy is own: of it there can be another, and it can be removed.
        server.ok(&copy_file("copy", "again", 1));
        server.ok(&rename("again", "renamed"));
        assert_eq!(tree.read("renamed"), b"content of mine");
        server.ok(&remove("copy"));
        server.ok(&remove("renamed"));
    });
}

#[test]
fn whose_a_copy_is_depends_on_what_it_took_the_place_of() {
    for more in [&[][..], &["--atomic-upload"]] {
        let flags = [&["--no-delete"], more].concat();
        both(&flags, |tree, mut server| {
            make(&mut server, "mine", "mine");
            server.ok(&copy_file("from", "new", 0));
            // By effect the content of another's file is overwritten, which this rule allows; the file is still another's.
            server.ok(&copy_file("from", "old", 1));
            assert_eq!(tree.read("old"), b"ten bytes.");
            for request in [remove("old"), rename("old", "elsewhere")] {
                let said = text(&mut server, &request);
                assert_eq!(said, "Permission denied: --no-delete");
            }
            // And of one's own it stays one's own.
            server.ok(&copy_file("from", "mine", 1));
            assert_eq!(tree.read("mine"), b"ten bytes.");
            server.ok(&remove("mine"));
            server.ok(&remove("new"));
        });
    }
}

#[test]
fn a_copy_has_the_exact_mode_and_what_is_overwritten_its_own() {
    both(&["--file-mode", "0646", "-u", "077"], |tree, mut server| {
        tree.chmod("from", 0o700);
        tree.chmod("old", 0o604);
        for over in [0, 1] {
            let name = format!("new{over}");
            server.ok(&copy_file("from", &name, over));
            assert_eq!(tree.mode(&name), 0o646);
        }
        server.ok(&copy_file("from", "old", 1));
        assert_eq!(tree.mode("old"), 0o604);
    });
}

#[test]
fn what_is_left_out_of_setstat_is_neither_the_content_of_a_copy_nor_its_mode() {
    let flags = ["--ignore-setstat", "size,perms,times,owner"];
    both(&flags, |tree, mut server| {
        tree.chmod("from", 0o750);
        // Both are written as they stand, and are longer than what comes.
        for name in ["old", "alone"] {
            tree.file(name, "what was there");
            tree.chmod(name, 0o604);
            chown(tree.at(name), Some(1234), Some(4321)).unwrap();
        }
        fs::hard_link(tree.at("old"), tree.at("second")).unwrap();
        server.ok(&copy_file("from", "new", 0));
        assert_eq!(tree.mode("new"), 0o750);
        for name in ["old", "alone"] {
            server.ok(&copy_file("from", name, 1));
            assert_eq!(tree.read(name), b"ten bytes.", "{name}");
            let kept = tree.meta(name);
            assert_eq!(
                (kept.uid(), kept.gid(), tree.mode(name)),
                (1234, 4321, 0o604)
            );
        }
        assert_eq!(tree.read("second"), b"ten bytes.");
    });
}

#[test]
fn where_nothing_changes_nothing_is_copied() {
    for (flags, refused) in [
        (&["--read-only"][..], "--read-only"),
        (&["-R"], "--read-only"),
        (&["-P", "copy-file"], "--deny-requests"),
        (&["-P", "read"], "--deny-requests"),
        (
            &["-p", "copy-file,open,write,close,stat"],
            "--allow-requests",
        ),
        (&["-p", "read,open,write,close,stat"], "--allow-requests"),
    ] {
        both(flags, |tree, mut server| {
            let before = tree.snapshot();
            for (from, to, over) in [
                ("from", "new", 0),
                ("from", "old", 1),
                ("missing", "new", 0),
            ] {
                let reply = server.call(&copy_file(from, to, over));
                let status = reply.status();
                assert_eq!(status.code, 3, "{flags:?}");
                let named = status.text.contains(refused);
                assert!(named, "{flags:?}: {}", status.text);
            }
            assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
        });
    }
    let parts = "copy-file,open,read,write,close,copy-data";
    both(&["-p", parts], |tree, mut server| {
        server.ok(&copy_file("from", "new", 0));
        assert_eq!(tree.read("new"), b"ten bytes.");
    });
}

#[test]
fn a_copy_of_an_upload_under_way_has_what_was_written_so_far() {
    both(&["--atomic-upload"], |tree, mut server| {
        for name in ["fresh", "old"] {
            let handle = server.open(name, WRITE | CREAT | TRUNC);
            server.ok(&write(&handle, 0, "half"));
            let copy = format!("copy of {name}");
            server.ok(&copy_file(name, &copy, 0));
            server.ok(&write(&handle, 4, " and half"));
            server.close(&handle);
            assert_eq!(tree.read(&copy), b"half");
            assert_eq!(tree.read(name), b"half and half");
        }
        assert_eq!(tree.names(".").len(), 5, "and no unlisted name");
    });
}

#[test]
fn a_copy_over_an_upload_under_way_is_there_until_that_is_closed() {
    both(&["--atomic-upload"], |tree, mut server| {
        for name in ["fresh", "old"] {
            let handle = server.open(name, WRITE | CREAT | TRUNC);
            server.ok(&write(&handle, 0, "half"));
            let reply = server.call(&copy_file("from", name, 0));
            assert_eq!(reply.status().text, "Failure: File exists", "{name}");
            server.ok(&copy_file("from", name, 1));
            assert_eq!(tree.read(name), b"ten bytes.");
            server.ok(&write(&handle, 4, " and half"));
            server.close(&handle);
            assert_eq!(tree.read(name), b"half and half");
        }
        assert_eq!(tree.names(".").len(), 3, "and no unlisted name");
    });
}

#[test]
fn a_copy_that_is_cut_off_leaves_nothing_behind() {
    for flags in [
        &[][..],
        &["--no-delete"],
        &["--atomic-upload"],
        &["--session-timeout", "1"],
    ] {
        for over in [0, 1] {
            let tree = Tree::new();
            tree.file("old", "what was there");
            let endless = File::create(tree.at("endless")).unwrap();
            endless.set_len(1 << 38).unwrap();
            let flags = [&["--root", "."], flags].concat();
            let mut server = Fault::around(&[Fault::no_holes()], || Server::with(&tree, &flags));
            let to = if over == 1 { "old" } else { "new" };
            server.send(&copy_file("endless", to, over));
            thread::sleep(Duration::from_millis(400));
            assert_eq!(tree.names(".").len(), 3, "it is under way");
            assert_eq!(tree.read("old"), b"what was there", "{flags:?}");
            if !flags.contains(&"--session-timeout") {
                kill(Pid::from_raw(server.pid() as i32), Signal::SIGTERM).unwrap();
            }
            server.wait();
            assert_eq!(tree.names("."), [&b"endless"[..], b"old"], "{flags:?}");
            assert_eq!(tree.read("old"), b"what was there", "{flags:?}");
        }
    }
}

#[test]
fn what_a_neighbour_puts_there_during_a_copy_is_never_lost() {
    // Without a rule a copy that overwrites may replace it, and no other.
    for (flags, over) in [
        (&[][..], 0),
        (&["--root", "."], 0),
        (&["--root", ".", "--no-delete"], 0),
        (&["--no-overwrite"], 1),
        (&["--root", ".", "--no-overwrite"], 1),
        (&["--root", ".", "--append-only"], 1),
    ] {
        let tree = Tree::new();
        let content = vec![b'o'; 8 * MEBI];
        tree.file("from", &content);
        tree.dir("dir");
        let at = tree.at("dir/name");
        let mut server = Server::with(&tree, flags);
        let (mut ours, mut theirs) = (0, 0);
        // Until both have come first often enough, in a race that one of them may win most of the time.
        for round in 0..1000 {
            let answered = AtomicBool::new(false);
            let (reply, taken, seen) = thread::scope(|scope| {
                let neighbour = scope.spawn(|| {
                    // When the copy is under way, if that can be seen, or a little later.
                    let mut seen = false;
                    while !seen && !answered.load(Ordering::Relaxed) {
                        seen = !tree.names("dir").is_empty();
                    }
                    thread::sleep(Duration::from_micros(round % 4 * 300));
                    let made = File::create_new(&at);
                    let taken = made.is_ok_and(|mut file| file.write_all(b"theirs").is_ok());
                    (taken, seen)
                });
                let reply = server.call(&copy_file("from", "dir/name", over));
                answered.store(true, Ordering::Relaxed);
                let (taken, seen) = neighbour.join().unwrap();
                (reply, taken, seen)
            });
            assert_ne!(reply.code() == 0, taken, "{flags:?}: one is first");
            match taken {
                true => assert_eq!(tree.read("dir/name"), b"theirs", "{flags:?}"),
                false => assert!(tree.read("dir/name") == content, "{flags:?}"),
            }
            assert_eq!(tree.names("dir"), [b"name"], "{flags:?}");
            fs::remove_file(&at).unwrap();
            ours += usize::from(!taken);
            theirs += usize::from(taken && seen);
            if ours.min(theirs) >= 5 {
                break;
            }
        }
        assert!(ours.min(theirs) >= 5, "no race: {ours} against {theirs}");
    }
}
