#!/bin/bash
# Erlang's ssh_sftp leaves gaps in a file that is read in pieces larger than the server's answers.
#
# One would guess: read(Channel, Handle, Length) goes on where the last answer ended, as read(2) does, since a server may answer with
# fewer bytes than were asked for, and each limits them.
# What happens: the position goes on by the length that was asked for. Read by a million bytes at a time from OpenSSH's server, whose
# answers hold 261120 at most, a file of 3000000 is told as 783360 and then eof: three pieces with gaps between them, and no error.
# read_file/2 asks for as much as a packet may hold and is not concerned; neither is who asks for 32768.
# Bitten: who copies a large file by pieces of a size of their own; the copy is short, and what follows the first piece is misplaced.
# Seen with: erlang-base and erlang-ssh 1:25.2.3+dfsg-1+deb12u4, openssh-server 1:9.2p1-2+deb12u10.
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

erlang=1:25.2.3+dfsg-1+deb12u4 openssh=1:9.2p1-2+deb12u10
need openssh-server sshd
need openssh-client ssh-keygen
need python3 python3
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") sshd=
trap '[ -z "$sshd" ] || kill "$sshd"; rm -rf "$dir"' EXIT

unpack erlang-base=$erlang erlang-crypto=$erlang erlang-asn1=$erlang erlang-public-key=$erlang erlang-ssh=$erlang \
    openssh-server=$openssh openssh-sftp-server=$openssh

mkdir "$dir/ssh"
touch "$dir/log"
ssh-keygen -q -t ed25519 -N '' -f "$dir/host"
ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh/id_ed25519"
# As root sshd wants this directory for itself.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$dir/unpacked/usr/sbin/sshd" -D -e -f /dev/null -o ListenAddress=127.0.0.1 -o Port="$port" -o PidFile=none -o UsePAM=no \
    -o HostKey="$dir/host" -o AuthorizedKeysFile="$dir/ssh/id_ed25519.pub" -o StrictModes=no \
    -o Subsystem="sftp $dir/unpacked/usr/lib/openssh/sftp-server" 2>"$dir/log" &
sshd=$!
for _ in {1..100}; do
    ! grep -q 'Server listening' "$dir/log" || break
    sleep 0.1
done
python3 -c "open('$dir/file', 'wb').write(bytes(n % 251 for n in range(3000000)))"

cat >"$dir/pieces.erl" <<'ERL'
-module(pieces).
-export([main/1]).

main([Dir, Port, User]) ->
    {ok, _} = application:ensure_all_started(ssh),
    {ok, Connection} = ssh:connect("127.0.0.1", list_to_integer(Port),
        [{user, User}, {user_dir, Dir ++ "/ssh"}, {silently_accept_hosts, true}, {user_interaction, false}]),
    {ok, Channel} = ssh_sftp:start_channel(Connection),
    {ok, Handle} = ssh_sftp:open(Channel, Dir ++ "/file", [read, binary]),
    ok = file:write_file(Dir ++ "/copy", all(Channel, Handle)),
    halt(0).

all(Channel, Handle) ->
    case ssh_sftp:read(Channel, Handle, 1000000) of
        {ok, Piece} -> [Piece | all(Channel, Handle)];
        eof -> []
    end.
ERL
export ROOTDIR=$dir/unpacked/usr/lib/erlang EMU=beam PROGNAME=erl HOME=$dir
BINDIR=$(echo "$ROOTDIR"/erts-*/bin)
export BINDIR
boot=$(echo "$ROOTDIR"/releases/*/start_clean.boot)
erl() { (cd "$dir" && timeout 60 "$BINDIR/erlexec" -boot "${boot%.boot}" -noshell -noinput "$@" >"$dir/said" 2>&1); }
erl -eval '{ok, _} = compile:file("pieces"), halt(0).' || fail "erlc: $(tail -n 5 "$dir/said")"
erl -eval "pieces:main([\"$dir\", \"$port\", \"$(id -un)\"])." || fail "the download failed: $(tail -n 5 "$dir/said") $(tail -n 3 "$dir/log")"

seen=$(python3 - "$dir" <<'PY'
import sys
file, copy = (open(f"{sys.argv[1]}/{name}", "rb").read() for name in ("file", "copy"))
pieces = [file[start:start + 261120] for start in (0, 1000000, 2000000)]
print(len(copy), "gaps" if copy == b"".join(pieces) else "other bytes")
PY
)
[ "$seen" = "783360 gaps" ] || fail "the copy is: $seen"
echo "$(basename "$0" .sh): as recorded"
