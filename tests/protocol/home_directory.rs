//! `home-directory`: where a user is at home.

use nix::unistd::{User, geteuid};

use crate::support::openssh::Release;
use crate::support::wire::{Attrs, code};
use crate::support::{request, show};
use crate::{assert_status, start};

/// From this release on OpenSSH answers as ours.
const SINCE: Release = (9, 8);

/// Why a jail answers `/`.
const NOT_IN_VIEW: &str = "no home is in the view of a test's tree";

fn home(name: &str) -> String {
    User::from_name(name)
        .unwrap()
        .expect("a user of every Debian")
        .dir
        .to_str()
        .unwrap()
        .to_owned()
}

/// OpenSSH before 9.8 answers the session's own home, whoever is asked for.
#[test]
fn the_home_is_that_of_the_user_named() {
    let (_tree, mut server) = start();
    let own = User::from_uid(geteuid())
        .unwrap()
        .expect("who runs this has a passwd entry")
        .dir;
    for name in ["root", "daemon", "nobody", "sync"] {
        let reply = server.call(&request::home_directory(name));
        let [entry] = reply.names() else {
            panic!("{reply:?}")
        };
        let expected = server.differed_before(
            SINCE,
            "the user who was asked for",
            server.in_jail(NOT_IN_VIEW, "/".to_owned(), home(name)),
            own.to_str().unwrap().to_owned(),
        );
        assert_eq!(show(&entry.filename), expected);
        assert_eq!(
            (&entry.longname, &entry.attrs),
            (&entry.filename, &Attrs::NONE)
        );
    }
}

/// The draft's sense: the user who is logged in. OpenSSH before 9.8 finds no user of that name.
#[test]
fn the_empty_name_is_the_session_s_user() {
    let (_tree, mut server) = start();
    let reply = server.call(&request::home_directory(""));
    if server.differed_before(SINCE, "the session's user", false, true) {
        assert_status(&reply, code::FAILURE);
    } else {
        let own = User::from_uid(geteuid())
            .unwrap()
            .expect("who runs this has a passwd entry")
            .dir;
        let own = server.in_jail(NOT_IN_VIEW, "/", own.to_str().unwrap());
        assert_eq!(show(reply.name()), own);
    }
}

#[test]
fn an_unknown_user_is_a_failure() {
    let (_tree, mut server) = start();
    for name in ["nobody-of-this-name", "0", "root ", "\u{fc}", "../root"] {
        assert_status(&server.call(&request::home_directory(name)), code::FAILURE);
    }
}
