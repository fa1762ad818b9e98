//! Each lock, by trying inside what it forbids: it fails; and with that lock open it is let through.

use std::fs::{self, read_dir, read_link};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::libc;

use crate::inside::Outcome::{Done, Failed, Killed};
use crate::inside::{ABSENT, Inside, NOBODY, Outcome, Victim};
use crate::support::fault::Fault;
use crate::support::packet::code::PERMISSION_DENIED;
use crate::support::packet::pflags::WRITE;
use crate::support::request::{hardlink, mkdir, open as open_request, rename, stat};
use crate::support::{Attrs, Launch, OURS, Reply, Server, Tree};

/// `what` comes to `refused` inside, and to anything else where the locks in `by` are open.
#[track_caller]
fn refused(what: &str, refused: Outcome, by: &str) -> Outcome {
    assert_eq!(Inside::with("").attempt(what), refused, "{what}, locked");
    let open = Inside::with(by).attempt(what);
    assert_ne!(open, refused, "{what}, with {by} open");
    open
}

#[test]
fn a_program_is_not_executed() {
    assert_eq!(refused("exec", Killed, "seccomp"), Failed(libc::ENOENT));
    refused("execveat", Killed, "seccomp");
}

#[test]
fn a_program_in_memory_is_not_executed() {
    assert_eq!(
        refused("memory-and-exec", ABSENT, "seccomp"),
        Failed(libc::ENOEXEC)
    );
}

#[test]
fn a_process_is_not_started() {
    assert_eq!(refused("child", ABSENT, "seccomp"), Done);
    // The C library then takes clone(2), whose flags a filter can see.
    refused("clone3", ABSENT, "seccomp");
}

#[test]
fn another_process_is_not_traced() {
    let victim = Victim::new();
    refused(&format!("ptrace:{}", victim.pid()), Killed, "seccomp");
}

#[test]
fn the_memory_and_descriptors_of_another_process_are_not_reached() {
    let victim = Victim::new();
    refused(&format!("read-memory:{}", victim.pid()), Killed, "seccomp");
    refused(&format!("write-memory:{}", victim.pid()), Killed, "seccomp");
    refused("steal-descriptor", Killed, "seccomp");
}

#[test]
fn another_process_is_not_sent_a_signal() {
    for way in ["signal", "signal-thread"] {
        let mut victim = Victim::new();
        let what = format!("{way}:{}", victim.pid());
        assert_eq!(Inside::with("").attempt(&what), ABSENT);
        // Behind seccomp there is Landlock.
        let mut scoped = Inside::with("seccomp");
        assert_eq!(scoped.attempt(&what), Failed(libc::EPERM));
        assert!(victim.lives());
        let open = Inside::with("seccomp landlock").attempt(&what);
        assert_eq!(open, Done);
        assert!(!victim.lives());
    }
}

#[test]
fn a_descriptor_does_not_signal_another_process() {
    let victim = Victim::new();
    let what = format!("signal-by-descriptor:{}", victim.pid());
    assert_eq!(refused(&what, ABSENT, "seccomp"), Done);
}

#[test]
fn nothing_is_mounted() {
    refused("mount", Killed, "seccomp");
    refused("open-tree", Killed, "seccomp");
    refused("chroot", Killed, "seccomp");
}

#[test]
fn no_namespace_is_made_or_entered() {
    refused("unshare", Killed, "seccomp");
    refused("setns", Killed, "seccomp");
}

#[test]
fn keys_are_not_reached() {
    refused("keyctl", Killed, "seccomp");
    refused("add-key", Killed, "seccomp");
}

#[test]
fn nothing_is_loaded_into_the_kernel_and_nothing_is_seen_of_it() {
    refused("bpf", Killed, "seccomp");
    refused("perf", Killed, "seccomp");
}

#[test]
fn a_race_in_the_kernel_gets_no_userfaultfd() {
    refused("userfaultfd", Killed, "seccomp");
}

