# SPDX-License-Identifier: Apache-2.0
"""./run as README.md and docs/getting-started.md have it: what a new user types, and what the terminal shows."""
import os
import sys

import machine as machines
import pexpect
import pytest

from machine import SLOW


@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_a_new_user_gets_a_guest(arch):
    machines.made(*(machines.BUILD / "tools" / arch / name for name in machines.RUN_PROGRAMS))
    folder = machines.BUILD / "logs" / "run"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ("console-%s.log" % arch), "wb") as log:
        terminal = machines.Terminal(sys.executable, [str(machines.TOP / "scripts/boot.py"), arch], logfile=log,
                                     env=dict(os.environ, O=str(machines.BUILD)), timeout=180 * SLOW, echo=False)
        terminal.logfile_send = None
        try:
            converse(terminal)
        finally:
            terminal.close(force=True)


def converse(terminal):
    terminal.delaybeforesend = 0.5

    def expect(wanted):
        try:
            return terminal.expect(wanted)
        except (pexpect.TIMEOUT, pexpect.EOF) as what:
            raise AssertionError("no %r: %s\n%s" % (wanted, type(what).__name__, terminal.before.decode(errors="replace"))) from None

    def type_and_expect(line, *wanted):
        terminal.send(line)
        for text in wanted:
            expect(text)

    starting = ["This is dom0", "d1: dom0 serves its console"]     # in either order
    while starting:
        starting.pop(expect(starting))
    # What the boot-time domain prints is dom0's from now on, and the keyboard does not go there any more.
    type_and_expect("\x01\x01\x01", "nput to Krypton")
    type_and_expect("\x01\x01\x01", "nput to d0")
    type_and_expect("\r", "dom0 # ")
    terminal.send("kr console boot-1\r")
    type_and_expect("hostname\r", r"\(d0\) guest\r")
    type_and_expect("\x1d", "dom0 # ")
    type_and_expect("kr create debian.cfg --console\r", "debian is domain 2", "debian # ")
    type_and_expect("mount /dev/xvda /mnt && cat /mnt/hello\r", "hello from the disk\r", "debian # ")
    # What is expected is not in what is typed, and no answer need come within a time.
    type_and_expect("until ping -c 1 10.0.0.1; do sleep 1; done\r", "1 packets received", "debian # ")
    type_and_expect("\x1d", "dom0 # ")
    type_and_expect("kr list\r", r"2  debian +running", "dom0 # ")
    # The boot-time domain is known too, and its kernel hears what it is asked.
    type_and_expect("kr shutdown boot-1\r", "d1: guest powered off")
    type_and_expect("\r", "dom0 # ")
    # By the supervisor: until it has looked there is what the hypervisor said of it, "boot-1 guest powered off".
    type_and_expect("until kr events | grep 'boot-1 *powered'; do sleep 1; done\r", "boot-1 +powered off", "dom0 # ")
    type_and_expect("kr top\r", "domains,", "debian")
    type_and_expect("q", "dom0 # ")
    type_and_expect("poweroff -f\r", pexpect.EOF)
