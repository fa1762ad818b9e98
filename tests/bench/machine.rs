//! What a virtual machine does to figures, and what keeps it the same for every server.

use std::hint::black_box;
use std::io;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Has this process, and the servers that it starts from now on, share one processor: none of them waits for another one to wake up, which
/// may take longer than a request does.
///
/// # Errors
/// As sched_setaffinity(2).
pub(crate) fn share_one_processor() -> io::Result<()> {
    let mut one = CpuSet::new();
    // Interrupts are mostly for the first.
    one.set(std::thread::available_parallelism()?.get() - 1)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &one)?)
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