#[test]
fn no_ring_makes_calls_past_the_filter() {
    refused("io-uring", Killed, "seccomp");
}

#[test]
fn a_server_on_this_host_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let what = format!("tcp:{}", listener.local_addr().unwrap().port());
    assert_eq!(Inside::with("").attempt(&what), ABSENT);
    // Behind seccomp there is Landlock.
    let denied = Inside::with("seccomp").attempt(&what);
    assert_eq!(denied, Failed(libc::EACCES));
    let open = Inside::with("seccomp landlock").attempt(&what);
    assert_eq!(open, Done);
}

#[test]
fn no_socket_but_a_local_one_is_made_and_nothing_listens() {
    assert_eq!(refused("udp", ABSENT, "seccomp"), Done);
    assert_eq!(refused("netlink", ABSENT, "seccomp"), Done);
    assert_eq!(refused("listen", ABSENT, "seccomp"), Failed(libc::EBADF));
}

#[test]
fn an_abstract_socket_is_not_connected_to() {
    let name = format!("sftp-locks-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let attempt = |open| Inside::start(&[], open, &name).attempt("abstract-socket");
    assert_eq!(attempt(""), Failed(libc::EPERM));
    assert_eq!(attempt("landlock"), Done);
}

#[test]
fn the_limits_of_another_process_stay() {
    let victim = Victim::new();
    let what = format!("limit:{}", victim.pid());
    let limits = || fs::read_to_string(format!("/proc/{}/limits", victim.pid())).unwrap();
    let before = limits();
    assert_eq!(Inside::with("").attempt(&what), ABSENT);
    assert_eq!(Inside::rooted("").attempt(&what), ABSENT);
    assert_eq!(limits(), before);
    assert_eq!(Inside::with("seccomp").attempt(&what), Done);
    assert_ne!(limits(), before);
    // As a C library asks for its own.
    assert_eq!(Inside::with("").attempt("limit:0"), Done);
}

#[test]
fn a_rename_makes_no_device() {
    let mut locked = Inside::with("");
    assert_eq!(locked.attempt("whiteout"), ABSENT);
    assert_eq!(locked.tree.read("bait"), b"bait");
    assert_eq!(locked.attempt("exchange"), Done);
    assert_ne!(Inside::with("seccomp").attempt("whiteout"), ABSENT);
}

#[test]
fn a_link_is_made_of_a_name_alone() {
    let mut locked = Inside::with("");
    assert_eq!(locked.attempt("link-followed"), ABSENT);
    assert_eq!(locked.attempt("link-of-descriptor"), ABSENT);
    assert!(!locked.tree.has("linked"));
    let mut open = Inside::with("seccomp");
    assert_ne!(open.attempt("link-of-descriptor"), ABSENT);
    assert_eq!(open.attempt("link-followed"), Done);
    assert_eq!(open.tree.read("linked"), b"bait");
}

#[test]
fn a_socket_sends_to_its_peer_alone() {
    let open = refused("send-elsewhere", ABSENT, "seccomp");
    assert_eq!(open, Failed(libc::ENOENT));
    let open = refused("socket-option", ABSENT, "seccomp");
    assert_eq!(open, Failed(libc::EBADF));
}

#[test]
fn a_pipe_hears_nothing_of_the_kernel() {
    refused("notifications", ABSENT, "seccomp");
}

#[test]
fn memory_is_given_back_and_neither_merged_nor_broken() {
    refused("merge-memory", ABSENT, "seccomp");
    refused("break-memory", ABSENT, "seccomp");
    assert_eq!(Inside::with("").attempt("give-memory"), Done);
}

#[test]
fn a_thread_that_waits_lends_no_priority() {
    assert_eq!(refused("lend-priority", ABSENT, "seccomp"), Done);
    assert_eq!(refused("lend-priority-privately", ABSENT, "seccomp"), Done);
    assert_eq!(Inside::with("").attempt("wake"), Done);
}

#[test]
fn the_time_is_told_and_no_clock_of_another_process() {
    let victim = Victim::new();
    let what = format!("clock:{}", victim.pid());
    assert_eq!(refused(&what, ABSENT, "seccomp"), Done);
    assert_eq!(Inside::with("").attempt("time"), Done);
}

#[test]
fn no_timer_wakes_the_machine() {
    refused("wake-machine", ABSENT, "seccomp");
}

#[test]
fn no_descriptor_takes_the_number_of_another_but_for_the_standard_ones() {
    refused("number-of-descriptor", ABSENT, "seccomp");
}

#[test]
fn no_memory_is_both_writable_and_executable() {
    assert_eq!(refused("code", ABSENT, "seccomp"), Done);
}

#[test]
fn a_device_hears_no_ioctl() {
    assert_eq!(refused("ioctl", ABSENT, "seccomp"), Done);
}

#[test]
fn a_path_is_not_truncated_without_being_opened() {
    let mut locked = Inside::with("");
    assert_eq!(locked.attempt("truncate"), ABSENT);
    assert_eq!(locked.tree.read("bait"), b"bait");
    let mut open = Inside::with("seccomp");
    assert_eq!(open.attempt("truncate"), Done);
    assert_eq!(open.tree.read("bait"), b"");
}

#[test]
fn no_fifo_or_device_is_made() {
    let mut locked = Inside::with("");
    assert_eq!(locked.attempt("device"), ABSENT);
    assert!(!locked.tree.has("made"));
    assert_eq!(Inside::with("seccomp").attempt("device"), Done);
}

#[test]
fn what_no_session_does_is_as_absent_as_another_abi() {
    assert_eq!(refused("priority", ABSENT, "seccomp"), Done);
    assert_eq!(Inside::with("").attempt("other-abi"), ABSENT);
}

#[test]
fn off_opens_all_of_them() {
    let mut off = Inside::start(&["--sandbox", "off"], "", "");
    assert_eq!(off.attempt("exec"), Failed(libc::ENOENT));
    let status = fs::read_to_string(format!("/proc/{}/status", off.server.pid())).unwrap();
    assert!(status.contains("\nNoNewPrivs:\t0\n"), "{status}");
    assert!(status.contains("\nSeccomp:\t0\n"), "{status}");
}

#[test]
fn nothing_that_is_executed_would_gain_privileges_and_no_core_is_left() {
    let inside = Inside::with("");
    let proc = |file| fs::read_to_string(format!("/proc/{}/{file}", inside.server.pid())).unwrap();
    let status = proc("status");
    assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
    assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
    let limits = proc("limits");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let words: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{limits}");
}

/// Whether another process of the same user can read this file of the server in `/proc`.
fn readable(inside: &Inside, file: &str) -> bool {
    let path = format!("/proc/{}/{file}", inside.server.pid());
    let mut cat = Command::new("head");
    cat.args(["-c1", &path]).uid(NOBODY).gid(NOBODY);
    let output = cat.stderr(Stdio::null()).output().unwrap();
    !output.stdout.is_empty()
}

#[test]
fn the_users_other_processes_do_not_look_into_a_session() {
    for file in ["environ", "maps"] {
        assert!(!readable(&Inside::with(""), file), "{file}");
        assert!(readable(&Inside::with("limits"), file), "{file}, open");
    }
}

#[test]
fn the_environment_is_dropped_but_for_the_time_zone() {
    let look = |open| Inside::with(open).attempt("environment");
    assert_eq!(look(""), Failed(libc::ENOENT));
    assert_eq!(look("environment"), Done);
}

#[test]
fn a_request_does_not_write_into_another_process_of_the_user() {
    let victim = Victim::new();
    let memory = format!("/proc/{}/mem", victim.pid());
    let write = |open| {
        let mut inside = Inside::with(open);
        let request = open_request(&memory, WRITE, &Attrs::default());
        match inside.server.call(&request) {
            Reply::Handle(_) => Ok(()),
            reply => Err(reply.code()),
        }
    };
    assert_eq!(write(""), Err(PERMISSION_DENIED));
    // Landlock knew nothing but files then; renames still go anywhere.
    for old in ["abi-2", "abi-3"] {
        assert_eq!(write(old), Err(PERMISSION_DENIED), "{old}");
        let mut inside = Inside::with(old);
        inside.server.ok(&mkdir("dir", &Attrs::default()));
        inside.server.ok(&rename("bait", "dir/bait"));
        inside.server.ok(&hardlink("dir/bait", "linked"));
        assert_eq!(inside.tree.read("linked"), b"bait");
    }
    assert_eq!(write("landlock"), Ok(()));
}

#[test]
fn an_inherited_descriptor_is_closed() {
    let tree = Tree::new();
    let secret = tree.file("secret", "secret");
    let script = format!("exec 7<{} 42<&7; exec {OURS}", secret.display());
    let server = Launch::program("bash", &tree)
        .args(["-c", &script])
        .connect();
    let open = read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let open = open.map(|entry| read_link(entry.unwrap().path()).unwrap());
    assert!(open.into_iter().all(|target| target != secret));
}

#[test]
fn the_log_says_what_holds() {
    let line = |server: Server| {
        let stderr = server.stderr();
        let line = stderr.lines().find(|line| line.starts_with("sandbox:"));
        line.unwrap_or_else(|| panic!("no line of the locks in {stderr}"))
            .to_owned()
    };
    let ended = |faults: &[Fault], mode: &str| {
        let tree = Tree::new();
        Fault::around(faults, || {
            let args = ["-e", "-l", "INFO", "--sandbox", mode];
            let mut server = Server::with(&tree, args);
            server.call(&stat(".")).attrs();
            server.close_input();
            line(server)
        })
    };
    let all = ended(&[], "require");
    let (before, after) = all.split_once("landlock ABI ").unwrap();
    assert_eq!(before, "sandbox: no_new_privs, ");
    assert!(after.ends_with("(ptrace, net, scope), seccomp"), "{all}");
    let no_seccomp = Fault::new(libc::SYS_seccomp, libc::EINVAL);
    assert!(ended(&[no_seccomp], "auto").ends_with(", no seccomp"));
    let no_landlock = Fault::new(libc::SYS_landlock_create_ruleset, libc::EOPNOTSUPP);
    assert_eq!(
        ended(&[no_landlock], "auto"),
        "sandbox: no_new_privs, no landlock, seccomp"
    );
    assert_eq!(ended(&[], "off"), "sandbox: off");
}

#[test]
fn require_refuses_a_kernel_without_filters_in_words() {
    let tree = Tree::new();
    let no_seccomp = Fault::new(libc::SYS_seccomp, libc::EINVAL);
    let finished = Fault::around(&[no_seccomp], || {
        Launch::new(&tree)
            .args(["-e", "--sandbox", "require"])
            .run(Stdio::null(), Stdio::piped())
    });
    assert_eq!(finished.status.code(), Some(1));
    assert_eq!(finished.stdout, b"");
    let text = finished.stderr_text();
    let words = "cannot lock the session (--sandbox require): seccomp: EINVAL: Invalid argument; \
                 it takes a kernel with CONFIG_SECCOMP_FILTER, or take --sandbox auto";
    // Once for who started it, once for the log.
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines, [&format!("sftp-server: {words}"), words]);
}

#[test]
fn another_word_for_a_mode_is_a_usage_error() {
    let finished = Launch::new(Tree::new().root())
        .args(["--sandbox", "strict"])
        .run(Stdio::null(), Stdio::piped());
    assert_eq!(finished.status.code(), Some(1));
    let text = finished.stderr_text();
    assert!(text.contains("it is auto, require or off"), "{text}");
}
