//! What a client may not know is answered as nothing is: compared with a tree where it does not stand.

use crate::support::packet::pflags::{READ, WRITE};
use crate::support::request::*;
use crate::support::{Attrs, Packet, Reply, Server, Tree};

/// Asks the same of two sessions in turn, the second after `make`: with `flags`, in a root and without.
fn alike(flags: &[&str], requests: &[Packet], make: impl Fn(&Tree)) {
    for root in [&["--root", "."][..], &[]] {
        if root.is_empty() && flags.contains(&"--bind") {
            continue;
        }
        let tree = Tree::new();
        tree.dir("dir");
        tree.dir("bound");
        let flags = [root, flags].concat();
        let ask = || -> Vec<Reply> {
            let mut server = Server::with(&tree, &flags);
            requests.iter().map(|one| server.call(one)).collect()
        };
        let without = ask();
        make(&tree);
        for ((request, one), other) in requests.iter().zip(ask()).zip(without) {
            assert_eq!(one, other, "{flags:?} {request:?}");
        }
    }
}

/// All that can be asked of a name, but to make it.
fn asked(name: &str) -> Vec<Packet> {
    let attrs = [
        Attrs::default().size(3),
        Attrs::default().size(u64::MAX),
        Attrs::default().permissions(0o600),
        Attrs::default().times(1, 2),
        Attrs::default().owner(0, 0),
    ];
    let long = "x".repeat(256);
    let (beneath, slash) = (format!("{name}/x"), format!("{name}/"));
    let mut requests = Vec::new();
    for name in [name, &beneath, &slash, &format!("{name}/..")] {
        for attrs in &attrs {
            requests.extend([setstat(name, attrs), lsetstat(name, attrs)]);
        }
        for pflags in [READ, WRITE, READ | WRITE] {
            requests.push(open(name, pflags, &Attrs::default()));
        }
        requests.extend([stat(name), lstat(name), opendir(name), readlink(name)]);
        requests.extend([realpath(name), expand_path(name), statvfs(name)]);
        requests.extend([remove(name), rmdir(name)]);
        for to in ["to", "dir", "dir/to", "none/to", "/", "..", &long] {
            requests.extend([rename(name, to), posix_rename(name, to), hardlink(name, to)]);
            requests.push(hardlink(name, format!("{long}/to")));
        }
    }
    requests
}

#[test]
fn in_a_drop_box_nothing_tells_of_another_s_file_whatever_it_is() {
    let kinds: [&dyn Fn(&Tree); 5] = [
        &|tree| drop(tree.file("foreign", "data")),
        &|tree| drop(tree.fifo("foreign")),
        &|tree| drop(tree.link("foreign", "nowhere")),
        &|tree| drop(tree.link("foreign", "foreign")),
        &|tree| {
            tree.file("other", "data");
            tree.link("foreign", "other");
        },
    ];
    for make in kinds {
        alike(&["--drop-box"], &asked("foreign"), make);
        alike(&["--drop-box", "--no-delete"], &asked("foreign"), make);
        alike(&["--drop-box", "--atomic-upload"], &asked("foreign"), make);
    }
}

#[test]
fn in_a_drop_box_a_read_only_bind_does_not_tell_of_another_s_file() {
    let flags = ["--drop-box", "--bind", "/here=./bound:ro"];
    alike(&flags, &asked("here/foreign"), |tree| {
        tree.file("bound/foreign", "data");
    });
}

#[test]
fn what_is_hidden_is_not_told_by_the_size_of_its_directory() {
    // Where a directory is as long as its entries are many.
    let tree = Tree::below("/dev/shm");
    tree.dir("dir");
    let sizes = |flags: &[&str]| {
        let mut server = Server::with(&tree, flags);
        let listed = server.opendir(".");
        let mut requests = vec![stat("dir"), lstat("dir"), stat(".")];
        // A drop box opens no directory as a file.
        if let Reply::Handle(dir) = server.call(&open("dir", READ, &Attrs::default())) {
            requests.push(fstat(&dir));
        }
        let mut sizes: Vec<_> = requests
            .iter()
            .map(|request| server.call(request).attrs().size)
            .collect();
        let reply = server.call(&readdir(&listed));
        sizes.extend(reply.names().iter().map(|name| name.attrs.size));
        sizes
    };
    let flags: [&[&str]; 2] = [&["--hide", "*.key"], &["--drop-box", "--root", "."]];
    let empty = flags.map(sizes);
    tree.file("dir/a.key", "");
    tree.file("b.key", "");
    assert!(!sizes(&[]).starts_with(&empty[0]), "it would be seen");
    assert_eq!(flags.map(sizes), empty);
}

#[test]
fn a_session_does_not_start_in_what_is_hidden() {
    let tree = Tree::new();
    tree.dir("dir");
    tree.file("dir/file", "data");
    let jailed = ["--root", ".", "-d", "/dir", "--hide", "dir"];
    let mut server = Server::with(&tree, jailed);
    assert_eq!(server.call(&realpath(".")).name(), b"/");
    let names = server.list(".").into_iter().map(|name| name.filename);
    assert!(names.eq([b".".to_vec(), b"..".to_vec()]));
    // In the host's tree, in a directory that is inherited.
    let mut server = Server::with(tree.at("dir"), ["--hide", "dir"]);
    assert_eq!(server.call(&realpath(".")).name(), b"/");
}
