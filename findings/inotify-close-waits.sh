#!/bin/bash
# Closing an inotify descriptor that has watched something takes milliseconds, and so does the end of a process that holds one.
#
# One would guess: close(2) of an event descriptor costs as much as that of a pipe, some microseconds.
# What happens: the kernel waits until nobody can look at the watches any more (an SRCU grace period) before it lets the caller go, 5
# to 25 ms here. The exit of a process waits as long, since its descriptors are closed before its parent hears of it.
# Bitten: short-lived programs that watch a directory "for nothing": a server process for each connection ends later, by more than
# its whole work may take. A descriptor without watches is closed at once.
# Seen with: Linux 6.18, inotify-tools 3.22.6.0-4 (which measures nothing itself: it shows that a program of the field pays it, too).
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

inotify=3.22.6.0-4
dir=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$dir"' EXIT
need python3 python3
unpack inotify-tools=$inotify libinotifytools0=$inotify

# Medians, in microseconds: close with a watch, close without one; then the same of whole programs that are told an event at once.
python3 - "$dir" <<'PYTHON' || fail "another behaviour, see above"
import ctypes, os, platform, statistics, subprocess, sys, time

dir = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)

def close(watches):
    fd = libc.inotify_init1(0)
    if watches:
        assert libc.inotify_add_watch(fd, dir.encode(), 0x100) >= 0
    begun = time.monotonic()
    os.close(fd)
    return (time.monotonic() - begun) * 1e6

watched = statistics.median(close(True) for _ in range(31))
bare = statistics.median(close(False) for _ in range(31))

library = f"{dir}/unpacked/usr/lib/{platform.machine()}-linux-gnu"
def run(*words):
    begun = time.monotonic()
    subprocess.run([f"{dir}/unpacked/usr/bin/inotifywait", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   env={"LD_LIBRARY_PATH": library})
    return (time.monotonic() - begun) * 1e6

# It watches for no time at all, or is refused its options before it watches.
program = statistics.median(run("-q", "-t", "1", dir) - 1e6 for _ in range(5))
refused = statistics.median(run("--no-such-option") for _ in range(5))
print(f"close {watched:.0f} and {bare:.0f} µs, program {program:.0f} and {refused:.0f} µs", file=sys.stderr)
sys.exit(0 if watched > 1000 and watched > 10 * bare and program > refused + 1000 else 1)
PYTHON
echo "$(basename "$0" .sh): as recorded"
