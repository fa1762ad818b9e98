//! sshfs: a mount, on which any program is a client. It writes at offsets, so resume and append are what `dd` and `>>` do.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::ground::*;
use crate::support::sshd::HOST;

/// A mount of the ground's remote directory, undone on drop whatever happened.
pub(crate) struct Mount {
    sshfs: Child,
    at: PathBuf,
    log: PathBuf,
}

impl Mount {
    pub(crate) fn new(ground: &Ground) -> Self {
        Self::with(ground, &[])
    }

    pub(crate) fn with(ground: &Ground, options: &[&str]) -> Self {
        for program in ["sshfs", "fusermount3"] {
            installed(program.as_ref());
        }
        assert!(
            File::open("/dev/fuse").is_ok(),
            "/dev/fuse cannot be opened: sshfs needs it"
        );
        let (at, log) = (ground.local.join("mount"), ground.local.join("sshfs.log"));
        fs::create_dir(&at).unwrap();
        // In the foreground it is our child, and is waited for.
        let sshfs = Command::new("sshfs")
            .args(["-f", "-F"])
            .arg(ground.sshd.client_config())
            .arg(format!("{HOST}:{}", seen(&ground.remote).display()))
            .arg(&at)
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mount = Self { sshfs, at, log };
        let deadline = Instant::now() + Duration::from_secs(20);
        while !mount.is_up() {
            assert!(
                Instant::now() < deadline,
                "sshfs does not mount: {}",
                mount.said()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        mount
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.at.join(name)
    }

    /// The process that is the client.
    pub(crate) fn pid(&self) -> u32 {
        self.sshfs.id()
    }

    /// In the kernel's list: a mount whose sshfs has died is there, but answers nothing.
    fn is_up(&self) -> bool {
        let at = format!(" {} ", self.at.display());
        fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .contains(&at)
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("sshfs said: {}", self.said());
        }
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

fn shell(mount: &Mount, script: &str) {
    succeed(
        Command::new("sh")
            .args(["-euc", script])
            .current_dir(&mount.at),
    );
}

/// Waits until all that was written is on the server, and closes.
///
/// close(2) alone waits for nothing where a process that a test beside this one starts has closed its copy of the descriptor just before:
/// sshfs lets only the first of two that flush a file wait for what is under way.
#[track_caller]
fn settle(file: File) {
    file.sync_all().unwrap();
    nix::unistd::close(file).unwrap();
}

#[test]
fn put_and_get_are_exact_at_every_length() {
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    for length in LENGTHS {
        let bytes = data(length as u64, length);
        let mut file = File::create(mount.join(format!("{length}"))).unwrap();
        file.write_all(&bytes).unwrap();
        settle(file);
        assert_bytes(&ground.remote.join(format!("{length}")), &bytes);
        ground.plant(format!("{length}.planted"), &bytes);
        assert_bytes(&mount.join(format!("{length}.planted")), &bytes);
    }
}

#[test]
fn writes_at_offsets_append_and_truncation_reach_the_disk() {
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    let mut expected = data(10, 300_000);
    let file = ground.plant("file", &expected);
    // A resume: the second part goes where the first ends.
    let part = data(11, 200_000);
    let resumed = OpenOptions::new()
        .write(true)
        .open(mount.join("file"))
        .unwrap();
    resumed.write_all_at(&part, 300_000).unwrap();
    settle(resumed);
    expected.extend(&part);
    assert_bytes(&file, &expected);
    let mut appended = OpenOptions::new()
        .append(true)
        .open(mount.join("file"))
        .unwrap();
    appended.write_all(b"appended").unwrap();
    settle(appended);
    expected.extend(b"appended");
    assert_bytes(&file, &expected);
    let open = OpenOptions::new()
        .write(true)
        .open(mount.join("file"))
        .unwrap();
    open.write_all_at(b"in the middle", 12_345).unwrap();
    open.set_len(100_000).unwrap();
    settle(open);
    expected[12_345..12_358].copy_from_slice(b"in the middle");
    assert_bytes(&file, &expected[..100_000]);
}

#[test]
fn rename_replaces_files_and_empty_directories() {
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    ground.plant("old", b"old");
    ground.plant("new", b"new");
    fs::rename(mount.join("old"), mount.join("new")).unwrap();
    assert_bytes(&ground.remote.join("new"), b"old");
    assert!(!ground.remote.join("old").exists());
    shell(
        &mount,
        "mkdir one two; : >one/inside; mv -T one two; rm new",
    );
    assert!(ground.remote.join("two/inside").exists() && !ground.remote.join("one").exists());
    assert_eq!(fs::read_dir(&ground.remote).unwrap().count(), 1);
}

#[test]
fn a_tree_is_copied_both_ways_with_odd_names_modes_and_times() {
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    let tree = ground.local.join("tree");
    grow_tree(&tree, &odd_names());
    let back = ground.local.join("back");
    succeed(
        Command::new("cp")
            .args(["-r", "--preserve=mode,timestamps,links"])
            .arg(&tree)
            .arg(mount.join("tree")),
    );
    assert_same_tree(&ground.remote.join("tree"), &tree, MODES_AND_TIMES);
    succeed(
        Command::new("cp")
            .args(["-r", "--preserve=mode,timestamps,links"])
            .arg(mount.join("tree"))
            .arg(&back),
    );
    assert_same_tree(&back, &tree, MODES_AND_TIMES);
    for name in odd_names() {
        let (path, passing) = (mount.join("tree/a/b").join(&name), mount.join("passing"));
        fs::rename(&path, &passing).unwrap();
        assert!(!ground.remote.join("tree/a/b").join(&name).exists());
        fs::rename(&passing, &path).unwrap();
    }
    fs::remove_dir_all(mount.join("tree")).unwrap();
    assert!(!ground.remote.join("tree").exists());
}

#[test]
fn links_modes_and_times_are_set_as_asked() {
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    let file = ground.plant("file", b"x");
    fs::hard_link(mount.join("file"), mount.join("hard")).unwrap();
    assert_eq!(
        fs::metadata(ground.remote.join("hard")).unwrap().ino(),
        fs::metadata(&file).unwrap().ino()
    );
    symlink("some where/else", mount.join("soft")).unwrap();
    assert_eq!(
        fs::read_link(ground.remote.join("soft")).unwrap(),
        Path::new("some where/else")
    );
    assert_eq!(
        fs::read_link(mount.join("soft")).unwrap(),
        Path::new("some where/else")
    );
    set_mode(&mount.join("file"), 0o604);
    assert_mode(&file, 0o604);
    set_mtime(&mount.join("file"), 1_000_000_007);
    assert_mtime(&file, 1_000_000_007);
    assert_eq!(fs::metadata(&file).unwrap().atime(), 1_000_000_007 + 86_400);
}

#[test]
fn a_thousand_files_are_listed_and_stat_fs_answers() {
    // sshfs gives up a mount at a reply longer than 128 KiB (MAX_REPLY_LEN).
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    let (_, names) = ground.plant_thousand();
    let mut listed: Vec<_> = fs::read_dir(mount.join("thousand"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    listed.sort();
    assert_eq!(listed, names);
    let output = succeed(
        Command::new("stat")
            .args(["--file-system", "--format=%b %S"])
            .arg(&mount.at),
    );
    let host = succeed(
        Command::new("stat")
            .args(["--file-system", "--format=%b %S"])
            .arg(&ground.remote),
    );
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(host.stdout).unwrap()
    );
}

#[test]
fn a_repository_is_cloned_worked_on_and_packed_on_the_mount() {
    installed("git".as_ref());
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    let origin = ground.local.join("origin");
    grow_tree(&origin, &odd_lines());
    let git = |dir: &Path, arguments: &[&str]| {
        let identity = [
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "safe.directory=*",
            "-c",
            "gc.auto=0",
        ];
        succeed(
            Command::new("git")
                .args(identity)
                .args(arguments)
                .current_dir(dir)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_NOSYSTEM", "1"),
        )
    };
    git(&origin, &["init", "--quiet"]);
    for round in 0..5 {
        fs::write(origin.join("counter"), format!("{round}")).unwrap();
        git(&origin, &["add", "--all"]);
        git(&origin, &["commit", "--quiet", "--message", "round"]);
    }
    git(
        &mount.at,
        &[
            "clone",
            "--quiet",
            "--no-hardlinks",
            origin.to_str().unwrap(),
            "clone",
        ],
    );
    let clone = mount.join("clone");
    fs::write(clone.join("more"), data(12, 100_000)).unwrap();
    git(&clone, &["add", "--all"]);
    git(&clone, &["commit", "--quiet", "--message", "more"]);
    git(&clone, &["repack", "-a", "-d", "--quiet"]);
    git(&clone, &["checkout", "--quiet", "HEAD~2"]);
    git(&clone, &["checkout", "--quiet", "-"]);
    git(&clone, &["fsck", "--full", "--strict"]);
    let status = git(&clone, &["status", "--porcelain"]);
    assert!(
        status.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&status.stdout)
    );
    // The verdict is from the server's disk.
    git(
        &ground.remote.join("clone"),
        &["fsck", "--full", "--strict"],
    );
    assert_bytes(&ground.remote.join("clone/more"), &data(12, 100_000));
    assert_bytes(&ground.remote.join("clone/a/b/c/d/deep"), &data(2, 300_000));
}

#[test]
fn tar_and_dd_write_and_read_back_the_same() {
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    let tree = ground.local.join("tree");
    grow_tree(&tree, &odd_names());
    grow_links(&tree);
    // Without times (-m): sshfs would give a link's to what it points to.
    shell(
        &mount,
        "tar -C ../tree -cf tree.tar .; mkdir out; tar -C out -xpmf tree.tar --no-same-owner",
    );
    assert_same_tree(&ground.remote.join("out"), &tree, MODES);
    shell(
        &mount,
        "mkdir ../again; tar -C out -cf - . | tar -C ../again -xpmf - --no-same-owner",
    );
    assert_same_tree(&ground.local.join("again"), &tree, MODES);
    let bytes = data(13, 16 << 20);
    ground.keep("blocks", &bytes);
    // From the end to the start, in blocks that are no multiple of anything; then read in others.
    shell(
        &mount,
        "dd if=../blocks of=big bs=1M conv=fsync status=none
         for n in 9 3 7 0 5; do dd if=../blocks of=holes bs=99991 seek=$n skip=$n count=1 conv=notrunc status=none; done
         dd if=big of=../read bs=777777 status=none",
    );
    assert_bytes(&ground.remote.join("big"), &bytes);
    assert_bytes(&ground.local.join("read"), &bytes);
    let mut holes = vec![0; 99_991 * 10];
    for n in [9, 3, 7, 0, 5] {
        let block = n * 99_991..(n + 1) * 99_991;
        holes[block.clone()].copy_from_slice(&bytes[block]);
    }
    assert_bytes(&ground.remote.join("holes"), &holes);
}

#[test]
fn a_storm_of_renames_loses_nothing() {
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    const WORKERS: usize = 4;
    const ROUNDS: usize = 150;
    // Each worker carries its own files round, and all of them replace one name in turn.
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let mount = &mount;
            scope.spawn(move || {
                let name = |number: usize| mount.join(format!("{worker}-{number}"));
                fs::write(name(0), format!("worker {worker}")).unwrap();
                for round in 0..ROUNDS {
                    fs::rename(name(round), name(round + 1)).unwrap();
                    let fresh = mount.join(format!("{worker}.tmp"));
                    fs::write(&fresh, format!("{worker:08}").repeat(100)).unwrap();
                    fs::rename(&fresh, mount.join("shared")).unwrap();
                }
            });
        }
    });
    for worker in 0..WORKERS {
        assert_bytes(
            &ground.remote.join(format!("{worker}-{ROUNDS}")),
            format!("worker {worker}").as_bytes(),
        );
    }
    let shared = fs::read(ground.remote.join("shared")).unwrap();
    assert!(
        (0..WORKERS).any(|worker| shared == format!("{worker:08}").repeat(100).as_bytes()),
        "a torn file"
    );
    assert_eq!(fs::read_dir(&ground.remote).unwrap().count(), WORKERS + 1);
}

