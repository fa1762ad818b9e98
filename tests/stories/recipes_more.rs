//! More recipes of the manual: a spool that a consumer watches, a store of objects, and limits for guests, who are known by their address.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::person::{Person, survey};
use crate::support::Tree;
use crate::support::examples::example;

#[test]
fn a_consumer_of_the_spool_never_meets_half_a_file() {
    let person = Person::new(&example("authorized_keys.spool"));
    let spool = person.dir("spool");
    let local = Tree::new();
    let mut batch = String::new();
    for number in 0..30 {
        local.file(format!("job{number}"), vec![b'j'; 700_000]);
        batch += &format!("put job{number}\n");
    }
    let done = AtomicBool::new(false);
    let consumed = thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let mut consumed = 0;
            loop {
                let last = done.load(Ordering::Acquire);
                for entry in fs::read_dir(&spool).unwrap() {
                    let path = entry.unwrap().path();
                    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                    if name.starts_with("job") {
                        assert_eq!(fs::read(&path).unwrap().len(), 700_000, "{name}");
                        fs::remove_file(&path).unwrap();
                        consumed += 1;
                    }
                }
                if last {
                    return consumed;
                }
            }
        });
        let sent = person.sftp(0, &local, &batch);
        done.store(true, Ordering::Release);
        sent.success();
        consumer.join().unwrap()
    });
    assert_eq!(consumed, 30);
    assert_eq!(
        fs::read_dir(&spool).unwrap().count(),
        0,
        "nothing is left behind"
    );
    // What waits for the consumer stays as it is.
    person.file("spool/waiting", "waiting");
    for command in ["put job0 waiting", "rm waiting", "rename waiting gone"] {
        let ran = person.sftp(0, &local, &format!("{command}\n"));
        assert_eq!(ran.status.code(), Some(1), "{command}: {ran:?}");
    }
    assert_eq!(fs::read(spool.join("waiting")).unwrap(), b"waiting");
}

/// By the requests that borgstore makes; itself it is among the clients.
#[test]
fn a_store_of_objects_takes_new_ones_and_keeps_the_others() {
    let person = Person::new(&example("authorized_keys.borg"));
    let store = person.dir("store");
    let local = Tree::new();
    local.file("object", vec![b'o'; 300_000]);
    local.file("other", "another one");
    let stored = "mkdir packs\nput object packs/aabbccdd.tmp\nrename packs/aabbccdd.tmp packs/01\n";
    person.sftp(0, &local, stored).success();
    let its_own = "put other lock.tmp\nrename lock.tmp lock\nrm lock\nget packs/01 back\n";
    person.sftp(0, &local, its_own).success();
    assert_eq!(local.read("back"), vec![b'o'; 300_000]);
    let before = survey(&[&store]);
    for command in [
        "put other packs/01",
        "put -a other packs/01",
        "put other packs/02.tmp\nrename packs/02.tmp packs/01",
        "rm packs/01",
        "rename packs/01 packs/01.del",
        "rmdir packs",
    ] {
        let ran = person.sftp(0, &local, &format!("{command}\n"));
        assert_eq!(ran.status.code(), Some(1), "{command}: {ran:?}");
    }
    // What the session itself has put there is its own until it ends, and then is kept as well.
    let mut after = survey(&[&store]);
    after.remove(&store.join("packs/02.tmp"));
    let [before, after] =
        [before, after].map(|found| found.into_iter().filter(|(path, _)| path.is_file()));
    assert!(before.eq(after));
}

#[test]
fn guests_are_known_by_their_address() {
    let line = r#"command="/usr/lib/openssh/sftp-server --config ~/sftp_server.toml",restrict ssh-ed25519 AAAA"#;
    let person = Person::new(line);
    let local = Tree::new();
    local.file("hello", "hello there");
    let guests = example("sftp_server.toml.guests");
    let home = guests.replace("192.0.2.0/24", "127.0.0.0/8");
    assert_ne!(guests, home);
    // From the office.
    person.file("sftp_server.toml", &home);
    person
        .sftp(0, &local, "put hello\nget hello back\n")
        .success();
    assert_eq!(local.read("back"), b"hello there");
    assert!(person.home().join("hello").exists());
    // From elsewhere.
    person.file("sftp_server.toml", &guests);
    person.sftp(0, &local, "get /hello again\n").success();
    assert_eq!(local.read("again"), b"hello there");
    let ran = person.sftp(0, &local, "put hello up\n");
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    assert!(ran.stderr.contains("ermission denied"), "{ran:?}");
    assert!(!person.home().join("up").exists());
}
