//! A FIFO that another process puts in the place of a file, between the look at the name and the open: a session never has it open.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags, openat, renameat2};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use crate::support::request::{close, fstat as attributes, open, setstat};
use crate::support::wire::{Attrs, pflags};
use crate::support::{Reply, Server, Tree};

/// How often each kind of request is made.
const ATTEMPTS: usize = 12_000;
/// How long the naive way may take to be caught.
const PATIENCE: Duration = Duration::from_secs(60);

fn is_fifo(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO
}

/// Looks, and opens what was a file, as often as it takes to get a FIFO.
fn naive(tree: &Tree) -> usize {
    let begun = Instant::now();
    for attempt in 1.. {
        let name = tree.at("x");
        let looked = fstatat(AT_FDCWD, &name, AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
        if !is_fifo(&looked) {
            let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
            let opened = openat(AT_FDCWD, &name, flags, Mode::empty()).unwrap();
            if is_fifo(&fstat(&opened).unwrap()) {
                return attempt;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "the naive way holds");
    }
    0
}

#[test]
fn a_fifo_swapped_in_between_look_and_open_is_not_opened() {
    let tree = Tree::new();
    tree.file("x", "a file");
    tree.fifo("y");
    let mut server = Server::with(&tree, ["--root", "."]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (one, two, done) = (tree.at("x"), tree.at("y"), &done);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                let flags = RenameFlags::RENAME_EXCHANGE;
                renameat2(AT_FDCWD, &one, AT_FDCWD, &two, flags).unwrap();
            }
        });
        // A test that fails must not leave the neighbour at work.
        struct End<'a>(&'a AtomicBool);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let _end = End(done);
        println!("the naive way: a FIFO at attempt {}", naive(&tree));
        let (mut opened, mut refused) = (0, 0);
        for flags in [
            pflags::READ,
            pflags::READ | pflags::WRITE,
            pflags::READ | pflags::WRITE | pflags::CREAT,
        ] {
            for _ in 0..ATTEMPTS {
                match server.call(&open("x", flags, &Attrs::NONE)) {
                    Reply::Handle(handle) => {
                        let attrs = server.call(&attributes(&handle));
                        let mode = attrs.attrs().permissions.unwrap();
                        let kind = SFlag::from_bits_truncate(mode) & SFlag::S_IFMT;
                        assert_eq!(kind, SFlag::S_IFREG, "after {opened} files");
                        server.ok(&close(&handle));
                        opened += 1;
                    }
                    reply => {
                        assert_eq!(reply.status().text, "Failure: Operation not supported");
                        refused += 1;
                    }
                }
            }
        }
        println!("{opened} files were opened, {refused} times a FIFO was refused");
        assert!(opened > 1000 && refused > 1000, "no race");
        // To set a size opens the file, too.
        for _ in 0..ATTEMPTS {
            let code = server.code(&setstat("x", &Attrs::NONE.size(6)));
            // EINVAL, as truncate(2) says of a FIFO; EAGAIN where it never met the same twice.
            assert!([0, 4, 5].contains(&code), "{code}");
        }
    });
}
