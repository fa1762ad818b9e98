//! Self-protection of what a session is started by: the program, by whichever path, and the file that configures it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::ground::{Owner, ours};
use crate::protect_ways::{all_refused, mkdir, mode, opens, put};
use crate::sides::{as_ordinary, no_sandbox};
use crate::support::server::{self, Launch, OURS};
use crate::support::wire::Packet;
use crate::support::{Server, Tree, request};

#[test]
fn the_configuration_file_and_the_way_to_it_stay() {
    let tree = Tree::below("/srv");
    for name in ["", "jail", "jail/etc", "jail/spare"] {
        if !name.is_empty() {
            tree.dir(name);
        }
        Owner.own(&tree.at(name));
    }
    for name in ["jail/etc/conf.toml", "jail/new"] {
        tree.file(name, "read-only = false\n");
        Owner.own(&tree.at(name));
    }
    tree.link("jail/conf.toml", "etc/conf.toml");
    Owner.own(&tree.at("jail/conf.toml"));
    let root = tree.at("jail");
    let launch = Launch::program(ours(), &tree)
        .args(no_sandbox())
        .args(["--root".as_ref(), root.as_os_str()])
        .args(["--config".as_ref(), tree.at("jail/conf.toml").as_os_str()]);
    let mut server = as_ordinary(launch).connect();
    let before = tree.snapshot_of("jail");
    all_refused(
        &mut server,
        &[
            put("/conf.toml"),
            put("/etc/conf.toml"),
            request::remove("/conf.toml"),
            request::posix_rename("/new", "/conf.toml"),
            request::posix_rename("/new", "/etc/conf.toml"),
            request::rename("/etc", "/gone"),
            request::posix_rename("/spare", "/etc"),
            mode("/etc", 0o777),
            mode("/", 0o777),
        ],
    );
    assert_eq!(before.differences(&tree.snapshot_of("jail")), [""; 0]);
    opens(&mut server, "/etc/other");
}

/// A root in which the program stands, and the session that it serves by one of its paths.
fn program(start: impl Fn(&Path, &Path) -> Launch) -> (Tree, Server) {
    let tree = Tree::new();
    for name in ["", "bin", "lib", "first"] {
        if !name.is_empty() {
            tree.dir(name);
        }
        Owner.own(&tree.at(name));
    }
    let real = server::copy_of(OURS, tree.at("lib"));
    Owner.own(&real);
    tree.link("bin/sftp-server", "../lib/sftp-server");
    Owner.own(&tree.at("bin/sftp-server"));
    tree.file("evil", "evil");
    Owner.own(&tree.at("evil"));
    let launch = start(&tree.at("bin/sftp-server"), tree.root());
    let launch = launch
        .args(no_sandbox())
        .args(["--root".as_ref(), tree.root().as_os_str()]);
    let server = as_ordinary(launch).connect();
    (tree, server)
}

const PROGRAM: fn() -> Vec<Packet> = || {
    vec![
        request::remove("/bin/sftp-server"),
        request::posix_rename("/evil", "/bin/sftp-server"),
        put("/bin/sftp-server"),
        request::rename("/bin", "/gone"),
        put("/lib/sftp-server"),
        request::posix_rename("/evil", "/lib/sftp-server"),
        request::rename("/lib", "/gone"),
        mode("/bin", 0o777),
        mode("/lib", 0o775),
    ]
};

#[test]
fn a_program_that_is_started_by_a_link_stays_and_so_does_the_link() {
    let (tree, mut server) = program(|link, root| Launch::program(link, root));
    let before = fs::read(tree.at("lib/sftp-server")).unwrap();
    all_refused(&mut server, &PROGRAM());
    opens(&mut server, "/bin/other");
    assert_eq!(fs::read(tree.at("bin/sftp-server")).unwrap(), before);
}

#[test]
fn a_program_that_is_found_by_path_stays_and_nothing_appears_before_it() {
    let (tree, mut server) = program(|link, root| {
        let path = ["first", "missing", "bin", "lib"].map(|dir| root.join(dir));
        let path = std::env::join_paths(path).unwrap();
        Launch::program(link, root)
            .arg0("sftp-server")
            .env("PATH", path)
    });
    all_refused(&mut server, &PROGRAM());
    all_refused(
        &mut server,
        &[
            put("/first/sftp-server"),
            request::rename("/evil", "/first/sftp-server"),
            request::symlink("evil", "/first/sftp-server"),
            request::rename("/first", "/missing"),
        ],
    );
    server.ok(&mkdir("/missing"));
    all_refused(&mut server, &[put("/missing/sftp-server")]);
    opens(&mut server, "/first/other");
    assert!(!tree.has("first/sftp-server"));
}

#[test]
fn what_cannot_be_run_is_no_end_of_the_search_by_path() {
    let (tree, mut server) = program(|link, root| {
        let first = root.join("first/sftp-server");
        fs::write(&first, "no program").unwrap();
        fs::set_permissions(&first, PermissionsExt::from_mode(0o644)).unwrap();
        Owner.own(&first);
        for dir in ["second", "third"] {
            fs::create_dir(root.join(dir)).unwrap();
            Owner.own(&root.join(dir));
        }
        // Nor is a directory, nor a link that leads to nothing.
        fs::create_dir(root.join("second/sftp-server")).unwrap();
        Owner.own(&root.join("second/sftp-server"));
        symlink("nothing", root.join("third/sftp-server")).unwrap();
        let path = ["first", "second", "third", "bin", "lib"].map(|dir| root.join(dir));
        Launch::program(link, root)
            .arg0("sftp-server")
            .env("PATH", std::env::join_paths(path).unwrap())
    });
    let before = tree.snapshot();
    all_refused(&mut server, &PROGRAM());
    all_refused(
        &mut server,
        &[
            put("/first/sftp-server"),
            mode("/first/sftp-server", 0o755),
            request::remove("/first/sftp-server"),
            request::posix_rename("/evil", "/first/sftp-server"),
            request::rename("/first", "/gone"),
            request::rmdir("/second/sftp-server"),
            request::rename("/second", "/gone"),
            request::remove("/third/sftp-server"),
            put("/third/nothing"),
            mode("/third", 0o777),
        ],
    );
    assert_eq!(before.differences(&tree.snapshot()), [""; 0]);
    opens(&mut server, "/first/other");
}
