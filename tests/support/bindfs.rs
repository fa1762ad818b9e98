//! A directory shown a second time by FUSE, as bindfs(1) does it: a file system that a process serves.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Tree;

/// The mount; it ends with this.
pub(crate) struct Bindfs {
    pub(crate) point: Tree,
    process: Child,
}

impl Bindfs {
    /// Shows `directory` to every user.
    #[track_caller]
    pub(crate) fn of(directory: &Path) -> Self {
        assert!(
            File::open("/dev/fuse").is_ok(),
            "/dev/fuse cannot be opened by this user: bindfs needs it"
        );
        let point = Tree::new();
        let device = |path: &Path| std::os::unix::fs::MetadataExt::dev(&path.metadata().unwrap());
        let before = device(point.root());
        let process = Command::new("bindfs")
            .args(["-f", "-o", "allow_other"])
            .args([directory, point.root()])
            .stdin(Stdio::null())
            .spawn()
            .expect("bindfs is installed");
        let deadline = Instant::now() + Duration::from_secs(20);
        while device(point.root()) == before {
            assert!(Instant::now() < deadline, "bindfs did not mount");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { point, process }
    }
}

impl Drop for Bindfs {
    fn drop(&mut self) {
        let _ = Command::new("fusermount3")
            .arg("-uz")
            .arg(self.point.root())
            .status();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
