//! A `[[match]]` table that nobody can say for whom it is: the session is refused, since it may be the one that restricts.

use std::fs;
use std::process::Stdio;

use crate::ground::{Ground, line, refused};
use crate::support::request;
use crate::support::server::copy_of;
use crate::support::wire::Attrs;
use crate::support::{Finished, Launch, Tree, under_test};

const CONFIG: &str = "[[match]]\nCRITERION\nread-only = true\n";

/// A host on which `files` of /etc are others, and a session in it of the user 4243, who is in the groups 65534 and 4242.
struct Host {
    ground: Ground,
    dir: Tree,
    files: Vec<&'static str>,
}

impl Host {
    fn new(criterion: &str) -> Self {
        let ground = Ground::new(CONFIG.replace("CRITERION", criterion));
        let dir = Tree::new();
        dir.chmod("", 0o777);
        Self {
            ground,
            dir,
            files: Vec::new(),
        }
    }

    /// This file of /etc says this, to whom this mode lets read it.
    fn file(mut self, name: &'static str, text: impl AsRef<[u8]>, mode: u32) -> Self {
        self.ground.tree.file(name, text);
        self.ground.tree.chmod(name, mode);
        self.files.push(name);
        self
    }

    fn launch(&self) -> Launch {
        self.asks(&[])
    }

    fn asks(&self, words: &[&str]) -> Launch {
        let server = self.ground.launch_copy(&self.dir);
        let binds = self.files.iter().map(|name| {
            let file = self.ground.tree.at(name);
            format!("mount --bind {} /etc/{name}; ", file.display())
        });
        let script = binds.collect::<String>()
            + r#"exec setpriv --reuid 4243 --regid 65534 --groups 4242 --no-new-privs "$0" "$@""#;
        let launch = server.through(&["unshare", "-m", "sh", "-ec", &script]);
        launch.args(words).arg("--config").arg(self.ground.config())
    }

    /// Status of a MKDIR: 0 where the table was passed over, 3 where it applies.
    fn mkdir(&self) -> u32 {
        let mut server = self.launch().connect();
        server.code(&request::mkdir("d", &Attrs::NONE))
    }

    fn refusal(&self) -> String {
        line(&refused(self.launch()))
    }
}

fn of_host(name: &str, more: &str) -> String {
    fs::read_to_string(format!("/etc/{name}")).unwrap() + more
}

const BOXED: &str = "boxed:x:4242:nobody\n";

#[test]
fn the_groups_are_those_of_the_process_and_a_file_that_cannot_be_read_refuses() {
    let group = of_host("group", BOXED);
    for (criterion, code) in [
        ("group = \"boxed\"", 3),
        ("group = \"nogroup\"", 3),
        ("group = \"no-such-group\"", 0),
    ] {
        let host = Host::new(criterion).file("group", &group, 0o644);
        assert_eq!(host.mkdir(), code, "{criterion}");
        let host = Host::new(criterion).file("group", &group, 0o600);
        let said = host.refusal();
        let why = "config:2: group: cannot look up this session's group: Permission denied; who";
        assert!(said.contains(why), "{criterion}: {said}");
        assert!(!host.dir.has("d"));
    }
    // Not in the file's list of members: sshd gave it to the process all the same.
    let group = of_host("group", "boxed:x:4242:\n");
    let host = Host::new("group = \"boxed\"").file("group", group, 0o644);
    assert_eq!(host.mkdir(), 3);
}

#[test]
fn a_group_without_a_name_is_an_error_only_where_somebody_else_may_know_it() {
    for (services, served) in [
        ("group: files", true),
        ("group: files systemd", true),
        ("# group: sss\n", true),
        ("group: files [SUCCESS=merge] systemd", true),
        ("group: files no_such_service systemd", false),
        ("group: no_such_service [NOTFOUND=return] files", false),
    ] {
        let host = Host::new("group = \"boxed\"");
        let host = host.file(
            "nsswitch.conf",
            format!("passwd: files\n{services}\n"),
            0o644,
        );
        if served {
            assert_eq!(host.mkdir(), 0, "{services}");
        } else {
            let said = host.refusal();
            assert!(
                said.contains("a service of nsswitch.conf(5) may be away"),
                "{services}: {said}"
            );
        }
    }
}

#[test]
fn nobody_is_asked_where_another_criterion_fails_or_no_table_asks() {
    for criterion in [
        "",
        "user = \"anna\"\ngroup = \"boxed\"",
        "address = \"192.0.2.1\"\ngroup = \"boxed\"",
    ] {
        let host = Host::new(criterion).file("group", of_host("group", BOXED), 0o600);
        let code = if criterion.is_empty() { 3 } else { 0 };
        assert_eq!(host.mkdir(), code, "{criterion}");
    }
}

#[test]
fn a_user_whom_nobody_can_look_up_is_refused() {
    let passwd = of_host("passwd", "stranger:x:4243:65534::/:/bin/sh\n");
    for criterion in [
        "user = \"stranger\"",
        "user = \"anna\"",
        "user = [\"!anna\", \"*\"]",
    ] {
        let host = Host::new(criterion).file("passwd", &passwd, 0o600);
        let said = host.refusal();
        let why = "config:2: user: cannot look up this session's user: Permission denied; who";
        assert!(said.contains(why), "{criterion}: {said}");
    }
    let host = Host::new("user = \"stranger\"").file("passwd", passwd, 0o644);
    assert_eq!(host.mkdir(), 3);
}

#[test]
fn check_says_what_a_session_would_meet() {
    let host = Host::new("group = \"boxed\"").file("group", of_host("group", BOXED), 0o600);
    let Finished { status, stdout, .. } = host.asks(&["check"]).run(Stdio::null(), Stdio::piped());
    let said = String::from_utf8(stdout).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot look up this session's group: Permission denied"),
        "{said}"
    );
}

/// `/` would be the root then.
#[test]
fn a_root_in_a_home_that_nobody_knows_is_refused() {
    let dir = Tree::new();
    for flags in [
        &["--root", "~"][..],
        &["--root", "%h"],
        &["--root", "/", "--bind", "/h=~/x"],
    ] {
        let launch = |home: Option<&str>| {
            let copy = copy_of(under_test(), dir.at(""));
            let launch = Launch::program(copy, &dir).user(4242, 4242);
            let launch = launch.args(flags).env("USER", "");
            match home {
                Some(home) => launch.env("HOME", home),
                None => launch.env("HOME", ""),
            }
        };
        let said = line(&refused(launch(None)));
        assert!(
            said.contains("neither passwd nor HOME says where the user's home is"),
            "{flags:?}: {said}"
        );
    }
}
