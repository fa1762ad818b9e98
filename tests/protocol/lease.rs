//! A lease that another process holds on a file, as Samba's server does: requests wait until it is given up.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::start;
use crate::support::wire::{PATIENCE, pflags};
use crate::support::{Attrs, Tree, request, server};

/// Another process with a lease for writing on a file; asked by the kernel to, it gives it up a little later.
struct Holder(Child);

impl Holder {
    /// Once it holds the lease.
    #[track_caller]
    fn of(tree: &Tree, name: &str) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", SCRIPT])
            .arg(tree.at(name))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3, to hold a lease");
        let mut word = [0; 5];
        let read = child.stdout.as_mut().unwrap().read_exact(&mut word);
        let holder = Self(child);
        read.expect("a lease on the test's file system");
        assert_eq!(word, *b"held\n");
        holder
    }

    /// It was asked for the lease, and gave it up.
    #[track_caller]
    fn gave_it_up(mut self) {
        let status = server::wait(&mut self.0, PATIENCE);
        assert_eq!(status.code(), Some(0), "{status}");
        let mut word = String::new();
        let stdout = self.0.stdout.as_mut().unwrap();
        stdout.read_to_string(&mut word).unwrap();
        assert_eq!(word, "given up\n");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_size_is_set_once_a_lease_is_given_up() {
    let (tree, mut server) = start();
    tree.file("file", "content");
    let holder = Holder::of(&tree, "file");
    server.ok(&request::setstat("file", &Attrs::NONE.size(3)));
    assert_eq!(tree.read("file"), b"con");
    holder.gave_it_up();
}

#[test]
fn a_file_is_opened_once_a_lease_is_given_up() {
    for pflags in [pflags::READ, pflags::WRITE] {
        let (tree, mut server) = start();
        tree.file("file", "content");
        let holder = Holder::of(&tree, "file");
        let handle = server.open("file", pflags);
        server.close(&handle);
        holder.gave_it_up();
    }
}

/// SIGIO is how the kernel asks for a lease (fcntl(2)).
const SCRIPT: &str = "
import fcntl, os, signal, sys, time
signal.alarm(60)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print('held', flush=True)
signal.sigwait([signal.SIGIO])
time.sleep(0.3)
print('given up', flush=True)
fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
";
