//! Three directories from outside, one of them read-only, with no mount and no line in fstab.

use std::fs;

use crate::person::{Person, SECRET, nothing_leaked, survey};
use crate::support::Tree;
use crate::support::examples::example;

fn somebody() -> Person {
    let example = example("authorized_keys.binds");
    let person = Person::new(&example.replace("/srv/", "{dir}/srv/"));
    person.dir("view");
    person.dir("out");
    let account = person.sshd.account();
    for dir in ["srv", "srv/photos", "srv/projects", "srv/photos/summer"] {
        account.make_dir(&person.place().join(dir));
    }
    for (path, content) in [
        ("srv/photos/summer/beach", "a photo"),
        ("srv/projects/plan", "a plan"),
        ("srv/secret", SECRET),
    ] {
        crate::person::file(account, &format!("../{path}"), content);
    }
    person
}

#[test]
fn all_three_are_there_and_one_is_read_only() {
    let person = somebody();
    let local = Tree::new();
    local.file("hello", "hello there");
    let photos = person.place().join("srv/photos");
    let before = survey(&[&photos]);
    let commands = "pwd\nls -1\nget photos/summer/beach\nget projects/plan\nput hello projects/hello\nput hello /out/hello\n\
         put hello own\ncd photos/..\nget own back\ncd projects\nrm plan\n";
    let said = person.sftp(0, &local, commands).success();
    let listing: Vec<_> = said
        .lines()
        .filter(|line| !line.starts_with("sftp>"))
        .collect();
    assert_eq!(
        listing,
        ["Remote working directory: /", "out", "photos", "projects"],
        "{said}"
    );
    assert_eq!(local.read("beach"), b"a photo");
    assert_eq!(local.read("plan"), b"a plan");
    for arrived in ["srv/projects/hello", "home/out/hello", "home/view/own"] {
        let arrived = person.place().join(arrived);
        assert_eq!(fs::read(arrived).unwrap(), b"hello there");
    }
    assert!(!person.place().join("srv/projects/plan").exists());
    for forbidden in [
        "put hello photos/hello\n",
        "put hello photos/summer/beach\n",
        "rm photos/summer/beach\n",
        "rename photos/summer photos/winter\n",
        "mkdir photos/winter\n",
        "chmod 777 photos/summer/beach\n",
        "ln -s beach photos/summer/link\n",
        "rename own photos/own\n",
        "rename photos/summer/beach beach\n",
        "ln photos/summer/beach beach\n",
        // From one bind to another: they are file systems of their own.
        "rename projects/hello out/moved\n",
        "ln projects/hello out/linked\n",
        // The binds themselves stay.
        "rename projects moved\n",
        "rmdir out\n",
        "rename own projects\n",
    ] {
        let ran = person.sftp(0, &local, forbidden);
        assert_eq!(ran.status.code(), Some(1), "{forbidden}: {ran:?}");
    }
    assert_eq!(survey(&[&photos]), before);
    let view = survey(&[&person.home().join("view")]);
    let mut names: Vec<_> = view.keys().filter_map(|path| path.file_name()).collect();
    names.sort();
    // On the disk there is neither a directory for a bind nor a link.
    assert_eq!(names, ["own", "view"]);
}

#[test]
fn nothing_beside_the_binds_is_reached() {
    let person = somebody();
    let local = Tree::new();
    local.file("hello", "hello there");
    let above = person.place().join("srv");
    let place = person.place().display();
    let commands = format!(
        "-get photos/../secret\n-get projects/../secret\n-get {place}/srv/secret\n-ln -s .. projects/up\n-get projects/up/secret\n\
         -ln -s {place}/srv/secret projects/out\n-get projects/out\n-put hello projects/out\n-ln -s ../secret projects/near\n-get projects/near\n\
         -put hello projects/../secret\n"
    );
    person.sftp(0, &local, &commands).success();
    nothing_leaked(&local);
    assert_eq!(fs::read_to_string(above.join("secret")).unwrap(), SECRET);
    // `..` of a bind is the view's top: that is where the file went.
    let went = person.home().join("view/secret");
    assert_eq!(fs::read(went).unwrap(), b"hello there");
}

#[test]
fn nothing_is_mounted() {
    let person = somebody();
    let local = Tree::new();
    local.file("hello", "hello there");
    // While the session is there, by the view of any process of the machine.
    let commands =
        "put hello projects/hello\n!cat /proc/[0-9]*/mountinfo >mounts 2>/dev/null\nls projects\n";
    person.sftp(0, &local, commands);
    let mounts = String::from_utf8(local.read("mounts")).unwrap();
    assert!(mounts.contains(" / "), "{mounts}");
    let place = person.place().to_str().unwrap();
    assert!(!mounts.contains(place), "{mounts}");
}
