#!/bin/bash
# A second line "Subsystem sftp" keeps Debian 12's sshd from starting, instead of being passed over.
#
# One would guess from sshd_config(5): the first value of a keyword counts. A file in sshd_config.d, which Debian's configuration
# includes first, would then put another server in place of the distribution's.
# What happens: Subsystem is an exception. sshd stops at the distribution's own line with "Subsystem 'sftp' already defined".
# Bitten: packages and playbooks of SFTP servers that leave a file in sshd_config.d. It is found out at the next restart, when
# there is no sshd any more. From OpenSSH 9.5 on the first line wins.
# Seen with: openssh-server 1:9.2p1-2+deb12u10.
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

need openssh-client ssh-keygen
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$dir"' EXIT

unpack openssh-server=1:9.2p1-2+deb12u10
# As root sshd wants this directory for itself, even to look at a configuration.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f "$dir/host"

# The configuration as Debian ships it, but for where it includes from.
mkdir "$dir/sshd_config.d"
sed "s|^Include .*|Include $dir/sshd_config.d/*.conf|" "$dir/unpacked/usr/share/openssh/sshd_config" >"$dir/sshd_config"
grep -q "^Include $dir" "$dir/sshd_config" || fail "Debian's configuration includes nothing"

check() { "$dir/unpacked/usr/sbin/sshd" -t -f "$dir/sshd_config" -h "$dir/host" 2>"$dir/log"; }
# What holds for other keywords: set there, the distribution's line counts no more.
echo 'X11Forwarding no' >"$dir/sshd_config.d/other.conf"
check || fail "sshd refuses a second X11Forwarding: $(cat "$dir/log")"
echo 'Subsystem sftp /usr/local/bin/sftp-server' >"$dir/sshd_config.d/sftp.conf"
! check || fail "sshd takes a second Subsystem line"
grep -q "Subsystem 'sftp' already defined" "$dir/log" || fail "sshd says: $(cat "$dir/log")"
echo "$(basename "$0" .sh): as recorded"
