#!/bin/bash
# On exfat-fuse each spelling of one name has an inode number of its own.
#
# One would guess: the names of exFAT fold case, so "Name", "name" and "NAME" are one file and have one inode number.
# What happens: all three open the same file, and stat gives three numbers: the driver lets libfuse count, which counts the
# paths that were asked for.
# Bitten: what asks by device and inode whether two paths are one file. cp refuses to copy a file onto itself only by this, so
# `cp Name name` exits 0 and leaves an empty file, unless the kernel had its content cached. Rules that know a file by its inode
# know it by one spelling.
# Seen with: exfat-fuse 1.3.0+git20220115-2, exfatprogs 1.2.0-1+deb12u1, Linux 6.18. Needs root and a loop device.
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

dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") mounted= loop=
clean_up() {
    [ -z "$mounted" ] || as_root umount "$mounted"
    [ -z "$loop" ] || as_root losetup -d "$loop"
    rm -rf "$dir"
}
trap clean_up EXIT

unpack exfat-fuse=1.3.0+git20220115-2 exfatprogs=1.2.0-1+deb12u1

truncate -s 16M "$dir/image"
"$dir/unpacked/usr/sbin/mkfs.exfat" "$dir/image" >"$dir/log" || fail "mkfs.exfat: $(cat "$dir/log")"
loop=$(as_root losetup -f --show "$dir/image")
mkdir "$dir/mount"
as_root "$dir/unpacked/sbin/mount.exfat-fuse" "$loop" "$dir/mount" >"$dir/log" 2>&1 || fail "mount.exfat-fuse: $(cat "$dir/log")"
mounted=$dir/mount

as_root sh -c 'echo content >"$1"; echo content >"$2"' sh "$mounted/Name" "$mounted/Copied"
# Before anything reads it: what the kernel remembers of one spelling outlives a change by the other.
as_root cp "$mounted/Copied" "$mounted/copied" || fail "cp refused"
[ -z "$(as_root cat "$mounted/Copied")" ] || fail "cp left the content"

for name in Name name NAME; do
    [ "$(as_root cat "$mounted/$name")" = content ] || fail "$name is another file"
done
numbers=$(as_root stat -c %i "$mounted/Name" "$mounted/name" "$mounted/NAME" | sort -u | wc -l)
[ "$numbers" = 3 ] || fail "three spellings have $numbers inode numbers"
names=$(as_root ls "$mounted" | paste -sd,)
[ "$names" = Copied,Name ] || fail "it lists: $names"
echo "$(basename "$0" .sh): as recorded"
