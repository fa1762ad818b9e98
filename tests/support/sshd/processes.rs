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

pub(super) fn within(patience: Duration, done: impl Fn() -> bool) -> bool {
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

/// Whether a process runs the program of that name.
pub(super) fn runs(pid: u32, program: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == program)
}

/// The CPU seconds of a process and of the children that it has waited for.
pub(super) fn cpu(pid: u32) -> f64 {
    let fields = stat(pid).unwrap();
    // utime, stime, cutime and cstime of proc_pid_stat(5) are its fields 14 to 17, in ticks of which Linux shows 100 a second.
    let ticks = fields[11..15].iter().map(|field| field.parse::<f64>());
    ticks.map(Result::unwrap).sum::<f64>() / 100.0
}

/// The state's letter and the parent.
fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let fields = stat(pid)?;
    Some((fields[0].chars().next()?, fields[1].parse().ok()?))
}

/// The fields of /proc/PID/stat from the third on, after the name in parentheses.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    Some(fields.map(str::to_owned).collect())
}
