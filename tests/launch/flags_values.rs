//! The values of the flags, by their effect: modes of what is created, what the lists refuse, levels and facilities.

use std::process::Stdio;

use crate::support::request;
use crate::support::wire::{Attrs, code, pflags};
use crate::support::{Launch, OPENSSH, Server, Tree, under_test};

/// The modes of a file and a directory made without and with permissions asked for.
#[track_caller]
fn modes(program: &str, flags: &[&str]) -> Vec<u32> {
    let tree = Tree::new();
    let mut server = Launch::program(program, &tree).args(flags).connect();
    let create = pflags::WRITE | pflags::CREAT;
    for (name, attrs) in [
        ("plain", Attrs::NONE),
        ("asked", Attrs::NONE.permissions(0o100_777)),
    ] {
        server.call(&request::open(name, create, &attrs)).handle();
    }
    server.ok(&request::mkdir("d-plain", &Attrs::NONE));
    server.ok(&request::mkdir("d-asked", &Attrs::NONE.permissions(0o755)));
    ["plain", "asked", "d-plain", "d-asked"]
        .map(|name| tree.mode(name))
        .to_vec()
}

fn ours() -> String {
    under_test().to_str().unwrap().to_owned()
}

#[test]
fn the_umask_is_octal_and_holds_for_files_and_directories() {
    for umask in ["0", "022", "27", "0777", "777", "+22", " 22", "0000000027"] {
        let flags = ["-u", umask];
        let (ours, theirs) = (modes(&ours(), &flags), modes(OPENSSH, &flags));
        assert_eq!(ours, theirs, "{umask:?}");
    }
    assert_eq!(modes(&ours(), &["-u", "027"]), [0o640, 0o750, 0o750, 0o750]);
}

#[test]
fn the_last_umask_counts() {
    let flags = ["-u", "022", "-u", "077"];
    assert_eq!(modes(&ours(), &flags), modes(OPENSSH, &flags));
    assert_eq!(modes(&ours(), &flags), [0o600, 0o700, 0o700, 0o700]);
}

#[test]
fn a_umask_that_is_no_octal_number_up_to_0777_is_refused() {
    for umask in [
        "9",
        "",
        "01777",
        "-1",
        "0x12",
        "022x",
        "bad",
        "1000",
        "99999999999999999999999",
    ] {
        let tree = Tree::new();
        let run = |program| {
            Launch::program(program, &tree)
                .args(["-u", umask])
                .run(Stdio::null(), Stdio::piped())
        };
        let (ours, theirs) = (run(under_test()), run(OPENSSH.into()));
        // OpenSSH's reason is in the system's log alone.
        assert_eq!(theirs.status.code(), Some(255), "{umask:?}");
        assert_eq!(ours.status.code(), Some(255), "{umask:?}");
        let words = ours.stderr_text();
        assert!(words.contains("umask"), "{umask:?}: {words}");
    }
}

#[test]
fn a_forced_mode_beats_umask_and_client_for_files_and_leaves_directories_alone() {
    // Red Hat's flag: OpenSSH's own server does not have it.
    assert_eq!(
        modes(&ours(), &["-u", "022", "-m", "0640"]),
        [0o640, 0o640, 0o755, 0o755]
    );
    assert_eq!(
        modes(&ours(), &["-m", "0666", "-u", "077"]),
        [0o666, 0o666, 0o700, 0o700]
    );
}

/// The extensions that OpenSSH does not have.
const OURS: [&str; 2] = ["copy-file", "space-available"];

/// The status code of each request, by name.
fn statuses(program: &str, flags: &[&str]) -> Vec<(&'static str, u32)> {
    let tree = Tree::new();
    tree.file("f", "content");
    tree.file("g", "content");
    let mut server: Server = Launch::program(program, &tree).args(flags).connect();
    let create = pflags::WRITE | pflags::CREAT;
    let requests = [
        ("open read", request::open("f", pflags::READ, &Attrs::NONE)),
        (
            "open write",
            request::open("f", pflags::WRITE, &Attrs::NONE),
        ),
        ("open create", request::open("new", create, &Attrs::NONE)),
        (
            "open truncate",
            request::open("g", pflags::READ | pflags::TRUNC, &Attrs::NONE),
        ),
        ("opendir", request::opendir(".")),
        ("stat", request::stat("f")),
        ("lstat", request::lstat("f")),
        (
            "setstat",
            request::setstat("f", &Attrs::NONE.permissions(0o600)),
        ),
        ("lsetstat", request::lsetstat("f", &Attrs::NONE.times(1, 1))),
        ("realpath", request::realpath(".")),
        ("mkdir", request::mkdir("d", &Attrs::NONE)),
        ("rmdir", request::rmdir("d")),
        ("rename", request::rename("f", "h")),
        ("posix-rename", request::posix_rename("h", "f")),
        ("hardlink", request::hardlink("g", "k")),
        ("symlink", request::symlink("f", "s")),
        ("readlink", request::readlink("s")),
        ("remove", request::remove("k")),
        ("statvfs", request::statvfs(".")),
        ("limits", request::limits()),
        ("expand-path", request::expand_path("~")),
        ("home-directory", request::home_directory("root")),
        (
            "users-groups-by-id",
            request::users_groups_by_id(&[0], &[0]),
        ),
        ("unknown", request::extended("no-such@example.org", b"")),
    ];
    let outcome = |server: &mut Server, packet| match server.call(packet) {
        crate::support::Reply::Status(status) => status.code,
        _ => code::OK,
    };
    let mut all: Vec<_> = requests
        .iter()
        .map(|(name, packet)| (*name, outcome(&mut server, packet)))
        .collect();
    // A denied extension is not announced. Ours has some more.
    let announced = server.init(3).1.into_iter();
    let theirs = announced
        .filter(|(name, _)| !OURS.contains(&name.as_str()))
        .count();
    all.push(("announced", u32::try_from(theirs).unwrap()));
    all
}

