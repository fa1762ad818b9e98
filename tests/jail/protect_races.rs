//! Self-protection and races: a neighbour swaps links and directories on the ways of protected links at full speed, and no request
//! changes what they lead to.
//!
//! Whatever is swapped, `.bashrc` leads to one of two files, both of which are protected all the time, since another protected link leads to
//! each without a detour. What swaps are the ways there, and other ways, by which the client comes. A naive mechanism, which compares
//! canonical paths and then acts by the path, is caught within moments.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::ground::{Ground, Owner, Plan};
use crate::home::{Home, refused};
use crate::protect_ways::{dir, file, link};
use crate::support::wire::{Attrs, Packet, Reply, pflags};
use crate::support::{Server, request};

const ATTEMPTS: usize = 100_000;
const WINDOW: usize = 32;
/// How long the naive mechanism may take to be caught.
const PATIENCE: Duration = Duration::from_secs(60);

/// `store` and `vault` hold what is protected. `way` is a directory with a link to one, or a link to the other; `x` a plain directory with
/// a file of that name, or a link to the store; `y` the other one of these. `p` and `q` are a plain file and a hard link to what is protected.
fn plan() -> Plan {
    vec![
        dir("jail"),
        dir("jail/store"),
        file("jail/store/rc"),
        dir("jail/vault"),
        file("jail/vault/rc"),
        link("jail/.zshrc", "store/rc"),
        link("jail/.zshenv", "vault/rc"),
        dir("jail/way"),
        link("jail/way/rc", "../vault/rc"),
        link("jail/way-too", "store"),
        link("jail/.bashrc", "way/rc"),
        dir("jail/x"),
        file("jail/x/rc"),
        link("jail/y", "store"),
        file("jail/z"),
        link("jail/w", "vault/rc"),
        file("jail/bait"),
        file("jail/p"),
    ]
}

fn swap(top: &Path) -> usize {
    let exchange = |one: &str, two: &str| {
        let (one, two) = (top.join(one), top.join(two));
        let flags = RenameFlags::RENAME_EXCHANGE;
        usize::from(renameat2(AT_FDCWD, &one, AT_FDCWD, &two, flags).is_ok())
    };
    exchange("x", "y")
        + exchange("way", "way-too")
        + exchange("z", "w")
        + exchange("x", "y")
        + exchange("p", "q")
}

/// Swaps while `attack` goes on; how often.
fn while_swapping<T>(top: &Path, attack: impl FnOnce() -> T) -> (T, usize) {
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                swaps.fetch_add(swap(top), Ordering::Relaxed);
            }
        });
        let result = attack();
        stop.store(true, Ordering::Relaxed);
        result
    });
    (result, swaps.into_inner())
}

fn path(rng: &mut Rng) -> &'static str {
    const PATHS: &[&str] = &[
        "/x/rc",
        "/y/rc",
        "/way/rc",
        "/way-too/rc",
        "/x/../x/rc",
        "/y/./rc",
        "/z",
        "/w",
        "/store/rc",
        "/.bashrc",
        "/way",
        "/vault/rc",
        "/x/../vault/rc",
        "/store",
        "/vault",
    ];
    PATHS[rng.usize(..PATHS.len())]
}

fn attempt(rng: &mut Rng) -> Packet {
    let trunc = pflags::WRITE | pflags::TRUNC;
    if rng.u8(..4) == 0 {
        let flags = [trunc, trunc | pflags::CREAT, pflags::WRITE][rng.usize(..3)];
        let path = ["/p", "/q"][rng.usize(..2)];
        return match rng.u8(..6) {
            0 => request::setstat(path, &Attrs::NONE.size(1)),
            1 => request::setstat(path, &Attrs::NONE.permissions(0o600)),
            2 => request::setstat(path, &Attrs::NONE.times(7, 7)),
            _ => request::open(path, flags, &Attrs::NONE),
        };
    }
    let path = path(rng);
    match rng.u8(..10) {
        0 => request::open(path, trunc, &Attrs::NONE),
        1 => request::open(path, trunc | pflags::CREAT, &Attrs::NONE),
        2 => request::setstat(path, &Attrs::NONE.size(1)),
        3 => request::setstat(path, &Attrs::NONE.permissions(0o600)),
        4 => request::remove(path),
        5 => request::posix_rename("/bait", path),
        6 => request::rename(path, "/gone"),
        7 => request::hardlink(path, "/again"),
        8 => request::setstat(path, &Attrs::NONE.times(7, 7)),
        _ => request::copy_file("/bait", path, 1),
    }
}

