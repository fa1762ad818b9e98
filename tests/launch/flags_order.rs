//! Several flags that are wrong: as getopt(3) hands them over, the first that is fatal counts, and what stands before it.

use std::process::Stdio;

use crate::flags::with_ours;
use crate::support::{Launch, OPENSSH, Tree, under_test};

/// Both servers leave alike: status, stdout, and, where they serve, stderr. OpenSSH's reasons for leaving are in the system's
/// log, but for its usage; ours are on stderr.
#[track_caller]
fn same<A: AsRef<std::ffi::OsStr> + std::fmt::Debug>(tree: &Tree, flags: &[A]) -> Option<i32> {
    let run = |program| {
        Launch::program(program, tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped())
    };
    let ours = run(under_test()).without_the_locks();
    let theirs = run(OPENSSH.into());
    // On purpose: `flags` has its tests.
    let alone = ["\" is no option, and ", " has no value: the option \""];
    if theirs.status.success() && alone.iter().any(|words| ours.stderr_text().contains(words)) {
        return ours.status.code();
    }
    assert_eq!(ours.status, theirs.status, "{flags:?}: {ours:?}");
    assert_eq!(ours.stdout, with_ours(&theirs.stdout), "{flags:?}");
    let (said, theirs_said) = (ours.stderr_text(), theirs.stderr_text());
    if ours.status.success() || theirs_said == "Invalid query type\n" {
        // What -e or a later name made good, OpenSSH tells the system's log alone.
        let lines = said.split_inclusive('\n');
        let session: String = lines
            .filter(|line| {
                !line.starts_with("Invalid log ") && !line.contains("there is no request")
            })
            .collect();
        assert_eq!(session, theirs_said, "{flags:?}");
    } else {
        assert_ne!(said.trim(), "", "{flags:?}");
        let usage = |text: &str| text.to_lowercase().contains("usage: ");
        assert_eq!(usage(&said), usage(&theirs_said), "{flags:?}: {said}");
    }
    ours.status.code()
}

#[test]
fn the_first_fatal_flag_counts() {
    let tree = Tree::new();
    for (line, status) in [
        // Fatal, and then what would end otherwise.
        ("-u| |-Qx", 255),
        ("-u|bad|-Qrequests", 255),
        ("-u|bad|-h", 255),
        ("-u|bad|-z", 255),
        ("-u|bad|-l", 255),
        ("-d|%x|-Q|requests", 255),
        ("-d|~no-such-user|-h", 255),
        ("-d|%x|-d|/", 255),
        ("-u|bad|-u|022", 255),
        ("-p|open|-p|close|-h", 255),
        ("-P|open|-RP|close|-z", 255),
        // What ends otherwise, and then fatal.
        ("-Qx|-u|bad", 1),
        ("-Q|requests|-u|bad", 0),
        ("-h|-u|bad", 1),
        ("-Rh|-u|bad", 1),
        ("-z|-u|bad", 1),
        ("-Rz|-d|%x", 1),
        ("-Rhz|-d|%x", 1),
        ("-p|open|-h|-p|close", 1),
        // Names for the log are looked up when all flags are read.
        ("-l|bogus|-h", 1),
        ("-l|bogus|-Q|requests", 0),
        ("-l|bogus|-u|bad", 255),
        ("-l|bogus|-u|022", 1),
        ("-f|bogus|-Q|requests", 0),
        ("-f|bogus|-d|%x", 255),
        ("-f|bogus|-e", 0),
        ("-f|bogus", 1),
        // What follows is not read any more.
        ("-c|sftp-server|-u|bad", 0),
        ("-Rc|sftp-server|-u|bad", 0),
        ("-R|--|-u|bad", 1),
        ("-R-|-u|bad", 1),
        ("-|-u|bad", 1),
        ("left|-u|bad", 1),
        ("-u|bad|left", 255),
        ("-u|-0", 0),
        ("-u| -00", 0),
        ("-u|-1", 255),
        ("-u|--", 255),
    ] {
        let flags: Vec<_> = line.split('|').collect();
        assert_eq!(same(&tree, &flags), Some(status), "{line}");
    }
}

#[test]
fn ours_tells_the_first_fatal_flag() {
    let tree = Tree::new();
    for (flags, words) in [
        (&["-d", "%x", "-u", "bad"][..], "start directory \"%x\""),
        (&["-u", "bad", "-d", "%x"], "umask \"bad\""),
        (&["-u", "one", "-u", "two"], "umask \"one\""),
        (&["-p", "", "-p", "", "-P", "", "-P", ""], "Permitted"),
        (&["-P", "", "-P", "", "-p", "", "-p", ""], "Refused"),
        (&["--umask=bad", "--help"], "umask \"bad\""),
        (&["-l", "bogus", "-m", "bad"], "file mode \"bad\""),
    ] {
        let finished = Launch::new(&tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(255), "{flags:?}");
        let said = finished.stderr_text();
        assert!(said.contains(words), "{flags:?}: {said}");
        assert_eq!(finished.stdout, b"", "{flags:?}");
    }
}

#[test]
fn any_line_of_flags_ends_as_openssh_s_does() {
    let seed = match std::env::var("FLAGS_SEED") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => fastrand::u64(..),
    };
    eprintln!("FLAGS_SEED={seed} replays this");
    let mut random = fastrand::Rng::with_seed(seed);
    let tree = Tree::new();
    for _ in 0..400 {
        same(&tree, &line(&mut random));
    }
}

/// Up to six words: mostly flags with a value that they know, in one word or in two, some of them together.
fn line(random: &mut fastrand::Rng) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..random.usize(1..6) {
        let mut letters = String::from("-");
        for _ in 0..random.usize(0..3) {
            letters.push(letter(random, b"ReReReReRez"));
        }
        match random.u8(0..20) {
            0 => letters.push(letter(random, b"hz-:?")),
            1 => words.push(random.choice(["", "left", "-", "--", "-R"]).unwrap().into()),
            _ => {
                let letter = letter(random, b"ddllffuuuupPQ");
                letters.push(letter);
                let known: &[&str] = match letter {
                    'd' => &[
                        "/", "", "%d", "%%", "~", "~daemon", "%x", "%", "~none/", "-R",
                    ],
                    'l' => &["INFO", "quiet", "ERROR", "DEBUG3", "bogus", "", "INFO "],
                    'f' => &["AUTH", "local3", "USER", "bogus", "", "-e"],
                    'u' => &["022", "0", "-0", "0777", " 7", "+1", "-1", "8", "", "1000"],
                    'Q' => &["requests", "Requests", "", "request"],
                    _ => &["open", "", "nonsense", ",", "-z"],
                };
                let value = random.choice(known).unwrap();
                match random.u8(0..10) {
                    // Without a value of its own it takes the next word, if there is one.
                    0 => {}
                    1..4 => letters.push_str(value),
                    _ => {
                        words.extend([letters, (*value).to_owned()]);
                        continue;
                    }
                }
            }
        }
        words.push(letters);
    }
    words
}

fn letter(random: &mut fastrand::Rng, letters: &[u8]) -> char {
    char::from(*random.choice(letters).unwrap())
}
