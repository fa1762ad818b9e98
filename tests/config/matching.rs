//! `[[match]]`: for whom a table is, with the rows of sshd's own tests of patterns and addresses.

use crate::ground::Ground;
use crate::support::examples::example;
use crate::support::request;
use crate::support::sshd::{Account, Place};
use crate::support::wire::Attrs;
use crate::support::{Launch, Tree};

/// Whether a table with these criteria is for this client.
#[track_caller]
fn is_for(criteria: &str, launch: impl FnOnce(&Ground, &Tree) -> Launch) -> bool {
    let ground = Ground::new(format!("[[match]]\n{criteria}\nread-only = true\n"));
    let dir = Tree::new();
    dir.chmod("", 0o777);
    let mut server = launch(&ground, &dir).connect();
    match server.code(&request::mkdir("d", &Attrs::NONE)) {
        0 => false,
        3 => true,
        code => panic!("{criteria}: status {code}"),
    }
}

#[track_caller]
fn is_for_address(criteria: &str, connection: &str) -> bool {
    is_for(criteria, |ground, dir| {
        let launch = ground.launch(dir);
        match connection {
            "" => launch,
            address => launch.env("SSH_CONNECTION", format!("{address} 50000 192.0.2.99 22")),
        }
    })
}

#[test]
fn users_are_matched_as_sshd_matches_them() {
    for (list, expected) in [
        ("[\"root\"]", true),
        ("\"root\"", true),
        ("\"anna,root\"", true),
        ("\"anna, root\"", true),
        ("[\"anna\", \"root\"]", true),
        ("[\"anna\"]", false),
        ("[\"Root\"]", false),
        ("[\"*\"]", true),
        ("[\"r*\"]", true),
        ("[\"*t\"]", true),
        ("[\"r*t\"]", true),
        ("[\"r**t\"]", true),
        ("[\"r?t\"]", false),
        ("[\"r??t\"]", true),
        ("[\"????\"]", true),
        ("[\"?????\"]", false),
        ("[\"root*\"]", true),
        ("[\"root?\"]", false),
        ("[\"roo\"]", false),
        ("[\"oot\"]", false),
        // Negations.
        ("[\"!root\"]", false),
        ("[\"!anna\"]", false),
        ("[\"!anna\", \"*\"]", true),
        ("[\"*\", \"!anna\"]", true),
        ("[\"!root\", \"*\"]", false),
        ("[\"*\", \"!root\"]", false),
        ("[\"root\", \"!r*\"]", false),
        ("[\"!anna\", \"!bea\"]", false),
        ("[\"!root\", \"root\"]", false),
        ("[]", false),
    ] {
        let is = is_for(&format!("user = {list}"), |ground, dir| ground.launch(dir));
        assert_eq!(is, expected, "{list}");
    }
}

#[test]
fn addresses_are_matched_as_sshd_matches_them() {
    for (list, address, expected) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.0/24", "192.0.2.0", true),
        ("192.0.2.0/24", "192.0.2.255", true),
        ("192.0.2.0/24", "192.0.3.0", false),
        ("192.0.2.128/25", "192.0.2.127", false),
        ("192.0.2.1/32", "192.0.2.1", true),
        ("0.0.0.0/0", "203.0.113.9", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("::/0", "192.0.2.1", false),
        ("::/0", "::ffff:192.0.2.1", false),
        ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        ("2001:DB8::1", "2001:db8::1", true),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1", true),
        ("2001:db8::1/128", "2001:db8::1", true),
        ("fe80::/10", "fe80::1%eth0", true),
        // What an IPv6 socket calls an IPv4 address.
        ("192.0.2.0/24", "::ffff:192.0.2.7", true),
        ("::ffff:192.0.2.0/120", "192.0.2.7", true),
        ("::ffff:192.0.2.0/120", "192.0.3.7", false),
        ("::ffff:192.0.2.7", "192.0.2.7", true),
        // Patterns of what is written.
        ("192.0.2.*", "192.0.2.7", true),
        ("192.0.2.?", "192.0.2.77", false),
        ("192.0.*", "::ffff:192.0.2.7", true),
        ("2001:DB8:*", "2001:db8::7", true),
        ("*", "2001:db8::7", true),
        // Negations.
        ("!192.0.2.7,192.0.2.0/24", "192.0.2.7", false),
        ("!192.0.2.7,192.0.2.0/24", "192.0.2.8", true),
        ("192.0.2.0/24,!192.0.2.7", "192.0.2.7", false),
        ("!192.0.2.7", "192.0.2.8", false),
        ("!10.0.0.0/8,*", "10.1.2.3", false),
        ("!10.0.0.0/8,*", "192.0.2.1", true),
        // No address.
        ("*", "", false),
        ("0.0.0.0/0", "", false),
        ("*", "UNKNOWN", false),
    ] {
        let criteria = format!("address = \"{list}\"");
        assert_eq!(
            is_for_address(&criteria, address),
            expected,
            "{list} for {address}"
        );
    }
}