#[test]
fn errors_arrive_as_their_errno() {
    let ground = Ground::new();
    let mount = Mount::new(&ground);
    let missing = fs::read(mount.join("none")).unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    fs::write(ground.plant("kept", b"x"), b"x").unwrap();
    // The directory is another's: the served user may not.
    fs::create_dir(ground.remote.join("theirs")).unwrap();
    if ground.sshd.account().uid != fs::metadata(ground.remote.join("theirs")).unwrap().uid() {
        let refused = fs::write(mount.join("theirs/file"), b"").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    }
    assert!(fs::remove_dir(mount.at.join("kept")).is_err());
    assert!(fs::metadata(mount.join(std::ffi::OsStr::from_bytes(&[b'n'; 300]))).is_err());
}

#[test]
fn a_mount_of_a_root_holds_its_bind_and_files_move_into_it() {
    let (ground, bound) = Ground::jailed();
    // Version 3 has no status for EXDEV, upon which mv copies: sshfs has to be told what a failure means.
    let mount = Mount::with(&ground, &["-o", "workaround=renamexdev"]);
    let bytes = data(14, 300_000);
    let file = ground.plant("file", &bytes);
    shell(
        &mount,
        "mkdir -p bound/a/b; mv file bound/a/b/; cp -r bound/a copy; mv bound/a bound/renamed; mv copy bound/",
    );
    for name in ["renamed/b/file", "copy/b/file"] {
        assert_bytes(&bound.join(name), &bytes);
    }
    assert!(!file.exists());
    assert_eq!(fs::read_dir(&ground.remote).unwrap().count(), 0);
    let output = succeed(Command::new("find").current_dir(&mount.at).arg("bound"));
    let mut found: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    found.sort();
    assert_eq!(
        found,
        [
            "bound",
            "bound/copy",
            "bound/copy/b",
            "bound/copy/b/file",
            "bound/renamed",
            "bound/renamed/b",
            "bound/renamed/b/file"
        ]
    );
    let refused = fs::rename(mount.join("bound"), mount.join("other"));
    assert!(refused.is_err() && bound.join("copy").exists());
}
