//! A mount by sshfs, undone on drop whatever happened.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::sshd::HOST;

pub(crate) struct Mount {
    sshfs: Child,
    at: PathBuf,
}

impl Mount {
    /// The top of what a client with this configuration sees, at `at`.
    pub(crate) fn new(config: &Path, at: &Path) -> Self {
        let log = at.with_extension("log");
        fs::create_dir(at).unwrap();
        // In the foreground it is our child, and is waited for.
        let sshfs = Command::new("sshfs")
            .args(["-f", "-o", "follow_symlinks", "-F"])
            .arg(config)
            .arg(format!("{HOST}:/"))
            .arg(at)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .expect("sshfs starts: is it installed?");
        let mount = Self {
            sshfs,
            at: at.to_owned(),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !mount.is_up() {
            let said = fs::read_to_string(&log).unwrap();
            assert!(Instant::now() < deadline, "sshfs does not mount: {said}");
            std::thread::sleep(Duration::from_millis(10));
        }
        mount
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    fn is_up(&self) -> bool {
        let at = format!(" {} ", self.at.display());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        mounts.contains(&at)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // What has just been closed may be busy for a moment; lazily where a failed test has left something open.
        for how in [["-u"; 40].as_slice(), &["-uz"]].concat() {
            if !self.is_up() {
                break;
            }
            let unmount = Command::new("fusermount3").arg(how).arg(&self.at).output();
            if unmount.is_ok_and(|output| !output.status.success()) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        if self.is_up() {
            eprintln!("cannot unmount {}", self.at.display());
            let _ = self.sshfs.kill();
        }
        let _ = self.sshfs.wait();
    }
}
