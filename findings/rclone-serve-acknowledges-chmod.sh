#!/bin/bash
# `rclone serve sftp` answers OK to a change of permissions and changes nothing; its RENAME replaces what is there.
#
# One would guess: SETSTAT fails, or the mode on the disk is what was set; RENAME onto a name that is taken fails
# (draft-ietf-secsh-filexfer-02 section 6.5).
# What happens: the client sees success both times. The file of a local remote keeps its mode, and the one that stood in the way
# of the RENAME is gone.
# Bitten: people who keep private files there (chmod 600 leaves them readable, and nothing says so), and those who test a client
# against it.
# Seen with: rclone 1.60.1+dfsg-2+b5, openssh-client 1:9.2p1-2+deb12u10.
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

dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$dir"' EXIT

unpack rclone=1.60.1+dfsg-2+b5 openssh-client=1:9.2p1-2+deb12u10

mkdir "$dir/served"
echo one >"$dir/served/one"
echo two >"$dir/served/two"
chmod 644 "$dir/served/one" "$dir/served/two"
cat >"$dir/server" <<SERVER
#!/bin/sh
exec "$dir/unpacked/usr/bin/rclone" serve sftp --stdio --config /dev/null "$dir/served"
SERVER
chmod +x "$dir/server"

# In a batch sftp ends at the first command that fails.
timeout 30 "$dir/unpacked/usr/bin/sftp" -q -b - -D "$dir/server" >"$dir/log" 2>&1 <<'COMMANDS' ||
chmod 600 one
rename -l one two
COMMANDS
    fail "a command was refused: $(cat "$dir/log")"
[ "$(ls "$dir/served")" = two ] || fail "the RENAME left: $(ls "$dir/served")"
[ "$(cat "$dir/served/two")" = one ] || fail "the RENAME did not replace"
mode=$(stat -c %a "$dir/served/two")
[ "$mode" = 644 ] || fail "the mode is $mode now"
echo "$(basename "$0" .sh): as recorded"
