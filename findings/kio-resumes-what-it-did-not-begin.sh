#!/bin/bash
# KIO's copy to an sftp:// address goes on behind whatever stands there as NAME.part, and says that all is well.
#
# One would guess: a copy of a whole file has the content of that file when the command ends with 0; a part that was left by an earlier copy, perhaps
# of another file, is resumed where somebody asks for it.
# What happens: KIO uploads to NAME.part and renames that. Where a NAME.part is there and shorter than the file, "kioclient5 --noninteractive copy"
# opens it without emptying it, skips as many bytes of the file as it has, appends the rest and renames. Nothing is compared, not even dates.
# The exit status is 0, and the file is the beginning of the one and the end of the other. With --overwrite it begins anew.
# Bitten: scripts and backups by kioclient after an upload that broke off, once the file has changed meanwhile; two that upload files of one name.
# Seen with: kio-extras 4:22.12.3-1, kde-cli-tools 4:5.27.5.1-2, libkf5kiocore5 5.103.0-1+deb12u1, openssh-server 1:9.2p1-2+deb12u10.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
need() { command -v "$2" >/dev/null || as_root apt-get -qq -y install "$1" >/dev/null || fail "apt-get could not install $1"; }

need debootstrap debootstrap
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'as_root rm -rf "$dir"' EXIT
root=$dir/root

# KIO comes with some 250 packages: they get a system of their own, and end with it.
as_root debootstrap --variant=minbase bookworm "$root" >"$dir/log" 2>&1 || fail "debootstrap: $(tail -n 2 "$dir/log")"
as_root chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends kio-extras=4:22.12.3-1 \
    kde-cli-tools=4:5.27.5.1-2 libkf5kiocore5=5.103.0-1+deb12u1 dbus openssh-server=1:9.2p1-2+deb12u10 >"$dir/log" 2>&1 ||
    fail "apt-get: $(tail -n 2 "$dir/log")"

cat >"$dir/inside" <<'INSIDE'
set -eu
mkdir -p /run/sshd /root/.ssh /remote /tmp/run
chmod 700 /tmp/run
ssh-keygen -q -t ed25519 -N '' -f /host
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
for port in $(shuf -i 20000-30000 -n 5); do
    printf '%s\n' "Port $port" 'ListenAddress 127.0.0.1' 'HostKey /host' 'AuthorizedKeysFile /root/.ssh/id_ed25519.pub' 'PidFile none' 'UsePAM no' \
        'StrictModes no' 'PermitRootLogin yes' 'Subsystem sftp /usr/lib/openssh/sftp-server' >/config
    /usr/sbin/sshd -D -e -f /config 2>/sshd.log &
    sshd=$!
    for _ in $(seq 50); do grep -q 'Server listening' /sshd.log && break 2 || sleep 0.1; done
done
trap 'kill $sshd' EXIT
echo "[127.0.0.1]:$port $(cat /host.pub)" >/root/.ssh/known_hosts
head -c 100000 /dev/zero | tr '\0' n >/new
# An upload of another file has broken off; nothing has broken off; it is overwritten.
head -c 30000 /dev/zero | tr '\0' o | tee /remote/one.part >/remote/three.part
copy() {
    status=0
    HOME=/root LC_ALL=C.UTF-8 QT_QPA_PLATFORM=offscreen XDG_RUNTIME_DIR=/tmp/run dbus-run-session \
        timeout 40 kioclient5 --noninteractive "$@" </dev/null >/said 2>&1 || status=$?
}
for name in one two three; do
    overwrite=$([ $name = three ] && echo --overwrite || true)
    copy $overwrite copy /new "sftp://root@127.0.0.1:$port/remote/$name"
    echo "$name $status $(tr -d n </remote/$name | wc -c) $(tr -d o </remote/$name | wc -c)"
done
INSIDE
as_root cp "$dir/inside" "$root/inside"
# shellcheck disable=SC2016 # the inner shell's own
seen=$(as_root unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" bash /inside' "$root" 2>"$dir/log" |
    paste -sd,) || fail "$(tail -n 3 "$dir/log")"
# The exit status, and how many bytes of the old and of the new file there are.
[ "$seen" = "one 0 30000 70000,two 0 0 100000,three 0 0 100000" ] || fail "$seen $(tail -n 3 "$dir/log")"
echo "$(basename "$0" .sh): as recorded"
