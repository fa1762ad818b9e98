//! Two keys of one account, two roots: neither sees the other's.

use std::fs;

use crate::person::{Person, SECRET, nothing_leaked, survey};
use crate::support::Tree;
use crate::support::examples::example;

#[test]
fn neither_key_sees_what_the_other_has() {
    let person = Person::new(&example("authorized_keys.two-keys"));
    let names = ["anna", "ben"];
    for name in names {
        person.dir(name);
        person.file(&format!("{name}/own"), &format!("{SECRET} of {name}"));
    }
    for (number, name) in names.into_iter().enumerate() {
        let other = names[1 - number];
        let theirs = person.home().join(other);
        let before = survey(&[&theirs]);
        let local = Tree::new();
        local.file("hello", name);
        let home = person.home().display();
        let said = person
            .sftp(
                number,
                &local,
                "pwd\nls -1a\nput hello\nget hello back\nrename hello sent\n",
            )
            .success();
        let listing: Vec<_> = said
            .lines()
            .filter(|line| !line.starts_with("sftp>"))
            .collect();
        assert_eq!(
            listing,
            ["Remote working directory: /", ".", "..", "own"],
            "{said}"
        );
        assert_eq!(local.read("back"), name.as_bytes());
        let sent = person.home().join(name).join("sent");
        assert_eq!(fs::read(sent).unwrap(), name.as_bytes());
        let commands = format!(
            "-get /{other}/own\n-get ../{other}/own\n-get {home}/{other}/own\n-put hello ../{other}/hello\n\
             -ln -s ../{other} way\n-get way/own\n-put hello way/hello\n-ln -s {home}/{other} way2\n-get way2/own\n-rm way2/own\n"
        );
        person.sftp(number, &local, &commands).success();
        nothing_leaked(&local);
        assert_eq!(survey(&[&theirs]), before);
    }
}
