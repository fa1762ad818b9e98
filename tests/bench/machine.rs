//! What a virtual machine does to figures, and what keeps it the same for every server.

use std::hint::black_box;
use std::io;
use std::process::{Child, Command, Stdio};

/// Keeps the processors from sleeping while it lives: to wake one may cost more than a request. A loop on each of them that
/// gives way to all else.
pub(crate) struct Awake(Vec<Child>);

impl Awake {
    /// # Errors
    /// chrt(1) cannot be run.
    pub(crate) fn begin() -> io::Result<Awake> {
        let mut awake = Awake(Vec::new());
        for _ in 0..std::thread::available_parallelism()?.get() {
            let mut chrt = Command::new("chrt");
            // It ends by itself where this program is killed.
            let endless = "while kill -0 $0 2>/dev/null; do n=0; while [ $n -lt 99999 ]; do n=$((n+1)); done; done";
            chrt.args(["--idle", "0", "sh", "-c", endless]);
            chrt.arg(std::process::id().to_string());
            awake.0.push(chrt.stdin(Stdio::null()).spawn()?);
        }
        Ok(awake)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Either fails only where it has ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Has the kernel find so much memory, and gives it back. A host that was given free pages has to find them again, and who
/// writes first would wait for that.
pub(crate) fn find_memory(bytes: u64) {
    let mut memory = vec![0_u8; bytes as usize];
    for byte in memory.iter_mut().step_by(PAGE) {
        *byte = 1;
    }
    black_box(&memory);
}

const PAGE: usize = 4096;
