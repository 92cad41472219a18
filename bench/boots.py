# SPDX-License-Identifier: Apache-2.0
"""From power-on to dom0's first instruction and to its user space: instructions and seconds.

Instructions are counted by QEMU (-icount, one CPU): a breakpoint stops the machine at dom0's first
instruction, and the line that dom0's user space prints is the other end. The counts repeat exactly.
Seconds are wall time with two CPUs, the median of several boots.
"""
import pathlib
import re
import socket
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

from machine import BUILD, Kernel, Machine  # noqa: E402


class Gdb:
    """As much of gdb's remote protocol as a breakpoint needs."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            try:
                self.socket.connect(str(path))
                break
            except OSError:
                time.sleep(0.05)
        self.socket.settimeout(120)

    def ask(self, text):
        """Send a packet, return the next one."""
        self.socket.sendall(b"$%s#%02x" % (text.encode(), sum(text.encode()) & 0xFF))
        data = b""
        while not re.search(rb"\$[^#]*#..", data):
            data += self.socket.recv(4096)
        self.socket.sendall(b"+")
        return re.search(rb"\$([^#]*)#", data).group(1).decode()


def dom0(kernel):
    return Kernel(kernel, "nokaslr")


def first_address(hypervisor, options, kernel):
    """Where dom0's first instruction lies: the first return from EL2 to EL1 goes there."""
    directory = BUILD / "logs/bench-entry"
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "int.log"
    log.unlink(missing_ok=True)
    machine = Machine(hypervisor, options=options, cpus=1, dom0=dom0(kernel), icount=True,
                      qemu_args=["-d", "int", "-D", str(log)])
    pattern = re.compile(r"Exception return from AArch64 EL2 to AArch64 EL1 PC (0x[0-9a-f]+)")
    with machine.boot("bench-entry", directory) as run:
        while run.seconds() < 120:
            match = log.exists() and pattern.search(log.read_text(errors="replace"))
            if match:
                log.unlink()
                return int(match.group(1), 16)
            time.sleep(0.2)
    raise AssertionError("dom0 never ran: %s" % run.log)


def to_entry(hypervisor, options, kernel, address, counted=True):
    """Until dom0's first instruction: instructions, or seconds."""
    directory = BUILD / "logs/bench-entry"
    stub = directory / "gdb"
    machine = Machine(hypervisor, options=options, cpus=1 if counted else 2, dom0=dom0(kernel), icount=counted,
                      qemu_args=["-S", "-gdb", "unix:%s,server=on,wait=off" % stub])
    with machine.boot("bench-entry", directory) as run:
        gdb = Gdb(stub)
        assert gdb.ask("Z1,%x,4" % address) == "OK"
        began = time.monotonic()
        stop = gdb.ask("c")
        seconds = time.monotonic() - began
        assert stop.startswith("T05"), stop
        return run.instructions() if counted else seconds


def instructions_to_entry(hypervisor, options, kernel):
    return to_entry(hypervisor, options, kernel, first_address(hypervisor, options, kernel))


def instructions_to_user(hypervisor, options, kernel):
    machine = Machine(hypervisor, options=options, cpus=1, dom0=dom0(kernel), icount=True)
    with machine.boot("bench-user") as run:
        run.expect("Run /init as init process", 180)
        return run.instructions()


def seconds_to_user(hypervisor, options, kernel):
    machine = Machine(hypervisor, options=options, cpus=2, dom0=dom0(kernel))
    with machine.boot("bench-seconds") as run:
        run.expect("Run /init as init process", 180)
        return run.seconds()


def measure(machines, kernel="cloud", times=3):
    """machines: {name: (hypervisor or None, options)} -> {name: {what: figure}}.

    The wall times of the machines alternate, so that a busy host troubles all of them alike.
    """
    result = {name: {} for name in machines}
    address = {}
    for name, (hypervisor, options) in machines.items():
        if hypervisor:
            address[name] = first_address(hypervisor, options, kernel)
            result[name]["entry"] = to_entry(hypervisor, options, kernel, address[name])
        result[name]["user"] = instructions_to_user(hypervisor, options, kernel)
    seconds = {name: [] for name in machines}
    entry = {name: [] for name in address}
    for _ in range(times):
        for name, (hypervisor, options) in machines.items():
            seconds[name].append(seconds_to_user(hypervisor, options, kernel))
            if name in address:
                entry[name].append(to_entry(hypervisor, options, kernel, address[name], counted=False))
    for name in machines:
        result[name]["seconds"] = statistics.median(seconds[name])
    for name in address:
        result[name]["entry seconds"] = statistics.median(entry[name])
    return result


if __name__ == "__main__":
    from machine import CACHE
    print(measure({"bare": (None, ""), "xen": (CACHE / "arm64/xen", "console=dtuart dtuart=/pl011@9000000 dom0_mem=512M")}))
