//! The manual of the file tells of every key, and its examples are files that are right.

use std::process::Stdio;

use crate::ground::Ground;
use crate::support::{Launch, Tree};
use sftp_server::cli;

const PAGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/packaging/man/sftp_server.toml.5"
);

fn page() -> String {
    std::fs::read_to_string(PAGE).unwrap()
}

/// The long flags, but those that only a command line can say.
fn keys() -> Vec<String> {
    let none = ["command", "config", "help", "no-config", "query", "version"];
    let flags = cli::flags();
    let flags = flags.get_arguments().filter_map(clap::Arg::get_long);
    let mut keys: Vec<_> = flags
        .filter(|flag| !none.contains(flag))
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys
}

/// What stands between two macros of the section on keys: a key, and an example.
fn entries() -> Vec<(String, String)> {
    let page = page();
    let section = page.split(".Sh KEYS\n").nth(1).unwrap();
    let section = section.split("\n.Sh ").next().unwrap();
    let entries = section.split("\n.It Cm ").skip(1).map(|entry| {
        let key = entry.lines().next().unwrap().to_owned();
        let examples: Vec<_> = entry
            .lines()
            .filter_map(|line| line.strip_prefix(".Dl "))
            .collect();
        (key, examples.join("\n").replace("\\(dq", "\""))
    });
    entries.collect()
}

#[test]
fn every_key_is_in_the_manual_and_nothing_else() {
    let mut told: Vec<_> = entries().into_iter().map(|(key, _)| key).collect();
    told.sort();
    assert_eq!(
        told,
        keys(),
        "each key wants .It Cm KEY in packaging/man/sftp_server.toml.5"
    );
}

#[test]
fn each_key_has_an_example_that_is_served_or_found_missing_alone() {
    let dir = Tree::new();
    for (key, example) in entries() {
        assert!(
            example
                .lines()
                .any(|line| line.starts_with(&format!("{key} = "))),
            "{key} has no example (.Dl {key} = …): {example:?}"
        );
        // What some of them need.
        let root = if key == "root" {
            ""
        } else {
            "root = \"/srv\"\n"
        };
        let ground = Ground::new(format!("{root}{example}\n"));
        let finished = Launch::new(&dir)
            .args(["check", "--config"])
            .arg(ground.config())
            .run(Stdio::null(), Stdio::piped());
        let said = String::from_utf8(finished.stdout.clone()).unwrap();
        let wrong = format!("{}:", ground.path());
        let findings = said.rsplit("\n\n").next().unwrap();
        assert!(!findings.contains(&wrong), "{example}\n{said}");
        assert!(said.contains(&format!("\n{key} ")), "{example}\n{said}");
    }
}

#[test]
fn the_whole_example_is_right() {
    let page = page();
    let example = page.split(".Sh EXAMPLES\n").nth(1).unwrap();
    let example = example.split(".Bd -literal\n").nth(1).unwrap();
    let example = example
        .split("\n.Ed")
        .next()
        .unwrap()
        .replace("\\(dq", "\"");
    is_right(&example);
}

#[test]
fn the_readme_s_example_is_right() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let example = readme.split("```toml\n").nth(1).unwrap();
    is_right(example.split("```").next().unwrap());
}

fn is_right(example: &str) {
    let ground = Ground::new(example);
    let dir = Tree::new();
    let finished = Launch::new(&dir)
        .args(["check", "--config"])
        .arg(ground.config())
        .run(Stdio::null(), Stdio::piped());
    let said = String::from_utf8(finished.stdout).unwrap();
    let findings = said.rsplit("\n\n").next().unwrap();
    // The groups of an example are those of another host.
    let mut findings = findings
        .lines()
        .filter(|line| !line.contains("there is no group"));
    let wrong = findings.find(|line| line.contains(&format!("{}:", ground.path())));
    assert_eq!(wrong, None, "{said}");
    assert!(said.contains(&format!("{}:", ground.path())), "{said}");
}

#[test]
fn the_manual_passes_mandoc_without_a_word() {
    let dir = Tree::new();
    let ran = Launch::program("mandoc", &dir)
        .args(["-T", "lint", "-W", "style", PAGE])
        .run(Stdio::null(), Stdio::piped());
    let words = [ran.stdout, ran.stderr].concat();
    let words = String::from_utf8(words).unwrap();
    // Whether other pages are installed here says nothing of this one.
    let of_the_page = words.lines().filter(|line| {
        !line.contains("mandoc.db") && !line.contains("referenced manual not found")
    });
    assert_eq!(of_the_page.collect::<Vec<_>>(), [] as [&str; 0]);
}
