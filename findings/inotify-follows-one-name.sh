#!/bin/bash
# A watch on a directory says nothing of what is done to its files by a hard link in another directory.
#
# One would guess: the file is in the watched directory, so a write to it, a chmod or a new link of it gives an event there.
# What happens: an event goes to the parent of the name that was used. A write, a truncation, a chmod and a link by the name
# elsewhere change the file's size, mode, times and link count, and the watch on the directory stays silent.
# Bitten: programs that cache what they know of a directory's files until inotify(7) tells of a change. A watch on the file
# itself tells all of it.
# Seen with: Linux 6.18 on ext4 and tmpfs, inotify-tools 3.22.6.0-4.
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

inotify=3.22.6.0-4
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") watcher=
trap '[ -z "$watcher" ] || kill "$watcher"; rm -rf "$dir"' EXIT

unpack inotify-tools=$inotify libinotifytools0=$inotify

mkdir "$dir/watched" "$dir/elsewhere"
touch "$dir/watched/file"
ln "$dir/watched/file" "$dir/elsewhere/file"

# What a watch on $1 tells, into $dir/events: of what is done elsewhere, then of a rename of the watched name. $2 is its last
# event.
events() {
    : >"$dir/state"
    LD_LIBRARY_PATH=$dir/unpacked/usr/lib/$(uname -m)-linux-gnu "$dir/unpacked/usr/bin/inotifywait" -m --format %e \
        -e modify,attrib,create,delete,move,move_self "$1" >"$dir/events" 2>"$dir/state" &
    watcher=$!
    for _ in {1..100}; do
        ! grep -q 'Watches established' "$dir/state" || break
        sleep 0.1
    done
    echo more >>"$dir/elsewhere/file"
    truncate -s 1 "$dir/elsewhere/file"
    chmod 600 "$dir/elsewhere/file"
    ln "$dir/elsewhere/file" "$dir/elsewhere/third"
    rm "$dir/elsewhere/third"
    mv "$dir/watched/file" "$dir/watched/moved"
    for _ in {1..50}; do
        ! grep -qx "$2" "$dir/events" || break
        sleep 0.1
    done
    mv "$dir/watched/moved" "$dir/watched/file"
    kill "$watcher"
    watcher=
}

events "$dir/watched" MOVED_TO
# inotify(7) merges equal events that follow each other.
seen=$(uniq "$dir/events" | head -n 2 | paste -sd,)
[ "$seen" = MOVED_FROM,MOVED_TO ] || fail "the directory's watch tells: $seen"
events "$dir/watched/file" MOVE_SELF
seen=$(uniq "$dir/events" | head -n 3 | paste -sd,)
[ "$seen" = MODIFY,ATTRIB,MOVE_SELF ] || fail "the file's watch tells: $seen"
echo "$(basename "$0" .sh): as recorded"
