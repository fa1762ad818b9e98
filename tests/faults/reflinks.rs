//! Copies on file systems that share extents: the copy of a big file takes no room, by name and by handles.
//!
//! Each file system lies in a file, so mounting asks for root; where its mkfs is missing, `tests/run` has not installed it.

use std::path::PathBuf;
use std::process::Command;

use crate::support::wire::pflags;
use crate::support::{Server, Tree, request};

/// A file system in a file, unmounted on drop.
pub(crate) struct Disk {
    pub(crate) place: Tree,
    pub(crate) image: Tree,
}

impl Disk {
    /// None where the user is not root, which is said.
    pub(crate) fn new(mkfs: &str, size: u64) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: mounting a {mkfs} in a file asks for root");
            return None;
        }
        let (place, image) = (Tree::new(), Tree::new());
        let path = image.at("image");
        std::fs::File::create(&path).unwrap().set_len(size).unwrap();
        run(Command::new(mkfs).arg("-q").arg(&path));
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&path)
            .arg(place.root()));
        Some(Self { place, image })
    }

    /// Bytes that can still be written.
    fn free(&self) -> u64 {
        run(Command::new("sync").arg("-f").arg(self.place.root()));
        let free = nix::sys::statvfs::statvfs(self.place.root()).unwrap();
        free.blocks_available() as u64 * free.fragment_size() as u64
    }

    fn path(&self) -> PathBuf {
        self.place.root().to_owned()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.place.root()).status();
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

const SIZE: u64 = 256 << 20;

#[test]
fn copies_of_a_file_share_its_extents_where_the_file_system_can() {
    let Some(disk) = Disk::new("mkfs.btrfs", SIZE) else {
        return;
    };
    let tree = Tree::below(disk.path());
    // No second one finds room, and its end is in the middle of a block.
    let most = disk.free() / 3 * 2;
    let content: Vec<u8> = (0..most + 777).map(|n| (n * 7 % 251) as u8).collect();
    tree.file("from", &content);
    tree.file("old", "what was there");
    let left = disk.free();
    assert!(left < most, "{left} bytes are free");

    let mut server = Server::start(&tree);
    server.ok(&request::copy_file("from", "by name", 0));
    server.ok(&request::copy_file("from", "old", 1));
    let from = server.open("from", pflags::READ);
    let to = server.open("by handles", pflags::WRITE | pflags::CREAT);
    server.ok(&request::copy_data(&from, 0, 0, &to, 0));
    server.close(&to);
    for copy in ["by name", "old", "by handles"] {
        assert!(tree.read(copy) == content, "{copy}");
    }
    let used = left - disk.free();
    assert!(used < 8 << 20, "{used} bytes for three copies");
}
