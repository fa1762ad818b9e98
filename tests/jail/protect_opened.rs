//! OPEN with READ and CREAT changes nothing where the file is there. Its owner may remove it between the look at it and the open, though, and
//! then the request makes a file: that is judged as all that is made.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::ground::Owner;
use crate::home::{Home, refused};
use crate::protect_ways::dir;
use crate::support::request;
use crate::support::wire::{Attrs, Reply, pflags};

const ROUNDS: usize = 3000;
/// Longer than a request takes.
const A_REQUEST: u64 = 150;

/// Opens a file that its owner removes at the same moment, again and again; what was answered, and what mode the file has that stands there.
fn race(home: &mut Home, name: &str, mut judge: impl FnMut(&Reply, Option<u32>)) {
    let path = home.ground.base.at(format!("jail/{name}"));
    let asked = Attrs::NONE.permissions(0o666);
    let open = request::open(format!("/{name}"), pflags::READ | pflags::CREAT, &asked);
    let server = &mut home.server;
    for _ in 0..ROUNDS {
        fs::write(&path, "as it was").unwrap();
        Owner.own(&path);
        let reply = std::thread::scope(|scope| {
            scope.spawn(|| remove_within(A_REQUEST, &path));
            server.call(&open)
        });
        let mode = path.metadata().ok().map(|meta| meta.permissions().mode());
        judge(&reply, mode.map(|mode| mode & 0o777));
        let _ = fs::remove_file(&path);
        if let Reply::Handle(handle) = &reply {
            server.close(handle);
        }
    }
}

/// Some time of so many microseconds passes before.
fn remove_within(most: u64, path: &Path) {
    let (since, wait) = (Instant::now(), fastrand::u64(..most));
    while since.elapsed() < Duration::from_micros(wait) {
        std::hint::spin_loop();
    }
    fs::remove_file(path).unwrap();
}

#[test]
fn no_protected_file_is_made_in_place_of_one_that_was_there_to_be_read() {
    for flags in [&[][..], &["--max-file-size", "1G"]] {
        let flags = [&["--root", "BASE/jail"], flags].concat();
        let mut home = Home::new("jail", &flags, &vec![dir("jail")]);
        let (mut opened, mut kept) = (0, 0);
        race(&mut home, ".bashrc", |reply, mode| {
            assert_eq!(mode, None, "{flags:?}: {reply:?}");
            match reply {
                Reply::Handle(_) => opened += 1,
                reply if refused(reply) => kept += 1,
                reply => panic!("{flags:?}: {reply:?}"),
            }
        });
        println!("{flags:?}: {opened} opened, {kept} refused");
        assert!(opened > 0 && kept > 0, "no race");
    }
}

#[test]
fn a_file_that_is_made_in_place_of_one_that_was_there_has_the_mode_of_what_is_made() {
    let flags = ["--root", "BASE/jail", "--file-mode", "0640"];
    let mut home = Home::new("jail", &flags, &vec![dir("jail")]);
    let (mut opened, mut made) = (0, 0);
    race(&mut home, "plain", |reply, mode| {
        assert!(matches!(reply, Reply::Handle(_)), "{reply:?}");
        match mode {
            None => opened += 1,
            Some(mode) => {
                assert_eq!(mode, 0o640);
                made += 1;
            }
        }
    });
    println!("{opened} opened, {made} made");
    assert!(opened > 0 && made > 0, "no race");
}
