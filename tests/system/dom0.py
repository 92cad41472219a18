# SPDX-License-Identifier: Apache-2.0
"""A booted dom0 with Debian's Xen tools, and commands in it.

    with Dom0("krypton", "name") as dom0:
        status, text = dom0.run("xl list")
        text = dom0.ok("xl info")

Commands go over dom0's console to images/dom0-root/bin/agent, as text in base64, and come back
with a checksum: the hypervisor prints on the same console when it likes. images/dom0-root/etc/functions
has shell functions for them.
"""
import base64
import hashlib
import math
import re
import time

from machine import BRIEF, CACHE, PATIENCE, SLOW, Kernel, Machine, dom0_image

XEN_OPTIONS = {"arm64": "console=dtuart dtuart=/pl011@9000000", "x86_64": "console=com1 dom0=pvh"}


class Dom0:
    """hypervisor: "krypton", "xen" (Debian's) or a path. store: the command of the store daemon. console: the console daemon."""

    def __init__(self, hypervisor, name, arch="arm64", options="", memory=512, store="", console="", extra=None, **machine):
        self.krypton = hypervisor == "krypton"
        options = "dom0_mem=%dM guest_loglvl=all %s" % (memory, options)
        if hypervisor == "xen":
            hypervisor, options = CACHE / arch / "xen", XEN_OPTIONS[arch] + " " + options
        kernel = "cloud" if arch == "arm64" else "kernel"   # who can be dom0
        self.machine = Machine(hypervisor, options=options, arch=arch,
                               dom0=Kernel({"kernel": "vmlinux"}.get(kernel, kernel), BRIEF[arch], dom0_image(arch, kernel, extra)), **machine)
        self.run_ = self.machine.boot(name)
        self._number = 0
        try:
            self.up = self.run_.expect_guest("dom0", 180)
            self.run_.line("exec agent")
            self.ok("echo 1 >/proc/sys/kernel/printk; console=%s /etc/toolstack %s" % (console, store), 60)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.run_.__exit__()

    def _type(self, text):
        """As fast as the smallest of the buffers on the way allows."""
        for start in range(0, len(text), 48):
            self.run_.send(text[start:start + 48])
            time.sleep(0.02)

    def run(self, command, seconds=PATIENCE):
        """Run a shell command; returns its status and what it printed. It is killed after seconds (never less than PATIENCE)."""
        limit = int(max(seconds, PATIENCE) * SLOW)
        data = base64.b64encode(b"slow=%d\n%s\n" % (math.ceil(SLOW), command.encode())).decode()
        for _ in range(3):
            self._number += 1
            for start in range(0, len(data), 3000):
                self._type("+ %s\n" % data[start:start + 3000])
            self._type("run %d %d %d\n" % (self._number, len(data), limit))
            for _ in range(5):
                answer = self._answer(limit / SLOW + 15)
                if answer:
                    break
                self._type("again %d\n" % self._number)
            if answer and answer != "lost":
                return answer
        raise AssertionError("%s: the console loses characters: %s" % (self.run_.name, self.run_.log))

    def _answer(self, seconds):
        """(status, text), "lost", or None if what came is damaged."""
        mark = "@@%d " % self._number
        match = self.run_.expect(r"\n(?:\(d0\) )?%s(?:lost|(\d+) (\w{32}))\r*\n" % mark, seconds)
        if not match.group(1):
            return "lost"
        status, digest = int(match.group(1)), match.group(2).decode()
        body = self.run_.expect(r"(?s)(.*?)\n(?:\(d0\) )?%send\r*\n" % mark).group(1)
        body = re.sub(rb"(?m)^\(d0\) ", b"", body.replace(b"\r", b""))
        for text in (body, re.sub(rb"(?m)^\((?:KR|XEN)\) [^\n]*\n", b"", body + b"\n")[:-1]):
            if hashlib.md5(text).hexdigest() == digest:
                return status, text.decode(errors="replace")
        return None

    def ok(self, command, seconds=PATIENCE):
        """The same for commands that must succeed, each of them; returns what they printed."""
        status, text = self.run("set -e\n" + command, seconds)
        assert status == 0, "%s: status %d\n%s\n%s" % (command, status, text, self.reasons())
        return text

    def terminal(self, command, conversation, seconds=PATIENCE):
        """Run a command with the console as its terminal: send each text, wait for what follows it.

        Returns the command's status."""
        self._type("tty %s\n" % command)
        time.sleep(1)
        for text, expected in conversation:
            self.run_.send(text)
            self.run_.expect(re.escape(expected), seconds)
        return int(self.run_.expect(r"@@tty (\d+)\r*\n", seconds).group(1))

    def reasons(self):
        """What the hypervisor has said lately."""
        lines = [line for line in self.run_.text().splitlines() if re.match(r"\((KR|XEN)\)", line)]
        return "\n".join(lines[-10:])
