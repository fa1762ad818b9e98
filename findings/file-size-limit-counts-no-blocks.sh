#!/bin/bash
# RLIMIT_FSIZE bounds where a file ends, not what it takes: ext4 gives a file any number of blocks past the limit.
#
# One would guess: a process under `ulimit -f` cannot make a file larger than that, so files times limit bounds the disk.
# What happens: write, ftruncate and fallocate(2) beyond the limit are EFBIG with SIGXFSZ, and a write across it
# is short. fallocate with FALLOC_FL_KEEP_SIZE past the limit succeeds on ext4: a file of which 1 MiB may be written takes 8 MiB
# of blocks, and its size does not show it. tmpfs refuses the same call.
# Bitten: programs that use the limit as a quota for untrusted children. They have to forbid fallocate, or to look at st_blocks.
# Seen with: Linux 6.18 on ext4 and tmpfs. Needs an ext4 below TMPDIR and a tmpfs at /dev/shm.
set -eu
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

fail() {
    echo "$(basename "$0" .sh): $*" >&2
    exit 1
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
need() { command -v "$2" >/dev/null || as_root apt-get -qq -y install "$1" >/dev/null || fail "apt-get could not install $1"; }

need python3 python3
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") shm=$(mktemp -d /dev/shm/finding.XXXXXX)
trap 'rm -rf "$dir" "$shm"' EXIT
[ "$(stat -f -c %T "$dir")" = ext2/ext3 ] || fail "$dir is on no ext4: set TMPDIR"
[ "$(stat -f -c %T "$shm")" = tmpfs ] || fail "/dev/shm is no tmpfs"

# What each call says under a limit of 1 MiB, and the MiB that the file takes then.
calls() {
    timeout 20 python3 - "$1/file" <<'PYTHON'
import ctypes, errno, os, resource, signal, sys

MIB = 1 << 20
KEEP_SIZE = 1
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGXFSZ})
resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)


def fallocate(mode):
    if libc.fallocate(fd, mode, 0, 8 * MIB):
        raise OSError(ctypes.get_errno(), "")
    return 0


for name, call in (
    ("write across", lambda: os.pwrite(fd, bytes(8192), MIB - 4096)),
    ("write", lambda: os.pwrite(fd, b".", MIB)),
    ("ftruncate", lambda: os.ftruncate(fd, MIB + 1) or 0),
    ("fallocate", lambda: fallocate(0)),
    ("keep size", lambda: fallocate(KEEP_SIZE)),
):
    try:
        answer = call()
    except OSError as error:
        answer = errno.errorcode[error.errno]
    sent = signal.sigtimedwait({signal.SIGXFSZ}, 0)
    print(name, answer, *(["SIGXFSZ"] if sent else []))
print(os.fstat(fd).st_blocks * 512 // MIB)
PYTHON
}

common="write across 4096,write EFBIG SIGXFSZ,ftruncate EFBIG SIGXFSZ,fallocate EFBIG SIGXFSZ"
seen=$(calls "$dir" | paste -sd,)
[ "$seen" = "$common,keep size 0,8" ] || fail "on ext4: $seen"
seen=$(calls "$shm" | paste -sd,)
[ "$seen" = "$common,keep size EFBIG SIGXFSZ,0" ] || fail "on tmpfs: $seen"
echo "$(basename "$0" .sh): as recorded"
