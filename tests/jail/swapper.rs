//! What another process does meanwhile: directories and links change places by rename(2) and `RENAME_EXCHANGE`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::ground::Owner;

/// The things to be swapped below one directory.
pub(crate) struct Swapper {
    top: PathBuf,
    outside: PathBuf,
    rounds: std::cell::Cell<usize>,
}

impl Swapper {
    pub(crate) fn new(top: &Path, base: &Path) -> Self {
        let swapper = Self {
            top: top.to_owned(),
            outside: base.join("outside"),
            rounds: std::cell::Cell::new(0),
        };
        swapper.tend();
        swapper
    }

    fn at(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    /// Every swap once; how many there were.
    pub(crate) fn round(&self) -> usize {
        let round = self.rounds.get();
        self.rounds.set(round + 1);
        // What the requests took away is put back now and then.
        if round % 8 == 0 {
            self.tend();
        }
        // A directory and a link to outside; a file and a link to outside.
        let mut swaps = self.exchange("x", "y") + self.exchange("z", "w");
        // A directory moves up, and down again.
        let down = self.at("q/r/s");
        let up = self.at("s");
        swaps += usize::from(fs::rename(&down, &up).is_ok());
        swaps += self.exchange("x", "y");
        swaps + usize::from(fs::rename(&up, &down).is_ok())
    }

    fn exchange(&self, one: &str, two: &str) -> usize {
        let flags = RenameFlags::RENAME_EXCHANGE;
        let (one, two) = (self.at(one), self.at(two));
        usize::from(renameat2(AT_FDCWD, &one, AT_FDCWD, &two, flags).is_ok())
    }

    /// Sees to it that `x` or `y` is a directory with what the bait has, the other a link to it, and so on.
    fn tend(&self) {
        let is_link =
            |name: &str| fs::symlink_metadata(self.at(name)).map(|meta| meta.is_symlink());
        for (one, two) in [("x", "y"), ("z", "w")] {
            let outside = if one == "x" {
                self.outside.clone()
            } else {
                self.outside.join("secret")
            };
            match (is_link(one), is_link(two)) {
                (Ok(true), Ok(false)) | (Ok(false), Ok(true)) => {}
                _ => {
                    for name in [one, two] {
                        let _ = fs::remove_dir_all(self.at(name));
                        let _ = fs::remove_file(self.at(name));
                    }
                    if one == "x" {
                        self.dir("x");
                    } else {
                        self.file("z");
                    }
                    let _ = symlink(&outside, self.at(two));
                }
            }
        }
        let real = if is_link("x").unwrap_or(true) {
            "y"
        } else {
            "x"
        };
        if is_link(real).is_ok_and(|is_link| !is_link) {
            for dir in ["dir", "empty"] {
                self.dir(&format!("{real}/{dir}"));
            }
            for file in ["secret", "dir/secret"] {
                self.file(&format!("{real}/{file}"));
            }
        }
        self.dir("q");
        self.dir("q/r");
        if !self.at("s").exists() {
            self.dir("q/r/s");
            self.dir("q/r/s/t");
        }
    }

    fn dir(&self, name: &str) {
        if fs::create_dir(self.at(name)).is_ok() {
            let _ = Owner.try_own(&self.at(name));
        }
    }

    /// Never through a link that came in between: the bait would be touched by the test itself.
    fn file(&self, name: &str) {
        let path = self.at(name);
        if fs::symlink_metadata(&path).is_err() {
            let spare = self.top.join("spare");
            if fs::write(&spare, b"inside").is_ok() {
                let _ = Owner.try_own(&spare);
                let _ = fs::rename(&spare, &path);
            }
        }
    }
}
