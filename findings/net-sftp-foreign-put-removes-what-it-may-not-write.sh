#!/bin/bash
# Net::SFTP::Foreign's put() removes a file that the server does not let it open, and makes another in its place.
#
# One would guess: put() onto a file that may not be written, of mode 0444 say, is refused, as sftp's put is.
# What happens: where OPEN is answered by "Permission denied", it sends REMOVE and opens anew. In a directory that may be written the old
# file is gone before the first byte of the new one has arrived: its owner, its other names and, if the upload then fails, its content.
# put() is true.
# Bitten: who takes a file's mode for its protection, and any server that has a rule against overwriting and none against removing.
# Seen with: libnet-sftp-foreign-perl 1.93+dfsg-1, openssh-sftp-server 1:9.2p1-2+deb12u10.
set -eu

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
unpack() {
    (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$@" >/dev/null) || fail "apt-get could not download $*"
    for deb in "$dir"/*.deb; do dpkg -x "$deb" "$dir/unpacked"; done
}
# Modes keep nothing from root.
unprivileged() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi; }

openssh=1:9.2p1-2+deb12u10
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$dir"' EXIT

unpack libnet-sftp-foreign-perl=1.93+dfsg-1 openssh-client=$openssh openssh-sftp-server=$openssh

server=$dir/unpacked/usr/lib/openssh/sftp-server
chmod 755 "$dir"
echo new >"$dir/new"

# What becomes of a file of mode 0444 that has two names, if the command "$@" puts another over it: both contents.
over() {
    local files=$dir/$1
    shift
    mkdir "$files"
    echo old >"$files/file"
    chmod 444 "$files/file"
    ln "$files/file" "$files/second"
    [ "$(id -u)" != 0 ] || chown -R 65534:65534 "$files"
    (cd "$files" && unprivileged timeout 20 "$@") >"$dir/log" 2>&1 && echo "done" || echo "refused"
    cat "$files/file" "$files/second"
}

cat >"$dir/put.pl" <<'PERL'
use Net::SFTP::Foreign;
my ($server, $new) = @ARGV;
my $sftp = Net::SFTP::Foreign->new(open2_cmd => $server);
$sftp->put($new, 'file', copy_perm => 0, copy_time => 0) or die $sftp->error;
PERL
seen=$(over perl perl -I "$dir/unpacked/usr/share/perl5" "$dir/put.pl" "$server" "$dir/new" | tr '\n' ' ')
[ "$seen" = "done new old " ] || fail "by Net::SFTP::Foreign: $seen $(tail -n 3 "$dir/log")"
echo "put $dir/new file" >"$dir/batch"
seen=$(over sftp "$dir/unpacked/usr/bin/sftp" -q -b "$dir/batch" -D "$server" | tr '\n' ' ')
[ "$seen" = "refused old old " ] || fail "by sftp: $seen $(tail -n 3 "$dir/log")"
echo "$(basename "$0" .sh): as recorded"
