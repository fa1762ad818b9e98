#!/bin/bash
# A file system that does not know RENAME_NOREPLACE answers as if it did while the new name is taken.
#
# One would guess: renameat2(2) gives EINVAL wherever the file system lacks the flag, so one call onto an existing file, which
# can do no harm, tells whether it is there.
# What happens: the kernel sees that the name is taken and says EEXIST before it asks the file system. Only onto a free name
# does EINVAL come, from bindfs as from others that refuse the flags which libfuse 3 hands to their rename.
# Bitten: who probes with an existing name, counts on the flag from then on, and fails at the first rename that should succeed.
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

mkdir "$dir/beneath" "$dir/mount"
LD_LIBRARY_PATH=$dir/unpacked/lib/$(uname -m)-linux-gnu:$dir/unpacked/usr/lib/$(uname -m)-linux-gnu \
    "$dir/unpacked/usr/bin/bindfs" "$dir/beneath" "$dir/mount" || fail "bindfs could not mount: is /dev/fuse open to this user?"
mounted=$dir/mount

# What renameat2 says of one file onto a taken name and onto a free one.
answers() {
    rm -f "$1/free"
    touch "$1/file" "$1/taken"
    timeout 20 python3 - "$1" <<'PYTHON'
import ctypes, errno, os, sys

NOREPLACE = 1
libc = ctypes.CDLL(None, use_errno=True)
os.chdir(sys.argv[1])
here = os.open(".", os.O_PATH)
for name in b"taken", b"free":
    failed = libc.renameat2(here, b"file", here, name, NOREPLACE)
    print(name.decode(), errno.errorcode[ctypes.get_errno()] if failed else "renamed")
PYTHON
}

seen=$(answers "$dir/beneath" | paste -sd,)
[ "$seen" = "taken EEXIST,free renamed" ] || fail "beneath the mount: $seen"
seen=$(answers "$mounted" | paste -sd,)
[ "$seen" = "taken EEXIST,free EINVAL" ] || fail "on the mount: $seen"
echo "$(basename "$0" .sh): as recorded"
