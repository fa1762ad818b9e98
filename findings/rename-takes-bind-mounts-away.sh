#!/bin/bash
# A file that is replaced by rename(2) loses the bind mounts that stand on it in other mount namespaces.
#
# One would guess: a mount of a private namespace is nobody else's business, so it stays until that namespace ends; or the rename is
# refused as busy, as it is where the mount is in the same namespace.
# What happens: the rename succeeds, and the mount is gone in every other namespace at that moment. Whoever lives there sees the new
# file of the host where its own stood.
# Bitten: sandboxes and tests that put a file of their own over /etc/passwd, /etc/hosts or /etc/resolv.conf. useradd, a DHCP client
# or an editor on the host replaces that file, and takes theirs away.
# Seen with: Linux 6.18 on ext4 and tmpfs, util-linux and mount 2.38.1-5+deb12u3.
set -eu

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
unpack() {
    (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null) || fail "apt-get could not download $*"
    for deb in "$dir"/*.deb; do dpkg -x "$deb" "$dir/unpacked"; done
}

util_linux=2.38.1-5+deb12u3
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") inside=
trap '[ -z "$inside" ] || kill "$inside" 2>/dev/null || :; rm -rf "$dir"' EXIT
unpack util-linux=$util_linux mount=$util_linux

echo host >"$dir/file"
echo private >"$dir/private"
# The namespace tells what it sees: with its mount, and once more when it is asked to.
"$dir/unpacked/usr/bin/unshare" --user --map-root-user --mount --propagation private bash -c '
    "$1/unpacked/bin/mount" --bind "$1/private" "$1/file"
    cat "$1/file" >"$1/seen"
    until [ -e "$1/asked" ]; do sleep 0.05; done
    cat "$1/file" >>"$1/seen"
    : >"$1/told"' bash "$dir" &
inside=$!
wait_for() {
    for _ in {1..200}; do
        [ ! -s "$1" ] && [ ! -e "$2" ] || return 0
        sleep 0.05
    done
    fail "the namespace does not answer"
}
wait_for "$dir/seen" "$dir/told"
[ "$(cat "$dir/file")" = host ] || fail "the mount is no private one"

echo replaced >"$dir/new"
mv "$dir/new" "$dir/file" || fail "the rename was refused"
: >"$dir/asked"
wait_for "$dir/none" "$dir/told"
wait "$inside" || fail "the namespace failed"
inside=
seen=$(paste -sd' ' "$dir/seen")
[ "$seen" = "private replaced" ] || fail "the namespace saw: $seen"
echo "$(basename "$0" .sh): as recorded"