#[test]
fn the_address_is_that_of_the_connection_or_else_of_the_client() {
    let is = |name: &str, value: &str| {
        is_for("address = \"192.0.2.1\"", |ground, dir| {
            ground.launch(dir).env(name, value)
        })
    };
    assert!(is("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22"));
    assert!(is("SSH_CLIENT", "192.0.2.1 1 22"));
    assert!(!is("SSH_CLIENT", "192.0.2.2 1 22"));
    let both = is_for("address = \"192.0.2.1\"", |ground, dir| {
        let launch = ground.launch(dir);
        let launch = launch.env("SSH_CONNECTION", "192.0.2.3 1 192.0.2.2 22");
        launch.env("SSH_CLIENT", "192.0.2.1 1 22")
    });
    assert!(!both);
}

#[test]
fn groups_are_all_those_that_the_process_is_in() {
    let place = Place::new();
    let account = Account::new(&place.path().join("home"), "/bin/sh");
    // Its own group has its name; `users` is one beside.
    let added = std::process::Command::new("usermod")
        .args(["-a", "-G", "users", &account.name])
        .status()
        .unwrap();
    assert!(added.success());
    let name = &account.name;
    for (list, expected) in [
        (format!("[\"{name}\"]"), true),
        ("[\"users\"]".to_owned(), true),
        ("[\"user*\"]".to_owned(), true),
        ("[\"root\"]".to_owned(), false),
        ("[\"root\", \"users\"]".to_owned(), true),
        ("[\"!users\", \"*\"]".to_owned(), false),
        ("[\"!root\", \"*\"]".to_owned(), true),
        ("[\"!root\"]".to_owned(), false),
    ] {
        let is = is_for(&format!("group = {list}"), |ground, dir| {
            let (uid, gid) = (account.uid.to_string(), account.gid.to_string());
            let user = ["setpriv", "--reuid", &uid, "--regid", &gid, "--init-groups"];
            let launch = ground.launch_copy(dir).through(&user);
            launch.arg("--config").arg(ground.config())
        });
        assert_eq!(is, expected, "{list}");
    }
    // What the file says is no group of a process that was started without it.
    let is = is_for("group = \"users\"", |ground, dir| {
        ground.launch_copy(dir).user(account.uid, account.gid)
    });
    assert!(!is);
}

#[test]
fn all_criteria_of_a_table_must_hold_and_none_are_for_everybody() {
    for (criteria, expected) in [
        ("", true),
        (
            "user = \"root\"\ngroup = \"root\"\naddress = \"192.0.2.1\"",
            true,
        ),
        (
            "user = \"anna\"\ngroup = \"root\"\naddress = \"192.0.2.1\"",
            false,
        ),
        (
            "user = \"root\"\ngroup = \"anna\"\naddress = \"192.0.2.1\"",
            false,
        ),
        (
            "user = \"root\"\ngroup = \"root\"\naddress = \"192.0.2.2\"",
            false,
        ),
    ] {
        assert_eq!(
            is_for_address(criteria, "192.0.2.1"),
            expected,
            "{criteria}"
        );
    }
}

#[test]
fn the_recipe_for_guests_limits_a_session_without_an_address() {
    for (connection, code) in [
        ("", 3),
        ("UNKNOWN 65535 UNKNOWN 65535", 3),
        ("198.51.100.7 50000 192.0.2.99 22", 3),
        ("192.0.2.7 50000 192.0.2.99 22", 0),
    ] {
        let dir = Tree::new();
        let root = format!("root = \"{}\"", dir.root().display());
        let ground = Ground::new(example("sftp_server.toml.guests").replace("root = \"~\"", &root));
        let launch = ground.launch(&dir);
        let launch = match connection {
            "" => launch,
            connection => launch.env("SSH_CONNECTION", connection),
        };
        let mut server = launch.connect();
        let made = server.code(&request::mkdir("/d", &Attrs::NONE));
        assert_eq!(made, code, "{connection}");
        assert_eq!(dir.has("d"), code == 0, "{connection}");
    }
}
