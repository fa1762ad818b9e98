//! File systems that fail as a whole: a FUSE mount whose process has died, and a file whose reads fail in the kernel.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::reflinks::Disk;
use crate::support::request;
use crate::support::sshd::{HOST, Sshd};
use crate::support::wire::{Attrs, code, pflags};
use crate::support::{Server, Tree};

/// An sshfs mount of a directory of this machine; its process can be killed under it.
pub(crate) struct Mount {
    pub(crate) point: Tree,
    pub(crate) process: Child,
    _sshd: Sshd,
}

impl Mount {
    pub(crate) fn new(directory: &Path) -> Self {
        assert!(
            std::fs::File::open("/dev/fuse").is_ok(),
            "/dev/fuse cannot be opened by this user: sshfs needs it"
        );
        let sshd = Sshd::ordinary("/usr/lib/openssh/sftp-server");
        let point = Tree::new();
        // Debian has told sshfs 3.7.3 to read no link that leads out of the mount, since a security update.
        let help = Command::new("sshfs").arg("--help").output().unwrap();
        let contains = String::from_utf8_lossy(&help.stdout).contains("no_contain_symlinks");
        let links = if contains { ",no_contain_symlinks" } else { "" };
        let process = Command::new("sshfs")
            .arg("-f")
            .arg("-F")
            .arg(sshd.client_config())
            .arg("-o")
            .arg(format!("cache=no,allow_other{links}"))
            .arg(format!("{HOST}:{}", directory.display()))
            .arg(point.root())
            .stdin(Stdio::null())
            .spawn()
            .expect("sshfs is installed");
        let mount = Self {
            point,
            process,
            _sshd: sshd,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !mount.point.has("f") {
            assert!(Instant::now() < deadline, "sshfs did not mount");
            std::thread::sleep(Duration::from_millis(20));
        }
        mount
    }

    fn die(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("fusermount3")
            .arg("-uz")
            .arg(self.point.root())
            .status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_file_system_that_dies_under_open_handles_fails_them_in_words_and_the_session_goes_on() {
    let behind = Tree::new();
    behind.file("f", "content");
    behind.chmod("", 0o777);
    behind.chmod("f", 0o666);
    let mut mount = Mount::new(behind.root());
    let tree = Tree::new();
    let mut server = Server::start(&tree);
    let file = server.open(mount.point.path("f"), pflags::READ | pflags::WRITE);
    let directory = server.opendir(mount.point.path(""));
    assert_eq!(
        server.call(&request::read(&file, 0, 100)).data(),
        b"content"
    );

    mount.die();
    for packet in [
        request::write(&file, 0, b"more"),
        request::fsync(&file),
        request::stat(mount.point.path("f")),
        request::readdir(&directory),
        request::opendir(mount.point.path("")),
        request::mkdir(mount.point.path("d"), &Attrs::NONE),
        request::rename(mount.point.path("f"), mount.point.path("g")),
    ] {
        let reply = server.call(&packet);
        let status = reply.status();
        assert_eq!(status.code, code::FAILURE, "{packet:?}: {status:?}");
        assert!(
            status.text == "Failure: Transport endpoint is not connected"
                || status.text == "Failure: Software caused connection abort",
            "{packet:?}: {status:?}"
        );
    }
    server.code(&request::close(&file));
    server.code(&request::close(&directory));
    let here = server.open("here", pflags::WRITE | pflags::CREAT);
    server.ok(&request::write(&here, 0, b"still"));
    server.close(&here);
    assert_eq!(tree.read("here"), b"still");
    assert_eq!(server.finish().status.code(), Some(0));
}

#[test]
fn a_read_that_fails_in_the_kernel_is_no_end_of_file() {
    // The disk's own file loses its end, and the kernel what it has of the content at hand.
    let Some(disk) = Disk::new("mkfs.ext4", 32 << 20) else {
        return;
    };
    let path = disk.place.file("f", vec![b'x'; 8 << 20]);
    let file = File::open(&path).unwrap();
    file.sync_all().unwrap();
    let image = File::options().write(true).open(disk.image.at("image"));
    image.unwrap().set_len(1 << 20).unwrap();
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
    drop(file);
    let mut server = Server::with(&disk.place, [""; 0]);
    let handle = server.open("f", pflags::READ);
    let reply = server.call(&request::read(&handle, 4 << 20, 100));
    let status = reply.status();
    assert_eq!(
        (status.code, status.text.as_str()),
        (code::FAILURE, "Failure: Input/output error")
    );
    server.close(&handle);
}
