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

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User, geteuid};

/// The name by which the client configuration knows the server.
pub(crate) const HOST: &str = "server";

/// The server that the tests drive: ours, or what `SFTP_SERVER_UNDER_TEST` names.
pub(crate) fn server_under_test() -> PathBuf {
    std::env::var_os("SFTP_SERVER_UNDER_TEST").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_sftp-server")),
        PathBuf::from,
    )
}

/// A directory that every user can enter, below a path that belongs to root where we are root (as ChrootDirectory asks); removed on drop.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let above = if geteuid().is_root() {
            PathBuf::from("/srv")
        } else {
            std::env::temp_dir()
        };
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = above.join(format!("sftp-test.{}.{count}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => {
                    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
                    return Self(path);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot create {}: {error}", path.display()),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A copy of `binary` that every user can run: the checkout may lie where only its owner gets.
    pub(crate) fn install(&self, binary: &Path) -> PathBuf {
        let copy = self.0.join(binary.file_name().unwrap());
        if !copy.exists() {
            fs::copy(binary, &copy)
                .unwrap_or_else(|error| panic!("cannot copy {}: {error}", binary.display()));
            fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
        }
        copy
    }

    fn expand(&self, text: &str) -> String {
        let server = self.install(&server_under_test());
        text.replace("{server}", server.to_str().unwrap())
            .replace("{dir}", self.0.to_str().unwrap())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}

/// A user who can log in by key: a throwaway one, or the one who runs the tests.
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: PathBuf,
    throwaway: bool,
}

impl Account {
    /// A new user with a login shell and a home of mode 0755 at `home`; asks for root. Removed on drop; what is in `home` is its [`Place`]'s.
    pub(crate) fn new(home: &Path, shell: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(geteuid().is_root(), "only root can make a throwaway user");
        let name = format!(
            "sftp-t{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        // The password is no password ('*') but not locked ('!'), which sshd would refuse without PAM.
        edit_users(
            Command::new("useradd")
                .args([
                    "--system",
                    "--user-group",
                    "--no-create-home",
                    "--password",
                    "*",
                    "--shell",
                    shell,
                    "--home-dir",
                ])
                .arg(home)
                .arg(&name),
        );
        let user = User::from_name(&name)
            .unwrap()
            .expect("the user that was just made");
        let account = Self {
            name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: home.to_owned(),
            throwaway: true,
        };
        account.make_dir(home);
        account
    }

    /// The user who runs the tests.
    pub(crate) fn current() -> Self {
        let user = User::from_uid(Uid::effective())
            .unwrap()
            .expect("the test's user has a passwd entry");
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            home: user.dir,
            throwaway: false,
        }
    }

    /// Creates a directory that belongs to this user.
    pub(crate) fn make_dir(&self, path: &Path) {
        fs::create_dir(path)
            .unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        chown(path, Some(self.uid), Some(self.gid)).unwrap();
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if self.throwaway {
            edit_users(Command::new("userdel").arg(&self.name));
        }
    }
}

/// A running sshd. Its fields drop in order: the users before the place that holds their homes.
pub(crate) struct Sshd {
    listener: Child,
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
            (geteuid().as_raw(), nix::unistd::getegid().as_raw()),
        );
        fs::create_dir(dir.join("keys")).unwrap();

        let mut attempts = 0;
        let (listener, port) = loop {
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
            listener,
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
            eprintln!("--- sshd's log\n{}---", self.log());
        }
        // Each connection is a session of its own (setsid), so a process group would not hold them all.
        let sessions = descendants(self.listener.id());
        end(&[self.listener.id()], Duration::ZERO);
        self.listener.wait().unwrap();
        // A client that has left takes its server along; what is still here after a moment is told to go.
        end(&sessions, Duration::from_millis(500));
    }
}

/// Ends processes: waits `grace`, then SIGTERM, and after five seconds SIGKILL.
fn end(pids: &[u32], grace: Duration) {
    let alive = |pid: &&u32| state_and_parent(**pid).is_some_and(|(state, _)| state != 'Z');
    for (signal, patience) in [
        (None, grace),
        (Some(Signal::SIGTERM), Duration::from_secs(5)),
        (Some(Signal::SIGKILL), Duration::from_secs(5)),
    ] {
        for pid in pids.iter().filter(alive) {
            // Gone in between: that is what we want.
            let _ = signal.map(|signal| kill(Pid::from_raw(*pid as i32), signal));
        }
        let deadline = Instant::now() + patience;
        while pids.iter().any(|pid| alive(&pid)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The children of a process, and theirs.
fn descendants(ancestor: u32) -> Vec<u32> {
    let processes: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, state_and_parent(pid)?.1)))
        .collect();
    let mut family = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(
            processes
                .iter()
                .filter(|(_, of)| *of == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    family.split_off(1)
}

/// From /proc/PID/stat: the state's letter and the parent, after the name in parentheses.
fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn sshd_command(dir: &Path, user: Option<&Account>) -> Command {
    let log = fs::File::create(dir.join("sshd.log")).unwrap();
    let mut command = match user {
        Some(user) if geteuid().is_root() => {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid",
                &user.uid.to_string(),
                "--regid",
                &user.gid.to_string(),
                "--init-groups",
                "/usr/sbin/sshd",
            ]);
            command
                .env("HOME", &user.home)
                .env("USER", &user.name)
                .env("LOGNAME", &user.name);
            command
        }
        // Started by its path: it executes itself again for each connection.
        _ => Command::new("/usr/sbin/sshd"),
    };
    command
        .args(["-D", "-e", "-f"])
        .arg(dir.join("sshd_config"))
        .current_dir(dir);
    command
        .env_remove("TZ")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    // Ctrl-C at the test's terminal is for the test; what ends sshd is its drop.
    command.process_group(0);
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
    end(&[child.id()], Duration::ZERO);
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

/// Runs useradd or userdel, one at a time in this process, and again while another process has the lock on the user database.
fn edit_users(command: &mut Command) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let mut attempts = 0;
    loop {
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        if output.status.success() {
            return;
        }
        attempts += 1;
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        if attempts == 10 {
            // A panic within a panic would abort and leave all the rest behind.
            assert!(std::thread::panicking(), "{command:?}: {words}");
            eprintln!("{command:?}: {words}");
            return;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}
