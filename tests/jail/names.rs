//! Names of users and groups inside the locks, which are asked for only then: from the files, nscd and sssd; else numbers.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use crate::ground::{ordinary, ours};
use crate::name_services::Question::{Group, User};
use crate::name_services::{BY_FILE, BY_SOCKET, Daemon, Question};
use crate::support::request::users_groups_by_id;
use crate::support::server::copy_of;
use crate::support::static_build::STATIC;
use crate::support::{Launch, Server, Tree};

/// The ids of a user and a group, by who knows them: the files, daemons alone, nobody.
const IDS: [(u32, u32); 3] = [
    (BY_FILE.0.0, BY_FILE.1.0),
    (BY_SOCKET.0.0, BY_SOCKET.1.0),
    (70_005, 70_006),
];

/// A host in a mount namespace: users and groups of the test's making, sockets of daemons, modules, and the root with files of
/// those users.
struct Host {
    tree: Tree,
}

impl Host {
    /// `sources` is what nsswitch.conf(5) says of users and groups.
    fn new(sources: &str) -> Self {
        let tree = Tree::new();
        let (uid, gid) = ordinary();
        let user = |name, (uid, gid)| format!("{name}:x:{uid}:{gid}::/:/bin/sh\n");
        let passwd = [
            user("root", (0, 0)),
            user("tester", (uid, gid)),
            user(BY_FILE.0.1, IDS[0]),
        ];
        let (file_gid, file_group) = BY_FILE.1;
        let group = format!("root:x:0:\ntesters:x:{gid}:\n{file_group}:x:{file_gid}:\n");
        tree.dir("etc");
        tree.file("etc/passwd", passwd.concat());
        tree.file("etc/group", group);
        tree.file(
            "etc/nsswitch.conf",
            format!("passwd: {sources}\ngroup: {sources}\n"),
        );
        for dir in [
            "run",
            "run/nscd",
            "lib",
            "lib/sss",
            "lib/sss/pipes",
            "modules",
            "jail",
        ] {
            tree.dir(dir);
        }
        if sources.contains("sss") {
            // Where every user can read it.
            std::fs::copy(libnss_sss(), tree.at("modules/libnss_sss.so.2")).unwrap();
        }
        for (uid, gid) in IDS {
            let file = tree.file(format!("jail/{uid}"), "");
            chown(file, Some(uid), Some(gid)).unwrap();
        }
        Self { tree }
    }

    fn nscd(&self) -> Daemon {
        Daemon::nscd(&self.tree.at("run/nscd/socket"))
    }

    fn sssd(&self) -> Daemon {
        Daemon::sssd(&self.tree.at("lib/sss/pipes/nss"))
    }

    /// As the ordinary user, without a user namespace, in which all other owners would be one.
    fn session(&self, program: &Path) -> Session {
        // Over the whole of /etc: a mount on a file alone goes when somebody on the host replaces that file, as useradd does.
        let script = "
            mount -t overlay -o \"lowerdir=$0/etc:/etc\" overlay /etc
            mount --bind \"$0/run\" /run
            mount --bind \"$0/lib\" /var/lib
            user=$1 group=$2
            shift 2
            exec setpriv --reuid \"$user\" --regid \"$group\" --clear-groups \"$@\"";
        let (uid, gid) = ordinary();
        let server = Launch::program("unshare", &self.tree)
            .env("LD_LIBRARY_PATH", self.tree.at("modules"))
            .args(["--mount", "sh", "-euc", script])
            .args([self.tree.root()])
            .args([uid.to_string(), gid.to_string()])
            .args([program])
            .args(["--root".as_ref(), self.tree.at("jail").as_os_str()])
            .connect();
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
        assert!(status.contains(&format!("\nUid:\t{uid}\t")), "{status}");
        Session { server }
    }
}

/// A locked session.
struct Session {
    server: Server,
}

impl Session {
    /// Owner and group of each file of the root, as its long name has them.
    #[track_caller]
    fn listed(&mut self) -> [String; 3] {
        let listed = self.server.list("/");
        IDS.map(|(uid, _)| {
            let file = uid.to_string().into_bytes();
            let name = listed.iter().find(|name| name.filename == file).unwrap();
            let long = String::from_utf8(name.longname.clone()).unwrap();
            let columns: Vec<&str> = long.split_whitespace().collect();
            columns[2..4].join(" ")
        })
    }

