//! Faults made by the kernel: a seccomp filter in the thread that starts the server, which inherits it.
//!
//! The product has no test switches. A filter answers a system call every time; for the one call in ten there is
//! `strace -e inject` ([`Fault::traced`]).

use std::path::Path;
use std::sync::LazyLock;

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::Mode;
use seccompiler::{
    SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use super::Launch;

/// One system call that is answered by an errno instead of being done.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    call: libc::c_long,
    errno: i32,
    conditions: Vec<SeccompCondition>,
}

impl Fault {
    /// `call` is a `libc::SYS_…`, `errno` a `libc::E…`.
    pub(crate) fn new(call: libc::c_long, errno: i32) -> Self {
        Self {
            call,
            errno,
            conditions: Vec::new(),
        }
    }

    /// Nobody is told where a file has holes: to copy a long one takes long then, and the file no room.
    pub(crate) fn no_holes() -> Self {
        Self::new(libc::SYS_lseek, libc::EINVAL).on_bits(2, libc::SEEK_DATA)
    }

    /// Only where the first argument is a descriptor from 4 to 63: those that a server opens, but not the one by which it
    /// loads its libraries. From the first use on the test's own descriptors are all above, since it needs close(2) as well.
    pub(crate) fn on_descriptors(self) -> Self {
        LazyLock::force(&LOW_DESCRIPTORS);
        let highest = u64::from(LOWEST_OF_THE_TEST) - 1;
        self.when(0, SeccompCmpOp::Ge, 4)
            .when(0, SeccompCmpOp::Le, highest)
    }

    /// Only where all of these bits are set in an argument, counted from 0.
    pub(crate) fn on_bits(self, argument: u8, bits: i32) -> Self {
        let bits = u64::from(bits as u32);
        self.when(argument, SeccompCmpOp::MaskedEq(bits), bits)
    }

    fn when(mut self, argument: u8, operator: SeccompCmpOp, value: u64) -> Self {
        let condition =
            SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value).unwrap();
        self.conditions.push(condition);
        self
    }

    /// Runs `start` in a thread in which these calls fail; the processes that it starts inherit the filter.
    pub(crate) fn around<T: Send>(faults: &[Self], start: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                for fault in faults {
                    fault.set();
                }
                start()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// strace(1) in front of `program`: `inject` as it writes it, `pwrite64:error=EINTR:when=1+2` for every second call; several with a space
    /// between.
    pub(crate) fn traced(inject: &str, program: impl AsRef<Path>, dir: impl AsRef<Path>) -> Launch {
        let injections = inject.split(' ');
        let injections = injections.map(|inject| format!("--inject={inject}"));
        // -D: the server stays our child, and strace traces it from aside, so that signals and exit status are the server's.
        Launch::program("strace", dir)
            .args(["-D", "-f", "-qqq", "-o", "/dev/null"])
            .args(injections)
            .args(["--"])
            .args([program.as_ref()])
    }

    fn set(&self) {
        let rules = match self.conditions.as_slice() {
            [] => Vec::new(),
            conditions => vec![SeccompRule::new(conditions.to_vec()).unwrap()],
        };
        let filter = SeccompFilter::new(
            [(self.call, rules)].into(),
            SeccompAction::Allow,
            SeccompAction::Errno(self.errno.unsigned_abs()),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program = filter.and_then(seccompiler::BpfProgram::try_from).unwrap();
        seccompiler::apply_filter(&program).expect("the kernel takes a seccomp filter");
    }
}

const LOWEST_OF_THE_TEST: u32 = 64;

/// Holds 3 to 63 for as long as the test runs: what it opens later is above, and never meets a fault meant for the server's.
static LOW_DESCRIPTORS: LazyLock<Vec<std::os::fd::OwnedFd>> = LazyLock::new(|| {
    let null = || {
        open(
            "/dev/null",
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .unwrap()
    };
    (0..LOWEST_OF_THE_TEST).map(|_| null()).collect()
});
