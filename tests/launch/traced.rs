//! Under a tracer, as proot(1) is one: it is named in the log, and where no session is possible beneath it that is said in words.

use std::process::Stdio;

use crate::support::server::copy_of;
use crate::support::{Launch, Tree, request, under_test};

const NOBODY: &str = "65534";

/// A program and a directory that every user can reach.
fn ground() -> (Tree, String) {
    let tree = Tree::below("/srv");
    tree.chmod("", 0o755);
    tree.chmod(
        tree.dir("root").file_name().unwrap().as_encoded_bytes(),
        0o777,
    );
    let server = copy_of(under_test(), tree.root());
    (tree, server.to_str().unwrap().to_owned())
}

/// The server under proot, as an ordinary user.
fn under_proot(tree: &Tree, words: &[&str]) -> Launch {
    // proot writes a program of its own where temporary files go.
    let as_nobody = [
        "--reuid",
        NOBODY,
        "--regid",
        NOBODY,
        "--clear-groups",
        "env",
        "PROOT_TMP_DIR=/tmp",
    ];
    Launch::program("setpriv", tree.at("root"))
        .args(as_nobody)
        .arg("proot")
        .args(words)
}

#[test]
fn proot_is_named_where_the_locks_keep_it_from_the_memory_it_needs() {
    let (tree, server) = ground();
    for root in [&[][..], &["--root", "."]] {
        let launch = under_proot(&tree, &[&server, "--no-config"]);
        let finished = launch.args(root).run(Stdio::null(), Stdio::piped());
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        let words = finished.stderr_text();
        // proot has complaints of its own.
        let ours = words.lines().filter(|line| !line.starts_with("proot "));
        assert_eq!(ours.count(), 1, "{words}");
        let begin = "sftp-server: cannot use paths: Bad address; proot (process ";
        assert!(words.starts_with(begin), "{words}");
        assert!(words.contains("or take --sandbox off"), "{words}");
    }
    let mut served = under_proot(&tree, &[&server, "--no-config", "--sandbox=off"]).connect();
    served.call(&request::stat(".")).attrs();
}

#[test]
fn check_finds_it_as_well() {
    let (tree, server) = ground();
    let launch = under_proot(&tree, &[&server, "check", "--no-config"]);
    let finished = launch.run(Stdio::null(), Stdio::piped());
    let said = String::from_utf8_lossy(&finished.stdout).into_owned();
    assert_eq!(finished.status.code(), Some(1), "{said}");
    assert!(
        said.contains("\nerror    cannot use paths: Bad address; proot (process "),
        "{said}"
    );
    let remedy = "\n         start it outside of proot, or take --sandbox off\n";
    assert!(said.contains(remedy), "{said}");
}

#[test]
fn a_tracer_that_is_no_hindrance_stands_in_the_log() {
    let tree = Tree::new();
    let mut server = Launch::program("proot", &tree)
        .arg(under_test())
        .args(["--no-config", "-e", "-l", "INFO", "--root", "."])
        .connect();
    server.call(&request::stat("/")).attrs();
    let words = server.finish().stderr_text();
    let line = words.lines().find(|line| line.starts_with("sandbox: "));
    assert!(
        line.is_some_and(|line| line.contains("; traced by proot (process ")),
        "{words}"
    );
    let mut server = Launch::new(&tree).args(["-e", "-l", "INFO"]).connect();
    server.call(&request::stat("/")).attrs();
    assert!(!server.finish().stderr_text().contains("traced"));
}