    /// The same by the extension, where who has no name is the empty string.
    #[track_caller]
    fn by_id(&mut self) -> [String; 3] {
        let request = users_groups_by_id(&IDS.map(|(uid, _)| uid), &IDS.map(|(_, gid)| gid));
        let (users, groups) = self.server.call(&request).users_and_groups();
        [0, 1, 2].map(|index| format!("{} {}", users[index], groups[index]))
    }

    /// Whom the daemon knows has a name, and the daemon was asked within the locks alone.
    #[track_caller]
    fn names_all(&mut self, daemon: &Daemon) {
        let asked = |question| daemon.asked().contains(question);
        assert!(!QUESTIONS.iter().any(asked), "{:?}", daemon.asked());
        assert_eq!(self.listed(), [FILE_NAMES, SOCKET_NAMES, "70005 70006"]);
        assert!(QUESTIONS.iter().all(asked), "{:?}", daemon.asked());
        assert_eq!(self.by_id(), [FILE_NAMES, SOCKET_NAMES, " "]);
    }

    /// Whom the files do not know has none.
    #[track_caller]
    fn names_by_the_files(&mut self) {
        assert_eq!(self.listed(), [FILE_NAMES, "70003 70004", "70005 70006"]);
        assert_eq!(self.by_id(), [FILE_NAMES, " ", " "]);
    }
}

/// What daemons alone can answer.
const QUESTIONS: [Question; 2] = [User(BY_SOCKET.0.0), Group(BY_SOCKET.1.0)];
const FILE_NAMES: &str = "known-by-file group-by-file";
const SOCKET_NAMES: &str = "known-by-socket group-by-socket";

/// The module of sssd, which tests/run fetches without installing it.
fn libnss_sss() -> PathBuf {
    let module = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("libnss-sss")
        .join("libnss_sss.so.2");
    assert!(
        module.exists(),
        "{} is missing: run tests/run",
        module.display()
    );
    module
}

#[test]
fn files_name_users_and_groups_and_others_are_numbers() {
    let host = Host::new("files");
    host.session(ours()).names_by_the_files();
}

#[test]
fn nscd_names_users_and_groups() {
    let host = Host::new("files");
    let nscd = host.nscd();
    host.session(ours()).names_all(&nscd);
}

#[test]
fn an_nscd_that_was_started_again_names_users_and_groups() {
    let host = Host::new("files");
    let nscd = host.nscd();
    let mut session = host.session(ours());
    assert!(!nscd.asked().is_empty());
    drop(nscd);
    session.names_all(&host.nscd());
}

#[test]
fn sssd_names_users_and_groups() {
    let host = Host::new("files sss");
    let sssd = host.sssd();
    host.session(ours()).names_all(&sssd);
}

#[test]
fn an_sssd_that_was_started_again_names_users_and_groups() {
    let host = Host::new("files sss");
    let sssd = host.sssd();
    let mut session = host.session(ours());
    assert!(!sssd.asked().is_empty());
    drop(sssd);
    session.names_all(&host.sssd());
}

#[test]
fn an_sssd_that_is_started_late_names_users_and_groups() {
    let host = Host::new("files sss");
    let mut session = host.session(ours());
    session.names_all(&host.sssd());
}

#[test]
fn without_nscd_users_and_groups_are_named_by_the_files_again() {
    let host = Host::new("files");
    let nscd = host.nscd();
    let mut session = host.session(ours());
    drop(nscd);
    session.names_by_the_files();
}

#[test]
fn without_sssd_users_and_groups_that_it_alone_knows_are_numbers() {
    let host = Host::new("files sss");
    let sssd = host.sssd();
    let mut session = host.session(ours());
    drop(sssd);
    session.names_by_the_files();
}

#[test]
fn the_static_build_names_by_the_files_and_asks_no_daemon() {
    let host = Host::new("files sss");
    let (nscd, sssd) = (host.nscd(), host.sssd());
    let place = Tree::new();
    let mut session = host.session(&copy_of(&*STATIC, &place));
    session.names_by_the_files();
    for asked in [nscd.asked(), sssd.asked()] {
        assert!(
            !asked.iter().any(|question| QUESTIONS.contains(question)),
            "{asked:?}"
        );
    }
}
