//! What the file may say, row by row, and what is said of all else.

use std::process::Stdio;

use crate::ground::Ground;
use crate::support::request;
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Tree, under_test};

/// Files that are wrong, and what is said behind the path: line, column, key, what and why.
const BAD: &[(&str, &str)] = &[
    // Keys.
    (
        "read-onyl = true",
        "1:1: read-onyl: unknown key; is read-only meant?",
    ),
    (
        "\n\n  read_only = true",
        "3:3: read_only: unknown key; is read-only meant?",
    ),
    ("R = true", "1:1: R: unknown key"),
    ("xyzzy = 1", "1:1: xyzzy: unknown key"),
    (
        "Umask = \"022\"",
        "1:1: Umask: unknown key; is umask meant?",
    ),
    (
        "hidden = [\"x\"]",
        "1:1: hidden: unknown key; is hide meant?",
    ),
    ("\"\" = 1", "1:1: : unknown key"),
    (
        "# Über\n[roots]\nx = 1",
        "2:2: roots: unknown key; is root meant?",
    ),
    // What only a command line can say.
    ("config = \"/x\"", "1:1: config: unknown key"),
    ("no-config = true", "1:1: no-config: unknown key"),
    ("command = \"x\"", "1:1: command: unknown key"),
    ("query = \"requests\"", "1:1: query: unknown key"),
    ("help = true", "1:1: help: unknown key"),
    ("version = true", "1:1: version: unknown key"),
    // A criterion outside of a table.
    ("user = \"anna\"", "1:1: user: unknown key"),
    // Types.
    (
        "read-only = \"yes\"",
        "1:13: read-only: it takes true or false, and not a string",
    ),
    (
        "read-only = 1",
        "1:13: read-only: it takes true or false, and not an integer",
    ),
    (
        "no-delete = [true]",
        "1:13: no-delete: it takes true or false, and not a list",
    ),
    (
        "root = true",
        "1:8: root: it takes a string or an integer, and not true or false",
    ),
    (
        "root = [\"/srv\"]",
        "1:8: root: it takes a string or an integer, and not a list",
    ),
    (
        "umask = [\"022\", \"077\"]",
        "1:9: umask: it takes a string or an integer, and not a list",
    ),
    (
        "max-file-size = 1.5",
        "1:17: max-file-size: it takes a string or an integer, and not a number with a fraction",
    ),
    (
        "umask = 2026-11-21",
        "1:9: umask: it takes a string or an integer, and not a date",
    ),
    (
        "sandbox = { mode = \"auto\" }",
        "1:11: sandbox: it takes a string or an integer, and not a table",
    ),
    (
        "hide = [\"a\", true]",
        "1:14: hide: it takes a list of strings, and not true or false",
    ),
    (
        "hide = [[\"a\"]]",
        "1:9: hide: it takes a list of strings, and not a list",
    ),
    (
        "deny-requests = false",
        "1:17: deny-requests: it takes a list of strings, and not true or false",
    ),
    (
        "root = \"/a\\u0000b\"",
        "1:8: root: it has a NUL byte in it",
    ),
    // Values, in the words of the flag.
    ("umask = \"9\"", "1:9: umask: Invalid umask \"9\""),
    ("umask = 0x12", "1:9: umask: Invalid umask \"0x12\""),
    (
        "force-file-perms = \"rw\"",
        "1:20: force-file-perms: Invalid file mode \"rw\"",
    ),
    (
        "file-mode = \"0999\"",
        "1:13: file-mode: Invalid --file-mode \"0999\": a mode is octal, as in 0640",
    ),
    (
        "file-mode = 0o2640",
        "1:13: file-mode: Invalid --file-mode \"02640\": bits above 0777 need --keep-setuid",
    ),
    (
        "max-file-size = \"10MB\"",
        "1:17: max-file-size: Invalid --max-file-size \"10MB\": a size is a number and K, M, G or T, as in 10M or 1.5G; 0 and none are off",
    ),
    (
        "max-file-size = -1",
        "1:17: max-file-size: Invalid --max-file-size \"-1\": a size is a number and K, M, G or T, as in 10M or 1.5G; 0 and none are off",
    ),
    (
        "log-level = \"LOUD\"",
        "1:13: log-level: Invalid log level \"LOUD\"",
    ),
    (
        "log-facility = \"MAIL\"",
        "1:16: log-facility: Invalid log facility \"MAIL\"",
    ),
    (
        "sandbox = \"on\"",
        "1:11: sandbox: invalid value 'on' for '--sandbox <MODE>': it is auto, require or off",
    ),
    (
        "ignore-setstat = [\"times\", \"name\"]",
        "1:18: ignore-setstat: Invalid --ignore-setstat \"times,name\": it lists size, perms, times and owner, separated by commas",
    ),
    (
        "root = \"%x\"",
        "1:8: root: Invalid --root \"%x\": unknown token; %d, %h, %u, %U and %% are known",
    ),
    (
        "root = \"/srv\"\nbind = [\"/a=/srv\", \"b=/srv\"]",
        "2:8: bind: Invalid --bind \"b=/srv\": the place in the view begins with a slash",
    ),
    (
        "bind = \"/a=/srv\"",
        "1:8: bind: --bind needs --root: without it the client sees the whole host",
    ),
    (
        "start-directory = \"~nobody-has-this-name\"",
        "1:19: start-directory: Invalid start directory \"~nobody-has-this-name\": no such user",
    ),
    // A value makes no second line.
    ("umask = \"a\\nb\\u001b\"", "1:9: umask: Invalid umask \"a"),
    // TOML.
    ("read-only", "1:10: key with no value, expected `=`"),
    (
        "umask = 022",
        "1:9: a number has no zero in front; a mode is written \"022\" or 0o022",
    ),
    ("umask = \"022\"\numask = \"077\"", "2:1: duplicate key"),
    ("root = \"/srv", "1:13: invalid basic string, expected `\"`"),
    ("[[match]\n", "1:9: unclosed array table, expected `]`"),
    // [[match]]
    (
        "[match]\nread-only = true",
        "1:2: match: a table for some of the users begins with [[match]]",
    ),
    (
        "match = [1]",
        "1:1: match: a table for some of the users begins with [[match]]",
    ),
    (
        "[[match]]\nusers = \"anna\"",
        "2:1: users: unknown key; is user meant?",
    ),
    (
        "[[match]]\nuser = 1000",
        "2:8: user: it takes a list of strings, and not an integer",
    ),
    (
        "[[match]]\ngroup = [\"a\", true]",
        "2:15: group: it takes a list of strings, and not true or false",
    ),
    (
        "[[match]]\nuser = [\"a\", \"\"]",
        "2:14: user: \"\": an empty pattern",
    ),
    (
        "[[match]]\nuser = \"!\"",
        "2:8: user: \"!\": an empty pattern",
    ),
    (
        "[[match]]\naddress = \"192.0.2.0/33\"",
        "2:11: address: \"192.0.2.0/33\": the network's length is not one of such an address",
    ),
    (
        "[[match]]\naddress = \"192.0.2.0/+8\"",
        "2:11: address: \"192.0.2.0/+8\": the network's length is not one of such an address",
    ),
    (
        "[[match]]\naddress = \"192.0.2.1/24\"",
        "2:11: address: \"192.0.2.1/24\": bits are set behind the network's length",
    ),
    (
        "[[match]]\naddress = \"2001:db8::1/64\"",
        "2:11: address: \"2001:db8::1/64\": bits are set behind the network's length",
    ),
    (
        "[[match]]\naddress = \"localhost\"",
        "2:11: address: \"localhost\": no address, no network (as in 192.0.2.0/24), and no pattern",
    ),
    (
        "[[match]]\naddress = \"*.example.org\"",
        "2:11: address: \"*.example.org\": an address is meant, and not a name of a host",
    ),
    // A table that is for somebody else is read all the same.
    (
        "[[match]]\nuser = \"nobody-has-this-name\"\numask = \"9\"",
        "3:9: umask: Invalid umask \"9\"",
    ),
    (
        "umask = \"022\"\n[[match]]\nuser = \"nobody-has-this-name\"\nsandbox = \"on\"",
        "4:11: sandbox: invalid value 'on' for '--sandbox <MODE>': it is auto, require or off",
    ),
    (
        "max-file-size = \"x\"\n[[match]]\nmax-file-size = \"1M\"",
        "1:17: max-file-size: Invalid --max-file-size \"x\": a size is a number and K, M, G or T, as in 10M or 1.5G; 0 and none are off",
    ),
];

