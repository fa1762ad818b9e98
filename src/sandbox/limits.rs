//! What the process gives up by itself: inherited descriptors, core files, being looked into, gaining privileges.

use std::os::unix::ffi::OsStrExt;

use nix::Result;
use nix::sys::prctl::{set_dumpable, set_no_new_privs};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::close;

/// Closes every descriptor above 2: whoever started us may have left one open. To be called before anything is opened.
///
/// Where there is no `/proc`, as in a bare chroot, all numbers are tried up to the limit that the process has.
pub fn close_inherited() {
    let open: Vec<i32> = match std::fs::read_dir("/proc/self/fd") {
        Ok(entries) => entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect(),
        Err(_) => {
            let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((MOST, MOST));
            (0..i32::try_from(limit.min(MOST)).unwrap_or_default()).collect()
        }
    };
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // The one by which the list was read is closed already.
        let _ = close(descriptor);
    }
}

/// What is to be said where the process may have too few descriptors for a session: some are needed for a moment alone, and what fails for
/// want of one is often not what needs more.
#[must_use]
pub fn too_few_descriptors() -> Option<String> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    (limit < NEEDED).then(|| {
        format!("too few descriptors: the limit (RLIMIT_NOFILE, ulimit -n) is {limit}, a session needs {NEEDED}")
    })
}

/// No core file holds a client's data; `/proc/self/mem` and its like are hidden from the user's other processes, and from
/// the client; no program that is executed gains privileges, which the other locks ask for too.
///
/// Of the environment, which a client has a part in (sshd's AcceptEnv), only what is still to be read stays for the name service.
///
/// # Errors
/// As setrlimit(2) and prctl(2).
pub(super) fn set() -> Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    drop_environment();
    set_dumpable(false)?;
    set_no_new_privs()
}

fn drop_environment() {
    for (name, _) in std::env::vars_os() {
        // A name with "=" in it cannot be removed, nor asked for by getenv(3).
        if name != KEPT && !name.as_bytes().contains(&b'=') {
            std::env::remove_var(name);
        }
    }
}

/// The time zone, which is read when it is first needed.
const KEPT: &str = "TZ";
const MOST: u64 = 65_536;
/// Descriptors of a session: the standard ones, the log, the runtime, signals, the root, a handle, and what resolves a path.
const NEEDED: u64 = 16;
