//! Who traces this process: a tracer sees each system call first, and may change it.

use std::fmt;
use std::fs;

/// The process that traces this one (ptrace(2)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracer {
    id: u32,
    /// What it calls itself; empty where that is not told.
    name: String,
}

impl Tracer {
    /// Who traces this process now; none where there is no `/proc`.
    pub(super) fn of_process() -> Option<Self> {
        let status = fs::read("/proc/self/status").ok()?;
        let id = traced_by(&status)?;
        let name = fs::read(format!("/proc/{id}/comm")).unwrap_or_default();
        let name = name.trim_ascii_end().escape_ascii().to_string();
        Some(Self { id, name })
    }
}

fn traced_by(status: &[u8]) -> Option<u32> {
    let mut lines = status.split(|byte| *byte == b'\n');
    let id = lines.find_map(|line| line.strip_prefix(b"TracerPid:"))?;
    let id = std::str::from_utf8(id).ok()?.trim().parse().ok()?;
    (id != 0).then_some(id)
}

impl fmt::Display for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.name {
            "" => write!(f, "process {}", self.id),
            name => write!(f, "{name} (process {})", self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::traced_by;

    #[test]
    fn nobody_is_process_0() {
        let status = |id: &str| format!("Name:\tx\nTracerPid:\t{id}\nUid:\t0\n");
        assert_eq!(traced_by(status("0").as_bytes()), None);
        assert_eq!(traced_by(status("4711").as_bytes()), Some(4711));
        assert_eq!(traced_by(b""), None);
    }
}