/// Files that are right.
const GOOD: &[&str] = &[
    "",
    "# nothing\n",
    "read-only = true",
    "read-only = false",
    "umask = \"027\"",
    "umask = 0o27",
    "umask = 27",
    "file-mode = 640",
    "file-mode = 0o640\r\ndir-mode = '0750'",
    "file-mode = \"02640\"\nkeep-setuid = true",
    "max-file-size = 4096\nreserve-free = \"1.5G\"",
    "max-file-size = \"none\"",
    "deny-requests = []",
    "deny-requests = \"rename, posix-rename\"",
    "deny-requests = [\"rename\", \"posix-rename,remove\"]",
    "hide = []\ndeny = \"*.key, *.pem\"",
    "ignore-setstat = \"times,perms\"",
    "root = \"/srv\"\nbind = \"/a=/usr, /b=/usr:ro\"",
    "sandbox = \"off\"",
    "log-stderr = true\nlog-level = \"info\"",
    "[[match]]\n",
    "match = []",
    "match = [{ user = \"x\", read-only = true }, {}]",
    "[[match]]\naddress = [\"192.0.2.0/24\", \"!192.0.2.7\", \"2001:db8::/32\", \"10.*\", \"::ffff:0:0/96\"]",
    // What a table lacks may stand in another one.
    "root = \"/srv\"\n[[match]]\nuser = \"nobody-has-this-name\"\nbind = \"/a=/usr\"",
    "[[match]]\nuser = \"nobody-*\"\nroot = \"/srv\"\n[[match]]\nuser = \"nobody-has-this-name\"\nbind = \"/a=/usr\"",
];

