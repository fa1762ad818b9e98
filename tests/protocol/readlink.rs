//! READLINK.

use crate::support::wire::{Attrs, code};
use crate::support::{request, show};
use crate::{assert_cause, assert_status, start};

#[test]
fn the_stored_text_comes_back_as_it_is() {
    let (tree, mut server) = start();
    let long = [b"x/".repeat(2047), b"y".to_vec()].concat();
    assert_eq!(long.len(), 4095);
    let targets: [&[u8]; 10] = [
        b"file",
        b"missing",
        b"/",
        b"..",
        b"../../..//x/./",
        b"\xff\xfe",
        b"new\nline",
        b" ",
        b"link0",
        &long,
    ];
    for (n, target) in targets.into_iter().enumerate() {
        let name = format!("link{n}");
        tree.link(&name, target);
        let reply = server.call(&request::readlink(&name));
        let [entry] = reply.names() else {
            panic!("{reply:?}")
        };
        assert_eq!(show(&entry.filename), show(target));
        assert_eq!(
            (&entry.longname, &entry.attrs),
            (&entry.filename, &Attrs::NONE)
        );
    }
}

#[test]
fn what_is_no_link_is_a_bad_message() {
    let (tree, mut server) = start();
    tree.file("file", "");
    tree.dir("dir");
    tree.link("link", "dir");
    for path in ["file", "dir", "link/", ".", "/"] {
        assert_cause(
            &server.call(&request::readlink(path)),
            &server,
            code::BAD_MESSAGE,
            "Invalid argument",
        );
    }
}

#[test]
fn what_is_not_there_is_no_such_file() {
    let (tree, mut server) = start();
    tree.file("file", "");
    for path in ["missing", "missing/x", "file/x", ""] {
        assert_status(&server.call(&request::readlink(path)), code::NO_SUCH_FILE);
    }
}

#[test]
fn links_before_the_last_component_are_followed() {
    let (tree, mut server) = start();
    tree.dir("dir");
    tree.link("dir/inner", "text");
    tree.link("link", "dir");
    assert_eq!(
        server.call(&request::readlink("link/inner")).name(),
        b"text"
    );
}
