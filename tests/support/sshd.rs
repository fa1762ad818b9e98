//! A throwaway sshd on 127.0.0.1, run by an ordinary user or by root, gone with its value.
//!
//! ```ignore
//! let sshd = Sshd::ordinary("{server} -e");
//! let output = sshd.sftp().args(["-b", "commands", HOST]).output()?;
//! ```
//!
//! - [`Sshd::ordinary`]: what a user without privilege has. Run by root, it makes a throwaway user for it.
//! - [`Sshd::root`]: ChrootDirectory, Match User, other login shells; add users by [`Account::new`] and [`Sshd::authorize`].
//! - In the Subsystem command, configuration lines and key options, `{server}` stands for a copy of the server under test
//!   that every user can run, and `{dir}` for the place, whose path belongs to root as ChrootDirectory asks.
//! - Clients reach it by the alias [`HOST`] and `-F` [`Sshd::client_config`]; [`Sshd::ssh`], [`Sshd::sftp`] and [`Sshd::scp`] have it set.
//!   Whoever has a configuration of its own takes `port`, `account().name`, `user_key()` and `known_hosts()`.
//! - Drop ends sshd and all that came of it by process id, and removes users and files. A panicking test gets the log.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::{getegid, geteuid};

pub(crate) use account::{Account, Place};
use processes::{children, cpu, descendants, end, runs, within};

mod account;
mod processes;

/// The name by which the client configuration knows the server.
pub(crate) const HOST: &str = "server";

/// A running sshd. Its fields drop in order: the users before the place that holds their homes.
pub(crate) struct Sshd {
    guardian: Child,
    account: Account,
    place: Place,
    pub(crate) port: u16,
}

impl Sshd {
    /// An sshd without privilege, whose only user is [`Sshd::account`]. `subsystem` is what follows `Subsystem sftp`; empty: no such line.
    pub(crate) fn ordinary(subsystem: &str) -> Self {
        Self::ordinary_with(subsystem, "", "")
    }

    /// The same with more lines of sshd_config and the options of its authorized_keys line (`command="…",restrict`).
    pub(crate) fn ordinary_with(subsystem: &str, config: &str, key_options: &str) -> Self {
        Self::start(false, subsystem, config, key_options)
    }

    /// An sshd run by root, with a throwaway user of shell /bin/sh as [`Sshd::account`]. `config` may end in Match blocks.
    pub(crate) fn root(subsystem: &str, config: &str, key_options: &str) -> Self {
        assert!(geteuid().is_root(), "an sshd of root's asks for root");
        // The package's service makes it at boot; a container has none.
        fs::create_dir_all("/run/sshd").unwrap();
        Self::start(true, subsystem, config, key_options)
    }

    fn start(as_root: bool, subsystem: &str, config: &str, key_options: &str) -> Self {
        let place = Place::new();
        let account = if geteuid().is_root() {
            Account::new(&place.path().join("home"), "/bin/sh")
        } else {
            Account::current()
        };
        let owner = if as_root {
            (0, 0)
        } else {
            (account.uid, account.gid)
        };
        let dir = place.path();
        make_key(&dir.join("host_key"), owner);
        make_key(
            &dir.join("user_key"),
            (geteuid().as_raw(), getegid().as_raw()),
        );
        fs::create_dir(dir.join("keys")).unwrap();
        account.make_dir(&dir.join("inbox"));

        let mut attempts = 0;
        let (guardian, port) = loop {
            let port = free_port();
            write_sshd_config(&place, port, subsystem, config);
            let mut child = sshd_command(dir, (!as_root).then_some(&account))
                .spawn()
                .expect("sshd starts: is openssh-server installed?");
            if listens(&mut child, &dir.join("sshd.log")) {
                break (child, port);
            }
            attempts += 1;
            // Another process may have taken the port in between.
            assert!(
                attempts < 5,
                "sshd does not start:\n{}",
                read_lossy(&dir.join("sshd.log"))
            );
        };
        let sshd = Self {
            guardian,
            account,
            place,
            port,
        };
        sshd.write_client_files();
        sshd.authorize(&sshd.account, key_options);
        sshd
    }

    /// The user whom the client configuration names.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    /// The directory for what a test needs beside the home; it belongs to the caller and everyone can enter it.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Where [`Sshd::account`] may write: the home of one who runs the tests is no place for their files.
    pub(crate) fn inbox(&self) -> PathBuf {
        self.dir().join("inbox")
    }

    /// Lets the user key log in as `account`, with these options and no others. Can be called again.
    pub(crate) fn authorize(&self, account: &Account, options: &str) {
        let key = fs::read_to_string(self.dir().join("user_key.pub")).unwrap();
        fs::write(
            self.dir().join("keys").join(&account.name),
            format!("{} {key}", self.place.expand(options)),
        )
        .unwrap();
    }

    /// For `-F`: host, port, user, key and known host.
    pub(crate) fn client_config(&self) -> PathBuf {
        self.dir().join("client_config")
    }

    pub(crate) fn user_key(&self) -> PathBuf {
        self.dir().join("user_key")
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.dir().join("known_hosts")
    }

    /// `ssh -F client_config`; add options, [`HOST`], a command.
    pub(crate) fn ssh(&self) -> Command {
        self.client("ssh")
    }

    pub(crate) fn sftp(&self) -> Command {
        self.client("sftp")
    }