#[test]
fn what_is_wrong_is_said_with_its_place_and_its_key() {
    let dir = Tree::new();
    let mut wrong = Vec::new();
    for (text, expected) in BAD {
        let ground = Ground::new(text);
        let said = ground.refusal(ground.launch(&dir));
        if said != *expected && !(text.contains("\\n") && said.starts_with(expected)) {
            wrong.push(format!(
                "{text:?}\n  said     {said}\n  expected {expected}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_is_right_is_served() {
    let dir = Tree::new();
    for text in GOOD {
        let ground = Ground::new(text);
        let mut server = ground.launch(&dir).start();
        assert_eq!(server.init(3).0, 3, "{text:?}");
        assert_eq!(server.finish().status.code(), Some(0), "{text:?}");
    }
}

#[test]
fn a_value_is_quoted_without_its_control_characters() {
    let dir = Tree::new();
    let ground = Ground::new("log-level = \"a\\tb\\u001b\\nc\"");
    assert_eq!(
        ground.refusal(ground.launch(&dir)),
        "1:13: log-level: Invalid log level \"a\\tb\\u{1b}"
    );
}

#[test]
fn bytes_that_are_no_utf8_are_refused_where_they_stand() {
    let dir = Tree::new();
    let ground = Ground::new(b"umask = \"022\"\n# \xff");
    assert_eq!(ground.refusal(ground.launch(&dir)), "2:3: this is no UTF-8");
}

#[test]
fn every_long_flag_is_a_key_and_nothing_else_is() {
    let dir = Tree::new();
    let help = Launch::program(under_test(), &dir)
        .args(["--help"])
        .run(Stdio::null(), Stdio::piped());
    let help = String::from_utf8(help.stdout).unwrap();
    let words = help.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '-');
    let mut flags: Vec<_> = words.filter_map(|word| word.strip_prefix("--")).collect();
    flags.retain(|flag| !flag.is_empty());
    flags.sort_unstable();
    flags.dedup();
    assert!(flags.len() > 20, "{flags:?}");
    let none = ["command", "config", "help", "no-config", "query", "version"];
    for flag in flags {
        // A date is of no flag's type: a known key says so.
        let ground = Ground::new(format!("{flag} = 2026-11-21"));
        let said = ground.refusal(ground.launch(&dir));
        let is_key = !said.contains("unknown key");
        assert_eq!(is_key, !none.contains(&flag), "{flag}: {said}");
    }
}

#[test]
fn a_mode_is_octal_however_it_is_written() {
    for mode in ["\"0640\"", "\"0o640\"", "\"640\"", "0o640", "640"] {
        let dir = Tree::new();
        let ground = Ground::new(format!("file-mode = {mode}"));
        let mut server = ground.server(&dir);
        let create = pflags::WRITE | pflags::CREAT;
        server
            .call(&request::open("f", create, &Attrs::NONE))
            .handle();
        assert_eq!(dir.mode("f"), 0o640, "{mode}");
    }
}

#[test]
fn a_list_is_an_array_or_one_string_or_commas() {
    for list in [
        "[\"mkdir\", \"rmdir\"]",
        "\"mkdir,rmdir\"",
        "\"mkdir, rmdir\"",
        "[\"mkdir,rmdir\"]",
    ] {
        let dir = Tree::new();
        let ground = Ground::new(format!("deny-requests = {list}"));
        let mut server = ground.server(&dir);
        for packet in [request::mkdir("d", &Attrs::NONE), request::rmdir("d")] {
            assert_eq!(server.code(&packet), 3, "{list}");
        }
    }
    for (list, hidden) in [
        ("[\"a\", \"b\"]", ["a", "b"]),
        ("\"a,b\"", ["a", "b"]),
        // A name may have a comma; the elements of an array are taken as they are.
        ("[\"a,b\", \"c\"]", ["a,b", "c"]),
    ] {
        let dir = Tree::new();
        for name in ["a", "b", "c", "a,b"] {
            dir.file(name, "");
        }
        let ground = Ground::new(format!("hide = {list}"));
        let mut server = ground.server(&dir);
        for name in ["a", "b", "c", "a,b"] {
            let expected = if hidden.contains(&name) { 2 } else { 0 };
            let reply = server.call(&request::stat(name));
            let found = matches!(reply, crate::support::Reply::Attrs(_));
            assert_eq!(found, expected == 0, "{list}: {name}: {reply:?}");
        }
    }
}

#[test]
fn a_file_longer_than_a_mebibyte_is_refused() {
    let dir = Tree::new();
    let mut text = vec![b'#'; 1 << 20];
    let ground = Ground::new(&text);
    ground.server(&dir);
    text.push(b'#');
    let ground = Ground::new(&text);
    assert_eq!(
        ground.refusal(ground.launch(&dir)),
        " it is longer than 1048576 bytes"
    );
}
