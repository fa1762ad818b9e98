#!/bin/bash
# open(2) of a regular file with O_NONBLOCK fails with EAGAIN while another process holds a lease on it.
#
# One would guess: O_NONBLOCK does nothing to a regular file, so it may be set for safety wherever a FIFO could stand in its
# place.
# What happens: under a write lease (fcntl(2), F_SETLEASE) an open for reading that may not block is refused at once. The same
# open without the flag waits until the lease is given back, or for /proc/sys/fs/lease-break-time (45 s) at most. stat, chmod,
# rename and utimensat do not care about the lease.
# Bitten: servers and backup programs that open with O_NONBLOCK in a directory that Samba shares too ("kernel oplocks = yes"). A
# file in use there cannot be opened, and a moment later it can: the refused open has asked the holder to give the lease back.
# Seen with: Linux 6.18 on ext4 and tmpfs.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
need() { command -v "$2" >/dev/null || as_root apt-get -qq -y install "$1" >/dev/null || fail "apt-get could not install $1"; }

need python3 python3
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$dir"' EXIT

seen=$(timeout 30 python3 - "$dir/file" <<'PYTHON'
import errno, fcntl, os, signal, sys, time

path = sys.argv[1]
os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
ready, told = os.pipe()
holder = os.fork()
if holder == 0:
    # The kernel asks for the lease by SIGIO; this holder gives it back after a second.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    fd = os.open(path, os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    os.write(told, b".")
    signal.sigwait({signal.SIGIO})
    time.sleep(1)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    os._exit(0)
os.read(ready, 1)

os.stat(path), os.chmod(path, 0o600), os.utime(path)
os.rename(path, path + ".moved")
try:
    os.open(path + ".moved", os.O_RDONLY | os.O_NONBLOCK)
    answer = "opened"
except OSError as error:
    answer = errno.errorcode[error.errno]
begin = time.monotonic()
os.open(path + ".moved", os.O_RDONLY)
print(answer, "then waited" if time.monotonic() - begin > 0.5 else "then came at once")
os.waitpid(holder, 0)
PYTHON
) || fail "the sequence failed, see above"
[ "$seen" = "EAGAIN then waited" ] || fail "another behaviour: $seen"
echo "$(basename "$0" .sh): as recorded"
