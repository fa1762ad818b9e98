//! File systems without birth times, mounted for a test: each tells one object from another in its own way.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Tree;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// ext4 with small inodes: a number is given again at once.
    SmallInodes,
    /// FUSE: the numbers of another file system.
    Bindfs,
    /// FUSE: each name has a number of its own.
    Sshfs,
    /// FUSE: neither link(2) nor a rename that replaces nothing.
    Exfat,
}

/// The mount, which ends with this.
pub(crate) struct Mounted {
    pub(crate) point: Tree,
    _beside: Tree,
}

impl Mounted {
    #[track_caller]
    pub(crate) fn new(kind: Kind) -> Self {
        let (point, beside) = (Tree::new(), Tree::new());
        let (at, image) = (point.root(), beside.at("image"));
        let before = point.root().metadata().unwrap().dev();
        let set_up = |program: &str, args: &[&str]| {
            File::create(&image).unwrap().set_len(64 << 20).unwrap();
            run(Command::new(program).args(args).arg(&image));
        };
        match kind {
            Kind::SmallInodes => {
                set_up("mkfs.ext4", &["-q", "-I", "128", "-F"]);
                run(Command::new("mount")
                    .args(["-o", "loop"])
                    .arg(&image)
                    .arg(at));
                fs::remove_dir(point.at("lost+found")).unwrap();
            }
            Kind::Bindfs => run(Command::new("bindfs").arg(beside.dir("shown")).arg(at)),
            Kind::Sshfs => {
                let ssh = beside.file("ssh", "#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n");
                fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
                let far = format!("far:{}", beside.dir("far").display());
                let option = format!("ssh_command={}", ssh.display());
                run(Command::new("sshfs").args(["-o", &option, &far]).arg(at));
            }
            Kind::Exfat => {
                set_up("mkfs.exfat", &[]);
                // It takes devices alone.
                let device = Command::new("losetup")
                    .args(["-f", "--show"])
                    .arg(&image)
                    .output();
                let device = String::from_utf8(device.unwrap().stdout).unwrap();
                run(Command::new("mount.exfat-fuse").arg(device.trim()).arg(at));
                // It goes with the mount.
                run(Command::new("losetup").args(["-d", device.trim()]));
            }
        }
        let deadline = Instant::now() + Duration::from_secs(20);
        while at.metadata().unwrap().dev() == before {
            assert!(Instant::now() < deadline, "{kind:?} was not mounted");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self {
            point,
            _beside: beside,
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.point.root())
            .status();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}
