#!/bin/bash
# The server's limit of open files decides how many READs and WRITEs OpenSSH's sftp keeps under way, even for one file.
#
# One would guess: `ulimit -n` bounds how many files a session opens; a transfer of one file needs one.
# What happens: sftp-server answers limits@openssh.com with max-open-handles, RLIMIT_NOFILE less 5, and sftp from 8.6 to 10.2
# takes that number for its window of outstanding requests where it is below the usual 64.
# Bitten: who sets a low nofile in limits.conf or LimitNOFILE for SFTP accounts; each transfer becomes slower by the latency of
# the line, and nothing says why. Asking for more with -R keeps the number that was asked for.
# Seen with: openssh-client and openssh-sftp-server 1:9.2p1-2+deb12u10.
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

unpack openssh-sftp-server=$openssh openssh-client=$openssh

# The most READs that are without an answer when one more is sent. A file of 8 MiB is fetched in pieces of 8 KiB, and the server
# may have $1 files open.
window() {
    printf '#!/bin/sh\nulimit -n %s\nexec %s\n' "$1" "$dir/unpacked/usr/lib/openssh/sftp-server" >"$dir/server"
    chmod +x "$dir/server"
    timeout 20 "$dir/unpacked/usr/bin/sftp" -vvv -B 8192 -b - -D "$dir/server" \
        >/dev/null 2>"$dir/log" <<<"get $dir/file $dir/copy" ||
        fail "sftp: $(tail -n 3 "$dir/log")"
    cmp -s "$dir/file" "$dir/copy" || fail "the file came in another way"
    sed -n 's/.*Request range .*(\([0-9]*\)\/[0-9]*).*/\1/p' "$dir/log" | sort -n | tail -n 1
}

head -c 8388608 /dev/urandom >"$dir/file"
narrow=$(window 12) wide=$(window 1024)
[ "$narrow $wide" = "6 63" ] || fail "with 12 open files '$narrow' READs wait, with 1024 '$wide'"
echo "$(basename "$0" .sh): as recorded"
