"""Drives Midnight Commander on a terminal as its arguments say: LEFT RIGHT STEP...

A STEP is `keys TEXT`, with escapes as Python has them; `see TEXT`, which waits until that stands on the screen since the last keys; `is PATH LENGTH`
and `gone PATH`, which wait for the disk. Waits are bounded, and what was on the screen is told where one ends in vain.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

LIMIT = 40


def start(left, right):
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        os.execvp("mc", ["mc", "--nosubshell", "--nocolor", "-b", left, right])
    return pid, terminal


class Screen:
    def __init__(self, terminal):
        self.terminal = terminal
        self.said = b""

    def read(self):
        ready, _, _ = select.select([self.terminal], [], [], 0.05)
        if ready:
            try:
                self.said += os.read(self.terminal, 65536)
            except OSError:
                sys.exit(f"mc has ended\n{self.told()}")

    def told(self):
        return self.said.decode(errors="replace")

    def wait(self, what, holds):
        end = time.monotonic() + LIMIT
        while not holds():
            if time.monotonic() > end:
                sys.exit(f"{what}: not within {LIMIT} s\n{self.told()}")
            self.read()

    def step(self, step):
        kind, rest = step.split(" ", 1)
        if kind == "keys":
            self.said = b""
            os.write(self.terminal, rest.encode().decode("unicode_escape").encode("latin-1"))
        elif kind == "see":
            self.wait(step, lambda: rest.encode() in self.said)
        elif kind == "is":
            path, length = rest.rsplit(" ", 1)
            self.wait(step, lambda: os.path.exists(path) and os.path.getsize(path) == int(length))
        elif kind == "gone":
            self.wait(step, lambda: not os.path.lexists(rest))
        else:
            sys.exit(f"no step: {step}")


def main(left, right, *steps):
    pid, terminal = start(left, right)
    screen = Screen(terminal)
    try:
        for step in steps:
            screen.step(step)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


main(*sys.argv[1:])
