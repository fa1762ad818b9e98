//! The files that the workloads work on, made when first asked for, in a directory that goes away with this value.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(crate) struct Fixture {
    top: PathBuf,
    pub(crate) size: Size,
    /// PERIOD bytes, and then enough of them again that any length a request may have lies in one piece.
    pattern: Vec<u8>,
    made: [OnceCell<()>; 5],
}

/// How much a workload does: all of it, or enough to see that the benchmark works.
pub(crate) struct Size {
    pub(crate) bytes: u64,
    /// READs at offsets here and there.
    pub(crate) reads: u32,
    pub(crate) stats: u32,
    pub(crate) files: u32,
    pub(crate) entries: u32,
    /// How often a server is started, for one figure.
    pub(crate) starts: u32,
}

impl Size {
    pub(crate) const FULL: Size = Size {
        bytes: 1 << 30,
        reads: 200_000,
        stats: 200_000,
        files: 10_000,
        entries: 100_000,
        starts: 100,
    };
    pub(crate) const QUICK: Size = Size {
        bytes: 1 << 26,
        reads: 20_000,
        stats: 20_000,
        files: 1_000,
        entries: 10_000,
        starts: 10,
    };
    /// Where every operation takes milliseconds.
    pub(crate) const SLOW: Size = Size {
        bytes: 1 << 26,
        reads: 1_000,
        stats: 1_000,
        files: 300,
        entries: 300,
        starts: 0,
    };
    pub(crate) const SLOW_QUICK: Size = Size {
        bytes: 1 << 24,
        reads: 100,
        stats: 100,
        files: 30,
        entries: 30,
        starts: 0,
    };
}

/// Odd, so that a block at a wrong offset never looks right.
const PERIOD: usize = 1_048_573;
const LONGEST: usize = 261_120;
pub(crate) const SMALL: usize = 4096;

impl Fixture {
    pub(crate) fn new(below: &Path, size: Size) -> io::Result<Fixture> {
        let top = below.join(format!("sftp-bench.{}", std::process::id()));
        fs::create_dir(&top)?;
        let mut word = 1_u64;
        let mut pattern: Vec<u8> = (0..PERIOD)
            .map(|_| {
                word = word
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (word >> 56) as u8
            })
            .collect();
        pattern.extend_from_within(..LONGEST);
        Ok(Fixture {
            top,
            size,
            pattern,
            made: Default::default(),
        })
    }

    pub(crate) fn top(&self) -> &Path {
        &self.top
    }

    /// What lies at `offset` of every large file, and of every small one.
    pub(crate) fn expected(&self, offset: u64, length: usize) -> &[u8] {
        let at = (offset % PERIOD as u64) as usize;
        &self.pattern[at..at + length]
    }

    /// A large file to download.
    pub(crate) fn large(&self) -> io::Result<&'static str> {
        self.once(0, |path| {
            let mut file = File::create(path.join("large"))?;
            let mut offset = 0;
            while offset < self.size.bytes {
                let length = (self.size.bytes - offset).min(LONGEST as u64);
                file.write_all(self.expected(offset, length as usize))?;
                offset += length;
            }
            Ok(())
        })?;
        Ok("large")
    }

    /// A directory of many empty files.
    pub(crate) fn listing(&self) -> io::Result<&'static str> {
        self.once(1, |path| {
            fs::create_dir(path.join("listing"))?;
            (0..self.size.entries).try_for_each(|n| {
                File::create(path.join(format!("listing/entry-{n:06}.txt"))).map(drop)
            })
        })?;
        Ok("listing")
    }

    /// As many directories as small files, a hundred to a directory, with two files in each.
    pub(crate) fn tree(&self) -> io::Result<&'static str> {
        self.once(2, |path| {
            for n in 0..self.size.files {
                let folder = path.join(format!("tree/{:03}/{:02}", n / 100, n % 100));
                fs::create_dir_all(&folder)?;
                File::create(folder.join("one"))?;
                File::create(folder.join("two"))?;
            }
            Ok(())
        })?;
        Ok("tree")
    }

    /// The directory of the small files to download; `small_name` names them.
    pub(crate) fn small(&self) -> io::Result<&'static str> {
        self.once(3, |path| {
            fs::create_dir(path.join("small"))?;
            (0..self.size.files).try_for_each(|n| {
                fs::write(
                    path.join(small_name("small", n)),
                    self.expected(u64::from(n), SMALL),
                )
            })
        })?;
        Ok("small")
    }

    /// A file ten directories down.
    pub(crate) fn deep(&self) -> io::Result<String> {
        let folder = "deep/b/c/d/e/f/g/h/i/j";
        self.once(4, |path| {
            fs::create_dir_all(path.join(folder))?;
            fs::write(path.join(folder).join("file"), "deep")
        })?;
        Ok(format!("{folder}/file"))
    }

    /// As many empty places for uploads, which `upload_folder` names; what the run before left there is removed, outside of the measured time.
    pub(crate) fn uploads(&self, folders: u32) -> io::Result<()> {
        let path = self.top.join("uploads");
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        (0..folders).try_for_each(|n| fs::create_dir_all(self.top.join(upload_folder(n, folders))))
    }

    fn once(&self, which: usize, make: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
        if self.made[which].get().is_none() {
            make(&self.top)?;
            self.made[which].get_or_init(|| ());
        }
        Ok(())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.top) {
            eprintln!("cannot remove {}: {error}", self.top.display());
        }
    }
}

pub(crate) fn small_name(folder: &str, n: u32) -> String {
    format!("{folder}/file-{n:05}")
}

/// Where the `n`th file goes if there are `folders` of them.
pub(crate) fn upload_folder(n: u32, folders: u32) -> String {
    if folders == 1 {
        "uploads".to_owned()
    } else {
        format!("uploads/{:02}", n % folders)
    }
}