/// What the client took away of that which swaps, and is not protected, comes back. Nothing that is there is touched.
fn tend(top: &Path) {
    let at = |name: &str| top.join(name);
    for name in ["gone", "again"] {
        let _ = fs::remove_file(at(name)).or_else(|_| fs::remove_dir_all(at(name)));
    }
    let is = |name: &str| fs::symlink_metadata(at(name)).ok();
    for (one, two, target) in [("x", "y", "store"), ("z", "w", "vault/rc")] {
        for (name, other) in [(one, two), (two, one)] {
            match (is(name), is(other)) {
                (None, Some(other)) if !other.is_symlink() => drop(symlink(target, at(name))),
                (None, _) if one == "x" => drop(fs::create_dir(at(name))),
                (None, _) => drop(File::create_new(at(name))),
                _ => {}
            }
            let _ = Owner.try_own(&at(name));
        }
    }
    for name in ["x/rc", "y/rc", "bait"] {
        let _ = File::create_new(at(name)).map(|_| Owner.try_own(&at(name)));
    }
}

fn is_whole(top: &Path) -> Result<(), String> {
    for (name, names) in [("store/rc", 2), ("vault/rc", 1)] {
        let path = top.join(name);
        let meta = fs::symlink_metadata(&path).map_err(|error| format!("{name}: {error}"))?;
        let content = fs::read(&path).unwrap_or_default();
        let mode = meta.permissions().mode() & 0o777;
        let timed = meta.mtime() == 7;
        if content != b"as it was" || mode != 0o644 || timed || meta.nlink() != names {
            return Err(format!(
                "{name}: {:?}, mode {mode:o}, time set: {timed}",
                content.escape_ascii().to_string()
            ));
        }
    }
    Ok(())
}

/// Writes by each handle there is among the replies; how many there were.
fn write_by(server: &mut Server, replies: &[Reply]) -> usize {
    let handles: Vec<&Vec<u8>> = replies
        .iter()
        .filter_map(|reply| match reply {
            Reply::Handle(handle) => Some(handle),
            _ => None,
        })
        .collect();
    let packets: Vec<Packet> = handles
        .iter()
        .flat_map(|handle| [request::write(handle, 0, "WRITTEN"), request::close(handle)])
        .collect();
    server.pipeline(&packets);
    handles.len()
}

#[test]
fn no_swap_on_the_way_of_a_protected_link_lets_it_be_changed() {
    let mut home = Home::new("jail", &["--root", "BASE/jail"], &plan());
    let top = home.ground.base.at("jail");
    fs::hard_link(top.join("store/rc"), top.join("q")).unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let (mut done, mut kept, mut opened) = (0, 0, 0);
    let server = &mut home.server;
    let (wrong, swaps) = while_swapping(&top, || {
        for _ in 0..ATTEMPTS / WINDOW {
            let packets: Vec<Packet> = (0..WINDOW).map(|_| attempt(&mut rng)).collect();
            let replies = server.pipeline(&packets);
            kept += replies.iter().filter(|reply| refused(reply)).count();
            done += replies.len();
            opened += write_by(server, &replies);
            tend(&top);
            is_whole(&top)?;
        }
        Ok::<(), String>(())
    });
    println!("{done} attempts, {kept} refused as protected, {opened} files opened, {swaps} swaps");
    assert_eq!(wrong, Ok(()));
    assert!(
        kept > done / 20 && opened > done / 100,
        "{kept}, {opened} of {done}"
    );
    assert!(swaps > 1000, "{swaps} swaps");
}

/// As many a script has it: is this path, made canonical, one of those that the links lead to?
fn naive(top: &Path, name: &str) {
    let path: PathBuf = top.join(name);
    let canonical = |path: &Path| path.canonicalize().ok();
    let known = [".bashrc", ".zshrc", ".zshenv"].map(|link| canonical(&top.join(link)));
    if let Some(found) = canonical(&path) {
        if !known.contains(&Some(found)) {
            let _ = fs::write(&path, "WRITTEN");
        }
    }
}

#[test]
fn the_same_swaps_catch_a_mechanism_that_compares_canonical_paths() {
    let ground = Ground::new(plan(), &[b"jail"]);
    let top = ground.base.at("jail");
    fs::hard_link(top.join("store/rc"), top.join("q")).unwrap();
    let began = Instant::now();
    let (caught, swaps) = while_swapping(&top, || {
        while began.elapsed() < PATIENCE {
            for name in ["x/rc", "y/rc", "way/rc", "z", "w"] {
                naive(&top, name);
            }
            if is_whole(&top).is_err() {
                return true;
            }
        }
        false
    });
    assert!(caught, "not within {PATIENCE:?} and {swaps} swaps");
}
