//! The command line beside OpenSSH's: what is accepted, what is refused, and how the program leaves.

use std::process::Stdio;

use crate::support::server::words;
use crate::support::{Finished, Launch, OPENSSH, Tree, under_test};

/// Both servers with these flags at the end of input: ours, theirs.
#[track_caller]
fn both(flags: &[&str]) -> (Finished, Finished) {
    let tree = Tree::new();
    let run = |program| {
        Launch::program(program, &tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped())
    };
    let ours = run(under_test()).without_the_locks();
    (ours, run(OPENSSH.into()))
}

/// Both servers do the very same: exit status, stdout, stderr.
#[track_caller]
fn same(flags: &[&str]) -> Finished {
    let (ours, theirs) = both(flags);
    assert_eq!(ours.status, theirs.status, "{flags:?}");
    assert_eq!(ours.stderr_text(), theirs.stderr_text(), "{flags:?}");
    assert_eq!(ours.stdout, with_ours(&theirs.stdout), "{flags:?}");
    ours
}

/// What -Q prints of OpenSSH's requests, and behind them what ours knows beside them.
pub(crate) fn with_ours(theirs: &[u8]) -> Vec<u8> {
    match theirs.ends_with(b"users-groups-by-id\n") {
        true => [theirs, b"copy-file\nspace-available\nvendor-id\n"].concat(),
        false => theirs.to_vec(),
    }
}

/// Both refuse to start, before a byte is answered and with the same exit status. Ours always says why on stderr,
/// where OpenSSH's words are often in the system's log alone.
#[track_caller]
fn refused(flags: &[&str], status: i32) {
    let (ours, theirs) = both(flags);
    assert_eq!(ours.status.code(), Some(status), "{flags:?}: {ours:?}");
    assert_eq!(theirs.status.code(), Some(status), "{flags:?}: {theirs:?}");
    for side in [&ours, &theirs] {
        assert_eq!(side.stdout, b"", "{flags:?}");
    }
    assert_ne!(ours.stderr_text().trim(), "", "{flags:?}");
}

/// Both serve: at INFO, to stderr, they open a session and close it.
#[track_caller]
fn served(flags: &[&str]) {
    let finished = same(&[&["-e", "-l", "INFO"], flags].concat());
    assert_eq!(finished.status.code(), Some(0), "{flags:?}");
    let lines = finished.stderr_text();
    assert!(
        lines.starts_with("session opened for local user "),
        "{flags:?}: {lines}"
    );
}

#[test]
fn the_requests_are_listed_as_openssh_lists_them_and_ours_behind_them() {
    for flags in [
        &["-Q", "requests"][..],
        &["-Q", "REQUESTS"],
        &["-Qrequests"],
        &["-R", "-Q", "requests"],
        &["-RQ", "requests"],
        &["-Q", "requests", "-z"],
        &["-Q", "requests", "left", "over"],
        &["-p", "open", "-Q", "requests"],
    ] {
        let finished = same(flags);
        assert_eq!(finished.status.code(), Some(0), "{flags:?}");
        assert_eq!(finished.stdout.split(|byte| *byte == b'\n').count(), 33);
    }
}

#[test]
fn a_query_for_anything_else_is_an_invalid_query_type() {
    for query in ["other", "", "request", "requests "] {
        let finished = same(&["-Q", query]);
        assert_eq!(finished.status.code(), Some(1), "{query}");
        assert_eq!(finished.stderr_text(), "Invalid query type\n");
    }
}

#[test]
fn an_unknown_letter_or_a_missing_value_is_a_usage_error() {
    for flags in [
        &["-z"][..],
        &["-Rz"],
        &["-?"],
        &["-Q"],
        &["-l"],
        &["-f"],
        &["-u"],
        &["-p"],
        &["-P"],
        &["-d"],
        &["-R", "-e", "-d"],
        &["--no-such-flag"],
    ] {
        refused(flags, 1);
    }
}

#[test]
fn an_equals_sign_behind_a_letter_belongs_to_the_value() {
    for (flags, status) in [
        (&["-l=INFO"][..], 1),
        (&["-Rl=INFO"], 1),
        (&["-f=AUTH"], 1),
        (&["-u=022"], 255),
    ] {
        refused(flags, status);
    }
    let finished = same(&["-Q=requests"]);
    assert_eq!(finished.stderr_text(), "Invalid query type\n");
}

#[test]
fn h_prints_the_usage_to_stderr_and_leaves_with_1() {
    for flags in [&["-h"][..], &["-Rh"], &["-h", "-c", "x"]] {
        let (ours, theirs) = both(flags);
        for side in [&ours, &theirs] {
            assert_eq!(side.status.code(), Some(1), "{flags:?}");
            assert_eq!(side.stdout, b"");
            let usage = side.stderr_text().to_lowercase();
            assert!(usage.starts_with("usage: sftp-server"), "{usage}");
        }
    }
}

