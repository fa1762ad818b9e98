#!/bin/bash
# Green End's SFTP server makes a symbolic link the other way round for a client that follows OpenSSH.
#
# One would guess: SYMLINK means the same to two servers that both answer with version 3.
# What happens: OpenSSH's client sends the target first, as its server wants it (PROTOCOL section 4.1). gesftpserver reads the
# fields in the order of draft-ietf-secsh-filexfer-02 section 6.10, linkpath first. `ln -s target name` makes a link "target"
# that leads to "name" and is answered OK; where the target exists it is "Failure", and no word says that it was for the link
# that could not be made.
# Bitten: who exchanges one server for the other, and who tests a client against just one. No packet tells which order a server
# has; clients guess by the banner of SSH, which does not know what runs as the subsystem.
# Seen with: gesftpserver 2~ds-1, openssh-client and openssh-sftp-server 1:9.2p1-2+deb12u10.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
unpack() {
    (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null) || fail "apt-get could not download $*"
    for deb in "$dir"/*.deb; do dpkg -x "$deb" "$dir/unpacked"; done
}

openssh=1:9.2p1-2+deb12u10
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$dir"' EXIT

unpack gesftpserver=2~ds-1 openssh-client=$openssh openssh-sftp-server=$openssh

# Which link the server $1 makes in a new directory, as "name -> target", when asked for "name" that leads to "target".
link() {
    local home=$dir/${1##*/}
    mkdir "$home"
    (cd "$home" && timeout 20 "$dir/unpacked/usr/bin/sftp" -q -b - -D "$1" <<<'ln -s target name') >"$dir/log" 2>&1 ||
        fail "$1: $(cat "$dir/log")"
    find "$home" -type l -printf '%f -> %l\n'
}

made=$(link "$dir/unpacked/usr/lib/openssh/sftp-server")
[ "${made//"$dir/sftp-server/"/}" = "name -> target" ] || fail "OpenSSH's server made: $made"
made=$(link "$dir/unpacked/usr/libexec/gesftpserver")
[ "${made//"$dir/gesftpserver/"/}" = "target -> name" ] || fail "gesftpserver made: $made"
echo "$(basename "$0" .sh): as recorded"
