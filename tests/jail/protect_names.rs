//! Self-protection, name by name: each of the list is refused, missing or there, and stands in the manual.

use crate::ground::{Node, Plan};
use crate::home::{Home, refused};
use crate::protect_ways::{all_refused, mkdir, opens, put};
use crate::support::request;

#[path = "../../src/fs/judging/protect/names.rs"]
mod list;

/// All of them, and some of those that only begin so.
fn names() -> Vec<String> {
    let plain = list::HOME.iter().chain(list::SSH).chain(list::BEGINNINGS);
    let begun = list::BEGINNINGS.iter().map(|name| format!("{name}+x"));
    plain.map(|name| (*name).to_owned()).chain(begun).collect()
}

fn plan(there: bool) -> Plan {
    let mut plan: Plan = vec![(b"jail".to_vec(), Node::Dir(0o755))];
    plan.push((b"jail/plain".to_vec(), Node::File(b"ordinary", 0o644)));
    plan.push((b"jail/ready".to_vec(), Node::Dir(0o755)));
    for name in names() {
        let mut dir = "jail".to_owned();
        let (ways, last) = name.rsplit_once('/').unwrap_or(("", &name));
        for way in ways.split('/').filter(|way| !way.is_empty()) {
            dir = format!("{dir}/{way}");
            if !plan.iter().any(|(path, _)| path == dir.as_bytes()) {
                plan.push((dir.clone().into_bytes(), Node::Dir(0o755)));
            }
        }
        // Where one is in another, it is a directory already.
        let path = format!("{dir}/{last}").into_bytes();
        let beneath = |inner: &&str| inner.starts_with(&format!("{name}/"));
        if there && !list::SSH.iter().any(beneath) {
            plan.push((path, Node::File(b"as it was", 0o644)));
        }
    }
    plan
}

#[test]
fn no_name_of_the_list_is_made_changed_or_replaced() {
    for there in [false, true] {
        let mut home = Home::new("jail", &["--root", "BASE/jail"], &plan(there));
        let before = home.ground.snapshot();
        for name in names() {
            let path = format!("/{name}");
            all_refused(
                &mut home.server,
                &[
                    put(&path),
                    mkdir(&path),
                    request::symlink("plain", &path),
                    request::hardlink("/plain", &path),
                    request::rename("/plain", &path),
                    request::posix_rename("/ready", &path),
                    request::remove(&path),
                    request::rename(&path, "/gone"),
                ],
            );
        }
        let after = home.ground.snapshot();
        assert_eq!(before.differences(&after), [""; 0]);
    }
}

#[test]
fn the_neighbours_of_those_names_are_free() {
    let mut home = Home::new("jail", &["--root", "BASE/jail"], &plan(false));
    for name in names() {
        let family = list::BEGINNINGS.iter().any(|begin| name.starts_with(begin));
        if !family && !name.starts_with(".ssh/") {
            opens(&mut home.server, &format!("/{name}-not"));
        }
    }
    let reply = home.server.call(&put("/ready/../.forward-not"));
    assert!(refused(&reply), "{reply:?}");
}

#[test]
fn the_manual_has_each_of_those_names() {
    let manual = include_str!("../../packaging/man/sftp-server.8");
    let section = manual
        .split(".Sh ")
        .find(|text| text.starts_with("SELF-PROTECTION"));
    let words: Vec<&str> = section.unwrap().split_whitespace().collect();
    for name in list::HOME.iter().chain(list::BEGINNINGS) {
        let below = [".config/", ".local/share/"];
        let short = below.iter().find_map(|dir| name.strip_prefix(dir));
        assert!(words.contains(&short.unwrap_or(name)), "{name}");
    }
}