    pub(crate) fn scp(&self) -> Command {
        self.client("scp")
    }

    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.arg("-F").arg(self.client_config());
        command
    }

    /// What sshd has logged (LogLevel VERBOSE).
    pub(crate) fn log(&self) -> String {
        read_lossy(&self.dir().join("sshd.log"))
    }

    /// The end of it, for a failed test: what came before does not drown the failure.
    pub(crate) fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.len().saturating_sub(LAST_LINES);
        lines[last..]
            .iter()
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// The processes of sessions whose name begins so (proc_pid_comm(5)).
    pub(crate) fn processes(&self, name: &str) -> Vec<u32> {
        let all = descendants(self.guardian.id()).into_iter();
        let named = |pid: &u32| {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
            comm.is_ok_and(|comm| comm.starts_with(name))
        };
        all.filter(named).collect()
    }

    /// The CPU seconds so far of the connections that there are, in sshd's own processes and in what they started.
    pub(crate) fn cpu(&self) -> f64 {
        // What has ended meanwhile counts where it was waited for; sshd does not wait for all at the end of a connection.
        descendants(self.listener()).into_iter().map(cpu).sum()
    }

    /// Waits until no connection is left.
    pub(crate) fn wait_for_connections(&self) {
        let listener = self.listener();
        let ended = || children(listener).is_empty();
        assert!(within(Duration::from_secs(10), ended), "a connection stays");
    }

    fn listener(&self) -> u32 {
        let mut candidates = children(self.guardian.id()).into_iter();
        // Beside it waits the shell that will end it.
        let found = candidates.find(|pid| runs(*pid, "sshd"));
        found.expect("sshd runs")
    }

    fn dir(&self) -> &Path {
        self.place.path()
    }

    fn write_client_files(&self) {
        let dir = self.dir().display();
        let host_key = fs::read_to_string(self.dir().join("host_key.pub")).unwrap();
        fs::write(
            self.known_hosts(),
            format!("[127.0.0.1]:{} {host_key}", self.port),
        )
        .unwrap();
        let (port, user) = (self.port, &self.account.name);
        let config = format!(
            "Host {HOST}\n HostName 127.0.0.1\n Port {port}\n User {user}\n IdentityFile {dir}/user_key\n IdentitiesOnly yes\n \
             UserKnownHostsFile {dir}/known_hosts\n StrictHostKeyChecking yes\n BatchMode yes\n LogLevel ERROR\n"
        );
        fs::write(self.client_config(), config).unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- sshd's log\n{}---", self.last_words());
        }
        // Each connection is a session of its own (setsid), so a process group would not hold them all. A client that has left takes
        // its server along; what is still here after a moment is told to go, while sshd is there to reap it.
        let sessions: Vec<u32> = children(self.guardian.id())
            .into_iter()
            .flat_map(descendants)
            .collect();
        end(&sessions, Duration::from_millis(500));
        drop(self.guardian.stdin.take());
        self.guardian.wait().unwrap();
    }
}

/// Of the log of a failed test.
const LAST_LINES: usize = 60;

/// Runs sshd until its standard input closes, which it does however the test ends: by drop, by Ctrl-C, by SIGKILL.
const GUARDIAN: &str = r#"
    exec 3<&0
    "$@" 3<&- </dev/null & sshd=$!
    { read -r _ <&3; kill $sshd; } & watch=$!
    wait $sshd; kill $watch
"#;

/// The guardian, not started yet, of an sshd run by `user`, or by whoever runs this.
fn sshd_command(dir: &Path, user: Option<&Account>) -> Command {
    let log = fs::File::create(dir.join("sshd.log")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", GUARDIAN, "guardian"]);
    if let Some(user) = user.filter(|_| geteuid().is_root()) {
        let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
        command.args(["setpriv", "--reuid", &uid, "--regid", &gid, "--init-groups"]);
        command
            .env("HOME", &user.home)
            .env("USER", &user.name)
            .env("LOGNAME", &user.name);
    }
    // By its whole path: it executes itself again for each connection.
    command
        .args(["/usr/sbin/sshd", "-D", "-e", "-f"])
        .arg(dir.join("sshd_config"));
    // In a process group of its own, Ctrl-C at the test's terminal leaves the guardian its time to do its work.
    command
        .current_dir(dir)
        .env_remove("TZ")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0);
    command
}

fn listens(child: &mut Child, log: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline && child.try_wait().unwrap().is_none() {
        if read_lossy(log).contains("Server listening on") {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(child.stdin.take());
    child.wait().unwrap();
    false
}

fn write_sshd_config(place: &Place, port: u16, subsystem: &str, config: &str) {
    let dir = place.path().display();
    let subsystem = if subsystem.is_empty() {
        String::new()
    } else {
        format!("Subsystem sftp {}\n", place.expand(subsystem))
    };
    let config = place.expand(config);
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {dir}/host_key\nAuthorizedKeysFile {dir}/keys/%u\nPidFile none\nUsePAM no\n\
         StrictModes no\nLogLevel VERBOSE\nMaxStartups 100\nMaxSessions 100\n{subsystem}{config}\n"
    );
    fs::write(place.path().join("sshd_config"), text).unwrap();
}

fn make_key(path: &Path, (uid, gid): (u32, u32)) {
    let output = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(path)
        .output();
    let output = output.expect("ssh-keygen starts: is openssh-client installed?");
    assert!(output.status.success(), "ssh-keygen: {output:?}");
    chown(path, Some(uid), Some(gid)).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
