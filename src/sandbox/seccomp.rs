//! Seccomp: the system calls that a session makes, each with its reason; those of attacks kill, the rest do not exist.
//!
//! What a row allows is free: the kernel asks the filter for no call that is allowed whatever its arguments are.
//! A call that fails here fails with `ENOSYS`, for which C libraries have another way.
//!
//! Each row was read argument by argument for what it allows beyond its reason. Where an argument tells, the row has a condition,
//! which tests/jail/locks.rs tries. Of rows without one the arguments are of four kinds:
//!
//! - Descriptors, addresses, sizes and flags that concern the process alone. Of others, sched_getaffinity(2) tells which processors they use:
//!   C libraries ask it for the number of a thread, which no filter knows.
//! - Paths and modes, with the rights of the user and, with a root, of Landlock. No argument tells a directory from a file, so that setuid
//!   and setgid bits, which a client may set on directories, are masked off files by the program alone. Owner, mode, times and attributes
//!   of files outside a root are beyond Landlock, too: see the manual.
//! - What lies in memory, where no filter looks: the flags and the mode of openat2(2), which open(2) has as well; the address of connect(2)
//!   and what sendmsg(2) carries, by which every local socket that has a path and lets the user in can be spoken to (the user's D-Bus or
//!   Docker run programs); the name of an extended attribute, of which root can set any.
//! - The mode of openat(2): a condition would cost time at each OPEN. A file that is created with the setuid bit loses it when an ordinary
//!   user writes to it.

use nix::errno::Errno;
use nix::libc;
use seccompiler::{Error, TargetArch, apply_filter};

use super::filter::{Answer, Argument, assemble};

/// Loads the filter for this thread and what it starts. With `modules`, the name service may map code.
pub(super) fn load(modules: bool) -> Result<(), Errno> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|_| Errno::ENOSYS)?;
    let program = assemble(answers(std::process::id(), modules), architecture);
    apply_filter(&program).map_err(|error| match error {
        Error::Prctl(error) | Error::Seccomp(error) => {
            Errno::from_raw(error.raw_os_error().unwrap_or_default())
        }
        _ => Errno::EINVAL,
    })
}

/// The tables as the filter wants them; `pid` is ours.
fn answers(pid: u32, modules: bool) -> Vec<(u32, Answer)> {
    let kill = ATTACKS.iter().map(|(call, _)| (*call, Answer::Kill));
    let rows = SEEN.iter().chain(ELSEWHERE);
    let allow = rows.map(|(call, condition, _)| {
        let answer = match condition {
            NoCode if modules => Answer::AllowIf(NO_WRITABLE_CODE),
            NoCode => Answer::AllowIf(NO_CODE),
            Always => Answer::Allow,
            OneOf(arguments) => Answer::AllowIf(arguments),
            All(arguments) => Answer::AllowAll(arguments),
            Ourselves => Answer::AllowFor(pid),
        };
        (*call, answer)
    });
    kill.chain(allow)
        .map(|(call, answer)| (call as u32, answer))
        .collect()
}

