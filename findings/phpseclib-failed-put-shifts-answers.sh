#!/bin/bash
# phpseclib answers what is asked after a failed upload with what was left of that upload's answers.
#
# One would guess: put() that returns false has read the answers to all that it has sent, and the object can be used on.
# What happens: it sends the file as dozens of WRITEs, stops at the first answer that is no OK, sends CLOSE, and takes the next answer,
# which is a WRITE's, for CLOSE's. From then on each answer is one that came too late: the next mkdir() returns false though the directory
# is made, and stat() finds nothing where it stands. Nothing but another login puts it right.
# Bitten: who goes on after a full disk or a quota, as a program does that uploads many files and notes which ones failed: what it notes
# of those behind the first is wrong.
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

function login($dir, $port, $user)
{
    $sftp = new SFTP('127.0.0.1', (int) $port);
    $sftp->login($user, PublicKeyLoader::load(file_get_contents("$dir/key"))) or exit(1);
    return $sftp;
}

$sftp = login($dir, $port, $user);
// A device that has no room for anything.
$said = [$sftp->put('/dev/full', str_repeat('x', 1000000))];
array_push($said, $sftp->mkdir("$dir/files/dir"), $sftp->stat("$dir/files/dir") !== false);
// By then the server has done what it was asked for.
$sftp = login($dir, $port, $user);
array_push($said, $sftp->mkdir("$dir/files/other"), $sftp->stat("$dir/files/dir") !== false);
echo json_encode($said), "\n";
PHP
seen=$(timeout 30 "$dir/unpacked/usr/bin/php8.2" -n "$dir/upload.php" "$dir" "$port" "$(id -un)") ||
    fail "the upload could not be tried: $(tail -n 3 "$dir/log")"

# The upload, then mkdir and stat; and mkdir of another directory and stat of the same after another login.
[ "$seen" = "[false,false,false,true,true]" ] || fail "what it returned: $seen"
echo "$(basename "$0" .sh): as recorded"
