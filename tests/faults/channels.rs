//! What stdin and stdout may be: pipes, one socket, files, terminals of others; blocking or not; slow; and how they are left behind.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;

use crate::raw::Raw;
use crate::support::request;
use crate::support::wire::{Attrs, frame, kind, pflags};
use crate::support::{Finished, Launch, OPENSSH, Tree, under_test};

/// INIT and a few requests, as bytes.
fn script() -> Vec<u8> {
    let mut bytes = frame(&[kind::INIT, 0, 0, 0, 3]);
    for (id, packet) in (1..).zip([
        request::mkdir("d", &Attrs::NONE),
        request::realpath("/usr/../usr"),
        request::stat("missing"),
        request::open("f", pflags::WRITE | pflags::CREAT, &Attrs::NONE),
        request::remove("f"),
    ]) {
        bytes.extend(packet.frame(id));
    }
    bytes
}

/// The replies to [`script`], by plain pipes.
fn expected() -> Vec<u8> {
    let tree = Tree::new();
    let input = tree.file("input", script());
    let finished = Launch::new(tree.dir("in")).run(File::open(input).unwrap(), Stdio::piped());
    assert_eq!(finished.status.code(), Some(0));
    let first = &finished.stdout[4..9];
    assert_eq!(first, [kind::VERSION, 0, 0, 0, 3]);
    finished.stdout
}

#[track_caller]
fn done(tree: &Tree, finished: &Finished) {
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    assert!(tree.has("d"));
    assert!(!tree.has("f"));
}

fn is_nonblocking(end: impl AsFd) -> bool {
    let flags = fcntl(end, FcntlArg::F_GETFL).unwrap();
    OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK)
}

#[test]
fn regular_files_as_stdin_and_stdout() {
    let place = Tree::new();
    let input = place.file("input", script());
    for append in [false, true] {
        let tree = Tree::new();
        let output = place.file("output", "");
        let to = File::options()
            .write(true)
            .append(append)
            .open(output)
            .unwrap();
        let finished = Launch::new(&tree).run(File::open(&input).unwrap(), to);
        done(&tree, &finished);
        assert_eq!(place.read("output"), expected());
    }
}

#[test]
fn dev_null_as_stdin_is_an_end_of_input() {
    let tree = Tree::new();
    let finished = Launch::new(&tree).run(Stdio::null(), Stdio::piped());
    assert_eq!(
        (finished.status.code(), finished.stdout),
        (Some(0), Vec::new())
    );
}

#[test]
fn a_stdin_that_cannot_be_read_is_an_error_as_with_openssh() {
    let tree = Tree::new();
    for program in [under_test(), OPENSSH.into()] {
        let run = |stdin: File| {
            let launch = Launch::program(&program, &tree).args(["-e"]);
            launch.run(stdin, Stdio::piped())
        };
        let directory = run(File::open("/").unwrap());
        assert_eq!(directory.status.code(), Some(1));
        assert_eq!(directory.stderr_text(), "read: Is a directory\r\n");
        let write_only = run(File::create(tree.at("f")).unwrap());
        assert_eq!(write_only.status.code(), Some(1));
        assert_eq!(write_only.stderr_text(), "read: Bad file descriptor\r\n");
    }
}

#[test]
fn a_stdout_that_takes_nothing_is_an_error() {
    let place = Tree::new();
    let input = place.file("input", script());
    let tree = Tree::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let finished = Launch::new(&tree)
        .args(["-e"])
        .run(File::open(input).unwrap(), full);
    assert_eq!(finished.status.code(), Some(1));
    assert_eq!(finished.stderr_text(), "write: No space left on device\r\n");
}

#[test]
fn one_socket_as_both() {
    let tree = Tree::new();
    let mut server = Launch::new(&tree).socket().start();
    server.send_raw(&script()).unwrap();
    server.close_input();
    let mut replies = Vec::new();
    while let Some(reply) = server.receive_raw() {
        replies.extend(frame(&reply));
    }
    assert_eq!(replies, expected());
    done(&tree, &server.finish());
}

#[test]
fn nonblocking_ends_work_and_are_left_as_they_were() {
    // A terminal or a pipe is shared with others, who do not expect it to change its ways.
    for nonblocking in [false, true] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        theirs.set_nonblocking(nonblocking).unwrap();
        let kept = theirs.try_clone().unwrap();
        let tree = Tree::new();
        (&ours).write_all(&script()).unwrap();
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        let output = OwnedFd::from(theirs.try_clone().unwrap());
        let finished = Launch::new(&tree).run(OwnedFd::from(theirs), output);
        done(&tree, &finished);
        assert_eq!(is_nonblocking(&kept), nonblocking);
        drop(kept);
        let mut replies = Vec::new();
        (&ours).read_to_end(&mut replies).unwrap();
        assert_eq!(replies, expected());
    }
}

