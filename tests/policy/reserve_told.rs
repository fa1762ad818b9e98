//! `--reserve-free` in statvfs: a client is told of no room that it does not get.

use nix::sys::statvfs::statvfs as free_of;

use crate::support::packet::pflags::READ;
use crate::support::request::*;
use crate::support::{Launch, Reply, Tree};

const ROOTS: [&[&str]; 2] = [&[], &["--root", "."]];

#[test]
fn statvfs_tells_what_is_left_above_the_reserve() {
    let fields = |reply: &Reply| -> Vec<u64> {
        let words = reply.extended().chunks(8);
        words
            .map(|word| u64::from_be_bytes(word.try_into().unwrap()))
            .collect()
    };
    for root in ROOTS {
        let tree = Tree::new();
        tree.file("f", "");
        let kernel = free_of(tree.root()).unwrap();
        let (size, free, available) = (
            kernel.fragment_size(),
            kernel.blocks_free(),
            kernel.blocks_available(),
        );
        // Half of what there is, and a byte: its block is reserved as well.
        let reserve = available / 2 * size + 1;
        let near = |told: u64, right: u64| told.abs_diff(right) * size < 512 << 20;
        for (reserve, left) in [
            (reserve, [free - available / 2, available - available / 2]),
            (u64::MAX / 4, [0, 0]),
        ] {
            let flags = ["--reserve-free".to_owned(), reserve.to_string()];
            let mut server = Launch::new(&tree).args(root).args(flags).connect();
            let handle = server.open("f", READ);
            for reply in [server.call(&statvfs(".")), server.call(&fstatvfs(&handle))] {
                let told = fields(&reply);
                assert_eq!((told[1], told[2]), (size, kernel.blocks()));
                assert!(near(told[3], left[0]), "{told:?}, not {left:?}");
                assert!(near(told[4], left[1]), "{told:?}, not {left:?}");
            }
        }
    }
}
