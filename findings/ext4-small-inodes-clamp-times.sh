#!/bin/bash
# Where a file system cannot store a time, utimensat(2) succeeds and another time is stored.
#
# One would guess: EINVAL or EOVERFLOW; or that the kernel's file systems of today store any date.
# What happens: times of ext4 with inodes of 128 bytes (once mke2fs's choice below 512 MiB) end in January 2038. The kernel
# clamps what is set to the nearest time that fits, in both directions, and says 0. Fractions of a second are dropped.
# Inodes of 256 bytes keep fractions and go on until 2446, but begin in December 1901, too.
# Bitten: what copies times and compares them afterwards (rsync, backup, SFTP clients that keep times): the same file differs in
# each run. What sets a far date as a mark reads back another.
# Seen with: e2fsprogs 1.47.0-2+b2, Linux 6.18. Needs root and a loop device.
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

dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") mounted=
clean_up() {
    [ -z "$mounted" ] || as_root umount "$mounted"
    rm -rf "$dir"
}
trap clean_up EXIT

unpack e2fsprogs=1.47.0-2+b2

mkdir "$dir/mount"
# The times that a file system with inodes of $1 bytes keeps of what was set.
kept() {
    rm -f "$dir/image"
    truncate -s 16M "$dir/image"
    "$dir/unpacked/sbin/mkfs.ext4" -q -I "$1" "$dir/image" >"$dir/log" 2>&1 || fail "mkfs.ext4: $(cat "$dir/log")"
    as_root mount -o loop "$dir/image" "$dir/mount"
    mounted=$dir/mount
    : >"$dir/times"
    for time in 2040-01-01T00:00:00Z 2500-01-01T00:00:00Z 1890-01-01T00:00:00Z 2020-01-01T00:00:00.75Z; do
        as_root touch -d "$time" "$mounted/file" || fail "touch -d $time was refused"
        TZ=UTC stat -c %y "$mounted/file" >>"$dir/times"
    done
    as_root umount "$mounted"
    mounted=
}

begin="1901-12-13 20:45:52.00"
kept 128
seen=$(cut -c 1-22 "$dir/times" | paste -sd,)
end="2038-01-19 03:14:07.00"
[ "$seen" = "$end,$end,$begin,2020-01-01 00:00:00.00" ] || fail "inodes of 128 bytes: $seen"
kept 256
seen=$(cut -c 1-22 "$dir/times" | paste -sd,)
end="2446-05-10 22:38:55.00"
[ "$seen" = "2040-01-01 00:00:00.00,$end,$begin,2020-01-01 00:00:00.75" ] || fail "inodes of 256 bytes: $seen"
echo "$(basename "$0" .sh): as recorded"
