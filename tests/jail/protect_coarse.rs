//! A home on a file system whose times are whole seconds: ext4 with inodes of 128 bytes, as ext3 has them. That nothing has changed cannot be
//! told there by the time of a directory, for as long as a second.

use std::fs::File;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::ground::{Ground, Node, ordinary};
use crate::home::{Home, refused};
use crate::support::wire::{Attrs, pflags};
use crate::support::{Reply, request};

/// Such a file system in the ground's `jail`, unmounted at the end.
struct Coarse {
    ground: Ground,
}

impl Coarse {
    fn new() -> Self {
        assert!(nix::unistd::geteuid().is_root(), "mounting asks for root");
        let ground = Ground::new(vec![(b"jail".to_vec(), Node::Dir(0o755))], &[b"jail"]);
        let image = ground.beside("image");
        File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let (uid, gid) = ordinary();
        let place = ground.base.at("jail");
        run(Command::new("mkfs.ext4")
            .args(["-q", "-I", "128", "-F"])
            .arg(&image));
        run(Command::new("mount")
            .args(["-o", "loop"])
            .args([&image, &place]));
        std::os::unix::fs::chown(&place, Some(uid), Some(gid)).unwrap();
        Self { ground }
    }
}

impl Drop for Coarse {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.ground.base.at("jail"))
            .status();
    }
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A client that makes what is missing on a way within the second in which something was looked at.
#[test]
fn a_way_that_a_client_makes_within_one_second_is_known_at_once() {
    // A machine that is busy may take longer than that second.
    let answers = (0..10).map(|_| within_a_second());
    let made = answers.flatten().next().unwrap();
    assert!(refused(&made), "{made:?}");
}

/// What a MKDIR in `.config` was answered, if all was done in one second.
fn within_a_second() -> Option<Reply> {
    let coarse = Coarse::new();
    let mut server = Home::launch(&coarse.ground, "jail", &["--root", "BASE/jail"]).connect();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    sleep(Duration::from_millis(u64::from(
        1020 - now().subsec_millis(),
    )));
    let begun = now().as_secs();
    let creates = pflags::WRITE | pflags::CREAT;
    // Looks, the last of them long behind the change of the directory.
    for (name, pause) in [("/a", 150), ("/b", 20), ("/c", 0)] {
        let open = request::open(name, creates, &Attrs::NONE);
        let handle = server.call(&open).handle().to_vec();
        server.close(&handle);
        sleep(Duration::from_millis(pause));
    }
    server.ok(&request::mkdir("/.config", &Attrs::NONE));
    let made = server.call(&request::mkdir("/.config/systemd", &Attrs::NONE));
    assert_eq!(
        coarse.ground.base.has("jail/.config/systemd"),
        !refused(&made)
    );
    (now().as_secs() == begun).then_some(made)
}
