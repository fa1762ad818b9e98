//! Storage that takes its time: a directory seen through FUSE, where every operation sleeps before it is done.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, InitFlags, KernelConfig, LockOwner, OpenAccMode, OpenFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};

/// As many operations sleep at the same time as a client has requests outstanding, and some that a server does by itself.
const AT_ONCE: u16 = 96;

/// The kernel is to answer nothing by itself.
const LIFETIME: Duration = Duration::ZERO;

/// A mounted view of a directory; unmounted with this value.
pub(crate) struct Storage {
    session: Option<BackgroundSession>,
    mount: PathBuf,
}

impl Storage {
    /// Mounts `backing` beside itself, with a sleep of `delay` before each operation.
    pub(crate) fn mount(backing: &Path, delay: Duration) -> io::Result<Storage> {
        let mut mount = backing.as_os_str().to_owned();
        mount.push(".slow");
        let mount = PathBuf::from(mount);
        fs::create_dir(&mount)?;
        let mut config = Config::default();
        config.n_threads = Some(usize::from(AT_ONCE));
        let session = fuser::spawn_mount(Slow::new(backing, delay), &mount, &config);
        // From here on the directory goes away with the value, be it mounted or not.
        let mut storage = Storage {
            session: None,
            mount,
        };
        storage.session = Some(session?);
        Ok(storage)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.mount
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let unmounted = self
            .session
            .take()
            .map_or(Ok(()), BackgroundSession::umount_and_join);
        if let Err(error) = unmounted.and_then(|()| fs::remove_dir(&self.mount)) {
            eprintln!("cannot remove {}: {error}", self.mount.display());
        }
    }
}

struct Slow {
    delay: Duration,
    names: Mutex<Names>,
    files: Mutex<HashMap<u64, Arc<File>>>,
    opened: AtomicU64,
}

/// The number of an inode is one more than the index of its path. Paths are never forgotten: a benchmark is short.
struct Names {
    paths: Vec<PathBuf>,
    numbers: HashMap<PathBuf, u64>,
}

impl Slow {
    fn new(backing: &Path, delay: Duration) -> Slow {
        let names = Names {
            paths: vec![backing.to_owned()],
            numbers: HashMap::from([(backing.to_owned(), 1)]),
        };
        Slow {
            delay,
            names: Mutex::new(names),
            files: Mutex::default(),
            opened: AtomicU64::new(1),
        }
    }

    fn path(&self, ino: INodeNo) -> PathBuf {
        let names = self.names.lock().expect("nobody panics with it");
        names.paths[ino.0 as usize - 1].clone()
    }

    fn number(&self, path: PathBuf) -> u64 {
        let mut names = self.names.lock().expect("nobody panics with it");
        let next = names.paths.len() as u64 + 1;
        if let Some(known) = names.numbers.get(&path) {
            return *known;
        }
        names.paths.push(path.clone());
        names.numbers.insert(path, next);
        next
    }

    fn attr(&self, path: PathBuf) -> io::Result<FileAttr> {
        let metadata = fs::symlink_metadata(&path)?;
        attr(self.number(path), &metadata)
    }

    fn keep(&self, file: File) -> FileHandle {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let mut files = self.files.lock().expect("nobody panics with it");
        files.insert(number, Arc::new(file));
        FileHandle(number)
    }

    fn file(&self, handle: FileHandle) -> io::Result<Arc<File>> {
        let files = self.files.lock().expect("nobody panics with it");
        let file = files.get(&handle.0).cloned();
        file.ok_or(nix::errno::Errno::EBADF.into())
    }
}

fn attr(number: u64, metadata: &Metadata) -> io::Result<FileAttr> {
    let time = |seconds: i64, nanos: i64| -> SystemTime {
        UNIX_EPOCH + Duration::new(seconds.max(0) as u64, nanos as u32)
    };
    Ok(FileAttr {
        ino: INodeNo(number),
        size: metadata.size(),
        blocks: metadata.blocks(),
        atime: time(metadata.atime(), metadata.atime_nsec()),
        mtime: time(metadata.mtime(), metadata.mtime_nsec()),
        ctime: time(metadata.ctime(), metadata.ctime_nsec()),
        crtime: UNIX_EPOCH,
        kind: FileType::from_std(metadata.file_type()).ok_or(io::ErrorKind::Unsupported)?,
        perm: (metadata.mode() & 0o7777) as u16,
        nlink: metadata.nlink() as u32,
        uid: metadata.uid(),
        gid: metadata.gid(),
        rdev: 0,
        blksize: 4096,
        flags: 0,
    })
}

