//! Which file systems another process or another host serves: whoever asks them may wait for ever.
//!
//! The kernel's list of mounts tells, and a path is looked up in what the kernel has at hand, so that to find out makes nobody wait.

use std::fs;
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::makedev;
use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};

use crate::fs::Result;

/// The list of mounts, as far as it was read.
#[derive(Debug, Default)]
pub(in crate::fs) struct Mounts(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    file: Option<fs::File>,
    /// The devices that others serve; none before it was asked for, and where there is no list.
    remote: Option<Vec<u64>>,
}

impl Mounts {
    /// Opens the list, for a process that cannot open it later. Where /proc is missing there is none.
    pub(in crate::fs) fn held() -> Self {
        Self(Mutex::new(List {
            file: fs::File::open(LIST).ok(),
            remote: None,
        }))
    }

    /// Whether any file system may make requests wait for ever; none if that cannot be told.
    pub(in crate::fs) fn is_any_remote(&self) -> Option<bool> {
        self.lock().remote().map(|devices| !devices.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mounts {
    /// Whether another process or host serves this device; none if that cannot be told.
    pub(in crate::fs) fn serves_remotely(&self, device: u64) -> Option<bool> {
        let mut list = self.lock();
        list.remote().map(|devices| devices.contains(&device))
    }

    /// Has the list read again where something was mounted or unmounted since: whether that is so.
    ///
    /// Source: proc(5), /proc/PID/mounts.
    pub(in crate::fs) fn look_again(&self) -> bool {
        let mut list = self.lock();
        let changed = list.file.as_ref().is_some_and(|file| {
            let mut polled = [PollFd::new(file.as_fd(), PollFlags::POLLPRI)];
            poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
        });
        if changed {
            list.remote = None;
        }
        changed
    }
}

impl List {
    /// The devices that others serve.
    fn remote(&mut self) -> Option<&[u64]> {
        if self.remote.is_none() {
            if self.file.is_none() {
                self.file = fs::File::open(LIST).ok();
            }
            self.remote = self.file.as_mut().and_then(|file| {
                let mut text = Vec::new();
                file.rewind().ok()?;
                file.read_to_end(&mut text).ok()?;
                Some(remote_devices(&text))
            });
        }
        self.remote.as_deref()
    }
}

/// Whether another process or another host serves file systems of this type (statfs(2)).
pub(in crate::fs) fn is_remote_type(magic: u32) -> bool {
    REMOTE.contains(&magic)
}

/// Whether a file is a mount point itself, so that no other can take its name: what has this name in a directory, or what is open where that is
/// empty. Linux tells as of 5.8.
pub(in crate::fs) fn is_mounted(dir: impl AsFd, name: &[u8]) -> bool {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT | AtFlags::SYMLINK_NOFOLLOW;
    let flags = flags | AtFlags::STATX_DONT_SYNC;
    statx(dir, name, flags, StatxFlags::empty())
        .is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// The device of a file, which no daemon and no other host is asked for.
pub(in crate::fs) fn device(file: impl AsFd) -> Result<u64> {
    device_of(file, b"", AtFlags::empty())
}

/// The same of what has a name in a directory; of the directory itself where the name is empty.
pub(in crate::fs) fn device_of(dir: impl AsFd, name: &[u8], flags: AtFlags) -> Result<u64> {
    let flags = flags | AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
    let stat = statx(dir, name, flags, StatxFlags::empty());
    let stat = stat.map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
    let (major, minor) = (stat.stx_dev_major, stat.stx_dev_minor);
    Ok(makedev(major.into(), minor.into()))
}

/// The devices in the text of /proc/PID/mountinfo that another process or host serves. What stands in for the kernel's own trees serves
/// nobody's files.
fn remote_devices(text: &[u8]) -> Vec<u64> {
    let lines = text.split(|byte| *byte == b'\n');
    let devices = lines.filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ');
        let device = fields.nth(2)?;
        let point = fields.nth(1)?;
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        let own = [b"/proc/".as_slice(), b"/sys/", b"/dev/"];
        if !is_remote(kind) || own.iter().any(|tree| point.starts_with(tree)) {
            return None;
        }
        let (major, minor) = std::str::from_utf8(device).ok()?.split_once(':')?;
        Some(makedev(major.parse().ok()?, minor.parse().ok()?))
    });
    devices.collect()
}

fn is_remote(kind: &[u8]) -> bool {
    kind.starts_with(b"fuse") || SERVED.contains(&kind)
}

const LIST: &str = "/proc/self/mountinfo";
/// Beside those of FUSE; autofs mounts when it is asked.
const SERVED: &[&[u8]] = &[
    b"9p",
    b"afs",
    b"autofs",
    b"beegfs",
    b"ceph",
    b"cifs",
    b"coda",
    b"gpfs",
    b"lustre",
    b"nfs",
    b"nfs4",
    b"orangefs",
    b"smb3",
    b"smbfs",
    b"virtiofs",
];

/// 9p, AFS, Ceph, CIFS and SMB, Coda, FUSE, GPFS, Lustre, NFS.
///
/// Source: linux/magic.h and statfs(2).
const REMOTE: &[u32] = &[
    0x0102_1997,
    0x5346_414f,
    0x6b41_4653,
    0x00c3_6400,
    0xff53_4d42,
    0xfe53_4d42,
    0x517b,
    0x7375_7245,
    0x6573_5546,
    0x4750_4653,
    0x0bd0_0bd0,
    0x6969,
];

#[cfg(test)]
mod tests {
    use super::{makedev, remote_devices};

    #[test]
    fn what_others_serve_is_found_in_the_list_of_mounts() {
        let list = b"22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
            30 22 0:45 / /mnt/a\\040b rw,nosuid shared:9 master:2 - fuse.sshfs host:/ rw,user_id=0\n\
            31 22 0:46 / /net rw - nfs4 server:/net rw\n\
            32 22 0:47 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw\n\
            33 22 0:5 / /dev rw - devtmpfs udev rw\n\
            34 22 8:17 / /media/disk rw - fuseblk /dev/sdb1 rw\n\
            half a line\n";
        let found = [makedev(0, 45), makedev(0, 46), makedev(8, 17)];
        assert_eq!(remote_devices(list), found);
    }
}