#[test]
fn nonblocking_pipes_work_and_are_left_as_they_were() {
    for nonblocking in [false, true] {
        let (theirs, to) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (from, theirs_too) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let (mut to, mut from) = (File::from(to), File::from(from));
        if nonblocking {
            fcntl(&theirs, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
            fcntl(&theirs_too, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        }
        let kept = (theirs.try_clone().unwrap(), theirs_too.try_clone().unwrap());
        let tree = Tree::new();
        to.write_all(&script()).unwrap();
        drop(to);
        let finished = Launch::new(&tree).run(theirs, theirs_too);
        done(&tree, &finished);
        assert_eq!(is_nonblocking(&kept.0), nonblocking);
        assert_eq!(is_nonblocking(&kept.1), nonblocking);
        drop(kept);
        let mut replies = Vec::new();
        from.read_to_end(&mut replies).unwrap();
        assert_eq!(replies, expected());
    }
}

#[test]
fn a_terminal_of_a_shell_is_left_as_it_was_after_a_signal_too() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let kept = theirs.try_clone().unwrap();
    let tree = Tree::new();
    let mut child = Command::new(under_test())
        .current_dir(&tree)
        .env_remove("SSH_CONNECTION")
        .stdin(OwnedFd::from(theirs.try_clone().unwrap()))
        .stdout(OwnedFd::from(theirs))
        .spawn()
        .unwrap();
    (&ours).write_all(&script()[..9]).unwrap();
    (&ours).read_exact(&mut [0; 9]).unwrap();
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    crate::support::server::wait(&mut child, Duration::from_secs(20));
    assert!(!is_nonblocking(&kept));
}

#[test]
fn one_byte_at_a_time_in_and_out() {
    let tree = Tree::new();
    let mut child = Command::new(under_test())
        .current_dir(&tree)
        .env_remove("SSH_CONNECTION")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let writer = std::thread::spawn(move || {
        for byte in script() {
            input.write_all(&[byte]).unwrap();
            std::thread::sleep(Duration::from_micros(500));
        }
    });
    let mut replies = Vec::new();
    let mut byte = [0];
    while output.read(&mut byte).unwrap() == 1 {
        replies.push(byte[0]);
    }
    writer.join().unwrap();
    crate::support::server::wait(&mut child, Duration::from_secs(20));
    assert_eq!(replies, expected());
}

#[test]
fn a_slow_reader_gets_every_byte() {
    let tree = Tree::new();
    let content: Vec<u8> = (0..3_000_000_u32)
        .map(|index| (index / 251) as u8)
        .collect();
    tree.file("f", &content);
    let mut child = Command::new(under_test())
        .current_dir(&tree)
        .env_remove("SSH_CONNECTION")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut next = move || {
        let mut length = [0; 4];
        output.read_exact(&mut length).unwrap();
        let mut content = vec![0; u32::from_be_bytes(length) as usize];
        for part in content.chunks_mut(5_000) {
            std::thread::sleep(Duration::from_micros(200));
            output.read_exact(part).unwrap();
        }
        content
    };
    input.write_all(&script()[..9]).unwrap();
    next();
    input
        .write_all(&request::open("f", pflags::READ, &Attrs::NONE).frame(1))
        .unwrap();
    let handle = next()[9..].to_vec();
    for index in 0..100_u32 {
        let packet = request::read(&handle, u64::from(index) * 30_000, 30_000);
        input.write_all(&packet.frame(index)).unwrap();
    }
    let got: Vec<u8> = (0..100).flat_map(|_| next()[9..].to_vec()).collect();
    assert_eq!(got, content);
    drop(input);
    crate::support::server::wait(&mut child, Duration::from_secs(20));
}

#[test]
fn a_stderr_that_nobody_reads_never_blocks_the_session() {
    // By -e the log goes there; it is a pipe of sshd's, or of whoever started us.
    let tree = Tree::new();
    let mut raw = Raw::start(&tree, &["-e", "-l", "DEBUG3"]);
    for id in 0..5_000_u32 {
        raw.push(&request::stat("/").frame(id));
        assert_eq!(raw.reply()[1..5], id.to_be_bytes());
    }
}
