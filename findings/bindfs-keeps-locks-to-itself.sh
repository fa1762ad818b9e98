#!/bin/bash
# A lock taken through a bindfs mount does not exclude one on the same file beside the mount, neither flock(2) nor fcntl(2).
#
# One would guess: bindfs passes each call on to the directory beneath, so two who open one file meet at its lock.
# What happens: the kernel itself keeps the locks of a FUSE file system that does not ask for them, for the inode of the mount.
# Both sides hold an exclusive lock at one time. Both have the same inode number, so they look like one file.
# Bitten: databases, mail boxes and lock files that are used through a mount by some (SFTP accounts, containers) and directly by
# others. bindfs has --enable-lock-forwarding for it, off by default; with it the second lock is refused.
# Seen with: bindfs 1.14.7-1, fuse3 3.14.0-4, Linux 6.18.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
unpack() {
    (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null) || fail "apt-get could not download $*"
    for deb in "$dir"/*.deb; do dpkg -x "$deb" "$dir/unpacked"; done
}
need() { command -v "$2" >/dev/null || as_root apt-get -qq -y install "$1" >/dev/null || fail "apt-get could not install $1"; }

need python3 python3
need fuse3 fusermount3
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") mounted=
trap '[ -z "$mounted" ] || fusermount3 -u "$mounted"; rm -rf "$dir"' EXIT

unpack bindfs=1.14.7-1 libfuse3-3=3.14.0-4

# What each kind of lock says through the mount, made with the options that are given, while it is held beside the mount.
locks() {
    LD_LIBRARY_PATH=$dir/unpacked/lib/$(uname -m)-linux-gnu:$dir/unpacked/usr/lib/$(uname -m)-linux-gnu \
        "$dir/unpacked/usr/bin/bindfs" "$@" "$dir/beneath" "$dir/mount" ||
        fail "bindfs could not mount: is /dev/fuse open to this user?"
    mounted=$dir/mount
    timeout 20 python3 - "$dir/beneath/file" "$dir/mount/file" >"$dir/seen" <<'PYTHON'
import fcntl, os, sys

beneath, mount = (os.open(path, os.O_RDWR) for path in sys.argv[1:])
same = os.fstat(beneath).st_ino == os.fstat(mount).st_ino
print("same inode number" if same else "other inode number")
for name, lock in ("flock", fcntl.flock), ("fcntl", fcntl.lockf):
    lock(beneath, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        lock(mount, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print(name, "granted")
    except OSError:
        print(name, "refused")
PYTHON
    fusermount3 -u "$mounted"
    mounted=
}

mkdir "$dir/beneath" "$dir/mount"
touch "$dir/beneath/file"
locks
seen=$(paste -sd, "$dir/seen")
[ "$seen" = "same inode number,flock granted,fcntl granted" ] || fail "without options: $seen"
locks --enable-lock-forwarding --multithreaded
seen=$(paste -sd, "$dir/seen")
[ "$seen" = "same inode number,flock refused,fcntl refused" ] || fail "with --enable-lock-forwarding: $seen"
echo "$(basename "$0" .sh): as recorded"
