# SPDX-License-Identifier: Apache-2.0
"""Our store daemon and Debian's, run on this host over tests/stored/fakexen.c."""
import os
import pathlib
import platform
import signal
import subprocess
import time

import wire

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("O", TOP / "build")).resolve() / "tools"
ARCH = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
CACHE = pathlib.Path(os.environ.get("KRYPTON_CACHE", pathlib.Path.home() / ".cache/krypton")) / ARCH
DEBIAN = CACHE / "tools/root"


def debian_program(path):
    """The command line that runs a program of Debian's Xen tools with its own libraries."""
    loader = next(DEBIAN.glob("usr/lib*/ld-linux-*.so.*"))
    libraries = next(DEBIAN.glob("usr/lib/*-linux-gnu"))
    return [str(loader), "--library-path", str(libraries)], [str(DEBIAN / path)]


class Store:
    """One daemon in a folder of its own. kind: ours (with sanitizers), fast (ours, optimised), debian."""

    def __init__(self, kind, folder, options=(), domains=range(1, 6), user="0"):
        self.kind, self.folder = kind, pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.states = {n: "running" for n in domains}
        for n in [0, *domains]:
            wire.reset_page(self.folder, n)
        wire.set_domains(self.folder, self.states)
        self.options = list(options)
        self.user = user
        self.process = None
        self.start()

    def environment(self):
        return dict(os.environ, XENSTORED_RUNDIR=str(self.folder), FAKEXEN=str(self.folder),
                    ASAN_OPTIONS="detect_leaks=0:abort_on_error=1")

    def command(self):
        if self.kind == "debian":
            loader, program = debian_program("usr/lib/xen-4.17/bin/xenstored")
            return loader + ["--preload", str(BUILD / "fakexen.so")] + program + ["-N"] + self.options
        program = BUILD / {"ours": "sim", "fast": "fast"}[self.kind] / "kr-stored"
        return [str(program), "-N", "-U", self.user, "-F", str(self.folder / "pid")] + self.options

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), env=self.environment(), stdout=log, stderr=log)
        self.client_when_ready().close()

    def client_when_ready(self, timeout=60):
        end = wire.deadline(timeout)
        while True:
            try:
                client = wire.Socket(self.folder / "socket")
                client.ls("/")
                return client
            except (OSError, wire.Closed):
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < end, self.log()
                time.sleep(0.02)

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def socket(self):
        return wire.Socket(self.folder / "socket")

    def ring(self, domid):
        return wire.Ring(self.folder, domid)

    def set_domain(self, domid, state):
        """state None: the domain is gone."""
        if state is None:
            del self.states[domid]
        else:
            self.states[domid] = state
        wire.set_domains(self.folder, self.states)

    def server(self):
        """The process that serves: a child of the one that was started."""
        if self.kind == "debian":
            return self.process.pid
        path = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        children = wire.until(pathlib.Path(path).read_text, 60, lambda: "no server: " + self.log())
        return int(children.split()[0])

    def kill_server(self):
        os.kill(self.server(), signal.SIGKILL)

    def memory(self):
        """
        What all its processes need for data, in KiB: anonymous and shared memory, shared pages divided among them. (Programs are
        left out: one is linked with libraries that everybody shares, the other is static.)
        """
        total = 0
        for pid in {self.process.pid, self.server()}:
            for line in pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
                if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                    total += int(line.split()[1])
        return total

    def stop(self):
        """Ask it to end; its log must show no sanitizer's report."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60 * wire.SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert "ERROR: AddressSanitizer" not in self.log() and "runtime error" not in self.log(), self.log()
        assert "kr-stored: broken" not in self.log(), self.log()
