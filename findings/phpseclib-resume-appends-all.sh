#!/bin/bash
# phpseclib's put() with SFTP::RESUME appends the whole local file to what is at the server already.
#
# One would guess from its comments, which give RESUME for an upload to be resumed and RESUME_START for a local file to be
# appended: it goes on where the interrupted upload ended.
# What happens: RESUME sets where to write, the end of the remote file, but not where to read: that stays the beginning of the
# local file. Five bytes of ten, resumed, become fifteen. It returns true.
# Bitten: who resumes uploads; the server sees correct WRITEs at the end of the file and can tell nobody. RESUME with
# $local_start, the number of bytes that are there, does resume.
# Seen with: php-phpseclib3 3.0.19-1+deb12u6, php8.2-cli 8.2.36-1~deb12u1, openssh-server 1:9.2p1-2+deb12u10.
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

php=8.2.36-1~deb12u1 openssh=1:9.2p1-2+deb12u10
need openssh-server sshd
need openssh-client ssh-keygen
need python3 python3
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") sshd=
trap '[ -z "$sshd" ] || kill "$sshd"; rm -rf "$dir"' EXIT

unpack php-phpseclib3=3.0.19-1+deb12u6 php-constant-time=2.6.3-1 php-random-compat=2.0.21-1 \
    php8.2-cli=$php php8.2-common=$php openssh-server=$openssh openssh-sftp-server=$openssh

mkdir "$dir/files"
touch "$dir/log"
ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
# As root sshd wants this directory for itself.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$dir/unpacked/usr/sbin/sshd" -D -e -f /dev/null -o ListenAddress=127.0.0.1 -o Port="$port" -o PidFile=none -o UsePAM=no \
    -o HostKey="$dir/host" -o AuthorizedKeysFile="$dir/key.pub" -o StrictModes=no \
    -o Subsystem="sftp $dir/unpacked/usr/lib/openssh/sftp-server" 2>"$dir/log" &
sshd=$!
for _ in {1..100}; do
    ! grep -q 'Server listening' "$dir/log" || break
    sleep 0.1
done

cat >"$dir/upload.php" <<'PHP'
<?php
[, $dir, $port, $user] = $argv;
require "$dir/unpacked/usr/share/php/phpseclib3/autoload.php";
use phpseclib3\Crypt\PublicKeyLoader;
use phpseclib3\Net\SFTP;

$sftp = new SFTP('127.0.0.1', (int) $port);
$sftp->login($user, PublicKeyLoader::load(file_get_contents("$dir/key"))) or exit(1);
file_put_contents("$dir/local", '0123456789');
foreach (['alone' => -1, 'with-start' => 5] as $name => $start) {
    $sftp->put("$dir/files/$name", '01234');
    $sftp->put("$dir/files/$name", "$dir/local", SFTP::SOURCE_LOCAL_FILE | SFTP::RESUME, -1, $start) or exit(2);
}
PHP
timeout 30 "$dir/unpacked/usr/bin/php8.2" -n "$dir/upload.php" "$dir" "$port" "$(id -un)" ||
    fail "the upload failed: $(tail -n 3 "$dir/log")"

seen="$(cat "$dir/files/alone") $(cat "$dir/files/with-start")"
[ "$seen" = "012340123456789 0123456789" ] || fail "the files are: $seen"
echo "$(basename "$0" .sh): as recorded"
