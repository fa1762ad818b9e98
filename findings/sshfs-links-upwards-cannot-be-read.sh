#!/bin/bash
# On an sshfs mount a symbolic link that holds ".." or begins with "/" can be made, and not be read, wherever it leads.
#
# One would guess: readlink(2) tells what a link holds, and a link of one file of the mount to another is followed, as before Debian's update.
# What happens: since that update sshfs looks at each target. One with ".." in it is refused even where it stays within the mount
# (sub/above -> ../file), and so is every absolute one: readlink(2) itself is EPERM, and so is all that follows the link. symlink(2) is not
# looked at: "ln -s ../file sub/above" is done, and the server has the link. A link to nothing beside itself is read.
# -o no_contain_symlinks gives the old behaviour; -o transform_symlinks alone does not, it makes absolute ones relative and leaves "..".
# Bitten: what copies trees onto a mount and compares (rsync -a, cp -a, tar, git checkout): each link is written well and fails to be read; "ls -l"
# exits 1. Who takes EPERM for a permission of the server looks there in vain.
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

mkdir -p "$dir/beneath/sub" "$dir/mount"
echo content >"$dir/beneath/file"
# In ssh's place: the server without ssh.
printf '#!/bin/sh\nexec %s\n' "$dir/unpacked/usr/lib/openssh/sftp-server" >"$dir/ssh"
chmod +x "$dir/ssh"

# What each link holds as the mount tells it, with these further options.
links() {
    local options=$1 link
    timeout 20 "$dir/unpacked/usr/bin/sshfs" -o "ssh_command=$dir/ssh$options" "nobody@nowhere:$dir/beneath" "$dir/mount" ||
        fail "sshfs could not mount: is /dev/fuse open to this user?"
    mounted=$dir/mount
    if [ -z "$options" ]; then
        ln -s ../file "$mounted/sub/above"
        ln -s "$dir/beneath/file" "$mounted/absolute"
        ln -s nothing "$mounted/nothing"
    fi
    for link in sub/above absolute nothing; do
        printf '%s ' "$(python3 -c 'import os, sys; print(os.readlink(sys.argv[1]))' "$mounted/$link" 2>&1 | tail -n 1 | sed 's/:.*//')"
    done
    fusermount3 -u "$mounted"
    mounted=
}

seen=$(links "")
[ "$seen" = "PermissionError PermissionError nothing " ] || fail "as it is mounted by default: $seen"
seen=$(readlink "$dir/beneath/sub/above" "$dir/beneath/absolute" | tr '\n' ' ')
[ "$seen" = "../file $dir/beneath/file " ] || fail "at the server: $seen"
seen=$(links ,no_contain_symlinks)
[ "$seen" = "../file $dir/beneath/file nothing " ] || fail "with no_contain_symlinks: $seen"
seen=$(links ,transform_symlinks)
[ "$seen" = "PermissionError file nothing " ] || fail "with transform_symlinks: $seen"
echo "$(basename "$0" .sh): as recorded"
