#!/bin/bash
# A RENAME of SFTP version 3 reaches watchers of the directory as a creation and a deletion, not as a move.
#
# One would guess: rename(2), thus IN_MOVED_FROM and IN_MOVED_TO (inotify(7)) with one cookie.
# What happens: RENAME may not replace, so OpenSSH's sftp-server calls link(2) and unlink(2): IN_CREATE and IN_DELETE.
# posix-rename@openssh.com, which OpenSSH's own client prefers, is a rename(2) and gives the two moves.
# Bitten: who takes uploads out of a directory at IN_MOVED_TO, since clients put a file under a temporary name and rename it. It
# works when tried with OpenSSH's sftp, and never sees a file of a client that sends RENAME (curl, lftp, PuTTY's psftp).
# Seen with: openssh-sftp-server and openssh-client 1:9.2p1-2+deb12u10, inotify-tools 3.22.6.0-4, Linux 6.18.
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
inotify=3.22.6.0-4
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") watcher=
trap '[ -z "$watcher" ] || kill "$watcher"; rm -rf "$dir"' EXIT

unpack openssh-sftp-server=$openssh openssh-client=$openssh \
    inotify-tools=$inotify libinotifytools0=$inotify
bin=$dir/unpacked/usr/bin

mkdir "$dir/watched"
touch "$dir/watched/old" "$dir/watched/older" "$dir/state"
LD_LIBRARY_PATH=$dir/unpacked/usr/lib/$(uname -m)-linux-gnu "$bin/inotifywait" -m --format '%e %f' \
    -e create,delete,move "$dir/watched" >"$dir/events" 2>"$dir/state" &
watcher=$!
for _ in {1..100}; do
    ! grep -q 'Watches established' "$dir/state" || break
    sleep 0.1
done

# -l is the client's own switch for a RENAME.
timeout 20 "$bin/sftp" -q -b - -D "$dir/unpacked/usr/lib/openssh/sftp-server" >"$dir/log" 2>&1 <<COMMANDS ||
rename -l $dir/watched/old $dir/watched/new
rename $dir/watched/older $dir/watched/newer
COMMANDS
    fail "sftp: $(cat "$dir/log")"
for _ in {1..50}; do
    [ "$(wc -l <"$dir/events")" -lt 4 ] || break
    sleep 0.1
done

seen=$(paste -sd, "$dir/events")
[ "$seen" = "CREATE new,DELETE old,MOVED_FROM older,MOVED_TO newer" ] || fail "another sequence: $seen"
echo "$(basename "$0" .sh): as recorded"