/// Every read and write reaches the storage; those of one file may overlap.
const DIRECT: FopenFlags =
    FopenFlags::FOPEN_DIRECT_IO.union(FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES);

/// What the workloads ask for, and no more: the rest is answered by ENOSYS.
impl Filesystem for Slow {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Otherwise the kernel looks up one name at a time in a directory.
        config
            .add_capabilities(InitFlags::FUSE_PARALLEL_DIROPS)
            .and(
                config
                    .set_max_background(AT_ONCE)
                    .map_err(|_| InitFlags::empty()),
            )
            .map_err(|_| io::Error::other("this kernel has no parallel lookups by FUSE"))?;
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        sleep(self.delay);
        match self.attr(self.path(parent).join(name)) {
            Ok(attr) => reply.entry(&LIFETIME, &attr, Generation(0)),
            Err(error) => reply.error(error.into()),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        sleep(self.delay);
        match self.attr(self.path(ino)) {
            Ok(attr) => reply.attr(&LIFETIME, &attr),
            Err(error) => reply.error(error.into()),
        }
    }

    /// The size alone, as truncating opens change it.
    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        sleep(self.delay);
        let Some(size) = size else {
            return reply.error(Errno::ENOSYS);
        };
        let path = self.path(ino);
        let resized = OpenOptions::new().write(true).open(&path);
        match resized
            .and_then(|file| file.set_len(size))
            .and_then(|()| self.attr(path))
        {
            Ok(attr) => reply.attr(&LIFETIME, &attr),
            Err(error) => reply.error(error.into()),
        }
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        sleep(self.delay);
        let mode = flags.acc_mode();
        let opened = OpenOptions::new()
            .read(mode != OpenAccMode::O_WRONLY)
            .write(mode != OpenAccMode::O_RDONLY)
            .open(self.path(ino));
        match opened {
            Ok(file) => reply.opened(self.keep(file), DIRECT),
            Err(error) => reply.error(error.into()),
        }
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        sleep(self.delay);
        let path = self.path(parent).join(name);
        let created = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&path);
        match created.and_then(|file| Ok((file, self.attr(path)?))) {
            Ok((file, attr)) => {
                reply.created(&LIFETIME, &attr, Generation(0), self.keep(file), DIRECT);
            }
            Err(error) => reply.error(error.into()),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        sleep(self.delay);
        let mut data = vec![0; size as usize];
        match self
            .file(handle)
            .and_then(|file| file.read_at(&mut data, offset))
        {
            Ok(length) => reply.data(&data[..length]),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        sleep(self.delay);
        match self
            .file(handle)
            .and_then(|file| file.write_all_at(data, offset))
        {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error.into()),
        }
    }

    /// What close(2) waits for.
    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        sleep(self.delay);
        reply.ok();
    }

    /// Nobody waits for this one.
    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        let mut files = self.files.lock().expect("nobody panics with it");
        files.remove(&handle.0);
        reply.ok();
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        sleep(self.delay);
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    /// `offset` is how many entries were told before. (Without lifetimes readdirplus would tell the kernel nothing more.)
    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        sleep(self.delay);
        let path = self.path(ino);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) => return reply.error(error.into()),
        };
        let dots = [".", ".."].map(|name| (ino.0, FileType::Directory, name.into()));
        let others = entries.flatten().filter_map(|entry| {
            let kind = FileType::from_std(entry.file_type().ok()?)?;
            Some((self.number(entry.path()), kind, entry.file_name()))
        });
        for (number, (ino, kind, name)) in dots.into_iter().chain(others).enumerate() {
            let number = number as u64;
            // `add` says whether the buffer is full.
            if number >= offset && reply.add(INodeNo(ino), number + 1, kind, &name) {
                break;
            }
        }
        reply.ok();
    }
}
