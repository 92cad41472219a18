# SPDX-License-Identifier: Apache-2.0
"""From power-on to dom0's first instruction and to its user space: instructions and seconds, on arm64 and x86-64.

Instructions are counted by QEMU (-icount, one CPU): a breakpoint stops the machine at dom0's first
instruction, and the line that dom0's user space prints is the other end. The counts repeat exactly.
Seconds are wall time with two CPUs, the median of several boots.
"""
import pathlib
import re
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

from machine import BUILD, CACHE, X86_CPU, Kernel, Machine  # noqa: E402

XEN_X86 = CACHE / "x86_64/xen"
# dom0's first instruction is named by a note of its ELF file (xen/elfnote.h).
ELFNOTE_ENTRY, ELFNOTE_PHYS32_ENTRY = 1, 18


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


def is_pv(hypervisor, options):
    return hypervisor == XEN_X86 and "dom0=pvh" not in options


def machine(hypervisor, options, kernel, counted=True, arch="arm64", qemu_args=()):
    """The same machine for all; QEMU's SVM cannot do SMAP, and Xen's PV dom0 dies behind its IOMMU."""
    pv = is_pv(hypervisor, options)
    return Machine(hypervisor, arch=arch, options=options, cpus=1 if counted else 2, dom0=Kernel(kernel, "nokaslr"),
                   icount=counted, cpu=X86_CPU + ",-smap,-smep" if pv else None, iommu=False if pv else None,
                   qemu_args=qemu_args)


def noted_address(note):
    """What a note of Debian's x86-64 kernel says."""
    elf, _ = Kernel("vmlinux").files("x86_64")
    with tempfile.NamedTemporaryFile() as notes:
        subprocess.run(["objcopy", "-O", "binary", "-j", ".notes", str(elf), notes.name], check=True)
        data = notes.read()
    at = 0
    while at < len(data):
        name, size, kind = struct.unpack_from("<3I", data, at)
        value = at + 12 + (name + 3 & ~3)
        if kind == note and data[at + 12:at + 16] == b"Xen\0":
            return int.from_bytes(data[value:value + size], "little")
        at = value + (size + 3 & ~3)
    raise AssertionError("%s has no note %d" % (elf, note))


def first_address(hypervisor, options, kernel, arch="arm64"):
    """Where dom0's first instruction lies."""
    if arch == "x86_64":
        return noted_address(ELFNOTE_ENTRY if is_pv(hypervisor, options) else ELFNOTE_PHYS32_ENTRY)
    return first_return(hypervisor, options, kernel)


def first_return(hypervisor, options, kernel):
    """Where the first return from EL2 to EL1 goes to."""
    directory = BUILD / "logs/bench-entry"
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "int.log"
    log.unlink(missing_ok=True)
    pattern = re.compile(r"Exception return from AArch64 EL2 to AArch64 EL1 PC (0x[0-9a-f]+)")
    with machine(hypervisor, options, kernel,
                 qemu_args=["-d", "int", "-D", str(log)]).boot("bench-entry", directory) as run:
        while run.seconds() < 120:
            match = log.exists() and pattern.search(log.read_text(errors="replace"))
            if match:
                log.unlink()
                return int(match.group(1), 16)
            time.sleep(0.2)
    raise AssertionError("dom0 never ran: %s" % run.log)


def to_entry(hypervisor, options, kernel, address, counted=True, arch="arm64"):
    """Until dom0's first instruction: instructions, or seconds."""
    directory = BUILD / "logs/bench-entry"
    stub = directory / "gdb"
    directory.mkdir(parents=True, exist_ok=True)
    with machine(hypervisor, options, kernel, counted, arch,
                 ["-S", "-gdb", "unix:%s,server=on,wait=off" % stub]).boot("bench-entry", directory) as run:
        gdb = Gdb(stub)
        assert gdb.ask("Z1,%x,%d" % (address, 4 if arch == "arm64" else 1)) == "OK"
        began = time.monotonic()
        stop = gdb.ask("c")
        seconds = time.monotonic() - began
        assert stop.startswith("T05"), stop
        return run.instructions() if counted else seconds


def instructions_to_entry(hypervisor, options, kernel, arch="arm64"):
    return to_entry(hypervisor, options, kernel, first_address(hypervisor, options, kernel, arch), arch=arch)


def instructions_to_user(hypervisor, options, kernel, arch="arm64"):
    with machine(hypervisor, options, kernel, arch=arch).boot("bench-user") as run:
        run.expect("Run /init as init process", 180)
        return run.instructions()


def seconds_to_user(hypervisor, options, kernel, arch="arm64"):
    with machine(hypervisor, options, kernel, False, arch).boot("bench-seconds") as run:
        run.expect("Run /init as init process", 180)
        return run.seconds()


def measure_x86():
    """{(machine, kernel): {what: instructions}}; the kernel packed with xz as Debian has it, and unpacked beforehand."""
    machines = {"bare": (None, ""), "xen pv": (XEN_X86, "console=com1 dom0_mem=512M"),
                "xen pvh": (XEN_X86, "console=com1 dom0=pvh dom0_mem=512M"),
                "krypton": (BUILD / "krypton-x86_64", "console=com1 dom0_mem=512M")}
    result = {}
    for kernel in ("vmlinux", "kernel"):
        for name, (hypervisor, options) in machines.items():
            of = result[name, kernel] = {}
            if hypervisor:
                of["entry"] = instructions_to_entry(hypervisor, options, kernel, "x86_64")
            of["user"] = instructions_to_user(hypervisor, options, kernel, "x86_64")
    return result


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
    if sys.argv[1:] == ["x86_64"]:
        for what, figures in measure_x86().items():
            print(*what, figures, flush=True)
    else:
        print(measure({"bare": (None, ""), "xen": (CACHE / "arm64/xen", "console=dtuart dtuart=/pl011@9000000 dom0_mem=512M")}))
