//! What the file may say, by the rows of [`rows`](crate::rows) and beyond, and what is said of all else.

use std::process::Stdio;

use crate::ground::Ground;
use crate::rows::{BAD, GOOD};
use crate::support::request;
use crate::support::wire::{Attrs, pflags};
use crate::support::{Launch, Tree, under_test};

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
        "1:13: log-level: Invalid log level \"a\\tb\\u{1b}; it is QUIET, FATAL, ERROR, INFO, VERBOSE, DEBUG, DEBUG1, DEBUG2 or DEBUG3"
    );
}

#[test]
fn bytes_that_are_no_utf8_are_refused_where_they_stand() {
    let dir = Tree::new();
    let ground = Ground::new(b"umask = \"022\"\n# \xff");
    assert_eq!(
        ground.refusal(ground.launch(&dir)),
        "2:3: this is no UTF-8; save the file as such"
    );
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
        let is_key = !said.contains("only a command line can say it");
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
fn a_list_of_requests_that_alone_are_allowed_and_is_empty_allows_none() {
    for (list, code) in [("[]", 3), ("\"\"", 3), ("[\"mkdir\"]", 0)] {
        let dir = Tree::new();
        let ground = Ground::new(format!("allow-requests = {list}"));
        let mut server = ground.server(&dir);
        assert_eq!(
            server.code(&request::mkdir("d", &Attrs::NONE)),
            code,
            "{list}"
        );
    }
}

#[test]
fn integers_are_what_toml_has_them() {
    for (size, limit) in [
        ("0x10", 16),
        ("0o20", 16),
        ("0b1_0000", 16),
        ("+16", 16),
        ("1_6", 16),
    ] {
        let dir = Tree::new();
        dir.file("f", "");
        let ground = Ground::new(format!("max-file-size = {size}"));
        let mut server = ground.server(&dir);
        let sets = |bytes| request::setstat("f", &Attrs::NONE.size(bytes));
        assert_eq!(server.code(&sets(limit)), 0, "{size}");
        assert_eq!(server.code(&sets(limit + 1)), 4, "{size}");
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
        " it is longer than 1048576 bytes, the most that is read"
    );
}
