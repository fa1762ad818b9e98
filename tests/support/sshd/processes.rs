//! Processes are found by their parents and ended by their ids.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Ends processes: waits `grace`, then SIGTERM, and after five seconds SIGKILL.
pub(super) fn end(pids: &[u32], grace: Duration) {
    // In the grace their parent has the time to reap them, too.
    if within(grace, || {
        pids.iter().all(|pid| state_and_parent(*pid).is_none())
    }) {
        return;
    }
    let dead = |pid: &u32| state_and_parent(*pid).is_none_or(|(state, _)| state == 'Z');
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for pid in pids.iter().filter(|pid| !dead(pid)) {
            // Gone in between: that is what we want.
            let _ = kill(Pid::from_raw(*pid as i32), signal);
        }
        if within(Duration::from_secs(5), || pids.iter().all(dead)) {
            return;
        }
    }
}

fn within(patience: Duration, done: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !done() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

/// The children of a process, and theirs.
pub(super) fn descendants(ancestor: u32) -> Vec<u32> {
    children(ancestor)
        .into_iter()
        .flat_map(|child| [vec![child], descendants(child)].concat())
        .collect()
}

pub(super) fn children(parent: u32) -> Vec<u32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| state_and_parent(*pid).is_some_and(|(_, of)| of == parent))
        .collect()
}

/// From /proc/PID/stat: the state's letter and the parent, after the name in parentheses.
fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
