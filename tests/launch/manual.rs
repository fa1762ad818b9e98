//! The manual tells of every flag and every request, and is well formed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Input, run};
use crate::support::{Launch, OPENSSH, Tree, under_test};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/man/sftp-server.8");

/// The page as a reader sees it, without bold and underline.
fn rendered() -> String {
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "utf8", "-O", "width=200", PAGE]);
    let text = run(&mut mandoc, Input::Null).success();
    let mut plain = String::new();
    for character in text.chars() {
        match character {
            '\u{8}' => drop(plain.pop()),
            character => plain.push(character),
        }
    }
    plain
}

fn stdout_of(flags: &[&str]) -> String {
    let tree = Tree::new();
    let finished = Launch::program(under_test(), &tree)
        .args(flags)
        .run(Stdio::null(), Stdio::piped());
    String::from_utf8(finished.stdout).unwrap()
}

/// `-R` and `--read-only`: each word of the help that is a flag.
fn flags() -> Vec<String> {
    let help = stdout_of(&["--help"]);
    let words = help.split(|byte: char| byte.is_whitespace() || "[],=<>|".contains(byte));
    let mut flags: Vec<_> = words
        .filter(|word| {
            let name = word.trim_start_matches('-');
            let dashes = word.len() - name.len();
            (dashes == 1 && name.len() == 1) || (dashes == 2 && name.len() > 1)
        })
        .filter(|word| {
            word.trim_start_matches('-')
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
        .map(str::to_owned)
        .collect();
    flags.sort();
    flags.dedup();
    flags
}

#[test]
fn the_manual_passes_mandoc_without_a_word() {
    let mut mandoc = Command::new("mandoc");
    mandoc.args(["-T", "lint", "-W", "style", PAGE]);
    let ran = run(&mut mandoc, Input::Null);
    // Whether other pages are installed here says nothing of this one.
    let about_the_machine =
        |line: &&str| line.contains("mandoc.db") || line.contains("referenced manual not found");
    let words = format!("{}{}", ran.stdout, ran.stderr);
    let complaints: Vec<_> = words
        .lines()
        .filter(|line| !about_the_machine(line))
        .collect();
    assert_eq!(complaints, [] as [&str; 0]);
}

#[test]
fn every_flag_of_the_help_is_in_the_manual() {
    let flags = flags();
    for letter in [
        "-c", "-d", "-e", "-f", "-h", "-l", "-m", "-P", "-p", "-Q", "-R", "-u",
    ] {
        assert!(
            flags.contains(&letter.to_owned()),
            "{letter} is missing in --help: {flags:?}"
        );
    }
    let page = rendered();
    let words: Vec<_> = page
        .split(|byte: char| byte.is_whitespace() || "[](),.;=".contains(byte))
        .collect();
    for flag in flags {
        assert!(
            words.contains(&flag.as_str()),
            "{flag} is missing in the manual"
        );
    }
}

#[test]
fn every_request_is_in_the_manual() {
    let page = rendered();
    for request in stdout_of(&["-Q", "requests"]).lines() {
        assert!(page.contains(request), "{request} is missing in the manual");
    }
}

#[test]
fn the_manual_has_the_sections_of_openssh_s() {
    // Debian's openssh-sftp-server has the page, unless the machine was set up without manuals.
    assert!(Path::new(OPENSSH).exists());
    let source = fs::read_to_string(PAGE).unwrap();
    let mut from = 0;
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "SEE ALSO"] {
        let at = source[from..].find(&format!(".Sh {section}\n"));
        from += at.unwrap_or_else(|| panic!("no section {section}, or not in this order"));
    }
}
