#!/bin/bash
# yafc, opened by sftp://, lists by SFTP and transfers by the command scp, in sessions of their own.
#
# One would guess: a client that was given an sftp:// address opens, reads and writes files by SFTP, as it lists and removes them.
# What happens: for each put and each get it opens another session on the connection and has the user's shell run "scp -t" or "scp -f".
# Bitten: an account whose shell or sshd lets SFTP alone through lists well and gets "SCP: …" in place of a transfer; a server of SFTP
# sees no OPEN, logs no transfer, and has no say in what is written; a host without scp has no transfers at all.
# Seen with: yafc 1.3.7-4+b1, libssh-4 0.10.6-0+deb12u2, OpenSSH 1:9.2p1-2+deb12u10.
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
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") sshd=
trap '[ -z "$sshd" ] || kill "$sshd"; rm -rf "$dir"' EXIT

libraries=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances yafc |
    sed -n 's/^\(lib[a-z0-9.+-]*\)$/\1/p' | grep -vE '^(libc6|libgcc-s1|libcrypt1)$')
# shellcheck disable=SC2086 # names of packages
unpack yafc=1.3.7-4+b1 openssh-server=$openssh openssh-client=$openssh openssh-sftp-server=$openssh $libraries
bin=$dir/unpacked/usr/bin

# yafc keeps its files, and libssh the keys, where passwd(5) has the home: in a namespace of mounts that is a directory of ours.
mkdir -p "$dir/home/.ssh" "$dir/remote"
for key in host user; do "$bin/ssh-keygen" -q -t ed25519 -N '' -f "$dir/$key"; done
cp "$dir/user" "$dir/home/.ssh/id_ed25519"
# Says what was asked for, and does it.
printf '#!/bin/sh\necho "$SSH_ORIGINAL_COMMAND" >>%s\nPATH=%s:$PATH exec sh -c "$SSH_ORIGINAL_COMMAND"\n' "$dir/asked" "$bin" >"$dir/ask"
chmod 755 "$dir/ask"
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
for port in $(shuf -i 20000-30000 -n 5); do
    cat >"$dir/sshd_config" <<CONFIG
Port $port
ListenAddress 127.0.0.1
HostKey $dir/host
AuthorizedKeysFile $dir/user.pub
PidFile none
UsePAM no
StrictModes no
Subsystem sftp $dir/unpacked/usr/lib/openssh/sftp-server
ForceCommand $dir/ask
CONFIG
    "$dir/unpacked/usr/sbin/sshd" -D -e -f "$dir/sshd_config" 2>"$dir/log" &
    sshd=$!
    for _ in $(seq 50); do grep -q "Server listening" "$dir/log" && break 2 || sleep 0.1; done
    sshd=
done
[ -n "$sshd" ] || fail "sshd does not start: $(tail -n 3 "$dir/log")"
echo "[127.0.0.1]:$port $(cat "$dir/host.pub")" >"$dir/home/.ssh/known_hosts"

echo content >"$dir/file"
printf '%s\n' "open sftp://$(id -un)@127.0.0.1:$port" "cd $dir/remote" "lcd $dir" "put file" "mkdir made" "ls" "get file -o back" close quit >"$dir/typed"
as=$([ "$(id -u)" = 0 ] || echo --map-root-user)
# shellcheck disable=SC2086,SC2016 # none or one word; the inner shell's own
unshare --mount $as sh -c 'mount --bind "$0/home" /root && cd "$0" && LD_LIBRARY_PATH="$1" timeout 60 "$2" -n -q <"$0/typed"' \
    "$dir" "$dir/unpacked/usr/lib/x86_64-linux-gnu:$dir/unpacked/lib/x86_64-linux-gnu" "$bin/yafc" >"$dir/said" 2>&1 || true
cmp -s "$dir/file" "$dir/remote/file" && [ -d "$dir/remote/made" ] || fail "nothing was put: $(tail -n 3 "$dir/said" "$dir/log")"
asked=$(sed "s|$dir|DIR|g" "$dir/asked" | sed 's/ .*-\([tf]\) .*/ -\1/' | sort | uniq | paste -sd,)
[ "$asked" = "DIR/unpacked/usr/lib/openssh/sftp-server,scp -f,scp -t" ] || fail "asked for: $asked"
echo "$(basename "$0" .sh): as recorded"
