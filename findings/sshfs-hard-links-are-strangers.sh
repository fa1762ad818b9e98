#!/bin/bash
# Two names of one file are two files on an sshfs mount, and the one does not see what was written by the other.
#
# One would guess: sshfs refuses link(2), or the two names have one inode number and a link count of 2.
# What happens: hardlink@openssh.com makes the link at the server. Here each name has an inode number of its own and st_nlink 1,
# since version 3 of SFTP carries neither. The kernel keeps attributes for each of the two: after a write by one name, stat of
# the other gives the old size, until it is opened or 20 s are over.
# Bitten: what knows files by device and inode (find -samefile, rsync -H, tar, du): it finds no links, stores each name as a
# copy and counts it twice. What takes st_nlink 1 for "no other name".
# Seen with: sshfs 3.7.3-1.2~deb12u1, openssh-sftp-server 1:9.2p1-2+deb12u10, Linux 6.18.
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

need fuse3 fusermount3
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") mounted=
trap '[ -z "$mounted" ] || fusermount3 -u "$mounted"; rm -rf "$dir"' EXIT

unpack sshfs=3.7.3-1.2~deb12u1 openssh-sftp-server=1:9.2p1-2+deb12u10

mkdir "$dir/beneath" "$dir/mount"
echo short >"$dir/beneath/one"
# In ssh's place: the server without ssh.
printf '#!/bin/sh\nexec %s\n' "$dir/unpacked/usr/lib/openssh/sftp-server" >"$dir/ssh"
chmod +x "$dir/ssh"
timeout 20 "$dir/unpacked/usr/bin/sshfs" -o ssh_command="$dir/ssh" "nobody@nowhere:$dir/beneath" "$dir/mount" ||
    fail "sshfs could not mount: is /dev/fuse open to this user?"
mounted=$dir/mount

ln "$mounted/one" "$mounted/two"
stat "$mounted/two" >/dev/null
echo longer >>"$mounted/one"
found=$(find "$mounted" -samefile "$mounted/one" -printf '%f')
on_mount=$(stat -c '%h %s' "$mounted/one" "$mounted/two" | paste -sd,)
at_server=$(stat -c '%h %s' "$dir/beneath/one" "$dir/beneath/two" | paste -sd,)
[ "$found" = one ] || fail "the same file as one: $found"
[ "$at_server" = "2 13,2 13" ] || fail "links and sizes at the server: $at_server"
[ "$on_mount" = "1 13,1 6" ] || fail "links and sizes on the mount: $on_mount"
echo "$(basename "$0" .sh): as recorded"