/// When a call is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Whatever its arguments are.
    Always,
    /// Where it maps no code; or none that can be written, where the name service has modules to load.
    NoCode,
    /// Where an argument is one of these.
    OneOf(&'static [Argument]),
    /// Where the arguments are all of these.
    All(&'static [Argument]),
    /// Where its first argument is this process.
    Ourselves,
}

use Condition::{All, Always, NoCode, OneOf, Ourselves};

/// A system call, when it is allowed, and what it is needed for.
pub type Row = (libc::c_long, Condition, &'static str);

const NO_CODE: &[Argument] = &[Argument::lacks(2, libc::PROT_EXEC as u32)];
const NO_WRITABLE_CODE: &[Argument] = &[
    Argument::lacks(2, libc::PROT_EXEC as u32),
    Argument::lacks(2, libc::PROT_WRITE as u32),
];
const UNIX: Condition = OneOf(&[Argument::is(0, libc::AF_UNIX as u32)]);
/// Not among them: `F_SETOWN` and `F_SETSIG`, by which a descriptor sends signals to others.
const FLAGS_AND_COPIES: Condition = OneOf(&[
    Argument::is(1, libc::F_GETFL as u32),
    Argument::is(1, libc::F_SETFL as u32),
    Argument::is(1, libc::F_GETFD as u32),
    Argument::is(1, libc::F_SETFD as u32),
    Argument::is(1, libc::F_DUPFD_CLOEXEC as u32),
    Argument::is(1, libc::F_SETPIPE_SZ as u32),
    Argument::is(1, libc::F_OFD_SETLK as u32),
    Argument::is(1, libc::F_OFD_GETLK as u32),
]);
/// A thread as C libraries start it: it shares all that makes a process. glibc's flags, and musl's with the obsolete CLONE_DETACHED.
const THREAD: Condition = OneOf(&[
    Argument::is(0, THREAD_FLAGS),
    Argument::is(0, THREAD_FLAGS | 0x0040_0000),
]);
const THREAD_FLAGS: u32 = (libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID) as u32;
const QUESTIONS: Condition = OneOf(&[
    Argument::is(1, FS_IOC_GETFLAGS),
    Argument::is(1, libc::FIONREAD as u32),
]);
/// ioctl_iflags(2), the lower half of the number.
const FS_IOC_GETFLAGS: u32 = 0x8008_6601;
/// The same number is another option of another level.
const BUFFER: Condition = All(&[
    Argument::is(1, libc::SOL_SOCKET as u32),
    Argument::is(2, libc::SO_SNDBUF as u32),
]);
/// prlimit(2) can set the limits of the user's other processes. C libraries say 0 for this one.
const OWN_LIMITS: Condition = OneOf(&[Argument::is(0, 0)]);
/// Not `RENAME_WHITEOUT`, which makes a device.
const RENAME: Condition = OneOf(&[Argument::lacks(
    4,
    !(libc::RENAME_NOREPLACE | libc::RENAME_EXCHANGE),
)]);
/// Nobody is waited for.
const TURN: Condition = OneOf(&[
    Argument::is(1, (libc::LOCK_EX | libc::LOCK_NB) as u32),
    Argument::is(1, libc::LOCK_UN as u32),
]);
/// Not `AT_EMPTY_PATH` and `AT_SYMLINK_FOLLOW`, by which a file that is open gets a name where it had none.
const NAMES: Condition = OneOf(&[Argument::is(4, 0)]);
/// Not `O_NOTIFICATION_PIPE`, which is `O_EXCL`, nor packets.
const PIPE: Condition = OneOf(&[Argument::lacks(
    1,
    !(libc::O_CLOEXEC | libc::O_NONBLOCK) as u32,
)]);
/// What a process is started with, and no other descriptor.
const STANDARD: Condition = OneOf(&[
    Argument::is(1, libc::STDIN_FILENO as u32),
    Argument::is(1, libc::STDOUT_FILENO as u32),
    Argument::is(1, libc::STDERR_FILENO as u32),
]);
/// To whom the socket is connected: without an address, whose length is 0.
const TO_PEER: Condition = OneOf(&[Argument::is(5, 0)]);
/// Not the clocks of other processes, which are negative.
const CLOCK: Condition = OneOf(&[Argument::lacks(0, 1 << 31)]);
/// Not the clocks that wake the machine.
const TIMER: Condition = OneOf(&[
    Argument::is(0, libc::CLOCK_REALTIME as u32),
    Argument::is(0, libc::CLOCK_MONOTONIC as u32),
    Argument::is(0, libc::CLOCK_BOOTTIME as u32),
]);
/// To give memory back, to have it in large pages, and the guards of stacks. Not what merges it with that of others, or declares it broken.
const ADVICE: Condition = OneOf(&[
    Argument::is(2, MADV_GUARD_INSTALL),
    Argument::is(2, MADV_GUARD_INSTALL + 1),
    Argument::is(2, libc::MADV_HUGEPAGE as u32),
    Argument::is(2, libc::MADV_FREE as u32),
    Argument::is(2, libc::MADV_DONTNEED as u32),
]);
/// As of Linux 6.13; glibc asks for it as of 2.42.
const MADV_GUARD_INSTALL: u32 = 102;
/// Not those that lend a priority. The commonest is the last, which is asked first.
const FUTEX: Condition = OneOf(&[
    Argument::masked(1, FUTEX_OPERATION, libc::FUTEX_REQUEUE as u32),
    Argument::masked(1, FUTEX_OPERATION, libc::FUTEX_CMP_REQUEUE as u32),
    Argument::masked(1, FUTEX_OPERATION, libc::FUTEX_WAKE_OP as u32),
    Argument::masked(1, FUTEX_OPERATION, libc::FUTEX_WAKE_BITSET as u32),
    Argument::masked(1, FUTEX_OPERATION, libc::FUTEX_WAIT as u32),
    Argument::masked(1, FUTEX_OPERATION, libc::FUTEX_WAIT_BITSET as u32),
    Argument::masked(1, FUTEX_OPERATION, libc::FUTEX_WAKE as u32),
]);
const FUTEX_OPERATION: u32 = libc::FUTEX_CMD_MASK as u32;

/// What is made in the sessions of our tests, on x86-64 with glibc 2.36. One of them compares.
pub const SEEN: &[Row] = &[
    // The wire: descriptors 0 and 1, readiness, signals.
    (libc::SYS_read, Always, "requests, signals, names, copies"),
    (libc::SYS_write, Always, "responses, APPEND, the log"),
    (
        libc::SYS_fcntl,
        FLAGS_AND_COPIES,
        "0 and 1 not blocking, and back; wide pipes; sssd; what is being uploaded",
    ),
    (libc::SYS_epoll_create1, Always, "the runtime"),
    (libc::SYS_epoll_ctl, Always, "the runtime"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_epoll_wait, Always, "the runtime waits"),
    (libc::SYS_eventfd2, Always, "the runtime wakes itself"),
    (
        libc::SYS_signalfd4,
        Always,
        "SIGTERM and SIGHUP as a descriptor",
    ),
    (
        libc::SYS_close,
        Always,
        "handles, and all else that was opened",
    ),
    // Opening and walking.
    (
        libc::SYS_openat,
        Always,
        "OPEN, OPENDIR, statvfs; names, the time zone",
    ),
    (libc::SYS_openat2, Always, "a path beneath a root, at once"),
    (libc::SYS_getdents64, Always, "READDIR"),
    (
        libc::SYS_newfstatat,
        Always,
        "STAT, LSTAT, FSTAT, READDIR; names",
    ),
    (libc::SYS_statx, Always, "the time zone's file"),
    (libc::SYS_readlinkat, Always, "READLINK; users as files"),
    (libc::SYS_getcwd, Always, "REALPATH without a root"),
    // Handles.
    (libc::SYS_pread64, Always, "READ, copy-data"),
    (libc::SYS_pwrite64, Always, "WRITE, copy-data"),
    (
        libc::SYS_lseek,
        Always,
        "what offsets a file can have; names",
    ),
    (libc::SYS_splice, Always, "READ into a pipe or a socket"),
    (
        libc::SYS_pipe2,
        PIPE,
        "READ into a pipe, through one of ours",
    ),
    (
        libc::SYS_ioctl,
        QUESTIONS,
        "whether what was spliced has been read; whether a directory folds case",
    ),
    (libc::SYS_getsockname, Always, "the same for a socket"),
    (
        libc::SYS_getsockopt,
        Always,
        "the same for a socket; userdb: who answers",
    ),
    (libc::SYS_setsockopt, BUFFER, "the same for a socket"),
    (libc::SYS_copy_file_range, Always, "copy-data, copy-file"),
    (libc::SYS_fsync, Always, "fsync"),
    (libc::SYS_ftruncate, Always, "SETSTAT, FSETSTAT: size"),
    (libc::SYS_fchmod, Always, "FSETSTAT: permissions"),
    (libc::SYS_fchown, Always, "FSETSTAT: owner"),
    (
        libc::SYS_fgetxattr,
        Always,
        "--atomic-upload, copy-file: the ACL, attributes",
    ),
    (
        libc::SYS_fsetxattr,
        Always,
        "--atomic-upload, copy-file: the ACL, attributes",
    ),
    (
        libc::SYS_flistxattr,
        Always,
        "--atomic-upload, copy-file: attributes",
    ),
    (libc::SYS_fstatfs, Always, "statvfs, fstatvfs"),
    (
        libc::SYS_statfs,
        Always,
        "statvfs of a path; whether /proc is it",
    ),
    // Names in directories.
    (libc::SYS_fchmodat, Always, "SETSTAT: permissions"),
    #[cfg(target_arch = "x86_64")]
    (
        libc::SYS_chmod,
        Always,
        "lsetstat: permissions, by /proc/self/fd",
    ),
    (libc::SYS_fchownat, Always, "SETSTAT, lsetstat: owner"),
    (
        libc::SYS_utimensat,
        Always,
        "SETSTAT, FSETSTAT, lsetstat: times",
    ),
    (libc::SYS_mkdirat, Always, "MKDIR"),
    (libc::SYS_unlinkat, Always, "REMOVE, RMDIR"),
    (libc::SYS_renameat, Always, "posix-rename"),
    (
        libc::SYS_renameat2,
        RENAME,
        "RENAME, which replaces nothing",
    ),
    (libc::SYS_linkat, NAMES, "hardlink"),
    (libc::SYS_symlinkat, Always, "SYMLINK"),
    (libc::SYS_umask, Always, "an exact mode at OPEN"),
    // The log and names.
    #[cfg(target_arch = "x86_64")]
    (
        libc::SYS_poll,
        Always,
        "stderr or the log without waiting; nscd, sssd",
    ),
    (libc::SYS_getpid, Always, "the log, raise(3)"),
    // Memory.
    (
        libc::SYS_mmap,
        NoCode,
        "buffers, what the name service shares",
    ),
    (libc::SYS_munmap, Always, "buffers"),
    // Threads, while storage is slow. clone3(2) is none of them: its flags cannot be seen, and C libraries have clone(2) in its place.
    (libc::SYS_clone, THREAD, "a thread"),
    (
        libc::SYS_getrusage,
        Always,
        "whether storage is slow or the processor is busy",
    ),
    (libc::SYS_rseq, Always, "a thread begins"),
    (libc::SYS_set_robust_list, Always, "a thread begins"),
    (libc::SYS_sched_getaffinity, Always, "a thread's stack"),
    (libc::SYS_futex, FUTEX, "threads wait for each other"),
    (libc::SYS_madvise, ADVICE, "a thread gives its stack back"),
    (libc::SYS_exit, Always, "a thread ends"),
    // The end.
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_dup2, STANDARD, "0, 1 and 2 are let go"),
    (
        libc::SYS_prlimit64,
        OWN_LIMITS,
        "how many handles a client may have; --max-file-size",
    ),
    (
        libc::SYS_rt_sigprocmask,
        Always,
        "signals of the session; names",
    ),
    (libc::SYS_gettid, Always, "raise(3)"),
    (
        libc::SYS_tgkill,
        Ourselves,
        "to die by the signal that ended the session",
    ),
    (libc::SYS_sigaltstack, Always, "the main thread's end"),
    (libc::SYS_exit_group, Always, "the end"),
];

/// What is made elsewhere: by other C libraries, kernels, architectures, name services, and in failures.
pub const ELSEWHERE: &[Row] = &[
    // File systems of FUSE.
    (
        libc::SYS_flock,
        TURN,
        "RENAME where nothing refuses to replace: whose turn it is",
    ),
    // Other kernels, architectures and C libraries.
    (
        libc::SYS_fstat,
        Always,
        "FSTAT: musl, other versions of glibc",
    ),
    (FCHMODAT2, Always, "lsetstat: glibc 2.39 and later"),
    (
        libc::SYS_faccessat,
        Always,
        "explain: what the kernel would say",
    ),
    (libc::SYS_geteuid, Always, "explain: whose it is"),
    (
        libc::SYS_epoll_pwait,
        Always,
        "the runtime waits: aarch64, musl",
    ),
    (libc::SYS_ppoll, Always, "poll(2) of aarch64"),
    #[cfg(not(target_arch = "x86_64"))]
    (libc::SYS_dup3, STANDARD, "0, 1 and 2 are let go"),
    (libc::SYS_dup, Always, "how many descriptors are in use"),
    (libc::SYS_brk, Always, "the heap, when it grows"),
    (libc::SYS_mremap, Always, "buffers, when they grow"),
    (
        libc::SYS_clock_gettime,
        CLOCK,
        "the time, where the vDSO cannot tell",
    ),
    (libc::SYS_getrandom, Always, "hash tables; userdb"),
    // Signals and failures.
    (
        libc::SYS_restart_syscall,
        Always,
        "a wait that SIGSTOP broke",
    ),
    (libc::SYS_rt_sigreturn, Always, "a crash says what it was"),
    (libc::SYS_rt_sigaction, Always, "a crash says what it was"),
    // The log, and names by sockets or by modules that are yet to be loaded.
    (
        libc::SYS_socket,
        UNIX,
        "/dev/log after a restart; nscd, sssd, userdb",
    ),
    (
        libc::SYS_connect,
        Always,
        "/dev/log after a restart; nscd, sssd, userdb",
    ),
    (libc::SYS_sendto, TO_PEER, "the log; nscd, sssd, userdb"),
    (libc::SYS_recvfrom, Always, "nscd, sssd, userdb"),
    (libc::SYS_readv, Always, "nscd: a group with its members"),
    (
        libc::SYS_recvmsg,
        Always,
        "nscd shares its tables by descriptor",
    ),
    (libc::SYS_sendmsg, Always, "userdb"),
    (libc::SYS_mprotect, NoCode, "a module"),
    (libc::SYS_timerfd_create, TIMER, "userdb: a time limit"),
    (libc::SYS_timerfd_settime, Always, "userdb: a time limit"),
];

/// The same number on all architectures; the C library's crate has it on few.
const FCHMODAT2: libc::c_long = 452;

/// What no session of any kind makes: to try is to be killed.
pub const ATTACKS: &[(libc::c_long, &str)] = &[
    (libc::SYS_execve, "a program"),
    (libc::SYS_execveat, "a program, from memory too"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_fork, "a process"),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_vfork, "a process"),
    (libc::SYS_ptrace, "another process"),
    (libc::SYS_process_vm_readv, "another process's memory"),
    (libc::SYS_process_vm_writev, "another process's memory"),
    (libc::SYS_pidfd_getfd, "another process's descriptors"),
    (libc::SYS_mount, "a mount"),
    (libc::SYS_umount2, "a mount"),
    (libc::SYS_pivot_root, "a mount"),
    (libc::SYS_move_mount, "a mount"),
    (libc::SYS_open_tree, "a mount"),
    (libc::SYS_fsopen, "a mount"),
    (libc::SYS_fsconfig, "a mount"),
    (libc::SYS_fsmount, "a mount"),
    (libc::SYS_fspick, "a mount"),
    (libc::SYS_mount_setattr, "a mount"),
    (libc::SYS_chroot, "another root"),
    (libc::SYS_unshare, "a namespace"),
    (libc::SYS_setns, "a namespace"),
    (libc::SYS_add_key, "keys"),
    (libc::SYS_keyctl, "keys"),
    (libc::SYS_request_key, "keys"),
    (libc::SYS_bpf, "code in the kernel"),
    (libc::SYS_perf_event_open, "a view into the kernel"),
    (libc::SYS_userfaultfd, "races in the kernel"),
    (libc::SYS_io_uring_setup, "calls past this filter"),
    (libc::SYS_init_module, "code in the kernel"),
    (libc::SYS_finit_module, "code in the kernel"),
    (libc::SYS_kexec_load, "another kernel"),
    (libc::SYS_kexec_file_load, "another kernel"),
];
