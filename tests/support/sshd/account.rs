//! A place that every user can enter, and users who can log in from there.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::unistd::{User, geteuid};

use crate::support::{program, under_test};

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
            program::install(binary, &copy);
        }
        copy
    }

    /// Replaces `{server}` and `{dir}`.
    pub(crate) fn expand(&self, text: &str) -> String {
        let server = self.install(&under_test());
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
        let user = User::from_uid(geteuid())
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