#[test]
fn help_and_version_go_to_stdout_and_leave_with_0() {
    let tree = Tree::new();
    let run = |flag: &str| {
        Launch::program(under_test(), &tree)
            .args([flag])
            .run(Stdio::null(), Stdio::piped())
    };
    for flag in ["--help", "--version"] {
        let finished = run(flag);
        assert_eq!(finished.status.code(), Some(0), "{flag}");
        assert_eq!(finished.stderr, b"", "{flag}");
        assert_ne!(finished.stdout, b"", "{flag}");
    }
    let help = String::from_utf8(run("--help").stdout).unwrap();
    for subcommand in ["\n  check  ", "\n  explain REQUEST [PATH]...  "] {
        assert!(help.contains(subcommand), "{subcommand}: {help}");
    }
    let version = String::from_utf8(run("--version").stdout).unwrap();
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

#[test]
fn letters_stand_alone_or_together_with_their_value_or_before_it() {
    for flags in [
        &["-R"][..],
        &["-eR"],
        &["-R", "-R", "-e", "-e"],
        &["-eRlINFO"],
        &["-eRl", "INFO"],
        &["-u022"],
        &["-Ru", "022"],
        &["-d/"],
        &["-popen,close"],
    ] {
        served(flags);
    }
}

/// No session begins, and one line on standard error and in the log names what is wrong; OpenSSH serves.
#[track_caller]
fn not_served(flags: &[&str], named: &str) {
    let (ours, theirs) = both(&[&["-e", "-l", "INFO"], flags].concat());
    assert_eq!(theirs.status.code(), Some(0), "{flags:?}");
    assert_eq!(ours.status.code(), Some(1), "{flags:?}: {ours:?}");
    assert_eq!(ours.stdout, b"", "{flags:?}");
    let said = ours.stderr_text();
    assert_eq!(said.lines().count(), 1, "{flags:?}: {said}");
    assert!(said.starts_with(named), "{flags:?}: {said}");
}

/// OpenSSH's server drops such a word and all that stands behind it, `-R` for example, without a word. Nobody types one on purpose: a
/// pattern without quotes and a blank in a path make them.
#[test]
fn a_word_that_is_no_option_is_named_and_nobody_is_served() {
    for (flags, word) in [
        (&["left", "over"][..], "left"),
        (&["left", "-h"], "left"),
        (&["-R", "left"], "left"),
        (&["left", "-R"], "left"),
        (&["-R", "left", "-z"], "left"),
        (&["--", "-h"], "-h"),
        (&["-R-", "left"], "left"),
        (&["-"], "-"),
        (&["-", "-h"], "-"),
        (&[""], ""),
        (&["", "-z"], ""),
    ] {
        not_served(flags, &format!("\"{word}\" is no option, and "));
    }
    served(&["--"]);
    served(&["-R-"]);
}

/// OpenSSH's server takes the option for the value, and it is not in force.
#[test]
fn an_option_is_never_the_value_of_another() {
    for (flags, of, word) in [
        (&["-d", "-R"][..], "-d", "-R"),
        (&["-P", "-R"], "-P", "-R"),
        (&["-RP", "-popen"], "-P", "-popen"),
    ] {
        not_served(flags, &format!("{of} has no value: the option \"{word}\" "));
    }
    served(&["-d-R/.."]);
    served(&["-d", "-"]);
    let tree = Tree::new();
    for flags in [
        &["--hide", "--root", "/"][..],
        &["--bind", "-R"],
        &["--root", "-R"],
    ] {
        let finished = Launch::new(&tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1), "{flags:?}");
        let begin = format!("{} has no value: the option \"{}\"", flags[0], flags[1]);
        assert!(finished.stderr_text().starts_with(&begin), "{finished:?}");
    }
}

/// The order that loses most: what takes a pattern apart stands in front of the root.
#[test]
fn a_pattern_without_quotes_does_not_take_the_root_away() {
    let tree = Tree::new();
    let root = tree.root().to_str().unwrap();
    for flags in [
        &["--hide", "a.key", "b.key", "--root", root, "-R"][..],
        &["--root", root, "--deny", "*.key", "b", "--read-only"],
        &["--bind", "/x=/srv/a", "b", "--root", root],
    ] {
        let finished = Launch::new(&tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1), "{flags:?}");
        assert!(
            finished.stderr_text().contains("is no option, and "),
            "{finished:?}"
        );
    }
}

#[test]
fn what_follows_c_is_never_a_flag() {
    // Of the client's words, none here is another request than SFTP: that is `login_shell`'s subject.
    for flags in [
        &["-c", "sftp-server"][..],
        &["-c", "sftp-server", "-h"],
        &["-c", "sftp-server", "-u", "bad"],
        &["-c", "sftp-server", "--no-such-flag"],
        &["-Rc", "sftp-server", "-Q", "requests"],
    ] {
        served(flags);
    }
}

#[test]
fn a_flag_before_c_still_counts() {
    let (ours, theirs) = both(&["-h", "-c", "sftp-server"]);
    assert_eq!(ours.status, theirs.status);
    assert_eq!(ours.status.code(), Some(1));
}

