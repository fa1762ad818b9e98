//! `check` and self-protection: what is protected for a user and a root, where links lead to it, and which ways others can change.

use std::os::unix::fs::lchown;
use std::process::Stdio;

use crate::support::{Launch, Tree, under_test};

/// In no passwd: then the environment says where the home is.
const USER: u32 = 54_322;
const STRANGER: u32 = 54_321;

fn check(tree: &Tree, args: &[&str]) -> String {
    let home = tree.at("home");
    let finished = Launch::program(under_test(), tree)
        .args(["check", "--no-config", "--root"])
        .arg(&home)
        .args(args)
        .env("HOME", &home)
        .env("USER", "somebody")
        .user(USER, USER)
        .run(Stdio::null(), Stdio::piped());
    let text = String::from_utf8(finished.stdout).unwrap();
    text.replace(tree.root().to_str().unwrap(), "{tree}")
}

fn home() -> Tree {
    let tree = Tree::below("/srv");
    for dir in [
        "home",
        "home/.config",
        "home/.config/fish",
        "home/dots",
        "home/open",
        "theirs",
    ] {
        tree.dir(dir);
    }
    for file in [
        "home/.profile",
        "home/dots/rc",
        "home/open/zshrc",
        "theirs/login",
    ] {
        tree.file(file, "");
    }
    for (link, target) in [
        ("home/.bashrc", "dots/rc"),
        ("home/.zshrc", "open/zshrc"),
        ("home/.login", "../theirs/login"),
        ("home/.xsession", "dots/session"),
    ] {
        tree.link(link, target);
    }
    for name in [
        "",
        "home",
        "home/.config",
        "home/.config/fish",
        "home/dots",
        "home/open",
    ] {
        lchown(tree.at(name), Some(USER), Some(USER)).unwrap();
    }
    lchown(tree.at("theirs"), Some(STRANGER), Some(STRANGER)).unwrap();
    tree.chmod("home/open", 0o777);
    tree
}

#[test]
fn check_tells_what_is_protected_and_where_its_links_lead() {
    let tree = home();
    let text = check(&tree, &[]);
    for line in [
        ".profile",
        ".bashrc -> {tree}/home/dots/rc",
        ".zshrc -> {tree}/home/open/zshrc",
        ".login -> {tree}/theirs/login",
        ".xsession -> {tree}/home/dots/session, which is not there",
        ".config/fish",
    ] {
        let line = format!("\nprotected  {{tree}}/home/{line}\n");
        assert!(text.contains(&line), "{line}{text}");
    }
    assert!(text.contains(" names that are not there ("), "{text}");
    let json = check(&tree, &["--json"]);
    let known =
        "{\"path\":\"{tree}/home/.bashrc\",\"leads\":\"{tree}/home/dots/rc\",\"stands\":true}";
    assert!(json.contains(known), "{json}");
}

#[test]
fn check_warns_of_ways_that_others_can_change() {
    let tree = home();
    let text = check(&tree, &[]);
    for (path, dir) in [(".zshrc", "home/open"), (".login", "theirs")] {
        let warning = format!(
            "warning  \"{{tree}}/home/{path}\" leads through \"{{tree}}/{dir}\", where others can exchange names: that is not protected\n"
        );
        assert!(text.contains(&warning), "{warning}{text}");
    }
    assert_eq!(text.matches("leads through").count(), 2, "{text}");
}

#[test]
fn check_says_nothing_of_it_where_nothing_is_protected() {
    let text = check(&home(), &["--no-protect"]);
    assert!(!text.contains("\nprotected "), "{text}");
    assert!(!text.contains("leads through"), "{text}");
}
