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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    call: libc::c_long,
    errno: i32,
    /// Only where the first argument, a descriptor, lies in 3 ..= this.
    highest_descriptor: Option<u32>,
}

impl Fault {
    /// `call` is a `libc::SYS_…`, `errno` a `libc::E…`.
    pub(crate) const fn new(call: libc::c_long, errno: i32) -> Self {
        Self {
            call,
            errno,
            highest_descriptor: None,
        }
    }

    /// Only on the descriptors that a server opens itself (3 to 63). For a call that the test needs as well: close(2).
    /// The test's own descriptors are all above, from the first use of this on.
    pub(crate) fn on_descriptors(self) -> Self {
        LazyLock::force(&LOW_DESCRIPTORS);
        Self {
            highest_descriptor: Some(LOWEST_OF_THE_TEST - 1),
            ..self
        }
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

    /// strace(1) in front of `program`: `inject` as it writes it, `pwrite64:error=EINTR:when=1+2` for every second call.
    pub(crate) fn traced(inject: &str, program: impl AsRef<Path>, dir: impl AsRef<Path>) -> Launch {
        let program = program.as_ref().as_os_str();
        // -D: the server stays our child, and strace its grandchild's tracer, so that signals and exit status are the server's.
        let inject = format!("inject={inject}");
        Launch::program("strace", dir)
            .args(["-D", "-f", "-qqq", "-o", "/dev/null", "-e", &inject, "--"])
            .args([program])
    }

    fn set(self) {
        let rules = match self.highest_descriptor {
            None => Vec::new(),
            Some(highest) => {
                let compare = |operator, value: u32| {
                    SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, value.into())
                        .unwrap()
                };
                let both = vec![
                    compare(SeccompCmpOp::Ge, 3),
                    compare(SeccompCmpOp::Le, highest),
                ];
                vec![SeccompRule::new(both).unwrap()]
            }
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
