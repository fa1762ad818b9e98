//! A place that nobody but root can change, a configuration file in it, and a server that reads it.

use std::path::PathBuf;
use std::process::Stdio;

use crate::support::server::copy_of;
use crate::support::{Finished, Launch, Server, Tree, under_test};

/// A directory for a file that is trusted, with the file `config` in it, which says `text`.
///
/// Not in /tmp, where everybody may write.
pub(crate) struct Ground {
    pub(crate) tree: Tree,
}

impl Ground {
    pub(crate) fn new(text: impl AsRef<[u8]>) -> Self {
        assert!(nix::unistd::geteuid().is_root(), "this asks for root");
        let tree = Tree::below("/srv");
        tree.file("config", text);
        Self { tree }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.tree.at("config")
    }

    /// The path of the file.
    pub(crate) fn path(&self) -> String {
        self.config().to_str().unwrap().to_owned()
    }

    /// A server in `dir` that reads the file.
    pub(crate) fn launch(&self, dir: &Tree) -> Launch {
        Launch::new(dir).arg("--config").arg(self.config())
    }

    /// The same, by a copy that every user can run.
    pub(crate) fn launch_copy(&self, dir: &Tree) -> Launch {
        // One for each server: the last one may still run.
        let copies = self.tree.names("").len();
        let copy = copy_of(under_test(), self.tree.dir(format!("copy{copies}")));
        Launch::program(copy, dir)
            .arg("--config")
            .arg(self.config())
    }

    pub(crate) fn server(&self, dir: &Tree) -> Server {
        self.launch(dir).connect()
    }

    /// What it says where it does not start: one line, without the path of the file in front, if it is there.
    #[track_caller]
    pub(crate) fn refusal(&self, launch: Launch) -> String {
        let line = line(&refused(launch));
        let path = format!("{}:", self.path());
        line.strip_prefix(&path).unwrap_or(&line).to_owned()
    }

    /// A server that has this directory in place of /etc/ssh, so that `config` is not read, but `sftp_server.toml` is.
    pub(crate) fn default(&self, dir: &Tree) -> Launch {
        Launch::program("unshare", dir)
            .args(["-m", "sh", "-ec"])
            .arg(r#"mount --bind "$0" /etc/ssh; exec "$@""#)
            .arg(self.tree.root())
            .arg(under_test())
    }
}

/// Runs what must not start: status 1, nothing on stdout.
#[track_caller]
pub(crate) fn refused(launch: Launch) -> Finished {
    let finished = launch.run(Stdio::null(), Stdio::piped());
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert_eq!(finished.stdout, b"", "{finished:?}");
    finished
}

/// The one line on stderr.
#[track_caller]
pub(crate) fn line(finished: &Finished) -> String {
    let text = finished.stderr_text();
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    assert!(!line.contains('\n'), "one line: {text:?}");
    line.to_owned()
}