/// OpenSSH's server says nothing of them. A rule that is not in force is worth a line.
#[test]
fn unknown_names_in_the_lists_are_accepted_and_logged() {
    for (flags, unknown) in [
        (&["-p", "nonsense"][..], &["nonsense"][..]),
        (&["-p", ""], &[]),
        (&["-P", "nonsense,open"], &["nonsense"]),
        (&["-P", "SETSTAT, setstat"], &["SETSTAT", " setstat"]),
        (&["-P", ","], &["", ""]),
        (&["-p", "open,,close"], &[""]),
        (&["-p", "op*"], &["op*"]),
        (&["-P", "open,copy-file"], &[]),
    ] {
        let (ours, theirs) = both(&[&["-e", "-l", "INFO"], flags].concat());
        assert_eq!(ours.status.code(), Some(0), "{flags:?}");
        let list = if flags[0] == "-p" { "allow" } else { "deny" };
        let line = |name: &&str| format!("--{list}-requests: there is no request \"{name}\"\r\n");
        let lines: String = unknown.iter().map(line).collect();
        assert_eq!(
            ours.stderr_text(),
            lines + &theirs.stderr_text(),
            "{flags:?}"
        );
    }
}

#[test]
fn u_l_f_d_r_and_e_may_be_repeated_and_the_last_one_counts() {
    for flags in [
        &["-u", "022", "-u", "077"][..],
        &["-l", "QUIET", "-l", "INFO"],
        &["-f", "LOCAL0", "-f", "AUTH"],
        &["-d", "/missing", "-d", "/"],
        &["-R", "-R"],
        &["-e"],
    ] {
        served(flags);
    }
    let quiet = same(&["-e", "-l", "INFO", "-l", "QUIET"]);
    assert_eq!(quiet.stderr, b"");
}

#[test]
fn p_given_twice_is_refused() {
    refused(&["-p", "open", "-p", "close"], 255);
    refused(&["-P", "open", "-P", "close"], 255);
}

#[test]
fn every_letter_has_a_long_name_that_takes_its_value_either_way() {
    let tree = Tree::new();
    let run = |flags: &[&str]| {
        let flags = [&words(&["-e", "-l", "INFO"])[..], &words(flags)].concat();
        Launch::program(under_test(), &tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped())
    };
    for flags in [
        &["--start-directory", "/"][..],
        &["--start-directory=/"],
        &["--log-facility", "AUTH"],
        &["--log-facility=local0"],
        &["--log-level", "INFO"],
        &["--log-level=verbose"],
        &["--deny-requests", "remove"],
        &["--deny-requests=remove"],
        &["--allow-requests", "open,close"],
        &["--allow-requests=open,close"],
        &["--read-only"],
        &["--umask", "022"],
        &["--umask=022"],
        &["--force-file-perms", "0640"],
        &["--force-file-perms=0640"],
        &["-m", "0640"],
    ] {
        let finished = run(flags);
        assert_eq!(finished.status.code(), Some(0), "{flags:?}: {finished:?}");
        let lines = finished.stderr_text();
        assert!(
            lines.starts_with("session opened for local user "),
            "{flags:?}: {lines}"
        );
    }
    let listed = run(&["--query=requests"]);
    assert_eq!(listed.stdout, same(&["-Q", "requests"]).stdout);
}

#[test]
fn the_long_name_of_c_takes_its_text_either_way_and_ends_the_flags() {
    let tree = Tree::new();
    for flags in [
        &["--command=uptime -p", "-h"][..],
        &["--command", "uptime -p", "-h"],
        &["-c", "uptime -p", "-h"],
    ] {
        let finished = Launch::program(under_test(), &tree)
            .args(flags)
            .run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1), "{flags:?}");
        assert_eq!(
            finished.stderr_text(),
            "This account is restricted to SFTP; 'uptime -p' was refused.\n",
            "{flags:?}"
        );
        assert_eq!(finished.stdout, b"", "{flags:?}");
    }
}

#[test]
fn a_user_without_an_entry_in_passwd_is_served() {
    // OpenSSH: "No user found for uid …", exit 1. Ours needs nothing outside to start: uid and environment will do.
    let tree = Tree::new();
    let program = crate::support::server::copy_of(under_test(), &tree);
    let launch = if nix::unistd::geteuid().is_root() {
        Launch::program(program, &tree).user(54_321, 54_321)
    } else {
        // In a user namespace everyone may have such a uid.
        Launch::program("unshare", &tree)
            .args(["--map-user=54321", "--map-group=54321"])
            .args([program])
    };
    let finished = launch
        .args(["-e", "-l", "INFO"])
        .env("USER", "visitor")
        .env("HOME", "/")
        .run(Stdio::null(), Stdio::piped());
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    let lines = finished.stderr_text();
    assert!(
        lines.starts_with("session opened for local user visitor from [UNKNOWN]\r\n"),
        "{lines}"
    );
}
