//! The protocol, request by request, against ours and, with `SFTP_SERVER_UNDER_TEST=/usr/lib/openssh/sftp-server`,
//! against OpenSSH's. Where the two differ on purpose, the test says what each does, and why. With `SFTP_SERVER_JAIL=1` ours has
//! `--root` of each test's tree.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod close;
mod copy_data;
mod copy_file;
mod expand_path;
mod framing;
mod fsetstat;
mod fstat;
mod fstatvfs;
mod fsync;
mod handles;
mod hardlink;
mod home_directory;
mod init;
mod lease;
mod limits;
mod longname;
mod lsetstat;
mod lstat;
mod malformed;
mod mkdir;
mod open;
mod opendir;
mod paths;
mod permissions;
mod pflags;
mod pipeline;
mod posix_rename;
mod read;
mod read_only;
mod read_unread;
mod readdir;
mod readlink;
mod realpath;
mod remove;
mod rename;
mod rmdir;
mod setstat;
mod space_available;
mod special_files;
mod stat;
mod status;
mod statvfs;
mod symlink;
mod users_groups_by_id;
mod vendor_id;
mod write;

use support::wire::code;
use support::{Launch, Reply, Server, Tree, openssh, server, under_test};

/// A tree, and the server under test in it.
fn start() -> (Tree, Server) {
    let tree = Tree::new();
    let server = Server::start(&tree);
    (tree, server)
}

/// The same for a test that names what stands in these directories of the host's `/`.
fn start_with(host: &[&str]) -> (Tree, Server) {
    let tree = Tree::new();
    let server = Launch::new(&tree).host(host).connect();
    (tree, server)
}

/// OpenSSH's own words for a status code, which clients match.
fn words(code: u32) -> &'static str {
    match code {
        code::OK => "Success",
        code::EOF => "End of file",
        code::NO_SUCH_FILE => "No such file",
        code::PERMISSION_DENIED => "Permission denied",
        code::FAILURE => "Failure",
        code::BAD_MESSAGE => "Bad message",
        code::OP_UNSUPPORTED => "Operation unsupported",
        other => panic!("no words for status {other}"),
    }
}

/// A STATUS of this code, its text beginning with OpenSSH's words.
#[track_caller]
fn assert_status(reply: &Reply, code: u32) {
    let status = reply.status();
    assert_eq!(status.code, code, "{status:?}");
    assert!(status.text.starts_with(words(code)), "{status:?}");
    assert_eq!(status.language, b"", "the language tag");
}

/// A STATUS of this code whose text is OpenSSH's words and, from ours, the cause after them.
#[track_caller]
fn assert_cause(reply: &Reply, server: &Server, code: u32, cause: &str) {
    assert_status(reply, code);
    let text = if server.is_openssh() {
        words(code).to_owned()
    } else {
        format!("{}: {cause}", words(code))
    };
    assert_eq!(reply.status().text, text);
}

/// The answer to what a handle is not open for: OpenSSH says "No such file" of a file that is there.
#[track_caller]
fn assert_not_open_for(reply: &Reply, server: &Server, what: &str) {
    if server.is_openssh() {
        assert_status(reply, code::NO_SUCH_FILE);
    } else {
        assert_cause(
            reply,
            server,
            code::FAILURE,
            &format!("not open for {what}"),
        );
    }
}

/// The server under test as an ordinary user (nobody's uid where the test is root, which then owns the tree).
fn ordinary(tree: &Tree, args: &[&str]) -> Ordinary {
    if !nix::unistd::geteuid().is_root() {
        return Ordinary {
            server: Server::with(tree, args),
            _program: Tree::new(),
        };
    }
    let bin = Tree::new();
    let program = server::copy_of(under_test(), &bin);
    let program = if server::is_openssh() {
        openssh::reachable(&under_test(), &bin)
    } else {
        program
    };
    tree.give_to(NOBODY, NOBODY);
    Ordinary {
        server: Launch::program(program, tree)
            .args(args)
            .user(NOBODY, NOBODY)
            .connect(),
        _program: bin,
    }
}

/// The uid and gid of `nobody` and `nogroup` on Debian.
const NOBODY: u32 = 65534;

/// A server of an ordinary user, and the directory where its copy of the program stands.
struct Ordinary {
    server: Server,
    _program: Tree,
}

impl std::ops::Deref for Ordinary {
    type Target = Server;
    fn deref(&self) -> &Server {
        &self.server
    }
}

impl std::ops::DerefMut for Ordinary {
    fn deref_mut(&mut self) -> &mut Server {
        &mut self.server
    }
}