#[test]
fn what_read_only_and_the_lists_refuse_is_what_openssh_refuses() {
    for flags in [
        &[][..],
        &["-R"],
        &["-P", "remove,rename,limits"],
        &["-P", "rename"],
        &["-P", "open"],
        &["-P", "posix-rename@openssh.com"],
        &["-p", "open,stat,realpath"],
        &["-p", "nonsense"],
        &["-p", ""],
        &["-P", ""],
        &["-P", "r*,!remove"],
        &["-p", "*stat*"],
        &["-p", "?pen,stat"],
        &["-p", "OPEN,STAT"],
        &["-p", " open, stat"],
        &["-p", "open,write", "-R"],
        &["-p", "stat,open", "-P", "stat"],
    ] {
        assert_eq!(
            statuses(&ours(), flags),
            statuses(OPENSSH, flags),
            "{flags:?}"
        );
    }
}

#[test]
fn levels_and_facilities_are_known_in_any_case() {
    let tree = Tree::new();
    let code = |program: &str, flags: &[&str]| {
        let finished = Launch::program(program, &tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped());
        finished.status.code()
    };
    let levels =
        "QUIET FATAL ERROR INFO VERBOSE DEBUG DEBUG1 DEBUG2 DEBUG3 quiet Info dEbUg2 DEBUG4 NONE 3";
    for level in levels.split(' ').chain([""]) {
        let flags = ["-l", level];
        assert_eq!(code(&ours(), &flags), code(OPENSSH, &flags), "{level:?}");
    }
    let facilities = "DAEMON USER AUTH AUTHPRIV LOCAL0 LOCAL1 LOCAL2 LOCAL3 LOCAL4 LOCAL5 LOCAL6 LOCAL7 daemon Local3 LOCAL8 KERN MAIL 4";
    for facility in facilities.split(' ').chain([""]) {
        let flags = ["-f", facility];
        assert_eq!(code(&ours(), &flags), code(OPENSSH, &flags), "{facility:?}");
    }
}

#[test]
fn a_level_that_does_not_exist_is_refused_in_words() {
    let tree = Tree::new();
    for flags in [["-l", "bad"], ["-f", "bad"]] {
        let finished = Launch::program(under_test(), &tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1));
        assert!(finished.stderr_text().contains("bad"), "{finished:?}");
    }
}

#[test]
fn what_would_be_right_stands_behind_openssh_s_words() {
    let tree = Tree::new();
    for (flags, expected) in [
        (
            &["-u", "9"][..],
            "Invalid umask \"9\"; it is octal, 0 to 0777, as in \"027\"\n",
        ),
        (
            &["-m", "rw"],
            "Invalid file mode \"rw\"; it is octal, 0 to 0777, as in \"0640\"\n",
        ),
        (
            &["-l", "LOUD"],
            "Invalid log level \"LOUD\"; it is QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3\n",
        ),
        (
            &["-f", "MAIL"],
            "Invalid log facility \"MAIL\"; it is DAEMON, USER, AUTH, AUTHPRIV, or LOCAL0 to LOCAL7\n",
        ),
        (
            &["-p", "open", "-p", "close"],
            "Permitted requests already set; give the flag once, with commas between the requests\n",
        ),
        (
            &["--bind", "/a=/srv"],
            "--bind needs --root: without it the client sees the whole host; add --root DIR, or leave out --bind\n",
        ),
    ] {
        let launch = Launch::program(under_test(), &tree).args(flags);
        let finished = launch.run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.stderr_text(), expected, "{flags:?}");
    }
}
